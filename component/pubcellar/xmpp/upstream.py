"""The services: asked in the name of a requester, or for the proxy's own copy, never mixed.

A forwarded request goes out as the requester where their server sends it for us, otherwise as the
requester's alias, a stranger to the service with no rights of ours; what we hold and follow is
asked for and subscribed to as the component itself. Whether a node is open can be asked in the name
of nobody at all.
"""

import logging
import secrets
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from lxml import etree

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import (
    PrivilegeMissing,
    ProxyError,
    UpstreamAnswerInvalid,
    UpstreamRefused,
)
from pubcellar.core.hints import caching_hints
from pubcellar.core.identity import Identity
from pubcellar.core.namespaces import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, NS_RSM
from pubcellar.core.ports import ForwardedAnswer, Forwarder, ItemsResult, NodeInfo
from pubcellar.core.values import (
    BareJID,
    ItemsQuestion,
    NodeItemsQuestion,
    NodeKey,
    PageRequest,
    Request,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
    SubscriptionState,
)
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.alias_payloads import AliasPayloads
from pubcellar.xmpp.errors import refusal
from pubcellar.xmpp.privilege import unwrapped, wrapped
from pubcellar.xmpp.questions import SET
from pubcellar.xmpp.results import (
    access_model,
    disco_items_list,
    items_list,
    meta_data,
    own_subscription,
    payload_of,
    published_ids,
    subscription_entries,
    subscription_state,
)
from pubcellar.xmpp.stanzas import Element, parse_element, qualified, serialised
from pubcellar.xmpp.tracker import ID_BYTES, Tracker

log = logging.getLogger(__name__)

MOST_DISCO_PAGES = 1000


class IdentityForwarder:
    """Implements `core.ports.Forwarder` in the name that each request says."""

    def __init__(self, alias: "AliasForwarder", privileged: "PrivilegedForwarder") -> None:
        self._forwarders: dict[Identity, Forwarder] = {
            Identity.ALIAS: alias,
            Identity.PRIVILEGED: privileged,
        }

    async def forward(self, request: Request, page: PageRequest | None = None) -> ForwardedAnswer:
        """See `core.ports.Forwarder.forward`."""
        return await self._forwarders[request.identity].forward(request, page)


class AliasForwarder:
    """Implements `core.ports.Forwarder` with aliases (docs/architecture.md, "Who asks")."""

    def __init__(self, tracker: Tracker, addresses: Addresses, payloads: AliasPayloads) -> None:
        self._tracker = tracker
        self._addresses = addresses
        self._payloads = payloads

    async def forward(self, request: Request, page: PageRequest | None = None) -> ForwardedAnswer:
        """See `core.ports.Forwarder.forward`."""
        payload = self._payloads.sent(request)
        payload = payload if page is None else _with_page(payload, page)
        reply = await self._tracker.request(
            request.type,
            sender=self._addresses.alias(request.requester),
            to=request.service,
            payload=payload,
            lang=request.lang,
        )
        if reply.get("type") == "error":
            raise refusal(reply)
        return _forwarded_answer(request, payload_of(reply))


