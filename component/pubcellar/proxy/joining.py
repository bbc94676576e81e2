"""Equal reads in flight share one request to the service."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Joining(Generic[Result]):
    """Runs at most one call per key at a time; whoever comes meanwhile gets its result too."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Result]] = {}

    def is_running(self, key: Hashable) -> bool:
        """Tell whether a call for `key` is on its way."""
        return key in self._running

    async def run(self, key: Hashable, call: Callable[[], Awaitable[Result]]) -> Result:
        """Return the result of the call that runs for `key`, starting `call` if none does.

        Whoever is cancelled only stops waiting; the call goes on for the others.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(_as_coroutine(call))
            task.add_done_callback(lambda _: self._running.pop(key, None))
            # Whether or not somebody is still there to see it, a failure is no surprise.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)


async def _as_coroutine(call: Callable[[], Awaitable[Result]]) -> Result:
    return await call()
