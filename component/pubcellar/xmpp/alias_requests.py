"""What is asked in the name of users' aliases without the users having put it into words."""

from dataclasses import replace
from xml.sax.saxutils import quoteattr

from pubcellar.core.identity import Identity
from pubcellar.core.namespaces import NS_PUBSUB
from pubcellar.core.values import ItemsQuestion, NodeKey, Request, Requester, SubscriptionEntry
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.alias_payloads import AliasPayloads
from pubcellar.xmpp.errors import refusal
from pubcellar.xmpp.results import payload_of, subscription_entries
from pubcellar.xmpp.stanzas import Element, parse_element, serialised
from pubcellar.xmpp.tracker import Tracker


class AliasAsker:
    """Implements `core.ports.AliasRequests`."""

    def __init__(self, tracker: Tracker, addresses: Addresses, payloads: AliasPayloads) -> None:
        self._tracker = tracker
        self._addresses = addresses
        self._payloads = payloads

    def first_read(self, request: Request, node: str) -> Request:
        """See `core.ports.AliasRequests.first_read`."""
        items = f"<items node={quoteattr(node)} max_items='1'/>"
        return replace(
            request,
            type="get",
            namespace=NS_PUBSUB,
            question=ItemsQuestion(node, max_items=1),
            payload=f"<pubsub xmlns='{NS_PUBSUB}'>{items}</pubsub>",
            identity=Identity.ALIAS,
        )

    async def subscriptions(
        self, requester: Requester, key: NodeKey
    ) -> tuple[SubscriptionEntry, ...]:
        """See `core.ports.AliasRequests.subscriptions`."""
        wanted = f"<subscriptions node={quoteattr(key.node)}/>"
        payload = await self._ask("get", requester, key, wanted)
        if payload is None:
            return ()
        shown = self._payloads.shown_text(requester, serialised(payload))
        return subscription_entries(parse_element(shown))

    async def unsubscribe(self, requester: Requester, key: NodeKey, subid: str) -> None:
        """See `core.ports.AliasRequests.unsubscribe`."""
        alias = self._addresses.alias(requester)
        named = f" subid={quoteattr(subid)}" if subid else ""
        wanted = f"<unsubscribe node={quoteattr(key.node)} jid={quoteattr(alias)}{named}/>"
        await self._ask("set", requester, key, wanted)

    async def _ask(
        self, type_: str, requester: Requester, key: NodeKey, wanted: str
    ) -> Element | None:
        reply = await self._tracker.request(
            type_,
            sender=self._addresses.alias(requester),
            to=key.service,
            payload=f"<pubsub xmlns='{NS_PUBSUB}'>{wanted}</pubsub>",
        )
        if reply.get("type") == "error":
            raise refusal(reply)
        return payload_of(reply)
