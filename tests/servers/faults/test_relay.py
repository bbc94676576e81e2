"""The relay itself: what each kind of fault does, as both ends of the stream see it."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable

import pytest
from harness.waiting import free_port, wait_until

from faults import faults
from faults.faults import CUTS, OTHERS, SILENT, FaultKind
from faults.link import Link
from faults.relay import Fault, Relay
from faults.stanza import Addresses, Kind, Stanza

PROXY, SERVICE, READER = "cache.localhost", "pubsub.localhost", "reader@localhost/r"
ALIAS = f"reader\\40localhost@{PROXY}/r"

HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
    f"xmlns:stream='http://etherx.jabber.org/streams' from='{PROXY}'>"
)


def event(number: int) -> str:
    return (
        f"<message from='{SERVICE}' to='{PROXY}' type='headline'>"
        "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'>"
        f"<item id='{number}'><x xmlns='urn:x' a='a>b'>1 &gt; 0</x></item>"
        "</items></event></message>"
    )


def iq(type_: str, id_: str, sender: str, recipient: str) -> str:
    return f"<iq type='{type_}' id='{id_}' from='{sender}' to='{recipient}'><q xmlns='urn:q'/></iq>"


OWN_REQUEST = iq("get", "own", PROXY, SERVICE)
OWN_REPLY = iq("result", "own", SERVICE, PROXY)
FORWARDED_REQUEST = iq("get", "forwarded", ALIAS, SERVICE)
FORWARDED_REPLY = iq("result", "forwarded", SERVICE, ALIAS)
CLIENT_REQUEST = iq("get", "client", READER, PROXY)
CLIENT_ANSWER = iq("result", "client", PROXY, READER)

TO_PROXY = {
    Kind.EVENT: event(1),
    Kind.OWN_REPLY: OWN_REPLY,
    Kind.FORWARDED_REPLY: FORWARDED_REPLY,
    Kind.CLIENT_REQUEST: CLIENT_REQUEST,
}
TO_SERVER = {
    Kind.OWN_REQUEST: OWN_REQUEST,
    Kind.FORWARDED_REQUEST: FORWARDED_REQUEST,
    Kind.CLIENT_ANSWER: CLIENT_ANSWER,
}
STANZAS = {**TO_PROXY, **TO_SERVER}


class End(asyncio.Protocol):
    """The proxy, or its server: what came, and whether the connection is still there."""

    def __init__(self) -> None:
        self.got = ""
        self.is_closed = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data.decode()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True

    def say(self, text: str) -> None:
        assert self.transport is not None
        self.transport.write(text.encode())

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def until_got(self, *texts: str) -> None:
        await wait_until(lambda: all(text in self.got for text in texts), f"{texts} to arrive")


class Stream:
    """A relay with a proxy and a server at its ends; all that was said before is forgotten."""

    def __init__(self) -> None:
        self.relay = Relay(free_port(), free_port(), Addresses(PROXY, SERVICE))
        self.proxy = End()
        self.server = End()
        self._listening: asyncio.Server | None = None
        self._waiting: list[Callable[[], None]] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            lambda: self.server, "127.0.0.1", self.relay.server_port
        )
        await self.relay.start()
        await self.connect()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self.proxy, self.server = End(), End()
        await loop.create_connection(lambda: self.proxy, "127.0.0.1", self.relay.port)
        self.proxy.say(HEADER)
        await self.server.until_got(HEADER)
        self.server.say(HEADER)
        await self.proxy.until_got(HEADER)
        self.proxy.say("<handshake>0</handshake>")
        await self.server.until_got("</handshake>")
        self.server.say("<handshake/>")
        await self.proxy.until_got("<handshake/>")
        self.proxy.got = self.server.got = ""

    async def stop(self) -> None:
        await self.relay.stop()
        for end in (self.proxy, self.server):
            end.close()
        if self._listening is not None:
            self._listening.close()
            await self._listening.wait_closed()

    def arm(self, kind: Kind, inject: Callable[[Link, Stanza], None]) -> Fault:
        """Have the next stanza of that kind struck."""
        fault = Fault("a fault", lambda stanza: stanza.kind is kind, inject)
        self.relay.armed.append(fault)
        return fault

    def stop_time(self) -> None:
        """Let nothing that is kept back go on by itself."""
        self.relay.later = lambda _, call: self._waiting.append(call)

    def let_time_pass(self) -> None:
        """Let what is kept back go on."""
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def say(self, kind: Kind) -> None:
        """Have a stanza of that kind sent by whoever sends such."""
        (self.proxy if kind in TO_SERVER else self.server).say(STANZAS[kind])

    def hears(self, kind: Kind) -> End:
        """Return who is to hear such a stanza."""
        return self.server if kind in TO_SERVER else self.proxy


@pytest.fixture
def stream(wait_for_coroutine: Callable[..., None]) -> AsyncIterator[Stream]:
    stream = Stream()
    wait_for_coroutine(stream.start())
    yield stream
    wait_for_coroutine(stream.stop())


async def test_without_a_fault_both_ends_get_the_very_bytes(stream: Stream) -> None:
    """However they are cut into packets: `>` in text and attributes, white space between."""
    said = f" {event(1)}\n{OWN_REPLY}<presence from='a>b@c' to='{PROXY}'/>{event(2)}"
    for byte in said:
        stream.server.say(byte)
        await asyncio.sleep(0)
    stream.proxy.say(OWN_REQUEST + FORWARDED_REQUEST)

    await stream.proxy.until_got(event(2))
    await stream.server.until_got(FORWARDED_REQUEST)

    assert stream.proxy.got == said
    assert stream.server.got == OWN_REQUEST + FORWARDED_REQUEST
    assert [trace.stanza.kind for trace in stream.relay.traces if trace.stanza.id] == [
        Kind.OWN_REPLY,
        Kind.OWN_REQUEST,
        Kind.FORWARDED_REQUEST,
    ]


@pytest.mark.parametrize("kind", STANZAS)
async def test_every_kind_is_told_apart_and_can_be_dropped(stream: Stream, kind: Kind) -> None:
    fault = stream.arm(kind, lambda link, stanza: link.lose(stanza))
    for each in STANZAS:
        stream.say(each)

    others = [text for each, text in TO_PROXY.items() if each is not kind]
    await stream.proxy.until_got(*others)
    await stream.server.until_got(*(TO_SERVER[each] for each in TO_SERVER if each is not kind))

    assert fault.struck is not None and fault.struck.raw.decode() == STANZAS[kind]
    assert STANZAS[kind] not in stream.hears(kind).got
    assert [trace.fate for trace in stream.relay.of_kind(kind)] == ["dropped"]
    stream.say(kind)
    await stream.hears(kind).until_got(STANZAS[kind])


async def test_duplicate_comes_right_behind(stream: Stream) -> None:
    stream.arm(Kind.EVENT, lambda link, stanza: link.duplicate(stanza))
    stream.server.say(event(1) + event(2))

    await stream.proxy.until_got(event(2))

    assert stream.proxy.got == event(1) * 2 + event(2)


@pytest.mark.parametrize("kind", [Kind.OWN_REQUEST, Kind.FORWARDED_REQUEST])
async def test_error_is_given_in_the_services_stead(stream: Stream, kind: Kind) -> None:
    """The server never sees the request; only one that means an outage counts as a loss."""
    for condition, losses in (("internal-server-error", 0), ("remote-server-not-found", 1)):
        stream.arm(kind, lambda link, each, name=condition: link.refuse(each, "cancel", name))
        stream.say(kind)
        await stream.proxy.until_got(condition)
        assert len(stream.relay.losses) == losses

    sender = PROXY if kind is Kind.OWN_REQUEST else ALIAS
    assert (
        re.findall(r"<iq type='error' id='\w+' from='(\S+)' to='(\S+)'>", stream.proxy.got)
        == [(SERVICE, sender)] * 2
    )
    assert stream.server.got == ""


async def test_delay_keeps_the_order_between_two_addresses_and_no_other(stream: Stream) -> None:
    stream.stop_time()
    stream.arm(Kind.EVENT, lambda link, stanza: link.hold(stanza, 1))
    stream.server.say(event(1) + FORWARDED_REPLY + OWN_REPLY + event(2) + CLIENT_REQUEST)

    await stream.proxy.until_got(CLIENT_REQUEST)
    assert stream.proxy.got == FORWARDED_REPLY + CLIENT_REQUEST
    assert not stream.relay.is_quiet

    stream.let_time_pass()
    await stream.proxy.until_got(event(2))
    assert stream.proxy.got.endswith(event(1) + OWN_REPLY + event(2))
    assert stream.relay.is_quiet


async def test_reordering_keeps_the_order_between_two_addresses_and_no_other(
    stream: Stream,
) -> None:
    said = [event(1), FORWARDED_REPLY, OWN_REPLY, CLIENT_REQUEST, event(2)]
    orders = set()
    stream.stop_time()
    for seed in range(8):
        stream.relay.forget()
        chance = random.Random(seed)
        stream.arm(Kind.EVENT, lambda link, each, c=chance: link.reorder(each, 1, c))
        stream.server.say("".join(said))
        await wait_until(lambda: len(stream.relay.traces) == len(said), "all to have come")
        assert stream.proxy.got == ""
        stream.let_time_pass()
        await stream.proxy.until_got(*said)
        order = tuple(sorted(said, key=stream.proxy.got.index))
        assert [each for each in order if f"to='{PROXY}'" in each and SERVICE in each] == [
            event(1),
            OWN_REPLY,
            event(2),
        ]
        orders.add(order)
        stream.proxy.got = ""

    assert len(orders) > 1


async def test_stalled_direction_goes_on_where_it_stopped(stream: Stream) -> None:
    stream.stop_time()
    stream.arm(Kind.EVENT, lambda link, stanza: link.stall(stanza, 1, then_cut=False))
    stream.server.say(event(1) + CLIENT_REQUEST)
    stream.proxy.say(OWN_REQUEST)

    await stream.server.until_got(OWN_REQUEST)
    await wait_until(lambda: not stream.relay.is_quiet, "the event to be kept back")
    assert stream.proxy.got == ""

    stream.let_time_pass()
    await stream.proxy.until_got(event(1) + CLIENT_REQUEST)
    assert stream.relay.is_quiet


async def test_stalled_direction_may_never_go_on(stream: Stream) -> None:
    stream.arm(Kind.OWN_REQUEST, lambda link, stanza: link.stall(stanza, 0.1, then_cut=True))
    stream.proxy.say(OWN_REQUEST)
    await wait_until(lambda: stream.proxy.is_closed and stream.server.is_closed, "the end")

    assert stream.server.got == ""
    assert [trace.fate for trace in stream.relay.of_kind(Kind.OWN_REQUEST)] == ["cut off"]


@pytest.mark.parametrize("abruptly", [False, True], ids=["orderly", "abruptly"])
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.OWN_REQUEST])
async def test_cut_ends_both_connections_at_that_byte(
    stream: Stream, kind: Kind, part: float, abruptly: bool
) -> None:
    stream.arm(kind, lambda link, stanza: link.cut_at(stanza, part=part, abruptly=abruptly))
    stream.say(kind)
    await wait_until(lambda: stream.proxy.is_closed and stream.server.is_closed, "the end")

    whole = STANZAS[kind]
    got = stream.hears(kind).got
    # What is not read yet is thrown away with an abrupt end.
    assert got == whole[: int(len(whole) * part)] or (abruptly and got == "")
    (loss,) = stream.relay.losses
    assert loss.until is None

    await stream.connect()
    assert loss.until is not None and loss.until >= loss.since
    stream.say(kind)
    await stream.hears(kind).until_got(whole)


async def test_end_of_one_side_ends_the_other(stream: Stream) -> None:
    stream.server.close()
    await wait_until(lambda: stream.proxy.is_closed, "the proxy to hear of it")
    assert stream.relay.link is None

    await stream.connect()
    stream.proxy.close()
    await wait_until(lambda: stream.server.is_closed, "the server to hear of it")


@pytest.mark.parametrize("kind", [SILENT, *OTHERS, *CUTS], ids=lambda kind: kind.name)
async def test_every_kind_of_fault_strikes_and_changes_what_passes(
    stream: Stream, kind: FaultKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn as in a run: it strikes once, and somebody sees something else than was said."""
    monkeypatch.setattr(faults, "LONGEST_SECONDS", 0.2)
    fault = kind.drawn(random.Random(7))
    stream.relay.armed.append(fault)
    said = list(STANZAS) * 2
    for each in said:
        stream.say(each)

    await wait_until(lambda: fault.struck_at is not None, "the fault to strike")
    if kind in CUTS:
        await wait_until(lambda: stream.proxy.is_closed, "the end")
        return
    await wait_until(lambda: stream.relay.is_quiet, "what was kept back")
    expected = {
        end: "".join(STANZAS[each] for each in said if stream.hears(each) is end)
        for end in (stream.proxy, stream.server)
    }
    stream.proxy.say("<presence/>")
    stream.server.say("<presence/>")
    await stream.proxy.until_got("<presence/>")
    await stream.server.until_got("<presence/>")
    is_late = kind.name in ("delayed", "reordered", "direction stalled")
    got = {end: end.got.removesuffix("<presence/>") for end in expected}
    assert is_late or got != expected
    lengths = {end: len(text) for end, text in got.items()}
    assert not is_late or lengths == {end: len(text) for end, text in expected.items()}
