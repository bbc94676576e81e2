"""Learning a service's habits by small questions, so that nothing is hard-coded.

Which traits there are, and what they are for, stands in `pubcellar.core.traits`.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pubcellar.core.errors import UpstreamRefused
from pubcellar.core.records import ServiceRecord
from pubcellar.core.store import Store
from pubcellar.core.traits import ServiceTraits, are_ids_as_requested, is_newest_first
from pubcellar.core.values import BareJID, Item, NodeKey, PageRequest
from pubcellar.proxy.nodes import NodeEntry
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)

SMALL_LIST = 20
"""Items; a plain list as short as this is asked for only to see its order."""


async def service_record(store: Store, service: BareJID) -> ServiceRecord:
    """Return what is known of the service, perhaps nothing; raises StoreUnavailable."""
    return await store.service(service) or ServiceRecord(service)


async def service_traits(store: Store, service: BareJID) -> ServiceTraits:
    """Return the traits of the service, perhaps all unknown; raises StoreUnavailable."""
    return (await service_record(store, service)).traits


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

    async def orders(
        self,
        entry: NodeEntry,
        *,
        listing: Sequence[str],
        arrivals: int,
        is_paged: bool = False,
        pages: Sequence[str] = (),
        plain: Sequence[str] = (),
    ) -> ServiceTraits:
        """Learn the orders of the service from one of its nodes, as far as they are not known.

        Args:
            entry: the node.
            listing: ids as disco#items lists them, perhaps none.
            arrivals: how many changes of the node had come when the listing was asked for; if one
                has come since, nothing is learnt.
            is_paged: whether the service pages.
            pages: ids in the order of XEP-0059 paging, if that is at hand.
            plain: ids in the order of a plain items answer, if there was one.
        """
        service = entry.key.service
        traits = await service_traits(self._parts.store, service)
        ids = listing or pages or plain
        if len(ids) < 2 or _is_known(traits, listing, is_paged=is_paged):
            return traits
        newest = _ids(await self.newest(entry.key, 1))
        if not newest:
            return traits
        seen: dict[str, bool | None] = {
            "disco_newest_first": is_newest_first(newest[0], listing),
            "pages_newest_first": is_newest_first(
                newest[0], pages or (await self._ends(entry.key, ids) if is_paged else ())
            ),
            "max_items_newest_first": is_newest_first(
                newest[0], _ids(await self.newest(entry.key, 2))
            ),
            "items_newest_first": is_newest_first(
                newest[0], plain or await self._plain(entry, ids)
            ),
            "ids_as_requested": await self._by_id(entry.key, ids),
        }
        if entry.arrivals != arrivals:
            return traits
        return await self.save(service, **seen)

    async def newest(self, key: NodeKey, number: int) -> list[Item]:
        """Return the newest items, in the order in which the service gives them."""
        found = await self._parts.reader.items(key, max_items=number)
        return list(found.items[:number])

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

    async def _by_id(self, key: NodeKey, ids: Sequence[str]) -> bool | None:
        asked = (ids[-1], ids[0], ids[-1])
        try:
            answered = await self._parts.reader.items(key, item_ids=asked)
        except UpstreamRefused:
            return None
        return are_ids_as_requested(asked, [item.item_id for item in answered.items])


def _is_known(traits: ServiceTraits, listing: Sequence[str], *, is_paged: bool) -> bool:
    needed = [
        traits.items_newest_first,
        traits.max_items_newest_first,
        traits.ids_as_requested,
        traits.disco_newest_first if listing else True,
        traits.pages_newest_first if is_paged else True,
    ]
    return None not in needed


def _ids(items: Iterable[Item]) -> list[str]:
    return [item.item_id for item in items]
