"""What a set does to the requester's own subscription (XEP-0060 sections 6.1 to 6.3)."""

from pubcellar.core.namespaces import NS_PUBSUB
from pubcellar.core.writes import Write, WriteKind
from pubcellar.xmpp.addresses import full_jid
from pubcellar.xmpp.stanzas import Element, children, qualified

_KINDS = {
    qualified(NS_PUBSUB, kind): kind
    for kind in (WriteKind.SUBSCRIBE, WriteKind.UNSUBSCRIBE, WriteKind.OPTIONS)
}


def subscription_write(payload: Element) -> Write | None:
    """Return what the child element of an iq of type set does; None if that is something else.

    Options may stand beside a subscription request (section 6.3.7), which says what is done then.
    """
    found = [child for child in children(payload) if child.tag in _KINDS]
    if payload.tag != qualified(NS_PUBSUB, "pubsub") or not found:
        return None
    given = found[0]
    return Write(
        _KINDS[str(given.tag)],
        node=given.get("node"),
        jid=full_jid(given.get("jid")),
        subid=given.get("subid"),
    )
