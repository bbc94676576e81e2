"""Privileged iqs: what a server lets us do, and requests that it sends for its users (XEP-0356).

Nothing here decides whose word is believed, or who is acted for: `pubcellar.proxy.identities`.
"""

from xml.sax.saxutils import quoteattr

from lxml import etree

from pubcellar.core.identity import NAMESPACES, Advertisement, IqPermission
from pubcellar.core.namespaces import (
    NS_CLIENT,
    NS_COMPONENT_ACCEPT,
    NS_FORWARD,
    NS_PRIVILEGE,
)
from pubcellar.core.values import BareJID
from pubcellar.xmpp.addresses import requester
from pubcellar.xmpp.stanzas import Element, children, name_of, namespace_of, qualified

ANY_VERSION = "urn:xmpp:privilege:"
TYPES = {"get": ("get",), "set": ("set",), "both": ("get", "set")}


def advertisement(message: Element, host: BareJID) -> Advertisement | None:
    """Return what a server says that it lets us do (section 4.2); None where it says nothing.

    Args:
        message: the stanza; only a child of its own counts, not what it forwards.
        host: its sender.
    """
    if message.get("type") == "error":
        return None
    found = {
        namespace_of(one): one
        for one in children(message)
        if name_of(one) == "privilege" and namespace_of(one).startswith(ANY_VERSION)
    }
    ours = found.get(NS_PRIVILEGE)
    if ours is not None:
        return Advertisement(host, NS_PRIVILEGE, frozenset(_granted(ours, host)))
    # None of them is understood: any one will do to say so.
    return next((Advertisement(host, namespace) for namespace in found), None)


def _granted(privilege: Element, host: str) -> list[IqPermission]:
    granted = []
    for permission in privilege.findall(qualified(NS_PRIVILEGE, "perm")):
        if permission.get("access") != "iq":
            continue
        # COMPAT: mod_privilege of Prosody 0.12 nests the namespaces in each other.
        for one in permission.iter(qualified(NS_PRIVILEGE, "namespace")):
            namespace = one.get("ns", "")
            if namespace in NAMESPACES:
                types = TYPES.get(one.get("type", ""), ())
                granted += [IqPermission(host, namespace, type_) for type_ in types]
    return granted


def wrapped(type_: str, *, service: str, id_: str, payload: str, lang: str | None) -> str:
    """Return the payload of an iq that asks a server to send one for its user (section 6).

    Args:
        type_: `get` or `set`, of the iq around it too.
        service: whom the server is to ask.
        id_: of the iq within.
        payload: the request, as `serialised` made it.
        lang: `xml:lang`, or None.
    """
    attributes = {"type": type_, "to": service, "id": id_}
    if lang is not None:
        attributes["xml:lang"] = lang
    written = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return (
        f"<privileged_iq xmlns='{NS_PRIVILEGE}'><iq xmlns='{NS_CLIENT}'{written}>{payload}</iq>"
        "</privileged_iq>"
    )


def unwrapped(reply: Element, *, user: BareJID, service: BareJID, id_: str) -> Element | None:
    """Take out what the service answered, as an iq of our stream; None if this is not its answer.

    Args:
        reply: the iq that came, of type result.
        user: for whom the service was asked.
        service: who was asked.
        id_: the id of that request. As it is random, nobody but those on its way know it.
    """
    found = _only_child(reply, NS_PRIVILEGE, "privilege")
    found = _only_child(found, NS_FORWARD, "forwarded")
    answer = _only_child(found, NS_CLIENT, "iq")
    if answer is None or answer.get("id") != id_ or answer.get("type") not in ("result", "error"):
        return None
    try:
        sender = requester(answer.get("from", ""))
        recipient = requester(answer.get("to") or user)
    except ValueError:
        return None
    if str(sender.full) != service or recipient.bare != user:
        return None
    return _of_our_stream(answer)


def _only_child(element: Element | None, namespace: str, name: str) -> Element | None:
    found = [] if element is None else children(element)
    is_it = len(found) == 1 and found[0].tag == qualified(namespace, name)
    return found[0] if is_it else None


def _of_our_stream(answer: Element) -> Element:
    """Return the iq, and an error in it, in the namespace that they have in our stream."""
    nsmap = {None: NS_COMPONENT_ACCEPT}
    same = etree.Element(qualified(NS_COMPONENT_ACCEPT, "iq"), dict(answer.attrib), nsmap)
    for child in children(answer):
        if child.tag == qualified(NS_CLIENT, "error"):
            name = qualified(NS_COMPONENT_ACCEPT, "error")
            error = etree.SubElement(same, name, dict(child.attrib))
            error.extend(children(child))
        else:
            same.append(child)
    return same
