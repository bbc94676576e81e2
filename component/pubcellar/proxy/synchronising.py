"""Synchronisation: all of a node is fetched into a staged generation, then swapped in at once.

Readers see the old generation, or are forwarded, until the new one is complete: the ids of a last
listing agree with what is staged, and no notification that came meanwhile is unaccounted for. What
came is in the node's inbox: what came before a listing is replayed over what was fetched, what came
after it is applied once the node is LIVE. Notifications come in order, and so the last word on an
item is the truth.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from pubcellar.core.counters import Happened
from pubcellar.core.errors import UpstreamAnswerInvalid, UpstreamRefused
from pubcellar.core.events import (
    Change,
    Configured,
    Deleted,
    NotUnderstood,
    Published,
    Purged,
    Retracted,
    SubscriptionChanged,
)
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState, moved
from pubcellar.core.values import Item, PageRequest, SubscriptionState
from pubcellar.proxy.describing import Description, described
from pubcellar.proxy.fetching import Fetching, Listing, Source, oldest_first
from pubcellar.proxy.learning import Learning
from pubcellar.proxy.nodes import Interrupted, NodeEntry, Nodes, Work
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.withdrawing import Withdrawing

log = logging.getLogger(__name__)

MOST_LISTINGS = 8


@dataclass(slots=True)
class _Staged:
    """What is staged so far.

    Attributes:
        ids: as the pages came, oldest or newest first.
        pages: whether the service pages.
        epoch, overflows: as they were when it began.
        started_at: when it began, or when the ids were last listed.
        is_as_paged: whether nothing was published since the pages came; where the service has put
            that, or what it sends to a new subscriber, cannot be told.
    """

    ids: dict[str, None]
    pages: bool
    epoch: tuple[int, int]
    overflows: int
    started_at: datetime
    is_as_paged: bool = True


class Synchronising:
    """Fetches whole nodes."""

    def __init__(self, parts: Parts, nodes: Nodes, withdrawing: Withdrawing) -> None:
        self._parts = parts
        self._nodes = nodes
        self._withdrawing = withdrawing
        self._learning = Learning(parts)
        self._fetching = Fetching(parts)

    async def synchronise(self, entry: NodeEntry) -> None:
        """Bring the node to LIVE, or withdraw it if it is not open.

        Raises:
            UpstreamError: the service refused, or could not be asked.
            StorageError: the database failed.
            Interrupted: notifications may have been lost meanwhile.
            TooLargeToHold: the node exceeds a limit.
        """
        try:
            await self._synchronise(entry)
        finally:
            entry.plain_ids = ()

    async def _synchronise(self, entry: NodeEntry) -> None:
        key = entry.key
        epoch = self._nodes.epoch(key.service)
        await self._begin(entry)
        # What comes from now on, if the node is followed already, is not lost on the way.
        entry.inbox.clear()
        info_at = self._parts.clock.now()
        node = await described(self._parts.reader, key)
        if not node.is_open:
            await self._withdrawing.withdraw(entry, node.reason_not_open)
            return
        self._fetching.ensure_info_fits(node.info)
        pages = await self._probe(entry)
        self._nodes.follow(key)
        subscription = await self._subscribe(entry)
        await self._parts.store.discard_staged(key)
        staged = _Staged({}, pages, epoch, entry.overflows, self._parts.clock.now())
        if pages:
            await self._fetch_pages(entry, staged)
        order = await self._settle(entry, staged)
        self._ensure_nothing_lost(entry, staged)
        await self._publish(entry, order, node, info_at, subscription, staged)

    async def _begin(self, entry: NodeEntry) -> None:
        """A node that was never complete is SYNCING from now on; one that was stays STALE."""
        record = entry.record
        assert record is not None
        state = NodeState.STALE if record.generation else NodeState.SYNCING
        if record.state is not state:
            now = self._parts.clock.now()
            entry.record = replace(
                record, state=moved(record.state, state), state_changed_at=now, reason=""
            )
            await self._parts.store.save_node(entry.record)

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

    async def _fetch_pages(self, entry: NodeEntry, staged: _Staged) -> None:
        staged.ids = dict.fromkeys(await self._fetching.by_page(entry))
        staged.is_as_paged = True

    async def _settle(self, entry: NodeEntry, staged: _Staged) -> list[str]:
        """Fetch until a listing and what is staged agree; return all ids, oldest first."""
        problem = "the node changes faster than it can be fetched"
        for _ in range(MOST_LISTINGS):
            await self._replay(entry, staged)
            arrivals = entry.arrivals
            listing = await self._listing(entry, staged)
            self._ensure_nothing_lost(entry, staged)
            listed = set(listing.ids)
            if listed == staged.ids.keys():
                order = await self._order(entry, staged, listing, arrivals)
                if order is not None:
                    # What came since is still in the inbox, and is applied once the node is LIVE.
                    return order
                if staged.pages and not staged.is_as_paged:
                    await self._fetch_pages(entry, staged)
                problem = "the order in which the service has its items cannot be told"
                continue
            self._fetching.ensure_fits(len(listed))
            gone = [item_id for item_id in staged.ids if item_id not in listed]
            await self._drop(entry, staged, gone)
            missing = [item_id for item_id in listing.ids if item_id not in staged.ids]
            fetched = await self._fetching.by_id(entry, missing)
            staged.ids.update((item_id, None) for item_id in missing if item_id in fetched)
        raise UpstreamAnswerInvalid(problem)

    async def _listing(self, entry: NodeEntry, staged: _Staged) -> Listing:
        staged.started_at = self._parts.clock.now()
        listing = await self._fetching.listing(entry, list(staged.ids), pages=staged.pages)
        is_by_disco = listing is not None and listing.source is Source.DISCO_ITEMS
        await self._learning.listed(entry.key.service, by_disco=is_by_disco)
        if listing is None:
            raise UpstreamAnswerInvalid("the number of items does not agree with the pages")
        return listing

    async def _order(
        self, entry: NodeEntry, staged: _Staged, listing: Listing, arrivals: int
    ) -> list[str] | None:
        """Return all ids, oldest first; None where that could not be told this time.

        `arrivals` is how many changes had come when the listing was asked for.
        """
        pages = list(staged.ids) if staged.pages and staged.is_as_paged else []
        traits = await self._learning.orders(
            entry,
            listing=listing.by_disco,
            is_paged=staged.pages,
            pages=pages,
            plain=listing.plain,
            arrivals=arrivals,
        )
        if len(listing.ids) < 2:
            return listing.ids
        newest_first = listing.is_newest_first(traits)
        if listing.source is not Source.COUNT and newest_first is not None:
            return oldest_first(listing.ids, newest_first)
        if pages and traits.pages_newest_first is not None and entry.arrivals == arrivals:
            return oldest_first(pages, traits.pages_newest_first)
        return None

    def _ensure_nothing_lost(self, entry: NodeEntry, staged: _Staged) -> None:
        self._nodes.ensure(entry.key.service, staged.epoch)
        if entry.overflows != staged.overflows:
            raise Interrupted

    # Replaying what came meanwhile

    async def _replay(self, entry: NodeEntry, staged: _Staged) -> None:
        self._ensure_nothing_lost(entry, staged)
        while entry.inbox:
            await self._replay_one(entry, staged, entry.inbox.popleft())

    async def _replay_one(self, entry: NodeEntry, staged: _Staged, change: Change) -> None:
        match change:
            case Published(item):
                await self._replay_item(entry, staged, item)
            case Retracted(item_id):
                await self._drop(entry, staged, [item_id])
            case Purged():
                await self._drop(entry, staged, list(staged.ids))
            case Deleted():
                raise UpstreamRefused("cancel", "item-not-found")
            case Configured() | NotUnderstood():
                entry.ask(Work.VERIFY_INFO, is_doubtful=True)
            case SubscriptionChanged(state):
                if state is not SubscriptionState.SUBSCRIBED:
                    raise UpstreamAnswerInvalid("our subscription was ended meanwhile")

    async def _replay_item(self, entry: NodeEntry, staged: _Staged, item: Item) -> None:
        # Fetched even where its payload came along: an answer may show it differently.
        found = await self._fetching.by_id(entry, [item.item_id])
        staged.is_as_paged = False
        if found:
            staged.ids[item.item_id] = None
        else:
            staged.ids.pop(item.item_id, None)

    async def _drop(self, entry: NodeEntry, staged: _Staged, item_ids: list[str]) -> None:
        await self._parts.store.unstage(entry.key, item_ids)
        for item_id in item_ids:
            staged.ids.pop(item_id, None)

    # The end

    async def _publish(
        self,
        entry: NodeEntry,
        order: list[str],
        node: Description,
        info_at: datetime,
        subscription: SubscriptionState,
        staged: _Staged,
    ) -> None:
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
        self._ensure_nothing_lost(entry, staged)
        entry.done(Work.SYNCHRONISE | Work.VERIFY_IDS | Work.VERIFY_OLDEST)
        self._parts.counters.count(Happened.SYNCHRONISED)
        log.info(
            "synchronised service=%s node=%r items=%d bytes=%d",
            entry.key.service,
            entry.key.node,
            entry.record.item_count,
            entry.record.size_bytes,
        )
