"""Making room: what bounds the database, and who goes when there is too much in it.

The nodes that were read the longest ago go first. Our subscription to them is ended; where the
service cannot be asked, only a record of that is kept, and it is tried again.
"""

import logging
from datetime import datetime, timedelta

from pubcellar.core.counters import Happened
from pubcellar.core.records import Candidate, Usage
from pubcellar.proxy.node_entry import Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.withdrawing import Withdrawing
from pubcellar.proxy.worker import Workers

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=10)
TIDY_EVERY = timedelta(minutes=1)
COMPLAIN_EVERY = timedelta(hours=1)
MOST_DROPPED_AT_ONCE = 50
"""Each costs the service a request."""
AHEAD = 100
"""How many nodes there may be beyond `max_nodes` while others are still being dropped."""
MOST_DEPARTING = 1000
"""How many subscriptions to nodes that were dropped may still be waiting for their end."""
MOST_SERVICES = 1000
"""How many services may be known of which no node is."""


def low_water(limit: int) -> int:
    """Return how far is gone down once there is more than `limit`, so that it is not for long."""
    return limit - limit // 20


class Room:
    """Keeps the database within `max_nodes` and `max_database_bytes`."""

    def __init__(self, parts: Parts, nodes: Nodes, workers: Workers) -> None:
        self._parts = parts
        self._nodes = nodes
        self._workers = workers
        self._withdrawing = Withdrawing(parts, nodes)
        self._usage: Usage | None = None
        self._added = 0
        self._is_dropping = False
        self._look_at: datetime | None = None
        self._tidy_at: datetime | None = None
        self._complain_at: datetime | None = None

    async def for_one_more(self) -> bool:
        """Tell whether one more node may be recorded; if there is no room, begin to make some.

        Raises:
            StoreUnavailable: the database failed.
        """
        usage = self._usage
        if usage is None or self._is_too_much(usage, self._added + 1):
            usage = await self._measured()
            await self._drop(usage, more=1)
        self._added += 1
        limits = self._parts.limits
        has_bytes = usage.used_bytes <= limits.max_database_bytes
        return has_bytes and usage.nodes + self._added <= limits.max_nodes + AHEAD

    async def make(self) -> None:
        """Look whether there is too much, now and then, and drop what is.

        Raises:
            StoreUnavailable: the database failed.
        """
        now = self._parts.clock.now()
        if self._is_dropping or self._look_at is None or now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            usage = await self._measured()
            await self._drop(usage, more=0)
            await self._forget_departing(usage)
        if self._tidy_at is None or now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY
            unused_since = now - self._parts.policy.max_stale
            number = await self._parts.store.forget_services(unused_since, MOST_SERVICES)
            if number:
                log.info("forgotten services without a node number=%d", number)

    async def _measured(self) -> Usage:
        self._added = 0
        self._usage = await self._parts.store.usage()
        return self._usage

    def _is_too_much(self, usage: Usage, more: int) -> bool:
        limits = self._parts.limits
        too_many = usage.nodes + more > limits.max_nodes
        return too_many or usage.used_bytes > limits.max_database_bytes

    async def _drop(self, usage: Usage, *, more: int) -> None:
        """Have nodes dropped if there is too much, and then down to the low-water mark."""
        if self._is_too_much(usage, more):
            self._begin(usage)
        if not self._is_dropping:
            return
        limits = self._parts.limits
        number = usage.nodes - min(low_water(limits.max_nodes), limits.max_nodes - more)
        size_bytes = usage.used_bytes - low_water(limits.max_database_bytes)
        if number <= 0 and size_bytes <= 0:
            self._is_dropping = False
            return
        for candidate in await self._chosen(number, size_bytes):
            entry = self._nodes.entry(candidate.key)
            if Work.EVICT not in entry.work:
                self._parts.counters.count(Happened.DROPPED_FOR_ROOM)
                entry.ask(Work.EVICT, is_doubtful=True)
            self._workers.wake(candidate.key)

    def _begin(self, usage: Usage) -> None:
        if not self._is_dropping:
            log.info(
                "making room: the least recently read nodes are dropped nodes=%d bytes=%d",
                usage.nodes,
                usage.used_bytes,
            )
        self._is_dropping = True

    async def _chosen(self, number: int, size_bytes: int) -> list[Candidate]:
        """Return so many nodes, and more until so many bytes are theirs, read longest ago first."""
        store = self._parts.store
        chosen: dict[object, Candidate] = {}
        if number > 0:
            for one in await store.least_recently_read(min(number, MOST_DROPPED_AT_ONCE)):
                chosen[one.key] = one
        size_bytes -= sum(one.size_bytes for one in chosen.values())
        if size_bytes > 0:
            candidates = await store.least_recently_read(MOST_DROPPED_AT_ONCE, with_items=True)
            if not candidates and not chosen:
                candidates = await store.least_recently_read(MOST_DROPPED_AT_ONCE)
                self._complain(not candidates)
            for one in candidates:
                if size_bytes <= 0:
                    break
                if one.key not in chosen:
                    chosen[one.key] = one
                    size_bytes -= one.size_bytes
        return list(chosen.values())

    def _complain(self, is_empty: bool) -> None:
        now = self._parts.clock.now()
        if is_empty and (self._complain_at is None or now >= self._complain_at):
            self._complain_at = now + COMPLAIN_EVERY
            log.warning(
                "the database has more in use than [cache] max_database_bytes, and no node is left "
                "to be dropped: nothing new is held; raise max_database_bytes"
            )

    async def _forget_departing(self, usage: Usage) -> None:
        """Give up subscriptions that could not be ended, once there are too many of them."""
        excess = usage.departing - MOST_DEPARTING
        if excess <= 0:
            return
        given_up = await self._parts.store.longest_departing(excess)
        log.warning(
            "subscriptions that could not be ended are given up number=%d service=%s",
            len(given_up),
            given_up[0].service if given_up else None,
        )
        for key in given_up:
            entry = self._nodes.entry(key)
            if entry.worker is None:
                await self._withdrawing.forget(entry)
