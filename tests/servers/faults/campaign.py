"""A run of episodes: faults strike while nodes are changed and read, then the cache converges."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from harness.client import Client
from harness.proxy_process import ProxyProcess
from harness.throw_away_server import ThrowAwayServer
from harness.waiting import wait_until

from faults.changing import Owner
from faults.faults import CUTS, KILLED
from faults.figures import Figures
from faults.judging import Bounds, Evidence, Judge, is_lost
from faults.planning import KINDS, Episode, Life
from faults.reading import Asker, LogFollower, Read, Reading
from faults.relay import Relay
from faults.stanza import Kind

log = logging.getLogger(__name__)

VERIFY_EVERY_SECONDS = 6
CACHE = {
    "verify_every": f"{VERIFY_EVERY_SECONDS}s",
    "access_verify_every": "4s",
    "retry_after": "1s",
    "retry_at_most": "2s",
    "max_stale": "60s",
    "remember_item_not_found": "1s",
    "remember_forbidden": "1s",
    "remember_unreachable": "1s",
    "remember_timeout": "1s",
}
UPSTREAM = {"timeout": "1s", "probe_after": "1s", "probe_at_most": "2s"}
"""The proxy's clocks: short, so that they strike often."""

BOUNDS = Bounds(max_stale_seconds=60, outage_seconds=5)

ANSWER_SECONDS = 15
"""Within this a read is answered, whatever strikes the others."""

STRIKE_SECONDS = 30
"""Within this there is something for each fault to strike."""

CONVERGENCE_SECONDS = 60

BEHIND, UNHEARD = (0, 1, 2), (2, 4)
"""How many changes there are at once when a fault has struck; the latter if it hears of none."""

ENDING = {KILLED, *(kind.name for kind in CUTS)}
"""The faults that end the stream."""

PAUSE_SECONDS = 0.2
"""The longest pause between two changes."""


