"""The real store, which tests may watch, hold up, and break."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pubcellar.core.errors import StoreUnavailable
from pubcellar.storage import SqlStore


class FaultyStore:
    """Hands every call on to the store.

    Attributes:
        running: how many calls are under way.
        is_broken: every call raises StoreUnavailable.
        broken: calls of these methods do.
    """

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.users = _Users(self, store)
        self.running = 0
        self.is_broken = False
        self.broken: set[str] = set()
        self._gates: dict[str, asyncio.Event] = {}
        self.held: set[str] = set()

    def hold(self, method: str) -> None:
        """Let calls of `method` wait, before they do anything, until `release`."""
        self._gates[method] = asyncio.Event()

    def release(self, method: str) -> None:
        self._gates.pop(method).set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._watched(name, found) if asyncio.iscoroutinefunction(found) else found

    def _watched(
        self, name: str, method: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **keywords: Any) -> Any:
            gate = self._gates.get(name)
            if gate is not None:
                self.held.add(name)
                await gate.wait()
                self.held.discard(name)
            if name in self.broken or (self.is_broken and name != "close"):
                raise StoreUnavailable("the database is gone")
            self.running += 1
            try:
                return await method(*arguments, **keywords)
            finally:
                self.running -= 1

        return call


class _Users:
    """What is recorded of users, watched and broken with the rest."""

    def __init__(self, store: FaultyStore, whole: SqlStore) -> None:
        self._faulty = store
        self._users = whole.users

    def __getattr__(self, name: str) -> Any:
        return self._faulty._watched(name, getattr(self._users, name))
