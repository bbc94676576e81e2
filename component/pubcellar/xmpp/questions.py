"""What a read asks, as a value; what is not completely understood is `OtherQuestion`.

First principle of the cache (docs/architecture.md): an unknown attribute, child or namespace in the
payload never gets a guessed answer. So everything here is checked by what is allowed to be there.
"""

import re

from pubcellar.core.namespaces import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, NS_RSM
from pubcellar.core.values import (
    ItemsQuestion,
    NodeInfoQuestion,
    NodeItemsQuestion,
    OptionsQuestion,
    OtherQuestion,
    PageRequest,
    Question,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
    SubscriptionsQuestion,
)
from pubcellar.xmpp.addresses import full_jid
from pubcellar.xmpp.stanzas import Element, children, name_of, qualified

SET = qualified(NS_RSM, "set")

_INFO = qualified(NS_DISCO_INFO, "query")
_ITEMS = qualified(NS_DISCO_ITEMS, "query")
_PUBSUB = qualified(NS_PUBSUB, "pubsub")
_PUBSUB_ITEMS = qualified(NS_PUBSUB, "items")
_PUBSUB_ITEM = qualified(NS_PUBSUB, "item")
LARGEST_NUMBER = 10**9
"""No list is that long: more is the same."""
_NUMBER = re.compile(r"[0-9]{1,9}")


class _NotUnderstood(Exception):
    """Something stands there that we do not know."""


class _InvalidPage(Exception):
    """A `<set/>` holds a value that cannot be one."""


def question(payload: Element) -> Question:
    """Return what the child element of an iq of type get asks."""
    try:
        if payload.tag == _INFO:
            return _node_or_service_info(payload)
        if payload.tag == _ITEMS:
            return _disco_items(payload)
        if payload.tag == _PUBSUB:
            return _subscription(payload) or _items(payload)
    except _NotUnderstood:
        pass
    except _InvalidPage as error:
        return OtherQuestion(invalid_page=str(error))
    return OtherQuestion()


def _node_or_service_info(payload: Element) -> Question:
    _expect(payload, attributes={"node"})
    if len(payload):
        raise _NotUnderstood
    node = payload.get("node")
    return ServiceInfoQuestion() if node is None else NodeInfoQuestion(node)


def _disco_items(payload: Element) -> Question:
    _expect(payload, attributes={"node"})
    rest, page = _without_page(payload)
    if rest:
        raise _NotUnderstood
    node = payload.get("node")
    return ServiceItemsQuestion(page) if node is None else NodeItemsQuestion(node, page)


def _subscription(payload: Element) -> Question | None:
    """Return what is asked of the requester's own subscriptions; None if it is something else."""
    found = _all_children(payload)
    asked = found[0] if len(found) == 1 and not len(found[0]) else None
    _expect(payload, attributes=set())
    if asked is not None and asked.tag == qualified(NS_PUBSUB, "subscriptions"):
        _expect(asked, attributes={"node"})
        return SubscriptionsQuestion(asked.get("node"))
    if asked is not None and asked.tag == qualified(NS_PUBSUB, "options"):
        _expect(asked, attributes={"node", "jid", "subid"})
        jid = full_jid(asked.get("jid"))
        return OptionsQuestion(asked.get("node", ""), jid, asked.get("subid"))
    return None


def _items(payload: Element) -> Question:
    _expect(payload, attributes=set())
    rest, page = _without_page(payload)
    if len(rest) != 1 or rest[0].tag != _PUBSUB_ITEMS:
        raise _NotUnderstood
    items = rest[0]
    _expect(items, attributes={"node", "max_items"})
    node = items.get("node")
    if not node:
        raise _NotUnderstood
    return ItemsQuestion(
        node,
        max_items=_max_items(items.get("max_items")),
        item_ids=tuple(_item_id(child) for child in _all_children(items)),
        page=page,
    )


def _max_items(written: str | None) -> int | None:
    if written is None:
        return None
    # 0, -1 and words are answered differently by every service (docs/protocol.md).
    if not _NUMBER.fullmatch(written) or int(written) < 1:
        raise _NotUnderstood
    return int(written)


def _item_id(element: Element) -> str:
    _expect(element, attributes={"id"})
    item_id = element.get("id")
    if element.tag != _PUBSUB_ITEM or not item_id or len(element):
        raise _NotUnderstood
    return item_id


def _without_page(payload: Element) -> tuple[list[Element], PageRequest | None]:
    pages = [child for child in _all_children(payload) if child.tag == SET]
    rest = [child for child in _all_children(payload) if child.tag != SET]
    if len(pages) > 1:
        raise _NotUnderstood
    return rest, _page(pages[0]) if pages else None


def _page(element: Element) -> PageRequest:
    _expect(element, attributes=set())
    given: dict[str, str] = {}
    for child in _all_children(element):
        _expect(child, attributes=set(), is_text_allowed=True)
        name = name_of(child)
        known = child.tag == qualified(NS_RSM, name) and name in ("max", "after", "before", "index")
        if not known or name in given or len(child):
            raise _NotUnderstood
        given[name] = child.text or ""
    if len(given.keys() & {"after", "before", "index"}) > 1 or given.get("after") == "":
        raise _NotUnderstood
    return PageRequest(
        max=_count(given, "max"),
        after=given.get("after"),
        before=given.get("before"),
        index=_count(given, "index"),
    )


def _count(given: dict[str, str], name: str) -> int | None:
    written = given.get(name)
    if written is None:
        return None
    if not written.isascii() or not written.isdigit():
        raise _InvalidPage(f"<{name}/> in <set/> must be a number from 0 up (XEP-0059)")
    return int(written) if _NUMBER.fullmatch(written) else LARGEST_NUMBER


def _all_children(element: Element) -> list[Element]:
    found = children(element)
    if len(found) != len(element):
        raise _NotUnderstood
    return found


def _expect(element: Element, *, attributes: set[str], is_text_allowed: bool = False) -> None:
    if not set(element.attrib) <= attributes:
        raise _NotUnderstood
    texts = [] if is_text_allowed else [element.text, *(child.tail for child in element)]
    if any(text and text.strip() for text in texts):
        raise _NotUnderstood
