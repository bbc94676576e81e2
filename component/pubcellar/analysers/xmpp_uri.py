"""XMPP URIs (RFC 5122) that name a pubsub node or item (XEP-0060 section 12.22)."""

from typing import TypedDict
from urllib.parse import unquote

_SCHEME = "xmpp:"

MAX_ADDRESS_BYTES = 3071
"""Longest address: three parts of 1023 bytes (RFC 7622 section 3.1), and two separators."""


class PubsubTarget(TypedDict, total=False):
    """A node of a service, or an item of it."""

    service: str
    node: str
    item: str


def address(text: str | None) -> str | None:
    """Return an address as it was written, where it could be one; nothing is normalised."""
    jid = (text or "").strip()
    is_one = jid and not any(character.isspace() for character in jid)
    return jid if is_one and len(jid.encode()) <= MAX_ADDRESS_BYTES else None


def jid_of(uri: str) -> str | None:
    """Return the address that an `xmpp:` URI names, unescaped, or None for any other URI."""
    if not uri.lower().startswith(_SCHEME):
        return None
    path = uri[len(_SCHEME) :].split("?", 1)[0].split("#", 1)[0]
    if path.startswith("//"):  # RFC 5122 section 2.3: an authority, then the address
        path = path[2:].partition("/")[2]
    return _unquoted(path) or None


def pubsub_target(uri: str) -> PubsubTarget:
    """Return `service`, `node` and, where it is there, `item` of a URI; {} if it names no node.

    Both forms in use are understood: `xmpp:service?;node=a;item=b`, and with a query type, such as
    `xmpp:service?pubsub;action=retrieve;node=a`.
    """
    service = jid_of(uri)
    query = uri.partition("?")[2].partition("#")[0]
    pairs = (part.partition("=") for part in query.replace("&", ";").split(";"))
    named = {key: _unquoted(value) for key, _, value in pairs}
    node, item = named.get("node"), named.get("item")
    if not service or not node:
        return {}
    target: PubsubTarget = {"service": service, "node": node}
    if item:
        target["item"] = item
    return target


def _unquoted(text: str) -> str:
    """Return the text with its escapes undone; "" where it then holds what no XML can."""
    plain = unquote(text)
    return "" if "\0" in plain else plain
