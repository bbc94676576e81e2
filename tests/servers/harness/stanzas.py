"""Replies and events as plain values over ElementTree, and the payloads of pubsub requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

NS_DATA_FORM = "jabber:x:data"
NS_DISCO_INFO = "http://jabber.org/protocol/disco#info"
NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
NS_PUBSUB = "http://jabber.org/protocol/pubsub"
NS_PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors"
NS_PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"
NS_PUBSUB_OWNER = "http://jabber.org/protocol/pubsub#owner"
NS_RSM = "http://jabber.org/protocol/rsm"
NS_STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"

FORM_NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config"
FORM_META_DATA = "http://jabber.org/protocol/pubsub#meta-data"

Payload = Element | str


class ErrorReply(Exception):
    """The answer to a request was an error; `reply` is all of it."""

    def __init__(self, reply: "Reply") -> None:
        super().__init__(f"{reply.error_type}/{reply.condition} from {reply.sender}: {reply.text}")
        self.reply = reply


@dataclass(frozen=True)
class Reply:
    """The result or error that answered one request."""

    xml: Element

    @property
    def sender(self) -> str:
        return self.xml.get("from", "")

    @property
    def is_error(self) -> bool:
        return self.xml.get("type") == "error"

    @property
    def payload(self) -> Element | None:
        """The first child that is not the error."""
        return next((child for child in self.xml if not child.tag.endswith("}error")), None)

    @property
    def error(self) -> Element | None:
        return next((child for child in self.xml if child.tag.endswith("}error")), None)

    @property
    def error_type(self) -> str | None:
        return None if self.error is None else self.error.get("type")

    @property
    def condition(self) -> str | None:
        """The defined condition of RFC 6120, section 8.3.3."""
        names = [name for name in self._error_children(NS_STANZA_ERRORS) if name != "text"]
        return names[0] if names else None

    @property
    def text(self) -> str | None:
        if self.error is None:
            return None
        return self.error.findtext(f"{{{NS_STANZA_ERRORS}}}text")

    @property
    def application_condition(self) -> str | None:
        """The condition of XEP-0060, such as `closed-node`."""
        names = self._error_children(NS_PUBSUB_ERRORS)
        return names[0] if names else None

    def or_raise(self) -> "Reply":
        """Return itself. Raises: ErrorReply, if it is one."""
        if self.is_error:
            raise ErrorReply(self)
        return self

    def _error_children(self, namespace: str) -> list[str]:
        children = [] if self.error is None else list(self.error)
        return [
            child.tag.removeprefix(f"{{{namespace}}}")
            for child in children
            if child.tag.startswith(f"{{{namespace}}}")
        ]


@dataclass(frozen=True)
class Page:
    """What a `<set/>` of XEP-0059 says; None where it does not."""

    count: int | None
    first: str | None
    index: int | None
    last: str | None


@dataclass(frozen=True)
class Items:
    """The answer to an items request or to disco#items of a node."""

    reply: Reply
    elements: list[Element]
    page: Page | None

    @property
    def ids(self) -> list[str]:
        return [each.get("id") or each.get("name") or "" for each in self.elements]

    @property
    def payloads(self) -> list[Element | None]:
        return [next(iter(each), None) for each in self.elements]


@dataclass(frozen=True)
class Event:
    """A pubsub notification: one message."""

    xml: Element

    @property
    def sender(self) -> str:
        return self.xml.get("from", "")

    @property
    def action(self) -> Element:
        """The child of `<event/>`: items, purge, delete, configuration or subscription."""
        event = self.xml.find(f"{{{NS_PUBSUB_EVENT}}}event")
        assert event is not None and len(event), ElementTree.tostring(self.xml)
        return event[0]

    @property
    def kind(self) -> str:
        return self.action.tag.removeprefix(f"{{{NS_PUBSUB_EVENT}}}")

    @property
    def node(self) -> str | None:
        return self.action.get("node")

    @property
    def item_ids(self) -> list[str]:
        return [each.get("id", "") for each in self._children("item")]

    @property
    def retracted_ids(self) -> list[str]:
        return [each.get("id", "") for each in self._children("retract")]

    def _children(self, name: str) -> list[Element]:
        return self.action.findall(f"{{{NS_PUBSUB_EVENT}}}{name}")


def element(payload: Payload) -> Element:
    """Return the payload as an element, parsed if it is text."""
    return ElementTree.fromstring(payload) if isinstance(payload, str) else payload


def pubsub(action: str, node: str | None = None, owner: bool = False) -> tuple[Element, Element]:
    """Return `<pubsub/>` and the action in it."""
    namespace = NS_PUBSUB_OWNER if owner else NS_PUBSUB
    outer = Element(f"{{{namespace}}}pubsub")
    inner = SubElement(outer, f"{{{namespace}}}{action}")
    if node is not None:
        inner.set("node", node)
    return outer, inner


def submit_form(fields: dict[str, str], form_type: str = FORM_NODE_CONFIG) -> Element:
    """Return a submitted data form (XEP-0004)."""
    return _form("submit", {"FORM_TYPE": form_type, **fields})


def result_form(fields: dict[str, str], form_type: str = FORM_META_DATA) -> Element:
    """Return a data form that holds data (XEP-0004)."""
    return _form("result", {"FORM_TYPE": form_type, **fields})


def form_fields(parent: Element) -> dict[str, str]:
    """Return the first value of each field of the first form anywhere below the element."""
    fields = parent.iter(f"{{{NS_DATA_FORM}}}field")
    return {
        field.get("var", ""): field.findtext(f"{{{NS_DATA_FORM}}}value") or "" for field in fields
    }


def page_request(
    max_items: int | None = None,
    after: str | None = None,
    before: str | None = None,
    index: int | None = None,
) -> Element:
    """Return a `<set/>` (XEP-0059); `before=""` asks for the last page."""
    outer = Element(f"{{{NS_RSM}}}set")
    for name, value in {"max": max_items, "after": after, "before": before, "index": index}.items():
        if value is not None:
            SubElement(outer, f"{{{NS_RSM}}}{name}").text = str(value)
    return outer


def read_page(parent: Element) -> Page | None:
    """Return what the `<set/>` below the element says, or None if there is none."""
    found = parent.find(f"{{{NS_RSM}}}set")
    if found is None:
        return None
    first = found.find(f"{{{NS_RSM}}}first")
    return Page(
        count=_integer(found.findtext(f"{{{NS_RSM}}}count")),
        first=None if first is None else first.text,
        index=None if first is None else _integer(first.get("index")),
        last=found.findtext(f"{{{NS_RSM}}}last"),
    )


def with_items(action: Element, item_ids: Iterable[str]) -> None:
    """Add an `<item/>` for each id to the action."""
    namespace = action.tag.partition("}")[0]
    for item_id in item_ids:
        SubElement(action, f"{namespace}}}item", {"id": item_id})


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text)


def _form(kind: str, fields: dict[str, str]) -> Element:
    form = Element(f"{{{NS_DATA_FORM}}}x", {"type": kind})
    for name, value in fields.items():
        field = SubElement(form, f"{{{NS_DATA_FORM}}}field", {"var": name})
        if name == "FORM_TYPE":
            field.set("type", "hidden")
        SubElement(field, f"{{{NS_DATA_FORM}}}value").text = value
    return form