class Campaign:
    """Everything that one run needs; `relay` stands between `proxy` and `server`.

    Attributes:
        figures: what has been counted.
    """

    def __init__(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        relay: Relay,
        nodes: Sequence[str],
        figures: Figures,
    ) -> None:
        self.server = server
        self.proxy = proxy
        self.relay = relay
        self.nodes = nodes
        self.figures = figures
        self._log = LogFollower(proxy.process.log_path)
        self._struck_at: list[float] = []
        self._clients: list[Client] = []
        self._readings: dict[str, Reading] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._problems: list[str] = []
        self._owner: Owner
        self._asker: Asker
        self._judge: Judge

    async def run(self, lives: Sequence[Life]) -> None:
        """Do all episodes. Raises: AssertionError, TimeoutError, with the episode's name."""
        try:
            await self._begin()
            for number, life in enumerate(lives):
                if number:
                    await self._restart_proxy()
                for episode in life:
                    await self._do(episode)
            assert "Traceback" not in self.proxy.log(), "see the proxy's log"
        finally:
            await self._stop_reading()
            await self._disconnect()

    async def _begin(self) -> None:
        owner, reader = await self._connect()
        self._owner = Owner(owner, self.server.service, random.Random(self.figures.seed))
        self._asker = Asker(reader, self.proxy.jid, self._log)
        for node in self.nodes:
            await self._owner.create(node)
        self._judge = Judge(self._owner.histories, BOUNDS)
        self._start_reading()
        await self._converge()
        self._settle_accounts()
        self.figures.convergence_seconds.clear()

    async def _do(self, episode: Episode) -> None:
        chance = random.Random(episode.seed)
        try:
            for name in episode.names:
                await (self._kill() if name == KILLED else self._strike(name, chance))
                self.figures.faults[name] += 1
                for _ in range(chance.choice(UNHEARD if name in ENDING else BEHIND)):
                    await self._change()
            await self._converge()
            log.info("%s: %.1f s", episode, self.figures.convergence_seconds[-1])
            self._settle_accounts()
            assert not self._problems, "\n".join(self._problems)
        except (AssertionError, TimeoutError) as error:
            told = f"seed {self.figures.seed}, {episode}: {error}"
            raise AssertionError(told) from error

    # Faults

    async def _strike(self, name: str, chance: random.Random) -> None:
        fault = KINDS[name].drawn(chance)
        self.relay.armed.append(fault)
        deadline = time.monotonic() + STRIKE_SECONDS
        while fault.struck_at is None:
            assert time.monotonic() < deadline, f"nothing came for this fault to strike: {name}"
            if chance.random() < 0.5:
                await self._change()
            await asyncio.sleep(chance.uniform(0, PAUSE_SECONDS))
        self._struck_at.append(fault.struck_at)

    async def _change(self) -> None:
        await self._owner.change()
        self.figures.changes += 1

    async def _kill(self) -> None:
        await self._stop_reading()
        await self._disconnect()
        killed_at = time.monotonic()
        self.server.kill()
        await self.server.start()
        self._struck_at.append(time.monotonic())
        self._owner.client, reader = await self._connect()
        await self._owner.look_again(killed_at)
        self._asker = Asker(reader, self.proxy.jid, self._log)
        self._start_reading()

    async def _restart_proxy(self) -> None:
        await self._stop_reading()
        await self.proxy.restart()
        self._start_reading()
        await self._converge()
        self._settle_accounts()
        self.figures.convergence_seconds.pop()

    # Reading

    def _start_reading(self) -> None:
        for number, node in enumerate(self.nodes):
            chance = random.Random(self.figures.seed + number)
            reading = self._readings.setdefault(node, Reading(self._asks(node), chance))
            self._tasks.append(asyncio.create_task(reading.run()))

    def _asks(self, node: str) -> Callable[[str], Awaitable[Read]]:
        def is_struck(read: Read) -> bool:
            return is_lost(read, self._evidence())

        # After a restart of the server somebody else asks.
        return lambda question: self._asker.ask(node, question, is_struck, ANSWER_SECONDS)

    async def _stop_reading(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def _behind(self, since: float) -> list[str]:
        """Return what keeps the cache from having converged since then."""
        for task in self._tasks:
            if task.done():
                task.result()
        found: list[str] = []
        for node, reading in self._readings.items():
            right = self._owner.histories[node].now.answers
            for name in reading.behind(since, right):
                read = reading.latest.get(name)
                got = "not asked" if read is None else f"{read.by}: {read.answer.short}"
                found.append(f"{name} of {node}: {got}; right is {right[name].short}")
        return found

    # After an episode

    async def _converge(self) -> None:
        await wait_until(lambda: self.relay.is_quiet, "the stream", CONVERGENCE_SECONDS)
        since = time.monotonic()
        with suppress(TimeoutError):
            await wait_until(lambda: not self._behind(since), "convergence", CONVERGENCE_SECONDS)
        behind = self._behind(since)
        assert not behind, f"not converged {CONVERGENCE_SECONDS} s after the last fault: {behind}"
        self.figures.convergence_seconds.append(round(time.monotonic() - since, 3))

    def _settle_accounts(self) -> None:
        """Judge all that was read since the last time."""
        events = list(self.relay.of_kind(Kind.EVENT))
        for history in self._owner.histories.values():
            history.judge_events(events, self.relay.losses, VERIFY_EVERY_SECONDS)
        evidence = self._evidence()
        for reading in self._readings.values():
            judged = [self._judge.judge(read, evidence) for read in reading.reads]
            self._problems += [problem for problem in judged if problem is not None]
            reading.reads.clear()
        twice = self._asker.answered_twice()
        self._problems += [f"answered more than once: {id_}" for id_ in twice]
        self.figures.verdicts = self._judge.verdicts
        self.relay.forget(self._asker.waiting)

    def _evidence(self) -> Evidence:
        return Evidence(self.relay.reads, self.relay.losses, self._struck_at)

    # Clients

    async def _connect(self) -> list[Client]:
        for name in ("owner", "reader"):
            jid = f"{name}@{self.server.host}"
            client = Client(jid, self.server.users[name], self.server.client_port)
            self._clients.append(client)
            await client.connect()
        return self._clients

    async def _disconnect(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            await client.disconnect()
