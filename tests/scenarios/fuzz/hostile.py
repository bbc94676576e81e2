"""What may come in on the stream, as strategies: stanzas of every kind, right, odd and forged."""

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st
from playbook import DISCO_INFO, DISCO_ITEMS, PUBSUB, info, items, listing

from xmpp.xml_trees import NASTY, TEXTS, elements, written

CACHE = "cache.example.org"
SERVICES = ("pubsub.example.org", "other.example.org", "romeo@montague.lit")
"""What the component in scenarios may ask."""

USERS = (
    "juliet@capulet.lit/balcony",
    "JULIET@Capulet.lit/Balcony",
    "romeo@montague.lit",
    "capulet.lit",
    r"juliet\40capulet.lit@proxy.example.net/x",
    "ß@bücher.example/\U0001f4f1",
    "a@b/c@d/e <&>'\"",
    "pubsub.example.org",
)
"""Addresses that are answered."""

ODD_SENDERS = (
    CACHE,
    f"{CACHE}/x",
    rf"juliet\40capulet.lit@{CACHE}/x",
    rf"juliet\5c40capulet.lit\40{CACHE}@proxy.example.net",
    "x" * 1023 + "@capulet.lit",
    "x" * 5000 + "@capulet.lit",
    "@",
    "a@",
    "a b@c",
    "a..b",
    "\u2003@b",
    "<iq/>@b",
)

LOCAL_PARTS = (
    "pubsub.example.org",
    "other.example.org",
    "Other.Example.ORG",
    r"romeo\40montague.lit",
    r"romeo\40montague.lit\2forchard",
    r"juliet\40capulet.lit",
    "pubsub.evil.example",
    "cache.example.org",
    r"pubsub.example.org\40cache.example.org",
    r"\5c20pubsub.example.org",
    r"pubsub.example.org\5c20",
    r"romeo\5c40montague.lit",
    "\\",
    "*",
)
NOT_OURS = (
    "pubsub.example.org",
    "evil.example",
    "x.cache.example.org",
    "cache.example.org@evil",
    "",
)

NODES = st.sampled_from(("notes/a", "notes/b", "x", "", "' or 1=1 --", "]]>", "%")) | TEXTS
VERBS = st.sampled_from(
    (
        *(
            "items",
            "publish",
            "retract",
            "subscribe",
            "unsubscribe",
            "options",
            "create",
            "default",
        ),
        *("configure", "delete", "purge", "subscriptions", "affiliations", "item", "set", "x"),
    )
)
NAMES = st.sampled_from(("node", "jid", "id", "subid", "max_items", "notify", "x"))
SPACES = st.sampled_from(
    (PUBSUB, f"{PUBSUB}#owner", f"{PUBSUB}#event", DISCO_INFO, DISCO_ITEMS, "urn:xmpp:ping", "x")
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A stanza that comes in.

    Attributes:
        xml: the stanza.
        id: its id; no other stanza of a run has the same.
        sender: its sender, as written.
        answers: how many answers it must get; None where none or one is right.
    """

    xml: str
    id: str
    sender: str
    answers: int | None


def attributes(values: dict[str, str]) -> str:
    """Return attributes as they stand in a tag."""
    return "".join(f' {name}="{written(value)}"' for name, value in values.items())


@st.composite
def pubsub_like(draw: st.DrawFn) -> str:
    """Draw a payload that looks like pubsub, disco or paging."""
    inner = ""
    for _ in range(draw(st.integers(0, 2))):
        given = draw(st.dictionaries(NAMES, NODES, max_size=3))
        child = draw(st.just("") | elements() | TEXTS.map(written))
        name = draw(VERBS)
        inner += f"<{name}{attributes(given)}>{child}</{name}>"
    if draw(st.booleans()):
        wanted = draw(st.sampled_from(("max", "after", "before", "index", "x")))
        page = f"<{wanted}>{written(draw(TEXTS))}</{wanted}>"
        inner += f"<set xmlns='http://jabber.org/protocol/rsm'>{page}</set>"
    name = draw(st.sampled_from(("pubsub", "query", "event", "ping", "x")))
    given = draw(st.dictionaries(NAMES, NODES, max_size=1))
    return f"<{name} xmlns={quoteattr(draw(SPACES))}{attributes(given)}>{inner}</{name}>"


PAYLOADS = (
    st.sampled_from(("notes/a", "x")).map(items)
    | st.sampled_from((info(), info("notes/a"), listing(), listing("notes/a")))
    | pubsub_like()
    | elements()
    | st.sampled_from(sorted(NASTY.values()))
    | st.sampled_from(("", "text", "<a/><b/>", "<x xmlns='urn:x'>" * 70 + "</x>" * 70))
    | st.sampled_from(
        ("<a p:b=''/>", "<a xmlns:p='' />", "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>")
    )
)

OUR_ADDRESSES = st.builds(
    lambda local, resource: (f"{local}@{CACHE}" if local else CACHE) + resource,
    st.sampled_from(("", *LOCAL_PARTS)),
    st.sampled_from(("", "", "", "/x", "/ ")),
)


@st.composite
def incoming(draw: st.DrawFn, number: int) -> Incoming:
    """Draw one stanza; `number` makes its id its own."""
    id_ = f"{number}-{draw(TEXTS)}"
    name = draw(st.sampled_from(("iq", "iq", "iq", "message", "presence", "odd", "handshake")))
    type_ = draw(st.sampled_from(("get", "set", "get", "set", "result", "error", "headline", "")))
    sender = draw(st.sampled_from(USERS) | st.sampled_from(ODD_SENDERS) | TEXTS)
    recipient = draw(OUR_ADDRESSES | OUR_ADDRESSES | st.sampled_from(NOT_OURS) | TEXTS)
    space = draw(st.sampled_from(("", "", "", "", "jabber:client", "urn:x")))
    given = {"type": type_, "id": id_, "from": sender, "to": recipient}
    given |= draw(st.sampled_from(({}, {"xml:lang": "de"}, {"xml:lang": "\n<'"}, {"x": "y"})))
    given |= {"xmlns": space} if space else {}
    payload = draw(PAYLOADS)
    is_request = name == "iq" and type_ in ("get", "set")
    is_ours = recipient.partition("/")[0].rpartition("@")[2] == CACHE
    expected: int | None = 1
    if not is_request or not is_ours:
        expected = 0
    elif sender not in USERS or space:
        expected = None
    return Incoming(f"<{name}{attributes(given)}>{payload}</{name}>", id_, sender, expected)


STANZAS = st.integers(1, 6).flatmap(lambda number: st.tuples(*map(incoming, range(number))))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw what is no stanza any more, or two, or half of one: its bytes were changed."""
    text = bytearray("".join(one.xml for one in draw(STANZAS)).encode())
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(text) - 1)))
        end = place + draw(st.integers(0, 8))
        text[place:end] = draw(
            st.binary(max_size=4)
            | st.sampled_from(
                (b"<", b">", b"'", b"&", b"/", b"&#0;", b"&x;", b"<!--", b"<?x?>", b"]]>")
            )
            | st.sampled_from(
                (b"<!DOCTYPE x>", b"</stream:stream>", b"\xef\xbf\xbe", b"\xed\xa0\x80")
            )
        )
    return bytes(text)


BYTES = damaged() | st.binary(max_size=200)
