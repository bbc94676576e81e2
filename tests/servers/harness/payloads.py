"""What is asked of services, as XML to be sent as it stands."""

from harness.stanzas import NS_PUBSUB, NS_RSM


def items_request(node: str, inner: str = "", attributes: str = "") -> str:
    """Return a request for items, with children and further attributes of `<items/>`."""
    return f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}' {attributes}>{inner}</items></pubsub>"


def everything(node: str) -> str:
    """Return a request for all items (XEP-0060 section 6.5.2)."""
    return items_request(node)


def by_id(node: str, *ids: str) -> str:
    """Return a request for these items (XEP-0060 section 6.5.8)."""
    return items_request(node, "".join(f"<item id='{one}'/>" for one in ids))


def paged(node: str, inner: str) -> str:
    """Return a request for a page of items; `inner` is what stands in its `<set/>` (XEP-0059)."""
    return (
        f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}'/>"
        f"<set xmlns='{NS_RSM}'>{inner}</set></pubsub>"
    )


def disco(namespace: str, node: str) -> str:
    """Return a disco#info or disco#items request for a node (XEP-0030)."""
    return f"<query xmlns='{namespace}' node='{node}'/>"
