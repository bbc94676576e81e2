"""One connection of the proxy through the relay: both its sides, and what can be done to it."""

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from faults.cutting import StreamCutter
from faults.stanza import REPLIES, Stanza, Way, read_stanza

if TYPE_CHECKING:
    from faults.relay import Relay

NS_STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"

OUTAGES = frozenset({"remote-server-not-found", "remote-server-timeout"})
"""Conditions that say that the service is not there, and so notifies nobody."""


class Side(asyncio.Protocol):
    """One end of a link: bytes that come from there, and the transport to there."""

    def __init__(self, link: "Link", way: Way) -> None:
        self.link = link
        self.way = way
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.link.connected(self)

    def data_received(self, data: bytes) -> None:
        self.link.received(self.way, data)

    def connection_lost(self, error: Exception | None) -> None:
        self.link.disconnected(self)

    def end(self, *, abruptly: bool) -> None:
        """Close the connection: what is written is sent first, unless `abruptly`."""
        if self.transport is not None:
            if abruptly:
                self.transport.abort()
            else:
                self.transport.close()


class Link:
    """The two connections that make one of the proxy's; both end together.

    Attributes:
        number: which of the relay's links it is.
        is_open: whether the proxy is authenticated on it.
        ended: set when both connections are closed.
    """

    def __init__(self, relay: "Relay", server_port: int, number: int) -> None:
        self.relay = relay
        self.number = number
        self.is_open = False
        self.ended = asyncio.Event()
        self.proxy_side = Side(self, Way.TO_SERVER)
        self._server_side = Side(self, Way.TO_PROXY)
        self._server_port = server_port
        self._cutters = {way: StreamCutter() for way in Way}
        self._is_cut = False
        self._early: list[bytes] = []
        self._open_sides = 0
        self._connecting: asyncio.Task[None] | None = None
        self._stalled: dict[Way, deque[Stanza | bytes]] = {}
        self._held: dict[tuple[str, str], deque[Stanza]] = {}
        self._mixing: dict[Way, list[Stanza]] = {}

    @property
    def is_disturbed(self) -> bool:
        """Whether something is kept back."""
        return bool(self._stalled or self._held or self._mixing)

    # The connections' side

    def connected(self, side: Side) -> None:
        self._open_sides += 1
        if self._is_cut:
            side.end(abruptly=True)
        elif side is self.proxy_side:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add_done_callback(lambda _: self._perhaps_ended())
        else:
            early, self._early = self._early, []
            for data in early:
                self.received(Way.TO_SERVER, data)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._server_side, "127.0.0.1", self._server_port)
        except OSError:
            self.proxy_side.end(abruptly=True)

    def received(self, way: Way, data: bytes) -> None:
        if self._is_cut:
            return
        if way is Way.TO_SERVER and self._server_side.transport is None:
            self._early.append(data)
            return
        for is_stanza, raw in self._cutters[way].feed(data):
            if self._is_cut:
                return
            if is_stanza:
                number = self.relay.next_number()
                stanza = read_stanza(raw, way, self.relay.addresses, self.number, number)
                self.relay.seen(self, stanza)
            else:
                self._put(way, raw)

    def disconnected(self, side: Side) -> None:
        self._open_sides -= 1
        # What the other side has already been told is still to arrive there.
        self.cut(abruptly=False)
        self._perhaps_ended()

    def _perhaps_ended(self) -> None:
        if not self._open_sides and self._connecting is not None and self._connecting.done():
            self.ended.set()

    # Handing on

    def hand_on(self, stanza: Stanza) -> None:
        """Hand a stanza on, unless it has to wait for those before it."""
        if stanza.pair in self._held:
            self._held[stanza.pair].append(stanza)
        elif stanza.way in self._mixing:
            self._mixing[stanza.way].append(stanza)
        else:
            self._put(stanza.way, stanza)

    def _put(self, way: Way, piece: Stanza | bytes) -> None:
        if way in self._stalled:
            self._stalled[way].append(piece)
        else:
            self._write(way, piece)

    def _write(self, way: Way, piece: Stanza | bytes) -> None:
        if self._is_cut:
            return
        raw = piece if isinstance(piece, bytes) else piece.raw
        self._to(way, raw)
        if isinstance(piece, Stanza):
            self.relay.delivered(piece)
            if piece.is_handshake and way is Way.TO_PROXY:
                self.is_open = True
                self.relay.stream_opened()
            if way is Way.TO_PROXY and _says_it_is_away(piece):
                self.relay.told_of_outage()

    def _to(self, way: Way, raw: bytes) -> None:
        side = self._server_side if way is Way.TO_SERVER else self.proxy_side
        if side.transport is not None:
            side.transport.write(raw)

    # Faults

    def lose(self, stanza: Stanza) -> None:
        """Hand the stanza on to nobody."""
        self.relay.lost(stanza, "dropped")

    def duplicate(self, stanza: Stanza) -> None:
        """Hand the stanza on, and the same again right behind it."""
        self.hand_on(stanza)
        self.hand_on(stanza)

    def refuse(self, request: Stanza, error_type: str, condition: str) -> None:
        """Answer a request of the proxy with an error in the service's stead."""
        self.relay.lost(request, "refused")
        name = f"<{condition} xmlns='{NS_STANZA_ERRORS}'/>"
        raw = (
            f"<iq type='error' id='{request.id}' from='{request.recipient}' to='{request.sender}'>"
            f"<error type='{error_type}'>{name}</error></iq>"
        ).encode()
        number = self.relay.next_number()
        reply = read_stanza(raw, Way.TO_PROXY, self.relay.addresses, self.number, number)
        self.relay.trace(reply)
        self.hand_on(reply)

    def hold(self, stanza: Stanza, seconds: float) -> None:
        """Keep back everything between the two addresses, in its order; the rest overtakes it."""
        held = self._held.setdefault(stanza.pair, deque())
        held.append(stanza)
        self._later(seconds, lambda: self._release(stanza.pair))

    def _release(self, pair: tuple[str, str]) -> None:
        for stanza in self._held.pop(pair, ()):
            self._put(stanza.way, stanza)

    def reorder(self, stanza: Stanza, seconds: float, chance: random.Random) -> None:
        """Collect what goes that way, and hand it on mixed: in order only for each pair."""
        self._mixing.setdefault(stanza.way, []).append(stanza)
        self._later(seconds, lambda: self._mixed(stanza.way, chance))

    def _mixed(self, way: Way, chance: random.Random) -> None:
        queues: dict[tuple[str, str], deque[Stanza]] = defaultdict(deque)
        for stanza in self._mixing.pop(way, ()):
            queues[stanza.pair].append(stanza)
        while queues:
            pair = chance.choice(list(queues))
            self._put(way, queues[pair].popleft())
            if not queues[pair]:
                del queues[pair]

    def stall(self, stanza: Stanza, seconds: float, *, then_cut: bool) -> None:
        """Hand on nothing that way for a while, as if the network were gone."""
        self._stalled.setdefault(stanza.way, deque()).append(stanza)
        self._later(seconds, lambda: self._end_stall(stanza.way, then_cut))

    def _end_stall(self, way: Way, then_cut: bool) -> None:
        if then_cut:
            self.cut(abruptly=True)
        for piece in self._stalled.pop(way, ()):
            self._write(way, piece)

    def cut_at(self, stanza: Stanza, *, part: float, abruptly: bool) -> None:
        """End both connections when that part of the stanza's bytes, from 0 to 1, has passed."""
        length = int(len(stanza.raw) * part)
        if length == len(stanza.raw):
            self.hand_on(stanza)
        else:
            self.relay.lost(stanza, "cut off")
            self._to(stanza.way, stanza.raw[:length])
        self.cut(abruptly=abruptly)

    def cut(self, *, abruptly: bool) -> None:
        """End both connections; what is kept back is lost."""
        if self._is_cut:
            return
        self._is_cut = True
        for kept in (*self._held.values(), *self._mixing.values(), *self._stalled.values()):
            for piece in kept:
                if isinstance(piece, Stanza):
                    self.relay.lost(piece, "cut off")
        self._held.clear()
        self._mixing.clear()
        self._stalled.clear()
        if self.is_open:
            self.is_open = False
            self.relay.stream_ended()
        for side in (self.proxy_side, self._server_side):
            side.end(abruptly=abruptly)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self.relay.later(seconds, call)


def _says_it_is_away(stanza: Stanza) -> bool:
    if stanza.kind not in REPLIES:
        return False
    errors = (child for child in stanza.xml if child.tag.endswith("}error"))
    return any(condition.tag.partition("}")[2] in OUTAGES for each in errors for condition in each)
