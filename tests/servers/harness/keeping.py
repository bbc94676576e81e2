"""Proxies that several tests have in common: to start one takes longer than most tests."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from harness.proxy_process import ProxyProcess

Key = tuple[str, str]


class KeptProxies:
    """Gives a proxy to one test after another, for as long as it is as it was started."""

    def __init__(self) -> None:
        self._kept: dict[Key, tuple[ProxyProcess, ExitStack]] = {}

    def take(
        self,
        key: Key,
        database: AbstractContextManager[str],
        make: Callable[[str], ProxyProcess],
    ) -> ProxyProcess:
        """Return the proxy kept under `key`, or a new one that is yet to be started.

        Args:
            key: what it is in front of, and the kind of its database.
            database: of a new one; entered for its URL, and left when the proxy is removed.
            make: makes a new one with a database's URL.
        """
        if key not in self._kept:
            stack = ExitStack()
            process = make(stack.enter_context(database))
            stack.callback(process.remove)
            self._kept[key] = process, stack
        return self._kept[key][0]

    def give_back(self, key: Key) -> None:
        """Keep the proxy for the next test, unless the one that had it has changed it."""
        if not self._kept[key][0].is_as_started:
            self._kept.pop(key)[1].close()

    def remove(self) -> None:
        """End them all."""
        while self._kept:
            self._kept.popitem()[1][1].close()
