"""Keeping current: what a service's notifications say, written into the database in their order.

A notification is believed only from the service, for a node that is followed, and at the address we
subscribed with; `Proxy.notified` has seen to that. What makes no sense means: verify.
"""

import logging
from dataclasses import replace

from pubcellar.core.counters import Happened
from pubcellar.core.events import (
    Change,
    Configured,
    Deleted,
    NotUnderstood,
    Published,
    Purged,
    Retracted,
    Scope,
    SubscriptionChanged,
    Written,
)
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import Item, PageRequest, SubscriptionState
from pubcellar.proxy.fetching import Fetching
from pubcellar.proxy.learning import Learning, service_traits
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.withdrawing import Withdrawing

log = logging.getLogger(__name__)


class Changes:
    """Applies the changes in a node's inbox."""

    def __init__(self, parts: Parts, nodes: Nodes, withdrawing: Withdrawing) -> None:
        self._parts = parts
        self._nodes = nodes
        self._withdrawing = withdrawing
        self._fetching = Fetching(parts)
        self._learning = Learning(parts)

    async def apply(self, entry: NodeEntry) -> None:
        """Apply the oldest change; it leaves the inbox when the database has it.

        Raises:
            StorageError: it is still in the inbox.
            UpstreamError: what it announced could not be fetched.
            TooLargeToHold: the item, or the node with it, exceeds a limit.
        """
        change = entry.inbox[0]
        await self._apply(entry, change)
        self._parts.counters.count(Happened.EVENT_APPLIED)
        if entry.inbox and entry.inbox[0] is change:
            entry.inbox.popleft()

    async def _apply(self, entry: NodeEntry, change: Change) -> None:
        match change:
            case Published(item):
                await self._published(entry, item)
            case Retracted(item_id):
                await self._retracted(entry, item_id)
            case Purged():
                await self._purged(entry)
            case Deleted():
                await self._withdrawing.forget(entry)
            case Configured():
                await self._doubt_access(entry)
                entry.ask(Work.VERIFY_INFO | Work.VERIFY_IDS, is_doubtful=True)
            case NotUnderstood():
                await self._doubt_access(entry)
                entry.ask(Work.VERIFY_INFO | Work.VERIFY_IDS | Work.COMPARE, is_doubtful=True)
            case Written(scope):
                await self._doubt_access(entry)
                self._look_for(entry, scope)
            case SubscriptionChanged(state):
                if state is not SubscriptionState.SUBSCRIBED:
                    # What happened between its end and now went unnoticed.
                    entry.ask(Work.SYNCHRONISE, is_doubtful=True)

    async def _doubt_access(self, entry: NodeEntry) -> None:
        """Who may read the node is not known any more, not even for an outage to come."""
        assert entry.record is not None
        entry.record = replace(entry.record, access_model=None)
        await self._parts.store.save_node(entry.record)

    def _look_for(self, entry: NodeEntry, scope: Scope) -> None:
        """What was written through us is to be looked for; what was compared before does not count.

        What is found then is no drift, and teaches nothing of the service's habits.
        """
        entry.was_written = True
        entry.ask(Work.VERIFY_INFO, is_doubtful=True)
        if scope is not Scope.INFO:
            entry.comparison = None
            entry.ask(Work.VERIFY_IDS, is_doubtful=True)
        if scope is Scope.ALL:
            entry.ask(Work.COMPARE, is_doubtful=True)

    async def _published(self, entry: NodeEntry, item: Item) -> None:
        if not item.has_payload or not await self._is_as_answered(entry, item):
            found = await self._fetching.given(entry.key, [item.item_id])
            if not found:
                # Gone again; the service will have said so, or the ids will tell.
                entry.ask(Work.VERIFY_IDS, is_doubtful=True)
                return
            item = found[0]
        self._fetching.ensure_item_fits(item)
        await self._put(entry, item)

    async def _is_as_answered(self, entry: NodeEntry, item: Item) -> bool:
        """Tell whether the item names its publisher, or does not, as those in answers do.

        Prosody's personal eventing names it in notifications alone.
        """
        newest = await self._parts.store.page(
            entry.key,
            PageRequest(max=1),
            newest_first=True,
            max_bytes=self._parts.limits.list_bytes,
        )
        return any((one.publisher is None) is (item.publisher is None) for one in newest.items)

    async def _put(self, entry: NodeEntry, item: Item) -> None:
        parsed = await self._parsed(entry, item)
        traits = await service_traits(self._parts.store, entry.key.service)
        moves = traits.republish_moves
        is_all_known = moves is not None and traits.max_items_newest is not None
        before = [] if is_all_known else await self._parts.store.item_ids(entry.key)
        is_new = await self._parts.store.put_item(
            entry.key, parsed, to_newest_end=moves is not False
        )
        await self._refresh(entry)
        if entry.record is not None:
            self._fetching.ensure_fits(entry.record.item_count)
            self._fetching.ensure_bytes_fit(entry.record.size_bytes)
        if is_new:
            if entry.hints.stable_items is False:
                # It may have been put among those that were there (XEP-0460): look.
                entry.ask(Work.VERIFY_IDS, is_doubtful=True)
            else:
                await self._learning.ensure_newest_end(entry, item.item_id, before)
            # Services drop the oldest item of a full node without a word.
            entry.ask(Work.VERIFY_OLDEST, is_doubtful=True)
        elif moves is None and before[-1] != item.item_id:
            # Where the service puts a republished item is not known yet: look.
            entry.republished = (item.item_id, tuple(before))
            entry.ask(Work.VERIFY_IDS, is_doubtful=True)

    async def _parsed(self, entry: NodeEntry, item: Item) -> ParsedItem:
        record = entry.record
        if record is None or record.analyser is None:
            return ParsedItem(item)
        parsed = await self._parts.analysers.parse(record.analyser, entry.key, [item])
        return parsed[0]

    async def _purged(self, entry: NodeEntry) -> None:
        """Drop all items, or all but the newest where that is said to stay; then look.

        XEP-0060 does not say whether it stays (section 8.5), and not every service does (XEP-0460).
        """
        newest: tuple[str, ...] = ()
        if entry.hints.purge_keeps_last_item:
            first = PageRequest(max=1)
            page = await self._parts.store.id_page(entry.key, first, newest_first=True)
            newest = page.item_ids
        if newest:
            ids = await self._parts.store.item_ids(entry.key)
            await self._parts.store.remove_items(
                entry.key, [one for one in ids if one not in newest]
            )
        else:
            await self._parts.store.remove_all_items(entry.key)
        await self._refresh(entry)
        entry.ask(Work.VERIFY_IDS, is_doubtful=True)

    async def _retracted(self, entry: NodeEntry, item_id: str) -> None:
        removed = await self._parts.store.remove_items(entry.key, [item_id])
        await self._refresh(entry)
        if not removed:
            entry.ask(Work.VERIFY_IDS, is_doubtful=True)

    async def _refresh(self, entry: NodeEntry) -> None:
        """Take over the counts that the write has changed."""
        entry.record = await self._parts.store.node(entry.key)
