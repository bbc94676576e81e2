"""A user's own JIDs in notifications, where the service named their alias.

Only attributes of the event's own elements are touched, never what somebody has published.
"""

from pubcellar.core.namespaces import NS_PUBSUB_EVENT
from pubcellar.core.values import BareJID
from pubcellar.xmpp.addresses import requester
from pubcellar.xmpp.stanzas import Element, children, name_of, namespace_of

_PUBLISHED = frozenset({"item", "retract"})
ATTRIBUTES = ("jid", "publisher")


def replace_jid(element: Element, given: BareJID, put: BareJID) -> None:
    """Write `put` wherever `given` stands in the element as subscriber or publisher.

    A resource is kept. Everybody else's JIDs stay as they are.
    """
    if namespace_of(element) != NS_PUBSUB_EVENT:
        return
    for name in ATTRIBUTES:
        written = element.get(name)
        if written is not None:
            element.set(name, _replaced(written, given, put))
    if name_of(element) not in _PUBLISHED:
        for child in children(element):
            replace_jid(child, given, put)


def _replaced(written: str, given: BareJID, put: BareJID) -> str:
    try:
        jid = requester(written)
    except ValueError:
        return written
    return put + jid.full.removeprefix(jid.bare) if jid.bare == given else written
