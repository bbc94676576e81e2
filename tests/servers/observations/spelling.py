"""Short spellings of what servers say, to be read in a table."""

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

from harness import Reply
from harness.stanzas import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, Payload, element

NS_ATOM = "http://www.w3.org/2005/Atom"


def entry(title: str) -> str:
    """Return an Atom entry."""
    return f"<entry xmlns='{NS_ATOM}'><title>{title}</title></entry>"


def spelled(xml: Element, names: Mapping[str, str] | None = None) -> str:
    """Return an element without its namespaces and with attributes in the order of the alphabet.

    What is in an entry is left out. `names` says what to write for certain attribute values.
    """
    names = names or {}
    tag = local_name(xml)
    attributes = [
        f"{local_name(name)}='{names.get(value, value)}'" for name, value in sorted(xml.items())
    ]
    start = " ".join([tag, *attributes])
    if tag == "entry":
        return "<entry/>"
    inside = (xml.text or "").strip() + "".join(spelled(child, names) for child in xml)
    return f"<{start}>{inside}</{tag}>" if inside else f"<{start}/>"


def local_name(named: Element | str) -> str:
    """Return a name without its namespace."""
    return (named if isinstance(named, str) else named.tag).rpartition("}")[2]


def said(reply: Reply) -> str:
    """Return `result`, or what the error is: type/condition, and the one of XEP-0060 if any."""
    if not reply.is_error:
        return "result"
    names = [reply.error_type, reply.condition, reply.application_condition]
    return "/".join(name for name in names if name)


def item_ids(reply: Reply) -> list[str]:
    """Return the ids in the answer to an items request."""
    return [each.get("id", "") for each in reply.xml.iter(f"{{{NS_PUBSUB}}}item")]


def ids_or_error(reply: Reply) -> list[str] | str:
    return said(reply) if reply.is_error else item_ids(reply)


def items_request(
    node: str, ids: Iterable[str] = (), max_items: str | None = None, page: Element | None = None
) -> Element:
    """Return an items request, of which `max_items` may be nonsense."""
    wanted = "".join(f"<item id='{each}'/>" for each in ids)
    limit = "" if max_items is None else f" max_items='{max_items}'"
    outer = element(
        f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}'{limit}>{wanted}</items></pubsub>"
    )
    if page is not None:
        outer.append(page)
    return outer


def info_request(node: str | None = None) -> Payload:
    return f"<query xmlns='{NS_DISCO_INFO}'{_node(node)}/>"


def nodes_request(node: str | None = None) -> Payload:
    return f"<query xmlns='{NS_DISCO_ITEMS}'{_node(node)}/>"


def _node(node: str | None) -> str:
    return "" if node is None else f" node='{node}'"


def publish_request(node: str, *ids: str) -> Element:
    """Return a request to publish an entry under each of the ids."""
    items = "".join(f"<item id='{each}'>{entry(each)}</item>" for each in ids)
    return element(f"<pubsub xmlns='{NS_PUBSUB}'><publish node='{node}'>{items}</publish></pubsub>")
