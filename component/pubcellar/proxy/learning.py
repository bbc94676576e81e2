"""Learning a service's habits by small questions, so that nothing is hard-coded.

Which traits there are, and what they are for, stands in `pubcellar.core.traits`. Each node is asked
for its own orders whenever all of it is fetched, or when nothing is remembered of them.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pubcellar.core.errors import UpstreamRefused
from pubcellar.core.records import ServiceRecord
from pubcellar.core.store import Store
from pubcellar.core.traits import (
    ORDERS,
    ServiceTraits,
    are_ids_as_requested,
    direction,
    oldest_first,
)
from pubcellar.core.values import BareJID, Item, NodeKey, PageRequest
from pubcellar.proxy.node_entry import NodeEntry
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)

SMALL_LIST = 20
"""Items; a plain list as short as this is asked for only to see its order."""
NEWEST = 3
"""Items; so many of the newest are asked for to see at which end of a list they stand."""
MOST_REORDERS = 3
"""Verifications in a row that may find another order, before the node is not held any more."""


class NoOrder(Exception):
    """The node's items follow no order that could be kept; the message says why."""


async def service_record(store: Store, service: BareJID) -> ServiceRecord:
    """Return what is known of the service, perhaps nothing; raises StoreUnavailable."""
    return await store.service(service) or ServiceRecord(service)


async def service_traits(store: Store, service: BareJID) -> ServiceTraits:
    """Return the traits of the service, perhaps all unknown; raises StoreUnavailable."""
    return (await service_record(store, service)).traits


async def traits_of(store: Store, entry: NodeEntry, *, in_outage: bool = False) -> ServiceTraits:
    """Return the traits of the node's service, with the orders that the node has shown.

    For what is answered in an outage, where the node could not be looked at since we were started,
    the orders do that all nodes of the service have shown. Raises StoreUnavailable.
    """
    traits = await service_traits(store, entry.key.service)
    return traits if in_outage and not entry.orders else traits.shown(entry.orders)


