"""What the counting service answers: pure functions from nodes and a request to a payload."""

from dataclasses import dataclass
from enum import StrEnum
from xml.etree.ElementTree import Element, SubElement

from harness.counting_nodes import StoredItem, StoredNode, UnknownToken, page_of
from harness.stanzas import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_PUBSUB,
    NS_PUBSUB_ERRORS,
    NS_PUBSUB_OWNER,
    NS_RSM,
    NS_STANZA_ERRORS,
    result_form,
)

FEATURES = ("retrieve-items", "subscribe", "item-ids", "persistent-items", "meta-data")


class Kind(StrEnum):
    """The kinds of stanza that the counting service tells apart."""

    ITEMS = "items"
    NODE_INFO = "disco#info of a node"
    NODE_ITEMS = "disco#items of a node"
    SERVICE_INFO = "disco#info of the service"
    SERVICE_ITEMS = "disco#items of the service"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    OTHER_GET = "other get"
    OTHER_SET = "other set"
    REPLY = "result or error"
    MESSAGE = "message"
    PRESENCE = "presence"


@dataclass
class StanzaError(Exception):
    """An error to answer with: RFC 6120's type and condition, XEP-0060's condition, a text."""

    type: str
    condition: str
    application: str | None = None
    text: str | None = None

    def as_element(self, namespace: str) -> Element:
        error = Element(f"{{{namespace}}}error", {"type": self.type})
        SubElement(error, f"{{{NS_STANZA_ERRORS}}}{self.condition}")
        if self.text is not None:
            SubElement(error, f"{{{NS_STANZA_ERRORS}}}text").text = self.text
        if self.application is not None:
            SubElement(error, f"{{{NS_PUBSUB_ERRORS}}}{self.application}")
        return error


@dataclass(frozen=True)
class Request:
    """An iq of type get or set, sorted."""

    kind: Kind
    node: str | None
    action: Element
    """Where the node stands: `<items/>`, `<subscribe/>`, `<query/>`."""
    payload: Element


def sort_request(iq: Element) -> Request:
    """Tell what an iq of type get or set asks for."""
    payload = iq[0] if len(iq) else Element("nothing")
    pubsub = f"{{{NS_PUBSUB}}}"
    inner = payload[0] if payload.tag == f"{pubsub}pubsub" and len(payload) else payload
    if payload.tag == f"{{{NS_PUBSUB_OWNER}}}pubsub" and len(payload):
        inner = payload[0]
    node = inner.get("node")
    kinds = {
        ("get", f"{pubsub}items"): Kind.ITEMS,
        ("get", f"{{{NS_DISCO_INFO}}}query"): Kind.NODE_INFO if node else Kind.SERVICE_INFO,
        ("get", f"{{{NS_DISCO_ITEMS}}}query"): Kind.NODE_ITEMS if node else Kind.SERVICE_ITEMS,
        ("set", f"{pubsub}subscribe"): Kind.SUBSCRIBE,
        ("set", f"{pubsub}unsubscribe"): Kind.UNSUBSCRIBE,
    }
    other = Kind.OTHER_GET if iq.get("type") == "get" else Kind.OTHER_SET
    return Request(kinds.get((iq.get("type", ""), inner.tag), other), node, inner, payload)


