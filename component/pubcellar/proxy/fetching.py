"""Fetching items of a node into the staged generation, a bounded number of bytes at a time."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import Enum

from pubcellar.core.errors import (
    StanzaTooLarge,
    UpstreamAnswerInvalid,
    UpstreamAnswerTooLarge,
    UpstreamRefused,
)
from pubcellar.core.records import ParsedItem
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import Item, NodeKey, PageRequest
from pubcellar.proxy.describing import REFUSALS_TO_TELL
from pubcellar.proxy.node_entry import NodeEntry
from pubcellar.proxy.parts import Parts

FIRST_BATCH = 10
BATCH_BYTES = 256 * 1024
LONGEST_NAME_BYTES = 1024
"""Of an item id or a node name that is held: databases cannot index just any length."""


class TooLargeToHold(Exception):
    """The node, or one of its items, exceeds a limit; the message says which."""


class Source(Enum):
    """Where a listing comes from, which decides in which order it is."""

    DISCO_ITEMS = "disco#items"
    PLAIN_ITEMS = "a plain items answer"
    COUNT = "a count"
    """The service only said how many there are, and they are as many as are known."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Ids of all items of a node, oldest or newest first as the service has it."""

    ids: list[str]
    source: Source

    @property
    def by_disco(self) -> list[str]:
        """The ids in the order of disco#items, or none if they are not from there."""
        return self.ids if self.source is Source.DISCO_ITEMS else []

    @property
    def plain(self) -> list[str]:
        """The ids in the order of a plain items answer, or none if they are not from there."""
        return self.ids if self.source is Source.PLAIN_ITEMS else []

    def is_newest_first(self, traits: ServiceTraits) -> bool | None:
        """Return the order of a listing that names the ids; None where it is not known."""
        if self.source is Source.DISCO_ITEMS:
            return traits.disco_newest_first
        return traits.items_newest_first


