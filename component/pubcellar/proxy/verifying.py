"""Verification: what nobody notifies us of is found by looking (docs/architecture.md).

Every difference found is repaired, counted and logged: the service may change silently, but the
operator shall know. Access and metadata are verified in `verifying_access`, what a full node has
dropped in `evicting`.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime

from pubcellar.core.counters import Happened
from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.freshness import (
    READ_LATELY,
    Extent,
    extent_of_comparison,
    is_comparison_due,
    is_verification_due,
)
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState, moved
from pubcellar.core.traits import ServiceTraits, did_republished_move
from pubcellar.core.values import Item, NodeKey, is_same_xml
from pubcellar.proxy.comparing import Comparing
from pubcellar.proxy.comparison import (
    Comparison,
    NotComparable,
    are_listed,
    ids_to_compare,
    is_reordered,
)
from pubcellar.proxy.drifting import Drifting
from pubcellar.proxy.fetching import Fetching, Listing, Source, oldest_first
from pubcellar.proxy.learning import Learning, service_traits
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import MOST_ENTRIES, Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.subscribing import Subscribing

log = logging.getLogger(__name__)


class Verifying:
    """Compares what is held with what the service has, cheapest sufficient question first."""

    def __init__(
        self, parts: Parts, nodes: Nodes, drifting: Drifting, subscribing: Subscribing
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._drifting = drifting
        self._subscribing = subscribing
        self._learning = Learning(parts)
        self._fetching = Fetching(parts)
        self._comparing = Comparing(parts, nodes, drifting, self._fetching)
        self._slots = asyncio.Semaphore(parts.limits.max_synchronisations)
        # Nodes whose items are all to be compared once they are not in doubt any more.
        self._owed: set[NodeKey] = set()

    # Ids and their order

    async def verify_ids(self, entry: NodeEntry) -> None:
        """Compare the ids of the items and their order; fetch what is missing, drop what is gone.

        The newest item is compared whole. What else must be is decided after that, and done by
        `compare`; contents count as verified when that is over.

        Our subscription is looked after first, and made again where something is not as it should
        be: what happened since it ended would be seen by no comparison of ids.
        """
        async with self._slots:
            try:
                await self._verify_ids(entry)
            except NotComparable as error:
                self._fetch_anew(entry, error)

    def _fetch_anew(self, entry: NodeEntry, reason: NotComparable) -> None:
        log.info(
            "cannot be compared, all is fetched anew service=%s node=%r: %s",
            entry.key.service,
            entry.key.node,
            reason,
        )
        entry.ask(Work.SYNCHRONISE, is_doubtful=True)

    async def _verify_ids(self, entry: NodeEntry) -> None:
        epoch = self._nodes.epoch(entry.key.service)
        arrivals = entry.arrivals
        newest = await self._learning.newest(entry.key, 1)
        if not entry.may_have_missed and not await self._subscribing.is_alive(entry):
            self._drifting.found(entry, Happened.DRIFT_SUBSCRIPTION, "subscribed again")
            await self._subscribe_anew(entry)
            return
        started_at = self._parts.clock.now()
        held = await self._parts.store.item_ids(entry.key)
        found = await self._listing(entry, held)
        traits = await self._orders(entry, found, held, arrivals)
        self._nodes.ensure(entry.key.service, epoch)
        if entry.arrivals != arrivals:
            # Apply what came first; then compare again.
            entry.outran()
            return
        entry.keeps_up()
        listing = await self._oldest_first(entry, found, traits, newest)
        is_newest_same = await self._is_newest_held(entry, newest)
        is_moved = entry.republished is None and is_reordered(held, listing)
        is_listed = are_listed(newest, held if found.source is Source.COUNT else listing)
        is_other = sorted(listing) != sorted(held) or not is_listed
        if (is_other or is_moved or not is_newest_same) and not entry.may_have_missed:
            await self._subscribe_anew(entry)
            return
        if not is_listed:
            # As many as before, and yet others; or a list that is withheld.
            self._drifting.found(entry, Happened.DRIFT_ITEMS, "all is fetched anew")
            raise NotComparable("the newest item is not listed")
        await self._observe_republish(entry, listing)
        self._learning.reordered(entry, is_reordered=is_moved and not entry.was_written)
        written = await self._written(entry)
        if is_moved:
            await self._reordered(entry, written)
        is_all = is_moved or not is_newest_same
        if is_all:
            entry.ask(Work.COMPARE, is_doubtful=True)
            # What shows that is repaired now, and shows nothing after an interruption.
            entry.record = replace(self._record(entry), items_verified_at=None)
        if listing != held:
            await self._repair(entry, held, listing, epoch)
        elif is_all:
            await self._save(entry, self._record(entry))
        self._nodes.ensure(entry.key.service, epoch)
        if is_all or (entry.comparison is None and self._is_due(entry)):
            extent = Extent.ALL if is_all else self._extent(entry, traits)
            ids = ids_to_compare(extent, held, listing, written)
            is_whole = extent is Extent.ALL
            entry.comparison = Comparison(
                dict.fromkeys(ids), epoch, started_at, is_whole, is_whole and bool(traits.pages)
            )
            entry.ask(Work.COMPARE, is_doubtful=False)
        entry.done(Work.VERIFY_IDS | Work.VERIFY_OLDEST)
        if entry.comparison is not None and not entry.comparison.remaining:
            await self._verified(entry, entry.comparison)

    async def _orders(
        self, entry: NodeEntry, found: Listing, held: list[str], arrivals: int
    ) -> ServiceTraits:
        """Return the traits of the node, now and then seen anew.

        A service whose habits have changed shows it at any of its nodes; the others are looked at
        then, before they are answered again. So a node that was held before does not have to show
        them anew, only because we were away.
        """
        if entry.is_revalidating and not entry.orders:
            await self._learning.inherit(entry, len(held))
        known = dict(entry.orders)
        now, policy = self._parts.clock.now(), self._parts.policy
        anew = self._nodes.are_orders_due(entry.key.service, now, policy.verify_every / 2)
        traits = await self._learning.orders(
            entry,
            listing=found.by_disco,
            plain=found.plain,
            known=held,
            arrivals=arrivals,
            anew=anew,
        )
        if any(entry.orders.get(name) != value for name, value in known.items()):
            self._nodes.forget_orders(entry)
        if anew and entry.arrivals == arrivals and len(found.ids) > 1:
            self._nodes.orders_seen(entry.key.service, now)
        return traits

    async def _listing(self, entry: NodeEntry, held: list[str]) -> Listing:
        pages = (await service_traits(self._parts.store, entry.key.service)).pages
        found = await self._fetching.listing(entry, held, pages=bool(pages))
        is_by_disco = found is not None and found.source is Source.DISCO_ITEMS
        await self._learning.listed(entry.key.service, by_disco=is_by_disco)
        if found is None:
            raise NotComparable("there are not as many items as the service says")
        return found

    async def _subscribe_anew(self, entry: NodeEntry) -> None:
        """Subscribe, and look again: what we were not told of may be for want of a subscription.

        Prosody says that we are subscribed to a node that was deleted and created again, and sends
        us nothing. To subscribe where one is subscribed changes nothing (XEP-0060 section 6.1.6).
        """
        entry.may_have_missed = True
        entry.ask(Work.VERIFY_IDS | Work.COMPARE, is_doubtful=True)
        await self._subscribing.subscribe(entry)

    async def _is_newest_held(self, entry: NodeEntry, newest: list[Item]) -> bool:
        """Tell whether the newest item, if it is held, is held as the service has it.

        Where a republished item moves to the newest end, this and the order of the ids show every
        republish that we have not been told of.
        """
        ids = [item.item_id for item in newest]
        held = await self._parts.store.items_by_id(entry.key, ids)
        return all(is_same_xml(held[0].xml, item.xml) for item in newest if held)

    async def _oldest_first(
        self, entry: NodeEntry, found: Listing, traits: ServiceTraits, newest: list[Item]
    ) -> list[str]:
        """Return the listed ids, oldest first.

        A rule that makes the newest item the oldest was learnt wrongly, and is unlearnt.

        Raises:
            NotComparable: the service's order is not known.
        """
        if found.source is Source.COUNT or len(found.ids) < 2:
            return found.ids
        newest_first = found.is_newest_first(traits)
        if newest_first is None:
            self._learning.reordered(entry, is_reordered=True)
            raise NotComparable("the order in which the service lists its items is not known")
        listing = oldest_first(found.ids, newest_first)
        if newest and listing[0] == newest[0].item_id:
            wrong = "disco_newest_first" if found.by_disco else "items_newest_first"
            await self._learning.save(entry.key.service, **{wrong: not newest_first})
            raise NotComparable("the order in which the service lists its items was learnt wrongly")
        return listing

    async def _observe_republish(self, entry: NodeEntry, listing: list[str]) -> None:
        """Learn from an item that was published again, if one was."""
        if entry.republished is None:
            return
        item_id, before = entry.republished
        entry.republished = None
        has_moved = did_republished_move(before, listing, item_id)
        if has_moved is not None:
            await self._learning.republish_seen(entry.key.service, moved=has_moved)

    async def _written(self, entry: NodeEntry) -> frozenset[str] | None:
        """Return ids of the items written since the contents were last verified; None for all."""
        moment = self._record(entry).items_verified_at
        if moment is None:
            return None
        return await self._parts.store.ids_written_since(entry.key, moment)

    async def _reordered(self, entry: NodeEntry, written: frozenset[str] | None) -> None:
        """The order differs: unlearn the rule for republished items where it has led to that."""
        self._drifting.found(
            entry, Happened.DRIFT_ORDER, "the new order is taken over, and all items are compared"
        )
        if entry.is_revalidating or entry.was_written or not written:
            # No rule of ours: something was published again that we have not heard of.
            return
        traits = await service_traits(self._parts.store, entry.key.service)
        if traits.republish_moves is not None:
            await self._learning.republish_seen(entry.key.service, moved=not traits.republish_moves)

    async def _repair(
        self, entry: NodeEntry, held: list[str], listing: list[str], epoch: tuple[int, int]
    ) -> None:
        missing = [item_id for item_id in listing if item_id not in set(held)]
        number = len(set(held) ^ set(listing))
        if number:
            remedy = f"{len(missing)} fetched, {number - len(missing)} dropped"
            self._drifting.found(entry, Happened.DRIFT_ITEMS, remedy)
        await self._parts.store.discard_staged(entry.key)
        fetched = await self._fetching.by_id(entry, missing)
        if set(missing) - fetched:
            raise UpstreamAnswerInvalid("an item that is listed cannot be fetched")
        self._nodes.ensure(entry.key.service, epoch)
        entry.record = await self._parts.store.publish_staged(
            self._record(entry), listing, reuse_current=True
        )

    # Items

    def _is_due(self, entry: NodeEntry) -> bool:
        """Tell whether the contents are to be verified, now that the ids agree."""
        return Work.COMPARE in entry.work or is_verification_due(
            self._record(entry), self._parts.clock.now(), self._parts.policy, entry.hints
        )

    def _extent(self, entry: NodeEntry, traits: ServiceTraits) -> Extent:
        record, now = self._record(entry), self._parts.clock.now()
        if record.items_verified_at is None or entry.has_differed:
            return Extent.ALL
        if is_comparison_due(record, now, self._parts.policy):
            if len(self._owed) >= MOST_ENTRIES:
                self._owed.clear()
            self._owed.add(entry.key)
        # A node that is in doubt is to be answered first.
        if entry.key in self._owed and not entry.is_revalidating:
            return Extent.ALL
        was_followed = not entry.may_have_missed and not entry.was_written
        return extent_of_comparison(traits, entry.hints, was_followed=was_followed)

    async def compare(self, entry: NodeEntry) -> None:
        """Compare some more items whole; contents count as verified after the last of them."""
        comparison = entry.comparison
        if comparison is None:
            entry.ask(Work.VERIFY_IDS, is_doubtful=False)
            return
        differing = await self._comparing.compare_some(entry, comparison)
        if differing and not (entry.may_have_missed and comparison.is_whole):
            # Whatever let us leave out the others does not hold.
            entry.comparison, entry.has_differed = None, True
            try:
                await self._subscribe_anew(entry)
            except NotComparable as error:
                self._fetch_anew(entry, error)
        elif not comparison.remaining and Work.SYNCHRONISE not in entry.work:
            await self._verified(entry, comparison)

    async def _verified(self, entry: NodeEntry, comparison: Comparison) -> None:
        record = replace(self._record(entry), items_verified_at=comparison.started_at)
        if record.state is NodeState.STALE:
            record = replace(
                record,
                state=moved(record.state, NodeState.LIVE),
                state_changed_at=self._parts.clock.now(),
                reason="",
                failures=0,
                retry_at=None,
            )
        await self._save(entry, record)
        self._nodes.ensure(entry.key.service, comparison.epoch)
        entry.end_comparison()
        entry.done(Work.COMPARE)
        if comparison.is_whole:
            self._owed.discard(entry.key)
        elif entry.key in self._owed and _is_read(record, self._parts.clock.now()):
            entry.ask(Work.VERIFY_IDS | Work.COMPARE, is_doubtful=False)

    async def _save(self, entry: NodeEntry, record: NodeRecord) -> None:
        if record.state in (NodeState.LIVE, NodeState.STALE):
            await self._parts.store.save_node(record)
            entry.record = record

    def _record(self, entry: NodeEntry) -> NodeRecord:
        assert entry.record is not None
        return entry.record


def _is_read(record: NodeRecord, now: datetime) -> bool:
    return record.last_read_at is not None and now - record.last_read_at <= READ_LATELY
