"""The door: whatever comes in, the stream goes on, and every request gets one answer."""

import pytest

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.events import Event
from pubcellar.core.values import BareJID
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.door import StanzaDoor
from pubcellar.xmpp.incoming import Incoming
from pubcellar.xmpp.stanzas import parse_stanza

OURS = BareJID("cache.example.org")
PING = "<ping xmlns='urn:xmpp:ping'/>"


class Broken:
    """Everything the door hands things to, failing at whatever it is asked."""

    def __init__(self) -> None:
        self.in_doubt: list[BareJID] = []

    def opened(self, _: object) -> None: ...

    def closed(self) -> None: ...

    def stream_opened(self) -> None: ...

    def stream_closed(self) -> None: ...

    def received(self, *_: object) -> None:
        raise RuntimeError("the tracker broke")

    def refused(self, *_: object) -> None: ...

    def notified(self, event: Event) -> None:
        raise RuntimeError("the use cases broke")

    def heard_from(self, service: BareJID) -> None: ...

    def follows(self, service: BareJID) -> bool:
        return True

    def service_in_doubt(self, service: BareJID) -> None:
        self.in_doubt.append(service)

    async def answer(self, type_: str, request: Incoming) -> str:
        raise RuntimeError("the requests broke")


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def sent() -> list[bytes]:
    return []


@pytest.fixture
def door(broken: Broken, sent: list[bytes]) -> StanzaDoor:
    addresses = Addresses(OURS, None, ["pubsub.example.org"])
    # The parts are stand-ins on purpose: what counts is what the door does when they fail.
    door = StanzaDoor(addresses, broken, broken, broken, Counters(), 10, 10, 64 * 1024, broken)  # type: ignore[arg-type]
    door.stream_opened(sent.append)
    return door


def stanza(xml: str):
    return parse_stanza(xml.encode(), {})


EVENT = (
    "<message from='pubsub.example.org' to='cache.example.org'>"
    "<event xmlns='http://jabber.org/protocol/pubsub#event'><purge node='n'/></event></message>"
)
RESULT = "<iq type='result' id='1' from='pubsub.example.org' to='cache.example.org'/>"


@pytest.mark.parametrize("xml", [EVENT, RESULT])
def test_what_breaks_behind_the_door_does_not_break_the_stream(
    door: StanzaDoor, sent: list[bytes], xml: str
) -> None:
    door.stanza_received(stanza(xml))

    assert sent == []


async def test_request_that_breaks_the_proxy_is_answered_once(
    door: StanzaDoor, sent: list[bytes]
) -> None:
    door.stanza_received(
        stanza(f"<iq type='get' id='1' from='a@b.c/d' to='cache.example.org'>{PING}</iq>")
    )
    await door.stop(5)

    assert len(sent) == 1
    assert b"internal-server-error" in sent[0]
    assert b"the requests broke" not in sent[0]


@pytest.mark.parametrize("kind", ["get", "set"])
def test_unreadable_request_for_somebody_else_is_not_answered_in_their_name(
    door: StanzaDoor, sent: list[bytes], kind: str
) -> None:
    """servers.md: a foreign `from` makes the server close the whole stream."""
    attributes = {"type": kind, "id": "1", "from": "a@b.c/d", "to": "other.example.org"}
    door.stanza_unreadable("iq", attributes, is_too_large=True)

    assert sent == []


def test_unreadable_message_puts_its_service_in_doubt(door: StanzaDoor, broken: Broken) -> None:
    attributes = {"from": "pubsub.example.org", "to": "cache.example.org"}
    door.stanza_unreadable("message", attributes, is_too_large=False)

    assert broken.in_doubt == ["pubsub.example.org"]


async def test_no_answer_is_larger_than_a_stanza_may_be(
    door: StanzaDoor, sent: list[bytes]
) -> None:
    """One that is would end the stream for everybody; an id grows when it is written."""
    for size in (5_000, 60_000):
        id_ = "&gt;" * size
        request = f"<iq type='get' id='{id_}' from='a@b.c/d' to='cache.example.org'>{PING}</iq>"
        door.stanza_received(stanza(request))
    await door.stop(5)

    assert len(sent) == 1
    assert len(sent[0]) < 64 * 1024


@pytest.mark.parametrize("kind", ["get", "set"])
def test_request_from_an_address_that_is_no_jid_is_answered(
    door: StanzaDoor, sent: list[bytes], kind: str
) -> None:
    door.stanza_received(
        stanza(f"<iq type='{kind}' id='1' from='@' to='cache.example.org'>{PING}</iq>")
    )

    assert b"bad-request" in sent[0]
    assert b'to="@"' in sent[0]


def test_counters_know_what_was_dropped(broken: Broken) -> None:
    counters = Counters()
    addresses = Addresses(OURS, None, ["pubsub.example.org"])
    door = StanzaDoor(addresses, broken, broken, broken, counters, 10, 10, 64 * 1024, broken)  # type: ignore[arg-type]
    for xml in (
        "<iq type='get' id='1' from='a@b.c/d' to='other.example.org'/>",
        "<iq type='get' id='1' from='@' to='cache.example.org'/>",
        "<iq type='get' id='1' to='cache.example.org'/>",
        "<odd from='a@b.c' to='cache.example.org'/>",
    ):
        door.stanza_received(stanza(xml))

    assert counters[Happened.STANZA_DROPPED] == 4
