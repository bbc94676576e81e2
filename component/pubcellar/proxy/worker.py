"""The one task per node that writes.

A worker does what is to be done about its node, one thing after the other, and ends when there is
nothing left. What fails is tried again later, and until then the node is forwarded.
"""

import asyncio
import logging
from collections import Counter
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
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.drifting import Drifting
from pubcellar.proxy.evicting import Evicting
from pubcellar.proxy.fetching import TooLargeToHold
from pubcellar.proxy.learning import NoOrder
from pubcellar.proxy.node_entry import Interrupted, NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.reconsidering import Reconsidering
from pubcellar.proxy.revalidating import Revalidating
from pubcellar.proxy.settling import Settling
from pubcellar.proxy.slots import Slots
from pubcellar.proxy.subscribing import Subscribing
from pubcellar.proxy.synchronising import Synchronising
from pubcellar.proxy.verifying import Verifying
from pubcellar.proxy.verifying_access import VerifyingAccess
from pubcellar.proxy.withdrawing import Withdrawing

log = logging.getLogger(__name__)

STORE_PAUSE = timedelta(seconds=5)


class Workers:
    """Starts workers, and does their work.

    Args:
        parts: the ports.
        nodes: the entries.
        reconsidering: decides for whom nodes are held.
        is_away: tells whether a service does not answer, so that nothing is asked of it.
        doubts: what was written and does not show yet.
    """

    def __init__(
        self,
        parts: Parts,
        nodes: Nodes,
        reconsidering: Reconsidering,
        is_away: Callable[[BareJID], bool],
        doubts: Doubts,
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._reconsidering = reconsidering
        self._is_away = is_away
        self.settling = Settling(parts, nodes, doubts)
        withdrawing = Withdrawing(parts, nodes)
        self._withdrawing = withdrawing
        self._changes = Changes(parts, nodes, withdrawing)
        drifting = Drifting(parts, nodes)
        self._drifting = drifting
        self._access = VerifyingAccess(parts, nodes, withdrawing, drifting)
        subscribing = Subscribing(parts, nodes)
        self._verifying = Verifying(parts, nodes, drifting, subscribing)
        self._evicting = Evicting(parts, drifting)
        self._revalidating = Revalidating(parts, nodes, self._access, subscribing)
        self._synchronising = Synchronising(parts, nodes, withdrawing)
        self._slots = Slots(parts.limits, parts.clock)
        self._tasks: dict[asyncio.Task[None], BareJID] = {}
        self._is_stopped = False

    def wake(self, key: NodeKey) -> NodeEntry:
        """Make sure that a worker looks after the node, and return its entry."""
        entry = self._nodes.entry(key)
        if entry.worker is None and not self._is_stopped:
            entry.worker = asyncio.get_running_loop().create_task(self._run(entry))
            self._tasks[entry.worker] = key.service
            entry.worker.add_done_callback(self._tasks.pop)
        return entry

    @property
    def busy(self) -> Counter[BareJID]:
        """How many workers are at work, by service."""
        return Counter(self._tasks.values())

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
        except Interrupted:
            log.debug("work was interrupted service=%s node=%r", *_where(entry))
        except (NoOrder, TooLargeToHold) as error:
            await self._not_to_be_held(entry, error)
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
            entry.end_comparison()
            entry.worker = None
            entry.step_done.set()

    def _next(self, entry: NodeEntry) -> Callable[[NodeEntry], Awaitable[None]] | None:
        """Return what is to be done first; None when there is nothing, or not yet."""
        record = entry.record
        now = self._parts.clock.now()
        if self.settling.is_to_be_marked(entry):
            return self.settling.mark
        if record is not None and Work.EVICT in entry.work:
            return self._withdrawing.evict
        if record is None or record.state is NodeState.NO_SYNC:
            return self._next_not_held(entry, record)
        entry.done(Work.FORGET | Work.UNSUBSCRIBE)
        service = entry.key.service
        if not self._nodes.is_trusted(service) or not self._parts.is_allowed(service):
            return None
        if self._is_away(service) or (entry.not_before is not None and now < entry.not_before):
            return None
        if record.state is not NodeState.LIVE and not entry.is_revalidating:
            if record.retry_at is not None and now < record.retry_at:
                return None
            if self._reconsidering.is_open(entry.key):
                return self._reconsidering.ask
        if Work.SYNCHRONISE in entry.work or entry.is_journalled:
            return self._synchronise
        is_current = record.state is NodeState.LIVE and self._nodes.is_followed(entry.key)
        if is_current or entry.is_revalidating:
            return self._next_to_verify(entry)
        can_revalidate = self._revalidating.can_revalidate(record)
        return self._revalidating.revalidate if can_revalidate else self._synchronise

    def _next_to_verify(self, entry: NodeEntry) -> Callable[[NodeEntry], Awaitable[None]] | None:
        """Return what is to be done first about a node whose notifications are believed."""
        if Work.VERIFY_INFO in entry.work:
            return self._access.verify
        if entry.inbox:
            return self._changes.apply
        if self.settling.is_shown(entry):
            return self.settling.show
        if Work.VERIFY_VIEWS in entry.work:
            return self._access.verify_views
        if Work.VERIFY_IDS in entry.work:
            return self._verifying.verify_ids
        if Work.VERIFY_OLDEST in entry.work:
            return self._evicting.verify_oldest
        if Work.COMPARE in entry.work:
            return self._verifying.compare
        if self.settling.is_over(entry):
            return self.settling.clear
        return None

    def _next_not_held(
        self, entry: NodeEntry, record: NodeRecord | None
    ) -> Callable[[NodeEntry], Awaitable[None]] | None:
        """Return what is left to do about a node that is not held."""
        entry.inbox.clear()
        self.settling.let_go(entry)
        if record is not None and record.is_set_aside and Work.FORGET in entry.work:
            return self._withdrawing.evict
        is_subscribed = record is not None and record.subscription is not SubscriptionState.NONE
        is_allowed = self._parts.is_allowed(entry.key.service)
        if is_subscribed and is_allowed and Work.UNSUBSCRIBE in entry.work:
            return self._withdrawing.end_subscription
        entry.done(entry.work)
        return None

    async def _synchronise(self, entry: NodeEntry) -> None:
        async with self._slots.held(entry.key.service) as turn:
            await self._synchronising.synchronise(entry, turn)

    async def _not_to_be_held(self, entry: NodeEntry, error: Exception) -> None:
        try:
            await self._withdrawing.withdraw(entry, str(error))
        except StorageError as failure:
            self._store_failed(entry, failure)

    async def _refused(self, entry: NodeEntry, error: UpstreamRefused) -> None:
        """The service refuses us: what it refuses the proxy, the proxy does not hold."""
        try:
            if error.condition in ("item-not-found", "gone"):
                if entry.record is not None and entry.record.generation:
                    self._drifting.found(entry, Happened.DRIFT_DELETED, "forgotten")
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

    def _store_failed(self, entry: NodeEntry, error: StorageError) -> None:
        self._parts.counters.count(Happened.STORE_UNAVAILABLE)
        # That the database is away is said once, by the database.
        log.log(
            logging.DEBUG if isinstance(error, StoreUnavailable) else logging.ERROR,
            "the database failed, the node is forwarded until it works again "
            "service=%s node=%r: %s",
            *_where(entry),
            error,
        )
        self._distrust(entry)

    def _distrust(self, entry: NodeEntry) -> None:
        entry.inbox.clear()
        entry.is_loaded = False
        entry.ask(Work.SYNCHRONISE, is_doubtful=True)
        entry.not_before = self._parts.clock.now() + STORE_PAUSE


def _where(entry: NodeEntry) -> tuple[str, str]:
    return entry.key.service, entry.key.node
