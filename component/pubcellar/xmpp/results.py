"""What a service's answers say, as values.

Nothing is taken on trust: an answer that is not what its XEP says is `UpstreamAnswerInvalid`, and a
list with something unknown in it is no list to us, only a payload to relay.
"""

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.namespaces import (
    NS_COMPONENT_ACCEPT,
    NS_DATA_FORM,
    NS_DISCO_ITEMS,
    NS_PUBSUB,
    NS_PUBSUB_META_DATA,
    NS_RSM,
    NS_STREAMS,
)
from pubcellar.core.values import (
    DiscoItem,
    Item,
    PageInfo,
    SubscriptionEntry,
    SubscriptionState,
)
from pubcellar.xmpp.addresses import full_jid
from pubcellar.xmpp.stanzas import (
    Element,
    children,
    namespace_of,
    qualified,
    serialised,
)

SET = qualified(NS_RSM, "set")
_PUBLISHED = f"{qualified(NS_PUBSUB, 'publish')}/{qualified(NS_PUBSUB, 'item')}"
_NONE = SubscriptionState.NONE

# Elements that belong to a stream have no business inside an item (docs/architecture.md, threat 8).
_STANZA_NAMESPACES = frozenset({NS_COMPONENT_ACCEPT, "jabber:client", "jabber:server", NS_STREAMS})


def payload_of(reply: Element) -> Element | None:
    """Return the child element of a result, or None for an empty one."""
    found = children(reply)
    return found[0] if found else None


def item(element: Element) -> Item:
    """Return an `<item/>` of the pubsub namespace as a value.

    Raises:
        UpstreamAnswerInvalid: it has no id, or its payload is a stanza.
    """
    item_id = element.get("id")
    if element.tag != qualified(NS_PUBSUB, "item") or not item_id:
        raise UpstreamAnswerInvalid("an item without an id")
    payloads = children(element)
    namespace = namespace_of(payloads[0]) if payloads else None
    if namespace in _STANZA_NAMESPACES:
        raise UpstreamAnswerInvalid("an item whose payload is a stanza")
    return Item(item_id, serialised(element), element.get("publisher"), namespace)


def written_item(element: Element) -> Item:
    """Return a published `<item/>` as a value; the id is empty where the service makes one up.

    Raises:
        UpstreamAnswerInvalid: it is something else.
    """
    if element.tag != qualified(NS_PUBSUB, "item"):
        raise UpstreamAnswerInvalid("no item")
    payloads = children(element)
    namespace = namespace_of(payloads[0]) if payloads else None
    return Item(element.get("id", ""), serialised(element), payload_namespace=namespace)


def published_ids(payload: Element | None) -> tuple[str, ...]:
    """Return the ids that the answer to a publish names (XEP-0060 section 7.1.2)."""
    found = [] if payload is None else payload.iterfind(_PUBLISHED)
    return tuple(item.get("id", "") for item in found)


def items_list(payload: Element | None) -> tuple[tuple[Item, ...], PageInfo | None]:
    """Return the items of an items answer (XEP-0060 section 6.5) and what its `<set/>` says.

    Raises:
        UpstreamAnswerInvalid: it is something else, or holds something unknown.
    """
    if payload is None or payload.tag != qualified(NS_PUBSUB, "pubsub"):
        raise UpstreamAnswerInvalid("not an answer to an items request")
    lists, page = _without_page(payload)
    if len(lists) != 1 or lists[0].tag != qualified(NS_PUBSUB, "items"):
        raise UpstreamAnswerInvalid("not one list of items")
    return tuple(item(child) for child in children(lists[0])), page