class PrivilegedForwarder:
    """Implements `core.ports.Forwarder` as the users themselves, by their servers (XEP-0356)."""

    def __init__(self, tracker: Tracker, own_jid: str, counters: Counters) -> None:
        self._tracker = tracker
        self._own_jid = own_jid
        self._counters = counters
        self._refusing: set[str] = set()

    async def forward(self, request: Request, page: PageRequest | None = None) -> ForwardedAnswer:
        """See `core.ports.Forwarder.forward`.

        Raises:
            PrivilegeMissing: the user's server did not send it.
        """
        user, id_ = request.requester.bare, secrets.token_urlsafe(ID_BYTES)
        payload = request.payload if page is None else _with_page(request.payload, page)
        answers: list[Element] = []

        def is_reply(reply: Element) -> bool:
            # A client of the user's own can send what looks like a reply from their address.
            answer = unwrapped(reply, user=user, service=request.service, id_=id_)
            answers.extend([] if answer is None else [answer])
            return bool(answers) or reply.get("type") == "error"

        self._counters.count(Happened.ACTED_AS_USER)
        reply = await self._tracker.request(
            request.type,
            sender=self._own_jid,
            to=user,
            payload=wrapped(
                request.type, service=request.service, id_=id_, payload=payload, lang=request.lang
            ),
            is_reply=is_reply,
        )
        if reply.get("type") == "error":
            raise self._not_sent(request, refusal(reply))
        self._refusing.discard(_host(user))
        (answer,) = answers
        if answer.get("type") == "error":
            raise refusal(answer)
        return _forwarded_answer(request, payload_of(answer))

    def _not_sent(self, request: Request, why: ProxyError) -> PrivilegeMissing:
        """Return the error for a request that the user's server would not send."""
        self._counters.count(Happened.PRIVILEGE_MISSING)
        host = _host(request.requester.bare)
        if host not in self._refusing:
            self._refusing.add(host)
            log.warning("%s says that it lets us act for its users, and refuses: %s", host, why)
        return PrivilegeMissing(
            "your server refuses to let this proxy act for you: its administrator has to grant that"
        )


def _host(user: str) -> str:
    return user.rpartition("@")[2]


def _forwarded_answer(request: Request, element: Element | None) -> ForwardedAnswer:
    payload = "" if element is None else serialised(element)
    size_bytes = len(payload.encode())
    is_about_service = isinstance(request.question, ServiceInfoQuestion)
    if is_about_service and (element is None or element.tag != qualified(NS_DISCO_INFO, "query")):
        raise UpstreamAnswerInvalid(f"{request.service} did not answer disco#info")
    if request.type == "set":
        return ForwardedAnswer(
            payload,
            size_bytes,
            new_ids=published_ids(element),
            subscriptions=subscription_entries(element),
        )
    try:
        match request.question:
            case ItemsQuestion():
                items, page = items_list(element)
                return ForwardedAnswer(payload, size_bytes, items=items, page=page)
            case NodeItemsQuestion() | ServiceItemsQuestion():
                disco_items, page = disco_items_list(element)
                return ForwardedAnswer(payload, size_bytes, disco_items=disco_items, page=page)
    except UpstreamAnswerInvalid:
        # Not a plain list: still the service's answer, to be relayed as it is.
        pass
    return ForwardedAnswer(payload, size_bytes)


def _with_page(payload: str, page: PageRequest) -> str:
    element = parse_element(payload)
    for old in element.findall(SET):
        element.remove(old)
    element.append(_page_element(page))
    return serialised(element)


def _page_element(page: PageRequest) -> Element:
    element = etree.Element(qualified(NS_RSM, "set"), nsmap={None: NS_RSM})
    given = {"max": page.max, "after": page.after, "before": page.before, "index": page.index}
    for name, value in given.items():
        if value is not None:
            etree.SubElement(element, qualified(NS_RSM, name)).text = str(value)
    return element


