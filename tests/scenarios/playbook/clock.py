"""Time that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

from twisted.internet.testing import MemoryReactorClock

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class TestClock:
    """Implements `core.ports.Clock`, and moves Twisted's clock along with its own."""

    __test__ = False

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        self._now = START
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), waking))
        await waking

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once; who slept that long wakes once."""
        self._now += timedelta(seconds=seconds)
        self.reactor.advance(seconds)
        due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self._now]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self._now]
        for _, waking in due:
            if not waking.done():
                waking.set_result(None)
