"""Event notifications as values (XEP-0060 sections 7.1.2, 7.2.2, 8.2.5, 8.4.2, 8.5.2, 8.8.4).

Only an `<event/>` that is a child of the message itself counts: what was forwarded, copied by a
carbon or fetched from an archive tells of somebody else's stream. Whether the sender is believed is
for `pubcellar.proxy` to decide.
"""

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.events import (
    Change,
    Configured,
    Deleted,
    Event,
    NotUnderstood,
    Published,
    Purged,
    Retracted,
    SubscriptionChanged,
)
from pubcellar.core.namespaces import NS_DELAY, NS_PUBSUB, NS_PUBSUB_EVENT
from pubcellar.core.values import BareJID, NodeKey, SubscriptionState
from pubcellar.xmpp.results import item
from pubcellar.xmpp.stanzas import (
    Element,
    children,
    name_of,
    namespace_of,
    parse_element,
    qualified,
    serialised,
)

EVENT = qualified(NS_PUBSUB_EVENT, "event")


def events(message: Element, service: BareJID, recipient: BareJID) -> list[Event]:
    """Return what the message says, one event per node, in the order in which it stands there.

    Args:
        message: the stanza; of type error or without an `<event/>` it says nothing.
        service: its sender.
        recipient: its addressee.
    """
    if message.get("type") == "error":
        return []
    is_delayed = message.find(qualified(NS_DELAY, "delay")) is not None
    found: dict[str, list[Change]] = {}
    for event in message.findall(EVENT):
        for action in children(event):
            node = action.get("node")
            if node:
                found.setdefault(node, []).extend(_changes(action))
    return [
        Event(NodeKey(service, node), recipient, tuple(changes) or (NotUnderstood(),), is_delayed)
        for node, changes in found.items()
    ]


def _changes(action: Element) -> list[Change]:
    if namespace_of(action) != NS_PUBSUB_EVENT:
        return [NotUnderstood()]
    match name_of(action):
        case "items":
            return [_item_change(child) for child in children(action)]
        case "purge":
            return [Purged()]
        case "delete":
            return [Deleted()]
        case "configuration":
            return [Configured()]
        case "subscription":
            return [_subscription_change(action)]
    return [NotUnderstood()]


def _item_change(element: Element) -> Change:
    if element.tag == qualified(NS_PUBSUB_EVENT, "retract") and element.get("id"):
        return Retracted(element.get("id", ""))
    if element.tag == qualified(NS_PUBSUB_EVENT, "item"):
        try:
            return Published(item(_in_pubsub_namespace(element)))
        except UpstreamAnswerInvalid:
            pass
    return NotUnderstood()


def _subscription_change(action: Element) -> Change:
    try:
        return SubscriptionChanged(SubscriptionState(action.get("subscription", "none")))
    except ValueError:
        return NotUnderstood()


def _in_pubsub_namespace(element: Element) -> Element:
    """Return the item as an items answer would show it.

    What a publisher wrote without a namespace of its own has that of the item around it, and so
    changes with it. Only the declaration is rewritten, in the text: trees that are rebuilt lose
    prefixes that names in their content need.
    """
    declaration = f'xmlns:{element.prefix}="' if element.prefix else 'xmlns="'
    text = serialised(element)
    # `serialised` declares on the item whatever is in scope, and writes no bare `>` in a tag.
    start, end = text[: text.index(">")], text[text.index(">") :]
    declared = f' {declaration}{NS_PUBSUB_EVENT}"'
    return parse_element(start.replace(declared, f' {declaration}{NS_PUBSUB}"', 1) + end)