class Learning:
    """Asks a service what it must be asked to know its habits."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def save(self, service: BareJID, **seen: bool | None) -> ServiceTraits:
        """Remember what was seen, by trait name, and return the traits."""
        record = await service_record(self._parts.store, service)
        traits = record.traits.learnt(**seen)
        if traits != record.traits:
            await self._parts.store.save_service(replace(record, traits=traits))
            log.info("learnt service=%s %s", service, traits)
        return traits

    async def listed(self, service: BareJID, *, by_disco: bool) -> None:
        """Remember whether the service lists the ids of a node by disco#items."""
        traits = await service_traits(self._parts.store, service)
        if traits.lists_items is not by_disco:
            await self.save(service, lists_items=by_disco)

    async def republish_seen(self, service: BareJID, *, moved: bool) -> None:
        """Remember where a republished item went."""
        record = await service_record(self._parts.store, service)
        traits = record.traits.republish_seen(moved=moved)
        if traits != record.traits:
            await self._parts.store.save_service(replace(record, traits=traits))

    async def inherit(self, entry: NodeEntry, item_count: int) -> None:
        """Take over the orders that all nodes of the service have shown, this one among them.

        Not those that it has not shown: a long list is not asked for.
        """
        traits = await service_traits(self._parts.store, entry.key.service)
        known = {name: getattr(traits, name) for name in ORDERS}
        if item_count > SMALL_LIST:
            known["items_newest_first"] = known["ids_as_requested"] = None
        entry.orders.update((name, value) for name, value in known.items() if value is not None)

    async def seen(self, entry: NodeEntry, **seen: bool | None) -> ServiceTraits:
        """Remember the orders that a node has shown, and return its traits."""
        entry.orders.update((name, value) for name, value in seen.items() if value is not None)
        traits = await self.save(entry.key.service, **seen)
        return traits.shown(entry.orders)

    async def orders(
        self,
        entry: NodeEntry,
        *,
        listing: Sequence[str],
        arrivals: int,
        is_paged: bool = False,
        pages: Sequence[str] = (),
        plain: Sequence[str] = (),
        known: Sequence[str] = (),
        anew: bool = False,
    ) -> ServiceTraits:
        """Learn the orders of a node, as far as it has not shown them, and return its traits.

        Args:
            entry: the node.
            listing: ids as disco#items lists them, perhaps none.
            arrivals: how many changes of the node had come when the listing was asked for; if one
                has come since, nothing is learnt.
            is_paged: whether the service pages.
            pages: ids in the order of XEP-0059 paging, if that is at hand.
            plain: ids in the order of a plain items answer, if there was one.
            known: ids in the order in which they are held; used where there is no other.
            anew: whether to ask even for what the node has shown.
        """
        traits = await service_traits(self._parts.store, entry.key.service)
        is_paged = is_paged or bool(traits.pages)
        ids = pages or listing or plain or known
        if not anew and _is_known(entry, ids, listing, is_paged=is_paged):
            return traits.shown(entry.orders)
        seen = await self._asked(entry, ids, listing, is_paged, pages, plain)
        if entry.arrivals != arrivals:
            return traits.shown(entry.orders)
        if len(ids) > 1:
            # What so few show is nothing, and no contradiction to what more of them have shown.
            for name in seen:
                entry.orders.pop(name, None)
        return await self.seen(entry, **seen)

    async def _asked(
        self,
        entry: NodeEntry,
        ids: Sequence[str],
        listing: Sequence[str],
        is_paged: bool,
        pages: Sequence[str],
        plain: Sequence[str],
    ) -> dict[str, bool | None]:
        """Ask for all that shows an order; what fits to nothing else shows none."""
        key = entry.key
        number = max(1, min(NEWEST, len(ids) - 1))
        found = await self._parts.reader.items(key, max_items=number)
        newest = _ids(found.items[:number])
        seen: dict[str, bool | None] = dict.fromkeys(ORDERS)
        seen["max_items_paged"] = found.page is not None
        order = oldest_first(ids, newest)
        if order is None:
            return seen
        if number == 1:
            newest = _ids((await self._parts.reader.items(key, max_items=2)).items)
        seen["max_items_newest_first"] = direction(order[-len(newest) :], newest)
        seen["disco_newest_first"] = direction(order, listing)
        seen["pages_newest_first"] = direction(
            order, pages or (await self._ends(key, order) if is_paged else ())
        )
        plain = plain or await self._plain(entry, order)
        known = entry.orders.get("items_newest_first")
        newest_first = direction(order, plain) if plain else known
        seen["items_newest_first"] = newest_first
        seen["ids_as_requested"] = await self._by_id(key, order, newest_first)
        return seen

    async def newest(self, key: NodeKey, number: int) -> list[Item]:
        """Return the newest items, in the order in which the service gives them."""
        found = await self._parts.reader.items(key, max_items=number)
        return list(found.items[:number])

    async def ensure_newest_end(self, entry: NodeEntry, item_id: str, held: Sequence[str]) -> None:
        """Make sure that `max_items` takes the end at which an item that just came has been put.

        XEP-0060 section 6.5.7 says "the N most recent items"; everything that is learnt of orders
        rests on that, and so it is looked at once, with the first item that comes.

        Args:
            entry: the node.
            item_id: the item that came.
            held: the ids from before, the oldest first.

        Raises:
            NoOrder: it takes the other end.
        """
        traits = await service_traits(self._parts.store, entry.key.service)
        if traits.max_items_newest or len(held) < 2:
            return
        newest = _ids(await self.newest(entry.key, 1))
        if newest == [item_id]:
            await self.save(entry.key.service, max_items_newest=True)
        elif newest == [held[-1]] and await self._is_there(entry.key, item_id):
            raise NoOrder("its service does not give the newest items where max_items asks for it")

    async def _is_there(self, key: NodeKey, item_id: str) -> bool:
        return item_id in _ids((await self._parts.reader.items(key, item_ids=[item_id])).items)

    def reordered(self, entry: NodeEntry, *, is_reordered: bool) -> None:
        """Note whether the order had changed without anything to explain it; raises NoOrder."""
        entry.reorders = entry.reorders + 1 if is_reordered else 0
        if entry.reorders >= MOST_REORDERS:
            raise NoOrder("its service shows its items in another order each time")

    async def _ends(self, key: NodeKey, ids: Sequence[str]) -> Sequence[str]:
        """Return the ids, or their reverse, so that they begin where the service's pages do."""
        first = _ids((await self._parts.reader.items(key, page=PageRequest(max=1))).items)
        if first == [ids[0]]:
            return ids
        return list(reversed(ids)) if first == [ids[-1]] else ()

    async def _plain(self, entry: NodeEntry, ids: Sequence[str]) -> Sequence[str]:
        # An answer from before the last change would teach the wrong order.
        if list(entry.plain_ids) in (list(ids), list(reversed(ids))):
            return entry.plain_ids
        if len(ids) > SMALL_LIST:
            return ()
        return [item.item_id for item in (await self._parts.reader.items(entry.key)).items]

    async def _by_id(
        self, key: NodeKey, order: Sequence[str], items_newest_first: bool | None
    ) -> bool | None:
        oldest, newest = order[0], order[-1]
        asked = (oldest, newest, oldest) if items_newest_first else (newest, oldest, newest)
        try:
            answered = await self._parts.reader.items(key, item_ids=asked)
        except UpstreamRefused:
            return None
        return are_ids_as_requested(asked, _ids(answered.items), items_newest_first)


def _is_known(
    entry: NodeEntry, ids: Sequence[str], listing: Sequence[str], *, is_paged: bool
) -> bool:
    if len(ids) < 2:
        return "max_items_paged" in entry.orders
    needed = {"max_items_paged", "max_items_newest_first"}
    needed |= {"items_newest_first", "ids_as_requested"} if len(ids) <= SMALL_LIST else set()
    needed |= {"disco_newest_first"} if listing else set()
    needed |= {"pages_newest_first"} if is_paged else set()
    return needed <= entry.orders.keys()


def _ids(items: Iterable[Item]) -> list[str]:
    return [item.item_id for item in items]
