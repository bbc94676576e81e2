"""What a service has dropped from a full node without a word: its oldest items."""

from pubcellar.core.counters import Happened
from pubcellar.core.values import PageRequest
from pubcellar.proxy.drifting import Drifting
from pubcellar.proxy.fetching import FIRST_BATCH, Fetching
from pubcellar.proxy.learning import service_traits
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.parts import Parts

MOST_DROPPED = 50


class Evicting:
    """Looks for the oldest items of nodes."""

    def __init__(self, parts: Parts, drifting: Drifting) -> None:
        self._parts = parts
        self._drifting = drifting
        self._fetching = Fetching(parts)

    async def verify_oldest(self, entry: NodeEntry) -> None:
        """Drop the oldest items for as long as the service does not have them any more.

        Where it says how many it keeps (XEP-0460), all that must be gone are asked for at once.
        Where items that are published again are not known to move, those that give way need not be
        the oldest of the list: then it is their number that tells.
        """
        traits = await service_traits(self._parts.store, entry.key.service)
        held = 0 if entry.record is None else entry.record.item_count
        is_known_to_stay = traits.republish_sightings < 0
        is_unknown = traits.republish_moves is None and not entry.hints.surplus(held)
        if is_known_to_stay or is_unknown:
            await self._verify_number(entry, pages=bool(traits.pages))
            return
        for _ in range(MOST_DROPPED):
            item_count = 0 if entry.record is None else entry.record.item_count
            surplus = entry.hints.surplus(item_count)
            first = PageRequest(max=min(surplus + 1, FIRST_BATCH))
            page = await self._parts.store.id_page(entry.key, first, newest_first=False)
            if page.count < 2:
                entry.done(Work.VERIFY_OLDEST)
                return
            given = await self._fetching.given(entry.key, page.item_ids)
            gone = list(set(page.item_ids) - {item.item_id for item in given})
            if not gone:
                entry.done(Work.VERIFY_OLDEST)
                return
            if len(gone) == len(page.item_ids) > 1:
                # Perhaps the service gives none of several where one of them is not there.
                break
            if entry.inbox:
                # Apply what came first; then look again.
                return
            await self._parts.store.remove_items(entry.key, gone)
            entry.record = await self._parts.store.node(entry.key)
            self._drifting.found(entry, Happened.DRIFT_EVICTED, "dropped", len(gone))
        self._verify_ids(entry)

    async def _verify_number(self, entry: NodeEntry, *, pages: bool) -> None:
        """Have the ids compared unless the service says that there are as many as we hold."""
        if pages:
            given = await self._parts.reader.items(entry.key, page=PageRequest(max=0))
            if entry.inbox:
                # Apply what came first; then look again.
                return
            number = None if given.page is None else given.page.count
            if entry.record is not None and number == entry.record.item_count:
                entry.done(Work.VERIFY_OLDEST)
                return
        self._verify_ids(entry)

    def _verify_ids(self, entry: NodeEntry) -> None:
        entry.ask(Work.VERIFY_IDS, is_doubtful=True)
        entry.done(Work.VERIFY_OLDEST)
