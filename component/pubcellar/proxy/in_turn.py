"""One after the other for each key: requests that must not overtake each other, and messages."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)


class Turns:
    """Lets one in at a time for each key; who waits comes in as they came."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._wanted: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """Return of how many keys somebody is in, or waits."""
        return len(self._locks)

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for the turn, and keep it for as long as the block lasts."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._wanted[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key], self._locks[key]


class Line:
    """Work that is done in the order in which it came, for each key; bounded for all together.

    Args:
        most: how many pieces of work may wait.
        most_bytes: how many bytes they may hold.

    Of either, one cause may take up a quarter.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: dict[Hashable, deque[Callable[[], Awaitable[None]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._number: Counter[Hashable] = Counter()
        self._bytes: Counter[Hashable] = Counter()
        self._total = 0
        self._total_bytes = 0

    def __len__(self) -> int:
        """Return how much waits or is being done."""
        return self._total

    def takes(
        self,
        key: Hashable,
        cause: Hashable,
        size_bytes: int,
        work: Callable[[], Awaitable[None]],
    ) -> bool:
        """Take `work`, to be done when its turn comes; False where there is no room for it.

        Args:
            key: what came before for the same key is done before.
            cause: who is to blame if there is too much.
            size_bytes: how much memory it takes up.
            work: what is to be done; that it failed is logged.
        """
        if not self._has_room(cause, size_bytes):
            return False
        self._number[cause] += 1
        self._bytes[cause] += size_bytes
        self._total += 1
        self._total_bytes += size_bytes

        async def counted() -> None:
            try:
                await work()
            except Exception:
                log.exception("what came in could not be dealt with cause=%s", cause)
            finally:
                self._done(cause, size_bytes)

        if key in self._waiting:
            self._waiting[key].append(counted)
            return True
        self._waiting[key] = deque([counted])
        task = asyncio.get_running_loop().create_task(self._work_off(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def stop(self) -> None:
        """Drop all that waits."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _has_room(self, cause: Hashable, size_bytes: int) -> bool:
        return (
            self._total < self._most
            and self._number[cause] < self._most // 4
            and self._total_bytes + size_bytes <= self._most_bytes
            and self._bytes[cause] + size_bytes <= self._most_bytes // 4
        )

    async def _work_off(self, key: Hashable) -> None:
        waiting = self._waiting[key]
        try:
            while waiting:
                await waiting[0]()
                waiting.popleft()
        finally:
            del self._waiting[key]

    def _done(self, cause: Hashable, size_bytes: int) -> None:
        self._number[cause] -= 1
        self._bytes[cause] -= size_bytes
        self._total -= 1
        self._total_bytes -= size_bytes
        if not self._number[cause]:
            del self._number[cause], self._bytes[cause]