def disco_items_list(
    payload: Element | None,
) -> tuple[tuple[DiscoItem, ...], PageInfo | None]:
    """Return the items of a disco#items answer (XEP-0030 section 4) and what its `<set/>` says.

    Raises:
        UpstreamAnswerInvalid: it is something else, or holds something unknown.
    """
    if payload is None or payload.tag != qualified(NS_DISCO_ITEMS, "query"):
        raise UpstreamAnswerInvalid("not an answer to disco#items")
    elements, page = _without_page(payload)
    found = []
    for element in elements:
        jid = element.get("jid")
        is_known = element.tag == qualified(NS_DISCO_ITEMS, "item") and not len(element)
        if not is_known or jid is None or not set(element.attrib) <= {"jid", "node", "name"}:
            raise UpstreamAnswerInvalid("something unknown among the items of disco#items")
        found.append(DiscoItem(jid, element.get("node"), element.get("name")))
    return tuple(found), page


def access_model(payload: Element) -> str | None:
    """Return `pubsub#access_model` of a disco#info answer's metadata form (XEP-0060 5.4).

    None where it is missing, or where there are several that differ.
    """
    values = set(meta_data(payload).get("pubsub#access_model", ()))
    return values.pop() if len(values) == 1 else None


def meta_data(payload: Element) -> dict[str, list[str]]:
    """Return all values of each field, by `var`, of the metadata form in a disco#info answer.

    Fields of the same `var` are taken together. There are none where there is no such form.
    """
    for form in payload.iter(qualified(NS_DATA_FORM, "x")):
        fields: dict[str, list[str]] = {}
        for field in form.iter(qualified(NS_DATA_FORM, "field")):
            values = [one.text or "" for one in field.iterfind(qualified(NS_DATA_FORM, "value"))]
            fields.setdefault(field.get("var", ""), []).extend(values)
        if fields.get("FORM_TYPE") == [NS_PUBSUB_META_DATA]:
            return fields
    return {}


def subscription_state(payload: Element | None) -> SubscriptionState:
    """Return the state that the answer to a subscription request names (XEP-0060 section 6.1.2)."""
    element = None if payload is None else payload.find(qualified(NS_PUBSUB, "subscription"))
    return SubscriptionState.SUBSCRIBED if element is None else _state(element)


def own_subscription(payload: Element | None, node: str, jid: str) -> SubscriptionState:
    """Return the state of the subscription of `jid` in a list of subscriptions (section 5.6).

    Where the list was asked for one node, entries may leave out which node they are for.
    """
    entries = [] if payload is None else payload.iter(qualified(NS_PUBSUB, "subscription"))
    states = [
        _state(entry)
        for entry in entries
        if entry.get("jid") == jid and entry.get("node", node) == node
    ]
    is_subscribed = SubscriptionState.SUBSCRIBED in states
    return SubscriptionState.SUBSCRIBED if is_subscribed else (states or [_NONE])[0]


def subscription_entries(payload: Element | None) -> tuple[SubscriptionEntry, ...]:
    """Return the subscriptions that an answer tells of (XEP-0060 sections 5.6 and 6.1.2)."""
    found = []
    entries = [] if payload is None else payload.iter(qualified(NS_PUBSUB, "subscription"))
    for entry in entries:
        parent = entry.getparent()
        node = entry.get("node") or (None if parent is None else parent.get("node"))
        written = entry.get("jid") or ""
        jid = full_jid(written) or written
        found.append(SubscriptionEntry(node, jid, _state(entry), entry.get("subid", "")))
    return tuple(found)


def _state(element: Element) -> SubscriptionState:
    try:
        return SubscriptionState(element.get("subscription", SubscriptionState.SUBSCRIBED))
    except ValueError:
        return _NONE


def page_info(element: Element) -> PageInfo:
    """Return what a `<set/>` of an answer says (XEP-0059); unreadable numbers are left out."""
    first = element.find(qualified(NS_RSM, "first"))
    return PageInfo(
        count=_number(element.findtext(qualified(NS_RSM, "count"))),
        first=None if first is None else first.text or "",
        last=element.findtext(qualified(NS_RSM, "last")),
        first_index=None if first is None else _number(first.get("index")),
    )


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _without_page(payload: Element) -> tuple[list[Element], PageInfo | None]:
    elements = children(payload)
    pages = [element for element in elements if element.tag == SET]
    rest = [element for element in elements if element.tag != SET]
    return rest, page_info(pages[0]) if pages else None