class Answers:
    """The service's behaviour; attributes may be changed at any time.

    Attributes:
        pages: answer `<set/>` (XEP-0059) with tokens that are not item ids; ignored otherwise.
        advertises_paging: say so in disco; ejabberd on Mnesia pages without saying so.
        newest_first: answer `max_items` requests newest first.
        most_items: how many items a plain request gets, the newest; None means all.
        subscription_state: what a subscriber becomes: subscribed or pending.
    """

    def __init__(self, jid: str, pages: bool) -> None:
        self.jid = jid
        self.pages = pages
        self.advertises_paging = pages
        self.newest_first = False
        self.most_items: int | None = None
        self.subscription_state = "subscribed"
        self.nodes: dict[str, StoredNode] = {}

    def answer(self, request: Request, sender: str) -> Element | None:
        """Return the payload of the result, None for an empty one. Raises: StanzaError."""
        answers = {
            Kind.ITEMS: self._items,
            Kind.NODE_INFO: self._node_info,
            Kind.NODE_ITEMS: self._node_items,
            Kind.SERVICE_INFO: self._service_info,
            Kind.SERVICE_ITEMS: self._service_items,
            Kind.SUBSCRIBE: self._subscribe,
            Kind.UNSUBSCRIBE: self._unsubscribe,
        }
        if request.kind not in answers:
            raise StanzaError("cancel", "feature-not-implemented")
        return answers[request.kind](request, sender)

    def _node(self, request: Request) -> StoredNode:
        node = self.nodes.get(request.node or "")
        if node is None:
            raise StanzaError("cancel", "item-not-found", text="There is no such node here")
        return node

    def _readable_node(self, request: Request, sender: str) -> StoredNode:
        node = self._node(request)
        if not node.may_read(sender.partition("/")[0]):
            raise StanzaError("cancel", "not-allowed", "closed-node")
        return node

    def _paged(self, items: list[StoredItem], payload: Element) -> tuple[list[StoredItem], Element]:
        asked = payload.find(f"{{{NS_RSM}}}set")
        assert asked is not None
        try:
            return page_of(items, asked)
        except UnknownToken:
            raise StanzaError("cancel", "item-not-found") from None

    def _items(self, request: Request, sender: str) -> Element:
        node = self._readable_node(request, sender)
        answer = Element(f"{{{NS_PUBSUB}}}pubsub")
        action = SubElement(answer, f"{{{NS_PUBSUB}}}items", {"node": node.name})
        found, page = self._choose(node, request)
        action.extend(item.as_element(NS_PUBSUB) for item in found)
        if page is not None:
            answer.append(page)
        return answer

    def _choose(
        self, node: StoredNode, request: Request
    ) -> tuple[list[StoredItem], Element | None]:
        ids = [each.get("id", "") for each in request.action]
        if ids:
            held = {item.item_id: item for item in node.items}
            return [held[each] for each in ids if each in held], None
        if self.pages and request.payload.find(f"{{{NS_RSM}}}set") is not None:
            return self._paged(node.items, request.payload)
        most = request.action.get("max_items", self.most_items)
        newest = node.items if most is None else node.items[-int(most) :]
        if self.newest_first and "max_items" in request.action.attrib:
            newest = newest[::-1]
        return list(newest), None

    def _node_items(self, request: Request, sender: str) -> Element:
        node = self._readable_node(request, sender)
        answer = Element(f"{{{NS_DISCO_ITEMS}}}query", {"node": node.name})
        found, page = node.items, None
        if self.pages and request.payload.find(f"{{{NS_RSM}}}set") is not None:
            found, page = self._paged(node.items, request.payload)
        for item in found:
            names = {"jid": self.jid, "name": item.item_id}
            SubElement(answer, f"{{{NS_DISCO_ITEMS}}}item", names)
        if page is not None:
            answer.append(page)
        return answer

    def _node_info(self, request: Request, sender: str) -> Element:
        node = self._node(request)
        answer = Element(f"{{{NS_DISCO_INFO}}}query", {"node": node.name})
        _identity(answer, "leaf")
        fields = {"pubsub#type": "", "pubsub#access_model": node.access_model, **node.meta_data}
        answer.append(result_form(fields))
        return answer

    def _service_info(self, request: Request, sender: str) -> Element:
        answer = Element(f"{{{NS_DISCO_INFO}}}query")
        _identity(answer, "service")
        features = [NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB]
        features += [f"{NS_PUBSUB}#{name}" for name in FEATURES]
        if self.advertises_paging:
            features += [NS_RSM, f"{NS_PUBSUB}#rsm"]
        for feature in features:
            SubElement(answer, f"{{{NS_DISCO_INFO}}}feature", {"var": feature})
        return answer

    def _service_items(self, request: Request, sender: str) -> Element:
        answer = Element(f"{{{NS_DISCO_ITEMS}}}query")
        for name in self.nodes:
            SubElement(answer, f"{{{NS_DISCO_ITEMS}}}item", {"jid": self.jid, "node": name})
        return answer

    def _subscribe(self, request: Request, sender: str) -> Element:
        node = self._readable_node(request, sender)
        subscriber = request.action.get("jid", "")
        if subscriber.partition("/")[0] != sender.partition("/")[0]:
            raise StanzaError("modify", "bad-request", "invalid-jid")
        if self.subscription_state == "subscribed" and subscriber not in node.subscribers:
            node.subscribers.append(subscriber)
        answer = Element(f"{{{NS_PUBSUB}}}pubsub")
        state = {"node": node.name, "jid": subscriber, "subscription": self.subscription_state}
        SubElement(answer, f"{{{NS_PUBSUB}}}subscription", state)
        return answer

    def _unsubscribe(self, request: Request, sender: str) -> None:
        node = self._node(request)
        subscriber = request.action.get("jid", "")
        if subscriber not in node.subscribers:
            raise StanzaError("modify", "unexpected-request", "not-subscribed")
        node.subscribers.remove(subscriber)


def _identity(answer: Element, kind: str) -> None:
    identity = {"category": "pubsub", "type": kind}
    SubElement(answer, f"{{{NS_DISCO_INFO}}}identity", identity)
