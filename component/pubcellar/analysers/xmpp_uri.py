"""XMPP URIs (RFC 5122) that name a pubsub node or item (XEP-0060 section 12.22)."""

from urllib.parse import unquote

_SCHEME = "xmpp:"
_KEYS = {"node": "node", "item": "item"}


def jid_of(uri: str) -> str | None:
    """Return the address that an `xmpp:` URI names, unescaped, or None for any other URI."""
    if not uri.lower().startswith(_SCHEME):
        return None
    path = uri[len(_SCHEME) :].split("?", 1)[0].split("#", 1)[0]
    if path.startswith("//"):  # RFC 5122 section 2.3: an authority, then the address
        path = path[2:].partition("/")[2]
    return unquote(path) or None


def pubsub_target(uri: str) -> dict[str, str]:
    """Return `service`, `node` and, where it is there, `item` of a URI; {} if it names no node.

    Both forms in use are understood: `xmpp:service?;node=a;item=b`, and with a query type, such as
    `xmpp:service?pubsub;action=retrieve;node=a`.
    """
    service = jid_of(uri)
    query = uri.partition("?")[2].partition("#")[0]
    pairs = (part.partition("=") for part in query.replace("&", ";").split(";"))
    named = {_KEYS[key]: unquote(value) for key, _, value in pairs if key in _KEYS and value}
    if not service or "node" not in named:
        return {}
    return {"service": service, **named}
