"""Filling the staged generation of a node until it is what the service has.

Whenever something is staged, what notifications name in the meantime is taken out first, to be
asked for again: so all that is staged is what the service had at the moment of the last answer, and
nothing that was retracted comes back with a page that was under way.
"""

import logging
from collections.abc import Sequence
from contextlib import aclosing

from pubcellar.core.errors import UpstreamAnswerInvalid, UpstreamRefused
from pubcellar.core.events import (
    Configured,
    Deleted,
    NotUnderstood,
    Published,
    Purged,
    Retracted,
    SubscriptionChanged,
    Written,
)
from pubcellar.core.values import Item, SubscriptionState
from pubcellar.proxy.fetching import Fetching, Listing, Source, oldest_first
from pubcellar.proxy.learning import Learning, service_traits
from pubcellar.proxy.node_entry import Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.slots import Turn
from pubcellar.proxy.staged import Staged, staged_for

log = logging.getLogger(__name__)

MOST_LISTINGS = 8
MOST_REPLAYS = 8
"""How often what was published meanwhile is fetched, and more comes, before the ids are listed."""


class Filling:
    """Fetches what is missing of a node."""

    def __init__(self, parts: Parts, nodes: Nodes, learning: Learning, fetching: Fetching) -> None:
        self._parts = parts
        self._nodes = nodes
        self._learning = learning
        self._fetching = fetching

    async def restart(self, staged: Staged) -> None:
        """Stage everything anew."""
        parser = staged_for(self._parts, staged.analyser) if staged.is_notified else None
        await self._parts.store.begin_staging(staged.entry.key, parser)
        staged.ids.clear()
        staged.wanted.clear()
        staged.after = None
        staged.size_bytes = 0
        staged.is_paging = staged.pages
        staged.is_as_paged = True

    async def fill(self, staged: Staged, turn: Turn) -> list[str]:
        """Fetch until a listing and what is staged agree; return all ids, oldest first.

        Raises:
            UpstreamError: the service refused, could not be asked, or changes too fast.
            Interrupted: notifications may have been lost meanwhile.
            TooLargeToHold: the node exceeds a limit.
        """
        if staged.is_paging:
            await self._fetch_pages(staged, turn)
        problem = "the node changes faster than it can be fetched"
        for _ in range(MOST_LISTINGS):
            await self._replay(staged, turn)
            arrivals = staged.entry.arrivals
            listing = await self._listing(staged)
            staged.ensure(self._nodes)
            await turn.step()
            if set(listing.ids) == staged.ids.keys():
                order = await self._order(staged, listing, arrivals)
                if order is not None:
                    # What came since is still in the inbox, and is applied once the node is LIVE.
                    return order
                if staged.pages and not staged.is_as_paged:
                    await self.restart(staged)
                    await self._fetch_pages(staged, turn)
                problem = "the order in which the service has its items cannot be told"
                continue
            await self._come_closer(staged, listing, turn)
        raise UpstreamAnswerInvalid(problem)

    # Fetching

    async def _fetch_pages(self, staged: Staged, turn: Turn) -> None:
        async with aclosing(self._fetching.pages(staged.entry.key, staged.after)) as pages:
            async for items, last in pages:
                await self._take_in(staged, items, turn)
                staged.after, staged.is_paging = last, last is not None

    async def _fetch(self, staged: Staged, item_ids: Sequence[str], turn: Turn) -> None:
        async with aclosing(self._fetching.batches(staged.entry.key, item_ids)) as batches:
            async for asked, items in batches:
                for item_id in asked:
                    staged.wanted.pop(item_id, None)
                await self._take_in(staged, items, turn)

    async def _come_closer(self, staged: Staged, listing: Listing, turn: Turn) -> None:
        """Drop what is not listed, and fetch what is: the oldest first, as it is to be in the end.

        What is staged then stands in the service's order, by which it is known again after a loss.
        """
        self._fetching.ensure_fits(len(listing.ids))
        listed = set(listing.ids)
        await self._drop(staged, [item_id for item_id in staged.ids if item_id not in listed])
        traits = await service_traits(self._parts.store, staged.entry.key.service)
        order = oldest_first(listing.ids, listing.is_newest_first(traits))
        missing = [item_id for item_id in order if item_id not in staged.ids]
        staged.is_as_paged = staged.is_as_paged and not missing
        await self._fetch(staged, missing, turn)

    async def _take_in(self, staged: Staged, items: Sequence[Item], turn: Turn) -> None:
        """Stage what an answer held, but for what has changed since: it is asked for again."""
        staged.ensure(self._nodes)
        is_purged, named = await self._account(staged)
        kept = [] if is_purged else [item for item in items if item.item_id not in named]
        if any(item.item_id in staged.ids for item in kept):
            await self.restart(staged)
            raise UpstreamAnswerInvalid("an item came on two pages")
        await self._fetching.stage(staged.entry, kept)
        for item in kept:
            staged.ids[item.item_id] = item.size_bytes
            # Asked for after it was published, and so as it is since.
            staged.wanted.pop(item.item_id, None)
        self._fetching.ensure_fits(len(staged.ids))
        staged.size_bytes += sum(item.size_bytes for item in kept)
        self._fetching.ensure_bytes_fit(staged.size_bytes)
        if len(staged.ids) > staged.most:
            staged.most = len(staged.ids)
            turn.came_on()
        await turn.step()

    # What came meanwhile

    async def _replay(self, staged: Staged, turn: Turn) -> None:
        """Account for what came.

        What was published is fetched even where its payload came along: an answer may show it
        differently.
        """
        for _ in range(MOST_REPLAYS):
            staged.ensure(self._nodes)
            await self._account(staged)
            if not staged.wanted:
                return
            await self._fetch(staged, list(staged.wanted), turn)

    async def _account(self, staged: Staged) -> tuple[bool, set[str]]:
        """Take out what the notifications in the inbox name.

        Returns whether the node was purged, and the ids of all items that were named.
        """
        is_purged, named = False, set[str]()
        while staged.entry.inbox:
            match staged.take():
                case Published(item):
                    named.add(item.item_id)
                    staged.wanted[item.item_id] = None
                    staged.is_as_paged = False
                case Retracted(item_id):
                    named.add(item_id)
                    staged.wanted.pop(item_id, None)
                case Purged():
                    is_purged = True
                    staged.wanted.clear()
                case Deleted():
                    raise UpstreamRefused("cancel", "item-not-found")
                case Configured() | NotUnderstood():
                    staged.entry.ask(Work.VERIFY_INFO, is_doubtful=True)
                case Written():
                    # What is staged may be from before: it is compared once the node is LIVE.
                    staged.was_written = True
                    staged.entry.ask(Work.VERIFY_INFO, is_doubtful=True)
                case SubscriptionChanged(state):
                    if state is not SubscriptionState.SUBSCRIBED:
                        await self.restart(staged)
                        raise UpstreamAnswerInvalid("our subscription was ended meanwhile")
        gone = [item_id for item_id in staged.ids if is_purged or item_id in named]
        await self._drop(staged, gone)
        return is_purged, named

    async def _drop(self, staged: Staged, item_ids: Sequence[str]) -> None:
        if not item_ids:
            return
        await self._parts.store.unstage(staged.entry.key, item_ids)
        for item_id in item_ids:
            staged.size_bytes -= staged.ids.pop(item_id, 0)

    # Listing

    async def _listing(self, staged: Staged) -> Listing:
        entry = staged.entry
        staged.started_at = self._parts.clock.now()
        listing = await self._fetching.listing(entry, list(staged.ids), pages=staged.pages)
        is_by_disco = listing is not None and listing.source is Source.DISCO_ITEMS
        await self._learning.listed(entry.key.service, by_disco=is_by_disco)
        if listing is None:
            raise UpstreamAnswerInvalid("the number of items does not agree with the pages")
        if is_by_disco and not listing.ids and await self._learning.newest(entry.key, 1):
            # ejabberd lists nothing of a closed node to who may not read it.
            raise UpstreamAnswerInvalid("the service lists no items of a node that has some")
        return listing

    async def _order(self, staged: Staged, listing: Listing, arrivals: int) -> list[str] | None:
        """Return all ids, oldest first; None where that could not be told this time.

        `arrivals` is how many changes had come when the listing was asked for.
        """
        pages = list(staged.ids) if staged.pages and staged.is_as_paged else []
        traits = await self._learning.orders(
            staged.entry,
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
        if pages and traits.pages_newest_first is not None and staged.entry.arrivals == arrivals:
            return oldest_first(pages, traits.pages_newest_first)
        return None
