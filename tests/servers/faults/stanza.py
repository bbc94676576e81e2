"""What a stanza between the proxy and its server is, seen from outside of both."""

from dataclasses import dataclass, field
from enum import StrEnum
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from harness.stanzas import NS_PUBSUB_EVENT

NS_COMPONENT = "jabber:component:accept"
NS_STREAMS = "http://etherx.jabber.org/streams"


class Way(StrEnum):
    """Where a stanza goes."""

    TO_PROXY = "to the proxy"
    TO_SERVER = "to the server"


class Kind(StrEnum):
    """What a stanza is."""

    EVENT = "event"
    """A notification of the service for the proxy itself."""
    OWN_REQUEST = "own request"
    """Of the proxy, in its own name."""
    OWN_REPLY = "reply to an own request"
    FORWARDED_REQUEST = "forwarded request"
    """In somebody else's name."""
    FORWARDED_REPLY = "reply to a forwarded request"
    CLIENT_REQUEST = "client's request"
    CLIENT_ANSWER = "answer to a client"
    OTHER = "other"
    """The handshake, presence, and what no fault is for."""


REQUESTS = frozenset({Kind.OWN_REQUEST, Kind.FORWARDED_REQUEST})
REPLIES = frozenset({Kind.OWN_REPLY, Kind.FORWARDED_REPLY})


@dataclass(frozen=True)
class Addresses:
    """Who is who on the stream."""

    proxy: str
    service: str


@dataclass(frozen=True)
class Stanza:
    """One stanza, with its bytes as they came.

    Attributes:
        raw: its bytes.
        way: where it goes.
        kind: what it is.
        xml: the same, parsed.
        link: the number of the connection it came on.
        number: which of all stanzas it is.
    """

    raw: bytes
    way: Way
    kind: Kind
    xml: Element = field(repr=False)
    link: int
    number: int

    @property
    def sender(self) -> str:
        return self.xml.get("from", "")

    @property
    def recipient(self) -> str:
        return self.xml.get("to", "")

    @property
    def id(self) -> str:
        return self.xml.get("id", "")

    @property
    def pair(self) -> tuple[str, str]:
        """The addresses between which XMPP keeps the order (RFC 6120 section 10.1)."""
        return self.sender, self.recipient

    @property
    def is_handshake(self) -> bool:
        return self.xml.tag == f"{{{NS_COMPONENT}}}handshake"


def read_stanza(
    raw: bytes, way: Way, addresses: Addresses, link: int = 0, number: int = 0
) -> Stanza:
    """Return the stanza that these bytes of a component's stream are."""
    head = f"<stream xmlns='{NS_COMPONENT}' xmlns:stream='{NS_STREAMS}'>".encode()
    xml = ElementTree.fromstring(head + raw + b"</stream>")[0]
    return Stanza(raw, way, _kind(xml, way, addresses), xml, link, number)


def _kind(xml: Element, way: Way, addresses: Addresses) -> Kind:
    sender, recipient = xml.get("from", ""), xml.get("to", "")
    is_request = xml.tag == f"{{{NS_COMPONENT}}}iq" and xml.get("type") in ("get", "set")
    is_reply = xml.tag == f"{{{NS_COMPONENT}}}iq" and not is_request
    if way is Way.TO_PROXY:
        if is_request:
            return Kind.CLIENT_REQUEST
        is_own = recipient == addresses.proxy
        if sender != addresses.service:
            return Kind.OTHER
        if is_reply:
            return Kind.OWN_REPLY if is_own else Kind.FORWARDED_REPLY
        return Kind.EVENT if xml.find(f"{{{NS_PUBSUB_EVENT}}}event") is not None else Kind.OTHER
    if is_reply:
        return Kind.CLIENT_ANSWER
    if not is_request or recipient != addresses.service:
        return Kind.OTHER
    return Kind.OWN_REQUEST if sender == addresses.proxy else Kind.FORWARDED_REQUEST
