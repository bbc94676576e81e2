"""Going on with what was staged before notifications were lost, such as by a restart.

The service shows what of it is still as it was, if it moves what is published again to the newest
end: then everything that was published since stands behind everything that was not. So the items
that stand in the order in which they were staged, up to one that is as it is staged, are what they
were. Where the service leaves such items in their places nothing shows them, and all is fetched.

Not seen, as by verification, is what leaves no trace: that the newest of the staged items was
published again as it was, after others before it were published again in their order, differently.
"""

import logging
from collections.abc import Collection, Sequence

from pubcellar.core.errors import StanzaTooLarge, UpstreamAnswerTooLarge, UpstreamRefused
from pubcellar.core.events import Published
from pubcellar.core.freshness import Extent, extent_of_comparison
from pubcellar.core.values import SubscriptionState, is_same_xml
from pubcellar.proxy.fetching import FIRST_BATCH, Fetching, Source, oldest_first
from pubcellar.proxy.learning import Learning, service_traits
from pubcellar.proxy.node_entry import NodeEntry
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.staged import staged_for

log = logging.getLogger(__name__)

MOST_COMPARED = 50
"""Items; where so many of the newest have changed, the others are not worth the while."""


class Resuming:
    """Finds what is staged for a node and may still be believed."""

    def __init__(self, parts: Parts, learning: Learning, fetching: Fetching) -> None:
        self._parts = parts
        self._learning = learning
        self._fetching = fetching

    async def candidates(self, entry: NodeEntry) -> dict[str, int]:
        """Return the ids staged before the loss, each with the size of its item, in their order.

        None are returned where nothing could prove them.

        To be asked before we subscribe: a subscription that has ended meanwhile ended for a reason,
        such as that the node was deleted, and is another one now.

        Raises:
            UpstreamError: the service could not be asked.
        """
        parser = staged_for(self._parts, None if entry.record is None else entry.record.analyser)
        if parser is None:
            return {}
        traits = await service_traits(self._parts.store, entry.key.service)
        extent = extent_of_comparison(traits, entry.hints, was_followed=False)
        if extent is not Extent.HIDDEN:
            return {}
        staged = await self._parts.store.staged_sizes(entry.key, parser)
        return staged if staged and await self._is_subscribed(entry) else {}

    async def _is_subscribed(self, entry: NodeEntry) -> bool:
        try:
            state = await self._parts.reader.subscription(entry.key)
        except UpstreamRefused:
            # Not every service tells.
            return True
        return state is SubscriptionState.SUBSCRIBED

    async def believed(self, entry: NodeEntry, staged: Collection[str]) -> list[str]:
        """Return those of the staged ids whose items are what the service has, oldest first.

        To be asked once we are notified of what happens from now on.

        Raises:
            UpstreamError: the service could not be asked.
        """
        order = await self._order(entry)
        places = {item_id: place for place, item_id in enumerate(staged)}
        heard = _published(entry)
        known = [item_id for item_id in order if item_id in places and item_id not in heard]
        found = await self._proved(entry, _increasing(known, places))
        if found and found[-1] in _published(entry):
            # Perhaps as it was before: then it proves nothing.
            found = []
        log.info(
            "goes on with what is staged service=%s node=%r staged=%d still=%d listed=%d",
            entry.key.service,
            entry.key.node,
            len(staged),
            len(found),
            len(order),
        )
        return found

    async def _order(self, entry: NodeEntry) -> list[str]:
        """Return the ids that the service lists, oldest first; none where it is not told."""
        arrivals = entry.arrivals
        listing = await self._fetching.listing(entry, (), pages=True)
        if listing is None or listing.source is not Source.DISCO_ITEMS:
            return []
        if len(listing.ids) < 2:
            return listing.ids
        # Of this node: an order that is taken for the other would prove what is not so.
        traits = await self._learning.orders(entry, listing=listing.ids, arrivals=arrivals)
        newest_first = listing.is_newest_first(traits)
        return [] if newest_first is None else oldest_first(listing.ids, newest_first)

    async def _proved(self, entry: NodeEntry, prefix: list[str]) -> list[str]:
        """Return the items up to the newest that is as it is staged."""
        end, size = len(prefix), 1
        while end > max(0, len(prefix) - MOST_COMPARED):
            ids = prefix[max(0, end - size) : end]
            try:
                given = await self._fetching.given(entry.key, ids)
            except (UpstreamAnswerTooLarge, StanzaTooLarge):
                return []
            now = {item.item_id: item.xml for item in given}
            then = {
                item.item_id: item.xml
                for item in await self._parts.store.staged_items(entry.key, ids)
            }
            for item_id in reversed(ids):
                if item_id in now and is_same_xml(now[item_id], then[item_id]):
                    return prefix[:end]
                end -= 1
            size = min(2 * size, FIRST_BATCH)
        return []


def _published(entry: NodeEntry) -> set[str]:
    """Return the ids of items that were published since we are notified."""
    return {change.item.item_id for change in entry.inbox if isinstance(change, Published)}


def _increasing(ids: Sequence[str], places: dict[str, int]) -> list[str]:
    """Return as many ids from the beginning as stand in the order of their places."""
    found: list[str] = []
    for item_id in ids:
        if found and places[item_id] < places[found[-1]]:
            break
        found.append(item_id)
    return found
