"""Answers as the child element of a result, as text.

Items are parsed again before they go into an answer: what a database holds is not believed to be
XML only because it once was.
"""

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from lxml import etree

from pubcellar.core.errors import StoreUnavailable
from pubcellar.core.namespaces import (
    FEATURE_PUBSUB_RSM,
    NS_DATA_FORM,
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_ORDER_BY,
    NS_PING,
    NS_PUBSUB,
    NS_RSM,
    NS_VERSION,
)
from pubcellar.core.values import (
    Answer,
    DiscoItemsAnswer,
    ItemsAnswer,
    PageInfo,
    Relayed,
    ServiceInfoAnswer,
    SubscriptionsAnswer,
)
from pubcellar.xmpp.stanzas import (
    Element,
    MalformedXML,
    children,
    parse_element,
    qualified,
    serialised,
)

OWN_IDENTITY = {"category": "component", "type": "generic", "name": "Pubcellar"}
OWN_FEATURES = (NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VERSION)
PAGING_FEATURES = (NS_RSM, FEATURE_PUBSUB_RSM)

# A feature is passed on if requests of its kind are: what we would answer with service-unavailable
# must not be promised in the service's name.
PASSED_ON = (
    "http://jabber.org/protocol/disco",
    NS_DATA_FORM,
    NS_ORDER_BY,
    NS_PUBSUB,
    NS_RSM,
    "urn:xmpp:pubsub",
)


def payload(answer: Answer) -> str:
    """Return the answer as the child element of an iq of type result; empty for none.

    Raises:
        StoreUnavailable: what the database holds of an item or a service is not XML.
    """
    match answer:
        case Relayed():
            return answer.payload
        case ItemsAnswer():
            return _items(answer)
        case DiscoItemsAnswer():
            return _disco_items(answer)
        case ServiceInfoAnswer():
            return _service_info(answer)
        case SubscriptionsAnswer():
            return _subscriptions(answer)


def _items(answer: ItemsAnswer) -> str:
    # Written side by side: a tree built of the items would drop a prefix that an element around it
    # declares for the same namespace, and with it the meaning of names in their content.
    items = "".join(serialised(_stored(item.xml)) for item in answer.items)
    page = "" if answer.page is None else serialised(page_element(answer.page))
    return (
        f"<pubsub xmlns='{NS_PUBSUB}'><items node={quoteattr(answer.node)}>{items}</items>{page}"
        "</pubsub>"
    )


def _stored(xml: str) -> Element:
    try:
        return parse_element(xml)
    except MalformedXML as error:
        raise StoreUnavailable("what the database holds is damaged") from error


def _disco_items(answer: DiscoItemsAnswer) -> str:
    query = etree.Element(qualified(NS_DISCO_ITEMS, "query"), nsmap={None: NS_DISCO_ITEMS})
    if answer.node is not None:
        query.set("node", answer.node)
    for item in answer.items:
        given = {"jid": item.jid, "node": item.node, "name": item.name}
        attributes = {name: value for name, value in given.items() if value is not None}
        etree.SubElement(query, qualified(NS_DISCO_ITEMS, "item"), attributes)
    _append_page(query, answer.page)
    return serialised(query)


def _append_page(parent: Element, page: PageInfo | None) -> None:
    if page is not None:
        parent.append(page_element(page))


def page_element(page: PageInfo) -> Element:
    """Return an answer's `<set/>` (XEP-0059 section 2)."""
    element = etree.Element(qualified(NS_RSM, "set"), nsmap={None: NS_RSM})
    if page.first is not None:
        index = {} if page.first_index is None else {"index": str(page.first_index)}
        etree.SubElement(element, qualified(NS_RSM, "first"), index).text = page.first
    if page.last is not None:
        etree.SubElement(element, qualified(NS_RSM, "last")).text = page.last
    if page.count is not None:
        etree.SubElement(element, qualified(NS_RSM, "count")).text = str(page.count)
    return element


def _service_info(answer: ServiceInfoAnswer) -> str:
    """Merge a service's disco#info with our own identity and features (XEP-0030 section 3.1)."""
    given = [] if answer.payload is None else children(_stored(answer.payload))
    identity, feature = (qualified(NS_DISCO_INFO, name) for name in ("identity", "feature"))
    query = etree.Element(qualified(NS_DISCO_INFO, "query"), nsmap={None: NS_DISCO_INFO})
    query.extend(element for element in given if element.tag == identity)
    etree.SubElement(query, identity, OWN_IDENTITY)
    features = [element.get("var", "") for element in given if element.tag == feature]
    for var in _features(features, pages=answer.pages):
        etree.SubElement(query, feature, {"var": var})
    query.extend(element for element in given if element.tag not in (identity, feature))
    return serialised(query)


def _subscriptions(answer: SubscriptionsAnswer) -> str:
    """Add the subscriptions of the alias that the user does not have themselves (section 5.6)."""
    own = parse_element(answer.own)
    listed = own.find(qualified(NS_PUBSUB, "subscriptions"))
    if listed is None:
        return answer.of_alias
    seen = {_subscribed(one) for one in children(listed)}
    of_alias = parse_element(answer.of_alias)
    for entry in of_alias.iterfind(f"*/{qualified(NS_PUBSUB, 'subscription')}"):
        if _subscribed(entry) not in seen:
            listed.append(entry)
    return serialised(own)


def _subscribed(entry: Element) -> tuple[str | None, ...]:
    return tuple(entry.get(name) for name in ("node", "jid", "subid"))


def _features(of_service: Sequence[str], *, pages: bool) -> list[str]:
    passed_on = [var for var in of_service if var.startswith(PASSED_ON)]
    ours = (*OWN_FEATURES, *(PAGING_FEATURES if pages else ()))
    return list(dict.fromkeys([*passed_on, *ours]))
