"""What a pubsub set does, as a value; what is not completely understood is `WriteKind.OTHER`.

Whatever is read here, the payload is forwarded as it came. What something unknown stands in puts
more in doubt than what is understood, never less: all of the node, if it is certain which node it
is, and else all nodes of the service.
"""

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.namespaces import NS_PUBSUB, NS_PUBSUB_OWNER
from pubcellar.core.values import Item
from pubcellar.core.writes import OWN_SUBSCRIPTION, Write, WriteKind
from pubcellar.xmpp.addresses import full_jid
from pubcellar.xmpp.results import written_item
from pubcellar.xmpp.stanzas import Element, children, name_of, namespace_of, qualified

_ACTIONS = {
    **{
        qualified(NS_PUBSUB, kind.value): kind
        for kind in (
            WriteKind.SUBSCRIBE,
            WriteKind.UNSUBSCRIBE,
            WriteKind.OPTIONS,
            WriteKind.PUBLISH,
            WriteKind.RETRACT,
            WriteKind.CREATE,
        )
    },
    **{
        qualified(NS_PUBSUB_OWNER, kind.value): kind
        for kind in (
            WriteKind.CONFIGURE,
            WriteKind.DELETE,
            WriteKind.PURGE,
            WriteKind.AFFILIATIONS,
            WriteKind.SUBSCRIPTIONS,
        )
    },
}

_COMPANIONS = {
    (WriteKind.PUBLISH, qualified(NS_PUBSUB, "publish-options")),
    (WriteKind.CREATE, qualified(NS_PUBSUB, "configure")),
    (WriteKind.SUBSCRIBE, qualified(NS_PUBSUB, "options")),
}
"""What may stand beside an action, and is part of it (XEP-0060 sections 6.3.7, 7.1.5, 8.1.3)."""

_ATTRIBUTES = {
    WriteKind.RETRACT: {"node", "notify"},
    WriteKind.SUBSCRIBE: {"node", "jid"},
    WriteKind.UNSUBSCRIBE: {"node", "jid", "subid"},
    WriteKind.OPTIONS: {"node", "jid", "subid"},
}

_EMPTY = frozenset({WriteKind.CREATE, WriteKind.PURGE})


def write(payload: Element) -> Write:
    """Return what the child element of an iq of type set does (XEP-0060 sections 6 to 8)."""
    found = children(payload)
    action = _action(found)
    if action is None:
        return Write(WriteKind.OTHER)
    kind, node = _ACTIONS[str(action.tag)], action.get("node") or None
    if kind in OWN_SUBSCRIPTION:
        return Write(kind, node, jid=full_jid(action.get("jid")), subid=action.get("subid"))
    beside = [one for one in found if one is not action]
    is_known = (
        not payload.attrib
        and all((kind, one.tag) in _COMPANIONS for one in beside)
        and set(action.attrib) <= _ATTRIBUTES.get(kind, {"node"})
    )
    if not is_known or (node is None and kind is not WriteKind.CREATE):
        return Write(WriteKind.OTHER, node)
    return _understood(kind, node, action, may_configure=bool(beside))


def _action(found: list[Element]) -> Element | None:
    """Return the one element that says what is to be done; None where there are more, or none.

    What may stand beside another one is an action of its own where it stands alone.
    """
    actions = [one for one in found if one.tag in _ACTIONS]
    if len(actions) == 2 and (_ACTIONS[str(actions[0].tag)], actions[1].tag) in _COMPANIONS:
        del actions[1]
    return actions[0] if len(actions) == 1 else None


def _understood(
    kind: WriteKind, node: str | None, action: Element, *, may_configure: bool
) -> Write:
    if kind is WriteKind.PUBLISH:
        items = _published(action)
        if items:
            return Write(kind, node, items=items, may_configure=may_configure)
        return Write(WriteKind.OTHER, node)
    if kind is WriteKind.RETRACT:
        item_ids = _retracted(action)
        return Write(kind if item_ids else WriteKind.OTHER, node, item_ids=item_ids)
    if kind in _EMPTY and len(action):
        return Write(WriteKind.OTHER, node)
    # What the others hold is for the service to read: all that it can change is in doubt anyway.
    return Write(kind, node)


def _published(action: Element) -> tuple[Item, ...]:
    """Return the published items; none where there is anything else."""
    found = children(action)
    if any(set(one.attrib) - {"id", "publisher"} for one in found):
        return ()
    try:
        return tuple(written_item(one) for one in found)
    except UpstreamAnswerInvalid:
        return ()


def _retracted(action: Element) -> tuple[str, ...]:
    """Return the ids of the retracted items; none where there is anything else."""
    found = children(action)
    ids = [one.get("id", "") for one in found]
    is_plain = all(
        name_of(one) == "item" and namespace_of(one) == NS_PUBSUB and set(one.attrib) == {"id"}
        for one in found
    )
    return tuple(ids) if is_plain and all(ids) else ()
