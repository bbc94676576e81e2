"""The one task per node that writes.

A worker does what is to be done about its node, one thing after the other, and ends when there is
nothing left. What fails is tried again later, and until then the node is forwarded.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pubcellar.core.counters import Happened
from pubcellar.core.errors import (
    StorageError,
    StoreUnavailable,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
    is_passing,
)
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, NodeKey, SubscriptionState
from pubcellar.proxy.changes import Changes
from pubcellar.proxy.fetching import TooLargeToHold
from pubcellar.proxy.nodes import Interrupted, NodeEntry, Nodes, Work
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.reconsidering import Reconsidering
from pubcellar.proxy.synchronising import Synchronising
from pubcellar.proxy.verifying import Verifying
from pubcellar.proxy.withdrawing import Withdrawing

log = logging.getLogger(__name__)

STORE_PAUSE = timedelta(seconds=5)


class Workers:
    """Starts workers, and does their work.

    Args:
        parts: the ports.
        nodes: the entries.
        reconsidering: decides for whom nodes are held.
        unreachable: called with a service that could not be reached.
        reachable: called with a service that did what it was asked.
    """

    def __init__(
        self,
        parts: Parts,
        nodes: Nodes,
        reconsidering: Reconsidering,
        unreachable: Callable[[BareJID], None],
        reachable: Callable[[BareJID], None],
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._reconsidering = reconsidering
        self._unreachable = unreachable
        self._reachable = reachable
        withdrawing = Withdrawing(parts, nodes)
        self._withdrawing = withdrawing
        self._changes = Changes(parts, nodes, withdrawing)
        self._verifying = Verifying(parts, nodes, withdrawing)
        self._synchronising = Synchronising(parts, nodes, withdrawing)
        self._slots = asyncio.Semaphore(parts.limits.max_synchronisations)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    def wake(self, key: NodeKey) -> NodeEntry:
        """Make sure that a worker looks after the node, and return its entry."""
        entry = self._nodes.entry(key)
        if entry.worker is None and not self._is_stopped:
            entry.worker = asyncio.get_running_loop().create_task(self._run(entry))
            self._tasks.add(entry.worker)
            entry.worker.add_done_callback(self._tasks.discard)
        return entry

    @property
    def busy(self) -> int:
        """How many workers are at work."""
        return len(self._tasks)

    async def settled(self, entry: NodeEntry, timeout_seconds: float) -> None:
        """Return when the entry's worker has ended, or after the time-out."""
        if entry.worker is not None:
            await asyncio.wait({entry.worker}, timeout=timeout_seconds)

    async def done(self, entry: NodeEntry, work: Work, timeout_seconds: float) -> None:
        """Return when that work is done or put off, or after the time-out."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while entry.work & work and entry.worker is not None:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            entry.step_done.clear()
            stepped = asyncio.ensure_future(entry.step_done.wait())
            await asyncio.wait({stepped}, timeout=left)
            stepped.cancel()

    async def stop(self) -> None:
        """Cancel all workers and wait for them; none is started any more."""
        self._is_stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, entry: NodeEntry) -> None:
        entry.outage = None
        try:
            while True:
                await self._nodes.loaded(entry.key)
                step = self._next(entry)
                if step is None:
                    break
                await step(entry)
                entry.step_done.set()
                if step not in (self._withdrawing.evict, self._reconsidering.ask):
                    self._reachable(entry.key.service)
        except Interrupted:
            log.debug("work was interrupted service=%s node=%r", *_where(entry))
        except TooLargeToHold as error:
            await self._too_large(entry, error)
        except UpstreamRefused as error:
            await self._refused(entry, error)
        except UpstreamError as error:
            await self._failed(entry, error)
        except StorageError as error:
            self._store_failed(entry, error)
        except Exception:
            log.exception("a worker failed service=%s node=%r", *_where(entry))
            self._distrust(entry)
        finally:
            entry.worker = None
            entry.step_done.set()

    def _next(self, entry: NodeEntry) -> Callable[[NodeEntry], Awaitable[None]] | None:
        """Return what is to be done first; None when there is nothing, or not yet."""
        record = entry.record
        now = self._parts.clock.now()
        if record is not None and Work.EVICT in entry.work:
            return self._withdrawing.evict
        if record is None or record.state is NodeState.NO_SYNC:
            return self._next_not_held(entry, record)
        entry.done(Work.FORGET | Work.UNSUBSCRIBE)
        service = entry.key.service
        if not self._nodes.is_trusted(service) or not self._parts.is_allowed(service):
            return None
        if entry.not_before is not None and now < entry.not_before:
            return None
        if record.state is not NodeState.LIVE:
            if record.retry_at is not None and now < record.retry_at:
                return None
            is_open = self._reconsidering.is_open(entry.key)
            return self._reconsidering.ask if is_open else self._synchronise
        if Work.SYNCHRONISE in entry.work or not self._nodes.is_followed(entry.key):
            return self._synchronise
        if Work.VERIFY_INFO in entry.work:
            return self._verifying.verify_info
        if entry.inbox:
            return self._changes.apply
        if Work.VERIFY_IDS in entry.work:
            return self._verifying.verify_ids
        if Work.VERIFY_OLDEST in entry.work:
            return self._verifying.verify_oldest
        return None

    def _next_not_held(
        self, entry: NodeEntry, record: NodeRecord | None
    ) -> Callable[[NodeEntry], Awaitable[None]] | None:
        """Return what is left to do about a node that is not held."""
        entry.inbox.clear()
        if record is not None and record.is_set_aside and Work.FORGET in entry.work:
            return self._withdrawing.evict
        is_subscribed = record is not None and record.subscription is not SubscriptionState.NONE
        is_allowed = self._parts.is_allowed(entry.key.service)
        if is_subscribed and is_allowed and Work.UNSUBSCRIBE in entry.work:
            return self._withdrawing.end_subscription
        entry.done(entry.work)
        return None

    async def _synchronise(self, entry: NodeEntry) -> None:
        async with self._slots:
            await self._synchronising.synchronise(entry)

    async def _too_large(self, entry: NodeEntry, error: TooLargeToHold) -> None:
        try:
            await self._withdrawing.withdraw(entry, str(error))
        except StorageError as failure:
            self._store_failed(entry, failure)

    async def _refused(self, entry: NodeEntry, error: UpstreamRefused) -> None:
        """The service refuses us: what it refuses the proxy, the proxy does not hold."""
        try:
            if error.condition in ("item-not-found", "gone"):
                await self._withdrawing.forget(entry)
            elif is_passing(error):
                await self._failed(entry, error)
            else:
                await self._withdrawing.withdraw(entry, f"the service refuses us: {error}")
        except StorageError as failure:
            self._store_failed(entry, failure)

    async def _failed(self, entry: NodeEntry, error: UpstreamError) -> None:
        self._parts.counters.count(Happened.SYNCHRONISATION_FAILED)
        log.warning("work failed service=%s node=%r: %s", *_where(entry), error)
        is_outage = isinstance(error, UpstreamUnreachable | UpstreamTimeout)
        try:
            await self._withdrawing.postpone(entry, str(error))
        except StorageError as failure:
            self._store_failed(entry, failure)
        if is_outage:
            entry.outage = error
            self._unreachable(entry.key.service)

    def _store_failed(self, entry: NodeEntry, error: StorageError) -> None:
        self._parts.counters.count(Happened.STORE_UNAVAILABLE)
        log.error(
            "the database failed, the node is forwarded until it works again "
            "service=%s node=%r: %s",
            *_where(entry),
            error if isinstance(error, StoreUnavailable) else f"conflict: {error}",
        )
        self._distrust(entry)

    def _distrust(self, entry: NodeEntry) -> None:
        entry.inbox.clear()
        entry.is_loaded = False
        entry.ask(Work.SYNCHRONISE, is_doubtful=True)
        entry.not_before = self._parts.clock.now() + STORE_PAUSE


def _where(entry: NodeEntry) -> tuple[str, str]:
    return entry.key.service, entry.key.node
