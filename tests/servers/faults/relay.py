"""A relay between the proxy and its server's port for components (XEP-0114), for faults to strike.

Without an armed fault it hands on what comes, byte for byte. What it did with each stanza, and
when, it writes down: a test's idea of what the proxy could know comes from there.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from faults.link import Link
from faults.stanza import Addresses, Kind, Stanza


def _call_later(seconds: float, call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


@dataclass
class Trace:
    """What became of one stanza. Times are of `time.monotonic`.

    Attributes:
        stanza: the stanza.
        seen_at: when its last byte had come.
        delivered_at: when it was written to whom it is for; None while it was not, or never.
        fate: a word on what else happened to it: dropped, cut off.
    """

    stanza: Stanza
    seen_at: float
    delivered_at: float | None = None
    fate: str = ""

    @property
    def is_lost(self) -> bool:
        return bool(self.fate)


@dataclass
class Loss:
    """When the proxy cannot but notice that it was told nothing; until None while it lasts.

    Attributes:
        since: when the stream, or the service behind it, was gone.
        until: when it was there again; the same for an error that says that it is not.
    """

    since: float
    until: float | None


@dataclass
class Fault:
    """One fault, waiting for its stanza.

    Attributes:
        name: its kind, as figures call it.
        strikes: whether it strikes that stanza, which then is handed on by `inject` alone, or not.
        inject: does it, on the connection on which the stanza came.
        struck_at: when it did.
        struck: the stanza that it struck.
    """

    name: str
    strikes: Callable[[Stanza], bool]
    inject: Callable[[Link, Stanza], None]
    struck_at: float | None = None
    struck: Stanza | None = None


@dataclass
class Relay:
    """Listens on `port` while it runs, and connects to `server_port` for each who connects.

    Attributes:
        traces: of all stanzas since `forget`, in the order in which they came.
        reads: of clients' requests and their answers, by their ids.
        losses: of notifications, such that the proxy must notice.
        armed: faults that have not struck yet.
        links: the connections that have not ended yet, and those that have since `forget`.
        later: calls a function after that many seconds.
    """

    port: int
    server_port: int
    addresses: Addresses
    traces: list[Trace] = field(default_factory=list)
    reads: dict[str, list[Trace]] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    armed: list[Fault] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    later: Callable[[float, Callable[[], None]], object] = _call_later
    _server: asyncio.Server | None = None
    _traced: dict[int, Trace] = field(default_factory=dict)
    _numbers: int = 0
    _accepted: int = 0

    async def start(self) -> None:
        """Listen from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Close all connections and listen no more."""
        for link in self.links:
            link.cut(abruptly=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for link in self.links:
            await link.ended.wait()

    @property
    def link(self) -> Link | None:
        """The connection there is, if there is one and the proxy is authenticated on it."""
        return next((link for link in self.links if link.is_open), None)

    @property
    def is_quiet(self) -> bool:
        """Whether no fault is armed, or still under way, and the proxy is connected."""
        return not self.armed and self.link is not None and not self.link.is_disturbed

    def forget(self, spared: Collection[str] = ()) -> None:
        """Begin the traces anew, but for those of reads with the ids of `spared`."""
        self.reads = {id_: self.reads[id_] for id_ in spared if id_ in self.reads}
        self.traces = [trace for traces in self.reads.values() for trace in traces]
        self._traced = {trace.stanza.number: trace for trace in self.traces}
        self.links = [link for link in self.links if not link.ended.is_set()]

    def _accept(self) -> asyncio.Protocol:
        self._accepted += 1
        link = Link(self, self.server_port, self._accepted)
        self.links.append(link)
        return link.proxy_side

    # The links' side

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def seen(self, link: Link, stanza: Stanza) -> None:
        """Write a stanza down, and let the first fault that is meant for it strike."""
        self.trace(stanza)
        for fault in self.armed:
            if fault.strikes(stanza):
                self.armed.remove(fault)
                fault.struck_at, fault.struck = time.monotonic(), stanza
                fault.inject(link, stanza)
                return
        link.hand_on(stanza)

    def trace(self, stanza: Stanza) -> None:
        trace = Trace(stanza, time.monotonic())
        self.traces.append(trace)
        self._traced[stanza.number] = trace
        if stanza.kind in (Kind.CLIENT_REQUEST, Kind.CLIENT_ANSWER):
            self.reads.setdefault(stanza.id, []).append(trace)

    def delivered(self, stanza: Stanza) -> None:
        trace = self._traced.get(stanza.number)
        if trace is not None and trace.delivered_at is None:
            trace.delivered_at = time.monotonic()

    def lost(self, stanza: Stanza, fate: str) -> None:
        if stanza.number in self._traced:
            self._traced[stanza.number].fate = fate

    def stream_opened(self) -> None:
        """The proxy is authenticated: what was lost until now, it can find out."""
        for loss in self.losses:
            if loss.until is None:
                loss.until = time.monotonic()

    def stream_ended(self) -> None:
        """The stream is gone, and notifications with it."""
        self.losses.append(Loss(time.monotonic(), None))

    def told_of_outage(self) -> None:
        """The proxy is told that the service is away."""
        now = time.monotonic()
        self.losses.append(Loss(now, now))

    def of_kind(self, kind: Kind) -> Iterator[Trace]:
        """Yield the traces of stanzas of a kind."""
        return (each for each in self.traces if each.stanza.kind is kind)