class ComponentReader:
    """Implements `core.ports.ServiceReader` as the component itself."""

    def __init__(self, tracker: Tracker, own_jid: str) -> None:
        self._tracker = tracker
        self._own_jid = own_jid

    async def probe(self, service: BareJID) -> None:
        """See `core.ports.ServiceReader.probe`."""
        query = f"<query xmlns='{NS_DISCO_INFO}'/>"
        reply = await self._tracker.request("get", sender=self._own_jid, to=service, payload=query)
        if reply.get("type") == "error":
            raise refusal(reply)

    async def node_info(self, key: NodeKey) -> NodeInfo:
        """See `core.ports.ServiceReader.node_info`."""
        query = f"<query xmlns='{NS_DISCO_INFO}' node={quoteattr(key.node)}/>"
        payload = await self._ask("get", key, query)
        if payload is None or payload.tag != qualified(NS_DISCO_INFO, "query"):
            raise UpstreamAnswerInvalid("not an answer to disco#info")
        hints = caching_hints(meta_data(payload))
        return NodeInfo(serialised(payload), access_model(payload), hints)

    async def is_open_to_strangers(self, key: NodeKey) -> bool | None:
        """See `core.ports.ServiceReader.is_open_to_strangers`."""
        # No alias of anybody: as the escaped address of a domain it would be nobody's either.
        stranger = f"{secrets.token_hex(16)}@{self._own_jid}"
        items = f"<items node={quoteattr(key.node)} max_items='1'/>"
        question = f"<pubsub xmlns='{NS_PUBSUB}'>{items}</pubsub>"
        try:
            given, _ = items_list(await self._ask("get", key, question, stranger))
        except UpstreamRefused as error:
            if error.error_type == "wait" or error.condition in ("item-not-found", "gone"):
                raise
            return False
        return True if given else None

    async def item_ids(self, key: NodeKey) -> list[str]:
        """See `core.ports.ServiceReader.item_ids`."""
        found: list[str] = []
        after: str | None = None
        for _ in range(MOST_DISCO_PAGES):
            wanted = "" if after is None else serialised(_page_element(PageRequest(after=after)))
            query = f"<query xmlns='{NS_DISCO_ITEMS}' node={quoteattr(key.node)}>{wanted}</query>"
            items, page = disco_items_list(await self._ask("get", key, query))
            if any(item.name is None for item in items):
                raise UpstreamAnswerInvalid("disco#items of a node without the items' ids")
            found += [item.name or "" for item in items]
            if page is None or not items or page.last is None or page.last == after:
                break
            if page.count is not None and len(found) >= page.count:
                break
            after = page.last
        if len(set(found)) != len(found):
            raise UpstreamAnswerInvalid("disco#items lists an item twice")
        return found

    async def items(
        self,
        key: NodeKey,
        *,
        item_ids: Sequence[str] = (),
        max_items: int | None = None,
        page: PageRequest | None = None,
    ) -> ItemsResult:
        """See `core.ports.ServiceReader.items`."""
        limit = "" if max_items is None else f" max_items='{max_items}'"
        wanted = "".join(f"<item id={quoteattr(item_id)}/>" for item_id in item_ids)
        pubsub = (
            f"<pubsub xmlns='{NS_PUBSUB}'><items node={quoteattr(key.node)}{limit}>{wanted}"
            f"</items>{'' if page is None else serialised(_page_element(page))}</pubsub>"
        )
        items, page_info = items_list(await self._ask("get", key, pubsub))
        return ItemsResult(items, page_info)

    async def subscribe(self, key: NodeKey) -> SubscriptionState:
        """See `core.ports.ServiceReader.subscribe`."""
        payload = await self._ask("set", key, self._subscription("subscribe", key))
        return subscription_state(payload)

    async def subscription(self, key: NodeKey) -> SubscriptionState:
        """See `core.ports.ServiceReader.subscription`."""
        pubsub = f"<pubsub xmlns='{NS_PUBSUB}'><subscriptions node={quoteattr(key.node)}/></pubsub>"
        return own_subscription(await self._ask("get", key, pubsub), key.node, self._own_jid)

    async def unsubscribe(self, key: NodeKey) -> None:
        """See `core.ports.ServiceReader.unsubscribe`."""
        await self._ask("set", key, self._subscription("unsubscribe", key))

    def _subscription(self, verb: str, key: NodeKey) -> str:
        return (
            f"<pubsub xmlns='{NS_PUBSUB}'><{verb} node={quoteattr(key.node)} "
            f"jid={quoteattr(self._own_jid)}/></pubsub>"
        )

    async def _ask(
        self, type_: str, key: NodeKey, payload: str, sender: str | None = None
    ) -> Element | None:
        reply = await self._tracker.request(
            type_, sender=sender or self._own_jid, to=key.service, payload=payload
        )
        if reply.get("type") == "error":
            raise refusal(reply)
        return payload_of(reply)
