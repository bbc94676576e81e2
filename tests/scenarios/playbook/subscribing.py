"""Users who subscribe through the component, and what their aliases are sent."""

from playbook.cellar import CACHE, JULIET, Cellar
from playbook.service import Service
from playbook.stanzas import EVENT, item, subscribe
from pubcellar.core.values import BareJID

NODE = "notes/a"
SERVICE = "pubsub.example.org"
ALIAS_BARE = rf"juliet\40capulet.lit@{CACHE}"
ALIAS = f"{ALIAS_BARE}/balcony"
PUBLISHED = f"<items node='{NODE}'>{item('i9')}</items>"


def notification(
    action: str = PUBLISHED,
    *,
    to: str = ALIAS,
    sender: str = SERVICE,
    beside: str = "",
    attributes: str = "type='headline' id='m1'",
) -> str:
    """Return what a service sends to who is subscribed (XEP-0060 section 12.18)."""
    return (
        f"<message from='{sender}' to='{to}' {attributes}><event xmlns='{EVENT}'>{action}</event>"
        f"{beside}</message>"
    )


async def subscribed(
    cellar: Cellar,
    service: Service,
    *,
    jid: str = JULIET,
    sender: str = JULIET,
    to: str = CACHE,
    node: str = NODE,
) -> Service:
    """Give the service a node, and let a user subscribe to it; then forget what was asked."""
    cellar.stands_behind(service)
    if node not in service.nodes:
        service.has(node, ["i1"])
    await cellar.result(subscribe(node, jid), sender=sender, to=to, type_="set")
    await cellar.settled()
    service.asked.clear()
    return service


async def recorded(cellar: Cellar, user: str = "juliet@capulet.lit") -> list[tuple[str, ...]]:
    """Return node, subscriber, address asked, subid and state of what is recorded of a user."""
    found = await cellar.store.users.subscriptions_of(BareJID(user))
    return [(one.key.node, one.subscriber, one.asked, one.subid, one.state.value) for one in found]
