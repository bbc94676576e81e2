"""Stanzas in few words: payloads that a client sends, and what can be told from an answer."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

Element = etree._Element

_INDENTATION = re.compile(r"\n +")

COMPONENT = "jabber:component:accept"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
PUBSUB = "http://jabber.org/protocol/pubsub"
OWNER = "http://jabber.org/protocol/pubsub#owner"
EVENT = "http://jabber.org/protocol/pubsub#event"
META_DATA = "http://jabber.org/protocol/pubsub#meta-data"
RSM = "http://jabber.org/protocol/rsm"
FORM = "jabber:x:data"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def parsed(xml: str | bytes) -> Element:
    """Return a stanza as one of the component's stream."""
    text = xml.decode() if isinstance(xml, bytes) else xml
    return etree.fromstring(f"<stream xmlns='{COMPONENT}'>{text}</stream>")[0]


def canonical(element: Element) -> str:
    """Return the element under exclusive canonicalisation."""
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    return etree.tostring(alone, method="c14n", exclusive=True).decode()


def without_indentation(element: Element) -> Element:
    """Return the element without line breaks that spaces follow: literals may be indented."""
    for one in element.iter():
        if _INDENTATION.fullmatch(one.text or ""):
            one.text = None
        if _INDENTATION.fullmatch(one.tail or ""):
            one.tail = None
    return element


def items(
    node: str,
    *,
    ids: Sequence[str] = (),
    max_items: int | str | None = None,
    page: str | None = None,
) -> str:
    """Return an items request (XEP-0060 section 6.5); `page` is what is inside `<set/>`."""
    limit = "" if max_items is None else f" max_items='{max_items}'"
    wanted = "".join(f"<item id={quoteattr(one)}/>" for one in ids)
    paged = "" if page is None else f"<set xmlns='{RSM}'>{page}</set>"
    return (
        f"<pubsub xmlns='{PUBSUB}'><items node={quoteattr(node)}{limit}>{wanted}</items>"
        f"{paged}</pubsub>"
    )


def info(node: str | None = None) -> str:
    """Return a disco#info query."""
    named = "" if node is None else f" node={quoteattr(node)}"
    return f"<query xmlns='{DISCO_INFO}'{named}/>"


def listing(node: str | None = None, page: str | None = None) -> str:
    """Return a disco#items query."""
    named = "" if node is None else f" node={quoteattr(node)}"
    paged = "" if page is None else f"<set xmlns='{RSM}'>{page}</set>"
    return f"<query xmlns='{DISCO_ITEMS}'{named}>{paged}</query>"


def publish(node: str, *ids: str, payload: str | None = None, options: str = "") -> str:
    """Return a publish of items, all with that payload (XEP-0060 section 7.1)."""
    published = "".join(item(one, payload) for one in ids)
    return (
        f"<pubsub xmlns='{PUBSUB}'><publish node={quoteattr(node)}>{published}</publish>{options}"
        "</pubsub>"
    )


def retract(node: str, *ids: str) -> str:
    """Return a retract (XEP-0060 section 7.2)."""
    retracted = "".join(f"<item id={quoteattr(one)}/>" for one in ids)
    return (
        f"<pubsub xmlns='{PUBSUB}'><retract node={quoteattr(node)} notify='1'>{retracted}"
        "</retract></pubsub>"
    )


def create(node: str | None = None) -> str:
    """Return a request for a new node; without a name it is for an instant one (section 8.1)."""
    named = "" if node is None else f" node={quoteattr(node)}"
    return f"<pubsub xmlns='{PUBSUB}'><create{named}/></pubsub>"


def subscribe(node: str, jid: str, verb: str = "subscribe", subid: str = "") -> str:
    """Return a request about a subscription (XEP-0060 sections 6.1 to 6.3)."""
    named = f" subid={quoteattr(subid)}" if subid else ""
    return (
        f"<pubsub xmlns='{PUBSUB}'><{verb} node={quoteattr(node)} jid={quoteattr(jid)}{named}/>"
        "</pubsub>"
    )


def owned(verb: str, node: str, inner: str = "") -> str:
    """Return an owner's request, such as to purge or to delete (sections 8.2 to 8.9)."""
    return f"<pubsub xmlns='{OWNER}'><{verb} node={quoteattr(node)}>{inner}</{verb}></pubsub>"


def configuration(**fields: str) -> str:
    """Return a submitted form with these fields of the node configuration (section 8.2)."""
    written = "".join(
        f"<field var='pubsub#{name}'><value>{value}</value></field>"
        for name, value in fields.items()
    )
    return f"<x xmlns='{FORM}' type='submit'>{written}</x>"


def item(item_id: str, payload: str | None = None) -> str:
    """Return an item as a service has it."""
    inner = f"<note xmlns='urn:example:note'>{escape(item_id)}</note>"
    return f"<item id={quoteattr(item_id)}>{inner if payload is None else payload}</item>"


def item_ids(answer: Element) -> list[str]:
    """Return the ids in an answer to an items request or to disco#items of a node."""
    found = answer.iter(f"{{{PUBSUB}}}item", f"{{{DISCO_ITEMS}}}item")
    return [one.get("id") or one.get("name") or "" for one in found]


def page_of(answer: Element) -> tuple[str | None, str | None, str | None, str | None] | None:
    """Return first, its index, last and count of an answer's `<set/>`; None without one."""
    page = answer.find(f".//{{{RSM}}}set")
    if page is None:
        return None
    first = page.find(f"{{{RSM}}}first")
    return (
        None if first is None else first.text,
        None if first is None else first.get("index"),
        page.findtext(f"{{{RSM}}}last"),
        page.findtext(f"{{{RSM}}}count"),
    )
