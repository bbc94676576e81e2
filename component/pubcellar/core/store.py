"""The database as the use cases need it; implemented in `pubcellar.storage`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pubcellar.core.records import (
    Candidate,
    HeldNode,
    NodeRecord,
    ParsedItem,
    ServiceRecord,
    StoredIdPage,
    StoredPage,
    Usage,
)
from pubcellar.core.values import BareJID, Item, NodeKey, PageRequest


class Store(Protocol):
    """The database. Every method is one transaction; an answer is given after the commit.

    Items of a node belong to a generation. Readers see only the node's current generation. A
    synchronisation stages the next one, invisibly, and `publish_staged` swaps it in, so that nobody
    ever reads half a node. Within a generation `position` orders items oldest first.

    All methods raise StoreUnavailable when the database is locked, full or gone.
    """

    def require_working(self) -> None:
        """Return if the database is not known to fail; asks nothing of it.

        Raises:
            StoreUnavailable: it failed, and `check` has not yet found that it works again.
        """
        ...

    async def check(self) -> bool:
        """Look whether the database is the one we know, and, if it failed, works again.

        To be called once a second or so. Returns whether what it holds may have been changed by
        others since the last time.

        Raises:
            StoreUnavailable: it fails still, or others have changed its tables.
        """
        ...

    # Services

    async def service(self, service: BareJID) -> ServiceRecord | None:
        """Return what is known of `service`, or None."""
        ...

    async def save_service(self, record: ServiceRecord) -> None:
        """Insert or replace what is known of a service."""
        ...

    # Nodes

    async def node(self, key: NodeKey) -> NodeRecord | None:
        """Return the record of a node, or None."""
        ...

    async def save_node(self, record: NodeRecord) -> None:
        """Insert the record, or update it; what is staged for a LIVE node is discarded.

        `generation`, `item_count` and `size_bytes` belong to the methods that write items;
        `created_at` stays, and so do `last_read_at` and `written_at`, which are for `record_reads`
        and `record_write` to change.
        """
        ...

    async def record_write(self, key: NodeKey, written_at: datetime | None) -> None:
        """Note that something is about to be written to a node, or, by None, that it all shows.

        Nothing happens where the node has no record.
        """
        ...

    async def record_writes(self, service: BareJID, written_at: datetime) -> None:
        """Do what `record_write` does for all nodes of a service for which nothing is noted yet."""
        ...

    async def withdraw_writes(self, service: BareJID, written_at: datetime) -> None:
        """Take back what `record_writes` has noted with that time: nothing was written."""
        ...

    async def save_node_without_items(self, record: NodeRecord) -> None:
        """Save the record as `save_node` does, and delete all items of the node with that."""
        ...

    async def forget_node(self, key: NodeKey) -> None:
        """Delete a node with all its items; nothing happens when there is none."""
        ...

    async def count_nodes(self) -> int:
        """Return how many nodes are recorded."""
        ...

    async def make_stale(self, now: datetime, service: BareJID | None = None) -> int:
        """Turn every LIVE node, or every one of `service`, STALE; return how many there were.

        `retry_at` of nodes in STALE and FAILED is cleared, so that they are looked at at once.
        Nodes left SYNCING by a process that died become FAILED, to be tried again at once. What is
        staged stays. One statement each, however many nodes there are.
        """
        ...

    async def nodes_to_mend(
        self, now: datetime, limit: int, excluding: Sequence[BareJID] = ()
    ) -> list[NodeKey]:
        """Return STALE and FAILED nodes whose `retry_at` has come, most recently read first.

        Nodes of services in `excluding` are left out.
        """
        ...

    async def nodes_to_verify(
        self, verified_before: datetime, read_since: datetime, limit: int
    ) -> dict[NodeKey, datetime | None]:
        """Return LIVE nodes read since `read_since` with contents last verified before
        `verified_before`, the longest unverified first, each with when that was.

        Only those that we are subscribed to, and none of personal services: what is held of others
        is fetched anew when it is read.
        """
        ...

    async def usage(self) -> Usage:
        """Return how much there is; costs little, however much that is."""
        ...

    async def least_recently_read(self, limit: int, *, with_items: bool = False) -> list[Candidate]:
        """Return the nodes that nobody has asked for the longest, whatever their state.

        Those that depart are left out, `with_items` also those without any item.
        """
        ...

    async def longest_departing(self, limit: int) -> list[NodeKey]:
        """Return the nodes that have waited the longest for their subscription to be ended."""
        ...

    async def forget_services(self, unused_since: datetime, keep: int) -> int:
        """Delete what is known of services that no node belongs to; return of how many.

        Kept are those whose disco#info came after `unused_since`, and of these the newest `keep`.
        """
        ...

    async def record_reads(self, reads: Mapping[NodeKey, datetime]) -> None:
        """Set `last_read_at` of every node named, where it has a record."""
        ...

    # Nodes whose analyser has changed

    async def held_nodes(self, after: NodeKey | None, limit: int) -> list[HeldNode]:
        """Return nodes that are held or set aside, in an order of their keys, at most `limit`.

        Args:
            after: the last node of the page before; None for the first page.
            limit: how many.
        """
        ...

    async def set_aside(self, reasons: Mapping[NodeKey, str], now: datetime) -> None:
        """Turn nodes that are held NO_SYNC, each for its reason.

        Their items stay, and `subscription` says what is to be ended. They may be looked at again
        at once. Nodes in NO_SYNC are left as they are.
        """
        ...

    async def take_back(self, keys: Sequence[NodeKey], now: datetime) -> None:
        """Turn those of the nodes that are set aside STALE, to be tried at once."""
        ...

    async def look_at_all_again(self) -> None:
        """Clear `retry_at` of every node in NO_SYNC: what made it so may have been changed."""
        ...

    async def nodes_to_unsubscribe(
        self, now: datetime, limit: int, excluding: Sequence[BareJID] = ()
    ) -> list[NodeKey]:
        """Return nodes in NO_SYNC with a subscription of ours, whose `retry_at` has come.

        Nodes of services in `excluding` are left out.
        """
        ...

    async def nodes_to_forget(self, set_aside_before: datetime, limit: int) -> list[NodeKey]:
        """Return nodes that were set aside before that time, those set aside first, first."""
        ...

    # Items, staged

    async def begin_staging(self, key: NodeKey, parser: str | None) -> None:
        """Delete everything staged for the node, to stage it anew.

        Args:
            key: the node.
            parser: what parses the items that are going to be staged, if the caller promises this:
                whenever a transaction has ended, all that is staged is what the service had at one
                moment. Only then a synchronisation that was interrupted may go on with it. None
                without that promise.
        """
        ...

    async def staged_sizes(self, key: NodeKey, parser: str) -> dict[str, int]:
        """Return the ids staged for that parser, under the promise of `begin_staging`.

        Each with the size of its item in bytes, in the order in which they were staged: the
        service's, oldest first, as far as it was known.
        """
        ...

    async def staged_items(self, key: NodeKey, item_ids: Sequence[str]) -> list[Item]:
        """Return those of the staged items that have one of these ids."""
        ...

    async def discard_abandoned(self, staged_before: datetime, limit: int) -> int:
        """Discard what is staged for nodes for which nothing was staged since that time.

        Returns of how many nodes, which are at most `limit`.
        """
        ...

    async def discard_staged(self, key: NodeKey) -> None:
        """Delete everything staged for the node."""
        ...

    async def stage(self, key: NodeKey, items: Sequence[ParsedItem]) -> None:
        """Insert items into the next generation, or replace those staged under the same id.

        New ones come after all that are staged, in the order given; replaced ones keep their place.
        """
        ...

    async def unstage(self, key: NodeKey, item_ids: Sequence[str]) -> None:
        """Delete these from what is staged; unknown ids are ignored."""
        ...

    async def publish_staged(
        self, record: NodeRecord, order: Sequence[str], *, reuse_current: bool = False
    ) -> NodeRecord:
        """Make the staged generation the current one, delete the old one, and save `record`.

        Args:
            record: as for `save_node`.
            order: every item id of the new generation, oldest first.
            reuse_current: take items of `order` that are not staged over from the current
                generation, unchanged; this is how a re-listed order is swapped in.

        Returns:
            `record` with generation, item_count and size_bytes as they now are.

        Raises:
            StoreConflict: `order` and what is there do not fit; nothing was changed.
        """
        ...

    # Items, current generation

    async def put_item(self, key: NodeKey, item: ParsedItem, *, to_newest_end: bool) -> bool:
        """Insert an item at the newest end, or replace the one with its id; tell if it was new.

        Args:
            key: the node; StoreConflict when it has no record.
            item: what to hold.
            to_newest_end: whether a replaced item moves to the newest end or stays.
        """
        ...

    async def remove_items(self, key: NodeKey, item_ids: Sequence[str]) -> frozenset[str]:
        """Delete items; return the ids that were there."""
        ...

    async def remove_all_items(self, key: NodeKey) -> None:
        """Delete all current items of the node."""
        ...

    async def item_ids(self, key: NodeKey) -> list[str]:
        """Return all current item ids, oldest first."""
        ...

    async def ids_written_since(self, key: NodeKey, moment: datetime) -> frozenset[str]:
        """Return the ids of the current items whose content was written after that time."""
        ...

    async def parsers(self, key: NodeKey) -> frozenset[str | None]:
        """Return by whom the current items were parsed, as `ParsedItem.parsed_by` has it."""
        ...

    async def items_by_id(self, key: NodeKey, item_ids: Sequence[str]) -> list[Item]:
        """Return those of the current items that have one of these ids, each once, oldest first."""
        ...

    async def page(
        self, key: NodeKey, page: PageRequest, *, newest_first: bool, max_bytes: int
    ) -> StoredPage:
        """Return a page of the list of current items, read in one snapshot.

        Args:
            key: the node.
            page: which page; one without `max` is limited by `max_bytes` alone. As with
                `paging.slice_of`, `before` pages give way at their beginning, others at their end.
            newest_first: order of the list that is paged.
            max_bytes: the sum of `Item.size_bytes` that may not be exceeded.

        Raises:
            ItemNotFound: the token in `after` or `before` is not in the list.
        """
        ...

    async def id_page(self, key: NodeKey, page: PageRequest, *, newest_first: bool) -> StoredIdPage:
        """Like `page`, of item ids alone, and not limited in bytes.

        Raises:
            ItemNotFound: the token in `after` or `before` is not in the list.
        """
        ...
