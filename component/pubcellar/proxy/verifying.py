"""Verification: what nobody notifies us of is found by looking (docs/architecture.md).

Every difference found is repaired, counted and logged: the service may change silently, but the
operator shall know.
"""

import logging
from dataclasses import replace

from pubcellar.core.counters import Happened
from pubcellar.core.errors import UpstreamAnswerInvalid, UpstreamRefused
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits, did_republished_move
from pubcellar.core.values import Item, PageRequest, SubscriptionState, is_same_xml
from pubcellar.proxy.describing import described
from pubcellar.proxy.fetching import Fetching, Listing, Source, oldest_first
from pubcellar.proxy.learning import Learning, service_traits
from pubcellar.proxy.nodes import NodeEntry, Nodes, Work
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.withdrawing import Withdrawing

log = logging.getLogger(__name__)

MOST_DROPPED = 50


class _NotComparable(Exception):
    """What is held cannot be compared with what the service has: all of it is to be fetched."""


class Verifying:
    """Compares what is held with what the service has, cheapest sufficient question first."""

    def __init__(self, parts: Parts, nodes: Nodes, withdrawing: Withdrawing) -> None:
        self._parts = parts
        self._nodes = nodes
        self._withdrawing = withdrawing
        self._learning = Learning(parts)
        self._fetching = Fetching(parts)

    async def verify_info(self, entry: NodeEntry) -> None:
        """Ask for access model and metadata; a node that is not open any more is withdrawn."""
        epoch = self._nodes.epoch(entry.key.service)
        asked_at = self._parts.clock.now()
        is_told = self._record(entry).info is not None
        node = await described(self._parts.reader, entry.key, is_told=is_told)
        self._nodes.ensure(entry.key.service, epoch)
        if not node.is_open:
            await self._withdrawing.withdraw(entry, node.reason_not_open)
            return
        self._fetching.ensure_info_fits(node.info)
        record = self._record(entry)
        if record.info != node.info:
            self._drifted(entry, "metadata")
        await self._save(
            entry,
            replace(
                record,
                info=node.info,
                access_model=node.access_model,
                info_verified_at=asked_at,
            ),
        )
        entry.done(Work.VERIFY_INFO)

    async def verify_ids(self, entry: NodeEntry) -> None:
        """Compare the ids of the items and their order; fetch what is missing, drop what is gone.

        The newest item is compared whole. A republish that was not notified is seen so at services
        that move the item to the newest end; where they leave it in place, it is not.

        Our subscription is looked after first: what happened since it ended would be seen by no
        comparison of ids.
        """
        try:
            await self._verify_ids(entry)
        except _NotComparable:
            entry.ask(Work.SYNCHRONISE, is_doubtful=True)

    async def _verify_ids(self, entry: NodeEntry) -> None:
        epoch = self._nodes.epoch(entry.key.service)
        arrivals = entry.arrivals
        newest = await self._learning.newest(entry.key, 1)
        if not await self._is_subscription_alive(entry):
            raise _NotComparable
        started_at = self._parts.clock.now()
        held = await self._parts.store.item_ids(entry.key)
        found = await self._listing(entry, held)
        traits = await self._learning.orders(
            entry, listing=found.by_disco, plain=found.plain, arrivals=arrivals
        )
        self._nodes.ensure(entry.key.service, epoch)
        if entry.arrivals != arrivals:
            # Apply what came first; then compare again.
            return
        listing = await self._oldest_first(entry, found, traits, newest)
        if found.source is Source.COUNT and not {one.item_id for one in newest} <= set(held):
            # As many as before, and yet others.
            self._drifted(entry, "items")
            raise _NotComparable
        if not await self._is_newest_held(entry, newest):
            self._drifted(entry, "republished")
            raise _NotComparable
        if sorted(listing) != sorted(held):
            listing = await self._listed_anew(entry, listing, traits)
        if not await self._observe_republish(entry, listing) and _is_reordered(held, listing):
            # Published again, and we were not told of what.
            await self._compare_rule(entry, held, listing)
            self._drifted(entry, "order")
            raise _NotComparable
        if listing != held:
            await self._repair(entry, held, listing, epoch)
        self._nodes.ensure(entry.key.service, epoch)
        await self._save(entry, replace(self._record(entry), items_verified_at=started_at))
        entry.done(Work.VERIFY_IDS | Work.VERIFY_OLDEST)

    async def _listing(self, entry: NodeEntry, held: list[str]) -> Listing:
        pages = (await service_traits(self._parts.store, entry.key.service)).pages
        found = await self._fetching.listing(entry, held, pages=bool(pages))
        is_by_disco = found is not None and found.source is Source.DISCO_ITEMS
        await self._learning.listed(entry.key.service, by_disco=is_by_disco)
        if found is None:
            raise _NotComparable
        return found

    async def _listed_anew(
        self, entry: NodeEntry, listing: list[str], traits: ServiceTraits
    ) -> list[str]:
        """Subscribe and list again: what we were not told of may be for want of a subscription.

        Prosody says that we are subscribed to a node that was deleted and created again, and sends
        us nothing. To subscribe where one is subscribed changes nothing (XEP-0060 section 6.1.6).
        """
        try:
            state = await self._parts.reader.subscribe(entry.key)
        except UpstreamRefused:
            raise _NotComparable from None
        if state is not SubscriptionState.SUBSCRIBED:
            raise _NotComparable
        return await self._oldest_first(entry, await self._listing(entry, listing), traits, [])

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
            _NotComparable: the service's order is not known.
        """
        if found.source is Source.COUNT or len(found.ids) < 2:
            return found.ids
        newest_first = found.is_newest_first(traits)
        if newest_first is None:
            raise _NotComparable
        listing = oldest_first(found.ids, newest_first)
        if newest and listing[0] == newest[0].item_id:
            wrong = "disco_newest_first" if found.by_disco else "items_newest_first"
            await self._learning.save(entry.key.service, **{wrong: not newest_first})
            raise _NotComparable
        return listing

    async def verify_oldest(self, entry: NodeEntry) -> None:
        """Drop the oldest items for as long as the service does not have them any more."""
        first = PageRequest(max=1)
        for _ in range(MOST_DROPPED):
            page = await self._parts.store.id_page(entry.key, first, newest_first=False)
            if page.count < 2 or await self._is_there(entry, page.item_ids[0]):
                entry.done(Work.VERIFY_OLDEST)
                return
            if entry.inbox:
                # Apply what came first; then look again.
                return
            await self._parts.store.remove_items(entry.key, page.item_ids[:1])
            entry.record = await self._parts.store.node(entry.key)
            self._drifted(entry, "evicted")
        entry.ask(Work.VERIFY_IDS, is_doubtful=True)
        entry.done(Work.VERIFY_OLDEST)

    async def _is_there(self, entry: NodeEntry, item_id: str) -> bool:
        return bool(await self._fetching.given(entry.key, [item_id]))

    async def _is_subscription_alive(self, entry: NodeEntry) -> bool:
        record = self._record(entry)
        is_subscribed = record.subscription is SubscriptionState.SUBSCRIBED
        if not is_subscribed or not self._nodes.is_notified(entry.key):
            return False
        try:
            state = await self._parts.reader.subscription(entry.key)
        except UpstreamRefused as error:
            if error.condition in ("item-not-found", "gone"):
                raise
            # Not every service tells: asking again for what we have changes nothing.
            state = await self._parts.reader.subscribe(entry.key)
        if state is not SubscriptionState.SUBSCRIBED:
            self._drifted(entry, "subscription")
        return state is SubscriptionState.SUBSCRIBED

    async def _observe_republish(self, entry: NodeEntry, listing: list[str]) -> bool:
        """Learn from an item that was published again; tell whether one was."""
        if entry.republished is None:
            return False
        item_id, before = entry.republished
        entry.republished = None
        moved = did_republished_move(before, listing, item_id)
        if moved is not None:
            await self._learning.republish_seen(entry.key.service, moved=moved)
        return True

    async def _compare_rule(self, entry: NodeEntry, held: list[str], listing: list[str]) -> None:
        """Unlearn the rule for republished items where it has led to a wrong order."""
        traits = await service_traits(self._parts.store, entry.key.service)
        if listing != held and traits.republish_moves is not None:
            await self._learning.republish_seen(entry.key.service, moved=not traits.republish_moves)

    async def _repair(
        self, entry: NodeEntry, held: list[str], listing: list[str], epoch: tuple[int, int]
    ) -> None:
        missing = [item_id for item_id in listing if item_id not in set(held)]
        self._drifted(entry, "order" if sorted(listing) == sorted(held) else "items")
        await self._parts.store.discard_staged(entry.key)
        fetched = await self._fetching.by_id(entry, missing)
        if set(missing) - fetched:
            raise UpstreamAnswerInvalid("an item that is listed cannot be fetched")
        self._nodes.ensure(entry.key.service, epoch)
        entry.record = await self._parts.store.publish_staged(
            self._record(entry), listing, reuse_current=True
        )

    async def _save(self, entry: NodeEntry, record: NodeRecord) -> None:
        if record.state is NodeState.LIVE:
            await self._parts.store.save_node(record)
            entry.record = record

    def _record(self, entry: NodeEntry) -> NodeRecord:
        assert entry.record is not None
        return entry.record

    def _drifted(self, entry: NodeEntry, what: str) -> None:
        self._nodes.unheard(entry.key)
        self._parts.counters.count(Happened.DRIFT_REPAIRED)
        log.info(
            "the service changed silently, repaired service=%s node=%r what=%s",
            entry.key.service,
            entry.key.node,
            what,
        )


def _is_reordered(held: list[str], listing: list[str]) -> bool:
    """Tell whether the ids that are in both stand in another order."""
    common = set(held) & set(listing)
    return [one for one in held if one in common] != [one for one in listing if one in common]
