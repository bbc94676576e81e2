"""Synchronisation: all of a node is fetched into a staged generation, then swapped in at once.

Readers see the old generation, or are forwarded, until the new one is complete: the ids of a last
listing agree with what is staged, and no notification that came meanwhile is unaccounted for. What
came is in the node's inbox: what came before a listing is accounted for in what is staged, what
came after it is applied once the node is LIVE. Notifications come in order, and so the last word on
an item is the truth.

A synchronisation that was interrupted goes on with what it had staged: with all of it where no
notification was lost (`staged`), else with what the service shows to be as it was (`resuming`).
"""

import logging
from dataclasses import replace
from datetime import datetime

from pubcellar.core.access import is_open
from pubcellar.core.counters import Happened
from pubcellar.core.errors import UpstreamError, UpstreamRefused, is_passing
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState, moved
from pubcellar.core.values import NodeKey, PageRequest, SubscriptionState
from pubcellar.proxy.describing import Description, described
from pubcellar.proxy.fetching import Fetching
from pubcellar.proxy.filling import Filling
from pubcellar.proxy.learning import Learning
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.resuming import Resuming
from pubcellar.proxy.slots import Turn
from pubcellar.proxy.staged import Journals, Staged
from pubcellar.proxy.verifying_access import NOT_SUBSCRIBED
from pubcellar.proxy.withdrawing import Withdrawing

log = logging.getLogger(__name__)


