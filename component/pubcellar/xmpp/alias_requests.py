"""What is asked in the name of users' aliases without the users having put it into words."""

from xml.sax.saxutils import quoteattr

from pubcellar.core.namespaces import NS_PUBSUB
from pubcellar.core.values import NodeKey, Requester, SubscriptionEntry
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.errors import refusal
from pubcellar.xmpp.own_jids import replace_jid
from pubcellar.xmpp.results import items_list, payload_of, subscription_entries
from pubcellar.xmpp.stanzas import Element
from pubcellar.xmpp.tracker import Tracker


class AliasAsker:
    """Implements `core.ports.AliasRequests`."""

    def __init__(self, tracker: Tracker, addresses: Addresses) -> None:
        self._tracker = tracker
        self._addresses = addresses

    async def read_newest(self, requester: Requester, key: NodeKey) -> None:
        """See `core.ports.AliasRequests.read_newest`."""
        wanted = f"<items node={quoteattr(key.node)} max_items='1'/>"
        items_list(await self._ask("get", requester, key, wanted))

    async def subscriptions(
        self, requester: Requester, key: NodeKey
    ) -> tuple[SubscriptionEntry, ...]:
        """See `core.ports.AliasRequests.subscriptions`."""
        wanted = f"<subscriptions node={quoteattr(key.node)}/>"
        payload = await self._ask("get", requester, key, wanted)
        if payload is None:
            return ()
        replace_jid(payload, self._addresses.bare_alias(requester.bare), requester.bare)
        return subscription_entries(payload)

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
