"""A server that lets the component act for its users (XEP-0356), as Prosody's module does."""

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from lxml import etree

from playbook.cellar import CACHE, Cellar
from playbook.sent import Sent
from playbook.stanzas import DISCO_INFO, DISCO_ITEMS, PUBSUB, STANZAS, Element

PRIVILEGE = "urn:xmpp:privilege:2"
FORWARD = "urn:xmpp:forward:0"
CLIENT = "jabber:client"
HOST = "capulet.lit"
BELIEVED = f'\n[forwarding]\nhosts = ["{HOST}"]\n'
"""To be added to the configuration: Juliet's server is one whose word counts."""
ALL = dict.fromkeys((PUBSUB, f"{PUBSUB}#owner", DISCO_INFO, DISCO_ITEMS), "both")


def advertisement(
    granted: Mapping[str, str] = ALL,
    *,
    sender: str = HOST,
    to: str = CACHE,
    namespace: str = PRIVILEGE,
    is_nested: bool = True,
) -> str:
    """Return what a server says that it grants: types by namespace."""
    opened = [f"<namespace ns='{name}' type='{type_}'" for name, type_ in granted.items()]
    if is_nested:
        inner = "".join(f"{one}>" for one in opened) + "</namespace>" * len(opened)
    else:
        inner = "".join(f"{one}/>" for one in opened)
    return (
        f"<message from={quoteattr(sender)} to={quoteattr(to)}><privilege xmlns='{namespace}'>"
        f"<perm access='iq'>{inner}</perm></privilege></message>"
    )


def inner_iq(sent: Sent) -> Element:
    """Return the request that a server is asked to send for its user."""
    (wrapper,) = sent.element
    assert wrapper.tag == f"{{{PRIVILEGE}}}privileged_iq", sent
    (inner,) = wrapper
    assert inner.tag == f"{{{CLIENT}}}iq", sent
    assert inner.get("type") == sent.kind
    return inner


def wrapped_reply(sent: Sent, payload: str, **changed: str) -> str:
    """Return the server's reply to a request it has sent; `outer_…` and `inner_…` change it."""
    inner = inner_iq(sent)
    outer_is = {"type": "result", "id": sent.id, "from": sent.recipient, "to": sent.sender}
    inner_is = {
        "type": "result",
        "id": inner.get("id", ""),
        "from": inner.get("to", ""),
        "to": sent.recipient,
    }
    for name, value in changed.items():
        where, _, attribute = name.partition("_")
        (outer_is if where == "outer" else inner_is)[attribute] = value
    return (
        f"<iq{_written(outer_is)}><privilege xmlns='{PRIVILEGE}'><forwarded xmlns='{FORWARD}'>"
        f"<iq xmlns='{CLIENT}'{_written(inner_is)}>{payload}</iq></forwarded></privilege></iq>"
    )


def refusal(condition: str, type_: str = "cancel") -> str:
    """Return a stanza error's element."""
    return f"<error type='{type_}'><{condition} xmlns='{STANZAS}'/></error>"


async def granted(cellar: Cellar, said: str | None = None) -> Cellar:
    """The server says what it grants."""
    cellar.receives(advertisement() if said is None else said)
    await cellar.settled()
    return cellar


def payload_name(element: Element) -> str:
    """Return the name of the request within an iq."""
    return str(etree.QName(element[0]).localname)


def _written(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