class Fetching:
    """Fetches, parses and stages items."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def by_id(self, entry: NodeEntry, item_ids: Sequence[str]) -> set[str]:
        """Stage these items, and return the ids of those that the service still has.

        Raises:
            TooLargeToHold: an item is larger than `max_item_bytes`, or than any answer may be.
            UpstreamError: the service could not or would not answer.
        """
        found: set[str] = set()
        async for _, items in self.batches(entry.key, item_ids):
            await self.stage(entry, items)
            found.update(item.item_id for item in items)
        return found

    async def batches(
        self, key: NodeKey, item_ids: Sequence[str]
    ) -> AsyncGenerator[tuple[Sequence[str], list[Item]], None]:
        """Yield ids and those of their items that the service has, so many as fit, until all were.

        Raises:
            TooLargeToHold, UpstreamError: as for `by_id`.
        """
        size = FIRST_BATCH
        position = 0
        while position < len(item_ids):
            batch = item_ids[position : position + size]
            try:
                items = await self.given(key, batch)
            except (UpstreamAnswerTooLarge, StanzaTooLarge):
                # Or the ids alone were too long for one question.
                size = smaller(size)
                continue
            yield batch, items
            position += len(batch)
            size = self.next_size(items)

    async def given(self, key: NodeKey, item_ids: Sequence[str]) -> list[Item]:
        """Return those of the items that the service has, each once.

        A service may answer that it has none of them by `item-not-found`, like for a node that is
        gone; whoever must know which asks for something else.

        Raises:
            UpstreamError: the service could not or would not answer.
        """
        try:
            answer = await self._parts.reader.items(key, item_ids=item_ids)
        except UpstreamRefused as error:
            if error.condition != "item-not-found":
                raise
            return []
        return [item for item in unique(answer.items) if item.item_id in set(item_ids)]

    async def pages(
        self, key: NodeKey, after: str | None
    ) -> AsyncGenerator[tuple[list[Item], str | None], None]:
        """Yield the items of a node page by page (XEP-0059), each page with the token of its end.

        Args:
            key: the node.
            after: the token behind which to begin; None for the first page.

        Raises:
            TooLargeToHold, UpstreamError: as for `by_id`.
        """
        size = FIRST_BATCH
        while True:
            try:
                answer = await self._parts.reader.items(
                    key, page=PageRequest(max=size, after=after)
                )
            except UpstreamAnswerTooLarge:
                size = smaller(size)
                continue
            except UpstreamRefused as error:
                if not is_about_token(error, after):
                    raise
                # What follows is listed, and then asked for by id.
                yield [], None
                return
            items = unique(answer.items)
            last = None if answer.page is None else answer.page.last
            if not items or last == after:
                last = None
            yield items, last
            if last is None:
                return
            after = last
            size = self.next_size(items)

    async def listing(
        self, entry: NodeEntry, known: Sequence[str], *, pages: bool
    ) -> Listing | None:
        """Return the ids the service lists, in its order.

        A personal eventing service lists them to contacts alone. Where such a service pages, the
        number of its items must do: then `known` is returned if there are as many, and None if not.
        Where it does not, all its items are read at once.

        Raises:
            TooLargeToHold: they would have to be read at once, and do not fit into an answer.
            UpstreamError: the service could not or would not answer.
        """
        try:
            return Listing(await self._parts.reader.item_ids(entry.key), Source.DISCO_ITEMS)
        except UpstreamRefused as error:
            if error.condition not in REFUSALS_TO_TELL:
                raise
        if not pages:
            return await self._read_at_once(entry)
        answer = await self._parts.reader.items(entry.key, page=PageRequest(max=0))
        agrees = answer.page is not None and answer.page.count == len(known)
        return Listing(list(known), Source.COUNT) if agrees else None

    async def _read_at_once(self, entry: NodeEntry) -> Listing:
        reader = self._parts.reader
        try:
            ids = [item.item_id for item in unique((await reader.items(entry.key)).items)]
            self.ensure_fits(len(ids))
            # XEP-0060 section 6.5.2 lets a service give a part of them to who names no number.
            more = await reader.items(entry.key, max_items=len(ids) + 1)
        except UpstreamAnswerTooLarge:
            raise TooLargeToHold("its service lists no ids, and its items are too large") from None
        if {item.item_id for item in more.items} != set(ids):
            raise UpstreamAnswerInvalid("the service lists no ids, and not all its items at once")
        return Listing(ids, Source.PLAIN_ITEMS)

    async def stage(self, entry: NodeEntry, items: Sequence[Item]) -> None:
        """Parse items and stage them; raises TooLargeToHold."""
        for item in items:
            self.ensure_item_fits(item)
        if items:
            await self._parts.store.stage(entry.key, await self.parsed(entry, items))

    def ensure_item_fits(self, item: Item) -> None:
        """Make sure that the item may be held; raises TooLargeToHold."""
        if len(item.item_id.encode()) > LONGEST_NAME_BYTES:
            raise TooLargeToHold("the id of an item is longer than any that is held")
        if item.size_bytes > self._parts.limits.max_item_bytes:
            raise TooLargeToHold(f"item {item.item_id!r} is larger than max_item_bytes")

    def ensure_fits(self, item_count: int) -> None:
        """Make sure that a node of so many items may be held; raises TooLargeToHold."""
        if item_count > self._parts.limits.max_items_per_node:
            raise TooLargeToHold("it has more items than max_items_per_node")

    def ensure_bytes_fit(self, size_bytes: int) -> None:
        """Make sure that a node of so many bytes may be held; raises TooLargeToHold."""
        if size_bytes > self._parts.limits.max_node_bytes:
            raise TooLargeToHold("its items take more than a quarter of max_database_bytes")

    def ensure_info_fits(self, info: str | None) -> None:
        """Make sure that the node's metadata can be given in one stanza; raises TooLargeToHold."""
        if len((info or "").encode()) > self._parts.limits.list_bytes:
            raise TooLargeToHold("its metadata is larger than an answer may be")

    async def parsed(self, entry: NodeEntry, items: Sequence[Item]) -> list[ParsedItem]:
        """Return the items with what the node's analyser makes of them."""
        analyser = None if entry.record is None else entry.record.analyser
        if analyser is None:
            return [ParsedItem(item) for item in items]
        return await self._parts.analysers.parse(analyser, entry.key, items)

    def next_size(self, items: Sequence[Item]) -> int:
        """Return how many items to ask for next, if they are as large as these."""
        total = sum(item.size_bytes for item in items)
        fitting = BATCH_BYTES * len(items) // total if total else FIRST_BATCH
        return max(1, min(fitting, self._parts.limits.page_size))


def oldest_first(ids: Sequence[str], newest_first: bool | None) -> list[str]:
    """Return ids that came in the given order, the oldest first."""
    return list(reversed(ids)) if newest_first else list(ids)


def smaller(size: int) -> int:
    """Return how many items to ask for, where so many were too large for one answer.

    Raises:
        TooLargeToHold: it was one.
    """
    if size <= 1:
        raise TooLargeToHold("an item is larger than any answer we accept")
    return size // 2


def is_about_token(error: UpstreamRefused, after: str | None) -> bool:
    """Tell whether a page was refused because what its token stands for is gone.

    XEP-0059 section 2.2 asks for the very error that a node has which is gone.
    """
    return after is not None and error.condition == "item-not-found"


def unique(items: Sequence[Item]) -> list[Item]:
    """Return the items, each once, as it came last."""
    return list({item.item_id: item for item in items}.values())
