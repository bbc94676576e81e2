"""Comparing items whole: the last and dearest question of a verification.

One page or batch at a time, and between two of them what has come meanwhile is applied, so that a
large node that changes all the time is compared all the same. What differs is replaced where it
stands, and nothing else is written.
"""

import asyncio
from dataclasses import replace
from itertools import islice

from pubcellar.core.counters import Happened
from pubcellar.core.errors import UpstreamAnswerTooLarge, UpstreamRefused
from pubcellar.core.values import Item, PageRequest, is_same_xml
from pubcellar.proxy.comparison import Comparison
from pubcellar.proxy.drifting import Drifting
from pubcellar.proxy.fetching import Fetching, is_about_token, smaller, unique
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts


class Comparing:
    """Compares items that are held with those that the service has."""

    def __init__(self, parts: Parts, nodes: Nodes, drifting: Drifting, fetching: Fetching) -> None:
        self._parts = parts
        self._nodes = nodes
        self._drifting = drifting
        self._fetching = fetching
        self._slots = asyncio.Semaphore(parts.limits.max_synchronisations)

    async def compare_some(self, entry: NodeEntry, comparison: Comparison) -> int:
        """Compare the next items, and return how many of them were not as they are held.

        Where a notification comes meanwhile, they are the next again.

        Raises:
            UpstreamAnswerInvalid: that has been so too often.
            Interrupted: notifications may have been lost since the ids were listed.
            TooLargeToHold: an item exceeds a limit.
            UpstreamError: the service could not or would not answer.
        """
        arrivals = entry.arrivals
        asked, items, last = await self._asked(entry, comparison)
        self._nodes.ensure(entry.key.service, comparison.epoch)
        if entry.arrivals != arrivals:
            entry.outran()
            return 0
        entry.keeps_up()
        given = {item.item_id: item for item in items}
        known = await self._parts.store.items_by_id(entry.key, [*given, *asked])
        held = {item.item_id: item for item in known}
        if given.keys() - held.keys() or any(one in held and one not in given for one in asked):
            # Other items than were listed a moment ago.
            self._drifting.found(entry, Happened.DRIFT_ITEMS, "all is fetched anew")
            entry.ask(Work.SYNCHRONISE, is_doubtful=True)
            return 0
        differing = [one for one in items if not is_same_xml(held[one.item_id].xml, one.xml)]
        if differing:
            await self._replace(entry, comparison, differing)
        number = len(comparison.remaining)
        for item_id in (*asked, *given):
            comparison.remaining.pop(item_id, None)
        if comparison.is_paged:
            # A page of nothing new is one of a service that does not go on from the token.
            is_new = len(comparison.remaining) < number
            comparison.is_paged = is_new and last not in (None, comparison.after)
            comparison.after = last
        comparison.size = self._fetching.next_size(items) if items else comparison.size
        return len(differing)

    async def _asked(
        self, entry: NodeEntry, comparison: Comparison
    ) -> tuple[list[str], list[Item], str | None]:
        """Return ids that were asked for, the items that came, and the token of the page's end."""
        async with self._slots:
            while True:
                try:
                    if not comparison.is_paged:
                        asked = list(islice(comparison.remaining, comparison.size))
                        return asked, await self._fetching.given(entry.key, asked), None
                    page = PageRequest(max=comparison.size, after=comparison.after)
                    answer = await self._parts.reader.items(entry.key, page=page)
                    last = None if answer.page is None else answer.page.last
                    return [], unique(answer.items), last
                except UpstreamAnswerTooLarge:
                    comparison.size = smaller(comparison.size)
                except UpstreamRefused as error:
                    if not is_about_token(error, comparison.after):
                        raise
                    comparison.is_paged, comparison.after = False, None

    async def _replace(
        self, entry: NodeEntry, comparison: Comparison, differing: list[Item]
    ) -> None:
        for item in differing:
            self._fetching.ensure_item_fits(item)
        parsed = await self._fetching.parsed(entry, differing)
        self._nodes.ensure(entry.key.service, comparison.epoch)
        assert entry.record is not None
        # Until all are compared nothing is confirmed, also if we are interrupted before.
        entry.record = replace(entry.record, items_verified_at=None)
        await self._parts.store.save_node(entry.record)
        for one in parsed:
            await self._parts.store.put_item(entry.key, one, to_newest_end=False)
        entry.record = await self._parts.store.node(entry.key)
        self._drifting.found(
            entry, Happened.DRIFT_REPUBLISHED, "replaced in their places", len(differing)
        )
