"""The whole component, joined by `pubcellar.wiring`, with a string for a socket.

A scenario says by turns what arrives and what is sent then: `receives`, `sends`, `answers`, `idle`.
Services that were given to `stands_behind` answer by themselves whatever they are asked.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self
from xml.sax.saxutils import quoteattr

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from playbook.clock import TestClock
from playbook.configuration import settings
from playbook.faulty_store import FaultyStore
from playbook.sent import Sent
from playbook.service import Service
from playbook.stanzas import (
    COMPONENT,
    STANZAS,
    Element,
    canonical,
    items,
    parsed,
    without_indentation,
)
from pubcellar import wiring
from pubcellar.core.counters import Happened
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.storage import open_store, prepare_database

JULIET = "juliet@capulet.lit/balcony"
ROMEO = "romeo@montague.lit/orchard"
CACHE = "cache.example.org"
PATIENCE_SECONDS = 10.0
LOCK_PATIENCE = timedelta(milliseconds=300)
"""Nobody but a test ever locks the database."""
QUIET_TURNS = 30


def address_of(service: Service) -> str:
    """Return the address at which the component stands for the service (XEP-0106)."""
    escaped = service.jid.replace("@", "\\40")
    return f"{escaped}@{CACHE}"


class _Transport(StringTransport):
    """Calls `written` with everything that is written, as it is written, once that is set."""

    written: Callable[[bytes], None] | None = None

    def write(self, data: bytes) -> None:
        if self.written is not None:
            self.written(data)

    def abortConnection(self) -> None:  # noqa: N802
        self.loseConnection()


class Cellar:
    """One component, from its start to its end, and again.

    Attributes:
        clock: its time.
        store: its database, at `database_url`; in `database_file` where it is not said otherwise.
        component: what `pubcellar.wiring` joined.
        analysers: what is registered at every start, after the configured and built-in ones.
    """

    component: wiring.Component
    store: FaultyStore

    def __init__(
        self,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        more: str = "",
        upstream: str = "",
        component: str = "",
    ) -> None:
        self.clock = TestClock()
        self.database_file = directory / "cache.db"
        self.database_url = f"sqlite:///{self.database_file}"
        self._configured = partial(settings, directory, more, upstream, component)
        self.settings = self._configured()
        self.analysers: list[Any] = []
        monkeypatch.setattr(wiring, "SystemClock", lambda: self.clock)
        self._sent: deque[Sent] = deque()
        self._writes = 0
        self._services: dict[str, Service] = {}
        self._numbers = 0
        self._protocol: Any = None
        self._stop = asyncio.Event()
        self._serving: asyncio.Task[int] | None = None

    # The component's life

    async def start(self, faults: Callable[[FaultyStore], None] | None = None) -> Self:
        """Start the component, and connect it; `faults` is given its database before that."""
        await prepare_database(self.database_url)
        self.store = FaultyStore(
            await open_store(
                self.database_url,
                now=self.clock.now,
                busy_timeout=LOCK_PATIENCE,
                is_watched=True,
            )
        )
        if faults is not None:
            faults(self.store)
        self._stop = asyncio.Event()
        store: Any = self.store
        self.component = wiring.Component(self.settings, store, self.clock.reactor)
        for analyser in self.analysers:
            self.component.proxy._parts.analysers.register_analyser(analyser)
        self._serving = asyncio.create_task(self.component.serve(self._stop))
        await self.until(lambda: bool(self.clock.reactor.tcpClients))
        await self.connect()
        return self

    async def connect(self) -> None:
        """Play the server's part until the component is authenticated."""
        _, _, factory, *_ = self.clock.reactor.tcpClients.pop()
        transport = _Transport()
        self._protocol = factory.buildProtocol(None)
        self._protocol.makeConnection(transport)
        self._protocol.dataReceived(
            f"<stream:stream xmlns='{COMPONENT}' id='s1' from='{CACHE}' "
            "xmlns:stream='http://etherx.jabber.org/streams'>".encode()
        )
        # Stream header and handshake are not what scenarios are about.
        transport.written = self._stanza_written
        self._protocol.dataReceived(b"<handshake/>")
        await self.settled()

    def disconnect(self) -> None:
        """Lose the stream."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connectionLost(Failure(ConnectionLost()))

    async def reconnect(self) -> None:
        """Let the component connect again, which it does after a pause."""
        await self.until(lambda: bool(self.clock.reactor.tcpClients), advancing=5)
        await self.connect()

    def begin_to_stop(self) -> None:
        """Tell the component to stop, as SIGTERM does."""
        self._stop.set()

    async def stop(self) -> None:
        """End the component; what is in flight has nowhere to go."""
        if self._serving is None:
            return
        self.begin_to_stop()
        self.disconnect()
        await self._serving
        await self.store.close()
        self._serving = None

    async def kill(self) -> None:
        """End the component as SIGKILL does: nothing more is written, and nothing more is sent."""
        self.store.is_broken = True
        await self.stop()

    async def restart(
        self,
        *,
        analysers: str | None = None,
        faults: Callable[[FaultyStore], None] | None = None,
    ) -> None:
        """End the component, and start another one on its database.

        Args:
            analysers: replaces the `[[analyser]]` tables of the configuration from now on.
            faults: as for `start`.
        """
        await self.stop()
        self._sent.clear()
        if analysers is not None:
            self.settings = self._configured(analysers=analysers)
        await self.start(faults)

    def _stanza_written(self, data: bytes) -> None:
        if data.startswith(b"</"):
            return
        self._writes += 1
        sent = Sent(data)
        service = self._services.get(sent.recipient)
        if service is not None and sent.kind in ("get", "set"):
            replies = service.reply(sent.element)
            asyncio.get_running_loop().call_soon(self._hand_in, replies)
        else:
            self._sent.append(sent)

    def _hand_in(self, replies: list[str]) -> None:
        for reply in replies:
            self.receives(reply)

    # Steps of a scenario

    def stands_behind(self, service: Service) -> Service:
        """From now on the service answers whatever it is asked."""
        self._services[service.jid] = service
        return service

    def stands_aside(self, service: Service) -> None:
        """From now on the test answers for the service."""
        del self._services[service.jid]

    def receives(self, xml: str) -> None:
        """A stanza arrives."""
        if self._protocol is not None:
            self._protocol.dataReceived(xml.encode())

    async def sends(self, xml: str) -> Sent:
        """Exactly this is sent next; `id='*'` stands for any id."""
        sent = await self.next()
        expected = without_indentation(parsed(xml))
        if expected.get("id") == "*":
            expected.set("id", sent.id)
        assert canonical(sent.element) == canonical(expected)
        return sent

    async def next(self) -> Sent:
        """Return what is sent next, and was not seen yet."""
        await self.until(lambda: bool(self._sent))
        return self._sent.popleft()

    async def idle(self) -> None:
        """Nothing else was sent, and nothing is under way that would send."""
        await self.settled()
        assert not self._sent

    def answers(self, sent: Sent, payload: str = "") -> None:
        """The addressee answers a request with a result."""
        self.receives(
            f"<iq type='result' id='{sent.id}' from={quoteattr(sent.recipient)} "
            f"to={quoteattr(sent.sender)}>{payload}</iq>"
        )

    def refuses(self, sent: Sent, condition: str, type_: str = "cancel", more: str = "") -> None:
        """The addressee answers a request with an error."""
        self.receives(
            f"<iq type='error' id='{sent.id}' from={quoteattr(sent.recipient)} "
            f"to={quoteattr(sent.sender)}><error type='{type_}'>"
            f"<{condition} xmlns='{STANZAS}'/>{more}</error></iq>"
        )

    def asks(
        self, payload: str, *, sender: str = JULIET, to: str = CACHE, type_: str = "get"
    ) -> str:
        """A client's request arrives; return its id."""
        self._numbers += 1
        id_ = f"q{self._numbers}"
        self.receives(
            f"<iq type='{type_}' id='{id_}' from={quoteattr(sender)} to={quoteattr(to)}>"
            f"{payload}</iq>"
        )
        return id_

    async def answer(
        self, payload: str, *, sender: str = JULIET, to: str = CACHE, type_: str = "get"
    ) -> Sent:
        """A client asks, and this is what it is answered; nothing else is sent meanwhile."""
        id_ = self.asks(payload, sender=sender, to=to, type_=type_)
        sent = await self.next()
        assert (sent.id, sent.recipient, sent.sender) == (id_, sender, to), sent
        return sent

    async def result(self, payload: str, **keywords: str) -> Element:
        """Like `answer`, and it is a result."""
        sent = await self.answer(payload, **keywords)
        assert sent.kind == "result", sent
        return sent.element

    async def advance(self, seconds: float) -> None:
        """Time passes, and what that sets off is done."""
        await self.settled()
        self.clock.advance(seconds)
        await self.settled()

    async def holds(
        self,
        service: Service,
        node: str,
        ids: Sequence[str] = (),
        payload: str | None = None,
        sender: str = JULIET,
    ) -> Service:
        """Give the service a node, and let the component hold it; then forget what was asked."""
        self.stands_behind(service).has(node, ids, payload=payload)
        to = CACHE if service.jid == "pubsub.example.org" else address_of(service)
        await self.result(items(node), to=to, sender=sender)
        await self.settled()
        assert await self.state(node, service.jid) == "live", await self.record(node, service.jid)
        service.asked.clear()
        return service

    # Waiting

    async def until(self, condition: Callable[[], bool], *, advancing: float = 0) -> None:
        """Return as soon as the condition holds; fail after `PATIENCE_SECONDS`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while not condition():
            assert loop.time() < deadline, f"waited in vain; sent: {list(self._sent)}"
            if advancing:
                self.clock.advance(advancing)
            await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Return once nothing is under way: no call of the database, and no turn of the loop."""
        quiet = 0
        writes = self._writes
        while quiet < QUIET_TURNS:
            is_quiet = self.store.running == 0 and writes == self._writes
            quiet = quiet + 1 if is_quiet else 0
            writes = self._writes
            await asyncio.sleep(0 if is_quiet else 0.001)

    async def state(self, node: str, service: str = "pubsub.example.org") -> str:
        """Return where a node stands, as the database has it; empty for unknown."""
        record = await self.record(node, service)
        return "" if record is None else record.state.value

    async def record(self, node: str, service: str = "pubsub.example.org") -> Any:
        """Return the record of a node."""
        return await self.store.node(NodeKey(BareJID(service), node))

    def counted(self, what: Happened) -> int:
        """Return how often something happened since the component was started."""
        return self.component.counters[what]