class Synchronising:
    """Fetches whole nodes."""

    def __init__(self, parts: Parts, nodes: Nodes, withdrawing: Withdrawing) -> None:
        self._parts = parts
        self._nodes = nodes
        self._withdrawing = withdrawing
        self._learning = Learning(parts)
        self._fetching = Fetching(parts)
        self._filling = Filling(parts, nodes, self._learning, self._fetching)
        self._resuming = Resuming(parts, self._learning, self._fetching)
        self._journals = Journals(nodes)
        self._under_way: dict[NodeKey, Staged] = {}

    async def synchronise(self, entry: NodeEntry, turn: Turn) -> None:
        """Bring the node to LIVE, or withdraw it if it is not to be held.

        Args:
            entry: the node.
            turn: lets others have theirs in between.

        Raises:
            UpstreamError: the service refused, or could not be asked.
            StorageError: the database failed.
            Interrupted: notifications may have been lost meanwhile.
            TooLargeToHold: the node exceeds a limit.
        """
        try:
            await self._synchronise(entry, turn)
        except UpstreamError as error:
            staged = self._under_way.get(entry.key)
            if staged is not None and (not isinstance(error, UpstreamRefused) or is_passing(error)):
                self._journals.keep(staged)
            raise
        finally:
            self._under_way.pop(entry.key, None)
            entry.plain_ids = ()

    async def _synchronise(self, entry: NodeEntry, turn: Turn) -> None:
        key = entry.key
        staged = self._journals.taken(entry)
        if staged is None:
            staged = self._nothing(entry)
        else:
            self._under_way[key] = staged
        may_resume = await self._begin(entry)
        info_at = self._parts.clock.now()
        node = await described(self._parts.reader, key)
        reason = node.reason_not_held(self._parts.access.entitlement_max_age)
        if reason is not None:
            await self._withdrawing.withdraw(entry, reason)
            return
        entry.hints = node.hints
        self._fetching.ensure_info_fits(node.info)
        entry.orders.clear()
        pages = await self._probe(entry)
        known = await self._resuming.candidates(entry) if may_resume and not staged.ids else {}
        self._nodes.follow(key)
        subscription = await self._subscribe(entry)
        if not is_open(node.access_model) and subscription is not SubscriptionState.SUBSCRIBED:
            await self._withdrawing.withdraw(entry, NOT_SUBSCRIBED)
            return
        is_notified = self._is_notified(entry, subscription)
        if not staged.ids or staged.pages != pages or not is_notified:
            staged.pages, staged.is_notified = pages, is_notified
            await self._start(staged, known)
            self._under_way[key] = staged
        staged.ensure(self._nodes)
        order = await self._filling.fill(staged, turn)
        staged.ensure(self._nodes)
        await self._publish(staged, order, node, info_at, subscription)

    def _nothing(self, entry: NodeEntry) -> Staged:
        """Return what is staged when nothing is, and nothing has come."""
        # What comes from now on, if the node is followed already, is not lost on the way.
        entry.inbox.clear()
        return Staged(
            entry,
            analyser=None if entry.record is None else entry.record.analyser,
            epoch=self._nodes.epoch(entry.key.service),
            overflows=entry.overflows,
            accounted=entry.arrivals,
            started_at=self._parts.clock.now(),
        )

    async def _begin(self, entry: NodeEntry) -> bool:
        """A node that was never complete is SYNCING from now on; one that was stays STALE.

        Returns whether what may be staged for it was staged to get where it is to get now: a LIVE
        node is to be fetched anew.
        """
        record = entry.record
        assert record is not None
        state = NodeState.STALE if record.generation else NodeState.SYNCING
        if record.state is not state:
            now = self._parts.clock.now()
            entry.record = replace(
                record, state=moved(record.state, state), state_changed_at=now, reason=""
            )
            await self._parts.store.save_node(entry.record)
        return record.state is not NodeState.LIVE

    async def _probe(self, entry: NodeEntry) -> bool:
        """Read the newest item, which must succeed before we subscribe, and see who pages."""
        page = PageRequest(max=1)
        answer = await self._parts.reader.items(entry.key, max_items=1, page=page)
        seen = None if not answer.items and answer.page is None else answer.page is not None
        traits = await self._learning.save(entry.key.service, pages=seen)
        return bool(traits.pages)

    async def _subscribe(self, entry: NodeEntry) -> SubscriptionState:
        assert entry.record is not None
        if entry.record.subscription is SubscriptionState.NONE:
            # Written down before, as after: whatever becomes of the answer, and of the rest, we
            # must know to unsubscribe.
            await self._save_subscription(entry, SubscriptionState.PENDING)
        state = SubscriptionState.NONE
        try:
            state = await self._parts.reader.subscribe(entry.key)
        except UpstreamRefused as error:
            log.info(
                "the service refuses our subscription, the node is held for max_age only "
                "service=%s node=%r: %s",
                entry.key.service,
                entry.key.node,
                error,
            )
        await self._save_subscription(entry, state)
        return state

    async def _save_subscription(self, entry: NodeEntry, state: SubscriptionState) -> None:
        assert entry.record is not None
        entry.record = replace(entry.record, subscription=state)
        await self._parts.store.save_node(entry.record)

    def _is_notified(self, entry: NodeEntry, subscription: SubscriptionState) -> bool:
        is_subscribed = subscription is SubscriptionState.SUBSCRIBED
        return is_subscribed and self._nodes.is_notified(entry.key)

    async def _start(self, staged: Staged, known: dict[str, int]) -> None:
        """Begin with nothing, or with what was staged before a loss and is as it was."""
        entry = staged.entry
        believed = (
            await self._resuming.believed(entry, known) if known and staged.is_notified else []
        )
        if not believed:
            await self._filling.restart(staged)
            return
        await self._parts.store.unstage(entry.key, list(set(known) - set(believed)))
        staged.ids = {item_id: known[item_id] for item_id in believed}
        staged.size_bytes = sum(staged.ids.values())
        staged.is_paging = staged.is_as_paged = False
        self._parts.counters.count(Happened.SYNCHRONISATION_RESUMED)

    # The end

    async def _publish(
        self,
        staged: Staged,
        order: list[str],
        node: Description,
        info_at: datetime,
        subscription: SubscriptionState,
    ) -> None:
        entry = staged.entry
        record = entry.record
        assert record is not None
        now = self._parts.clock.now()
        complete: NodeRecord = replace(
            record,
            state=moved(record.state, NodeState.LIVE),
            state_changed_at=now,
            reason="",
            # A configuration event that came meanwhile leaves open who may read the node.
            access_model=None if Work.VERIFY_INFO in entry.work else node.access_model,
            info=node.info,
            subscription=subscription,
            failures=0,
            retry_at=None,
            info_verified_at=info_at,
            items_verified_at=staged.started_at,
        )
        entry.record = await self._parts.store.publish_staged(complete, order)
        staged.ensure(self._nodes)
        entry.end_comparison()
        entry.done(Work.SYNCHRONISE | Work.VERIFY_IDS | Work.VERIFY_OLDEST | Work.COMPARE)
        if staged.was_written:
            entry.was_written = True
            entry.ask(Work.VERIFY_IDS | Work.COMPARE, is_doubtful=True)
        self._parts.counters.count(Happened.SYNCHRONISED)
        log.info(
            "synchronised service=%s node=%r items=%d bytes=%d",
            entry.key.service,
            entry.key.node,
            entry.record.item_count,
            entry.record.size_bytes,
        )
