"""The store in an SQL database: what `core.store.Store` promises, one transaction per method."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

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
from pubcellar.storage import bounds, items, nodes, pages, resuming, setting_aside, staging
from pubcellar.storage.connections import Connections
from pubcellar.storage.databases import database_named
from pubcellar.storage.rows import utc_now
from pubcellar.storage.user_records import UserRecords
from pubcellar.storage.watched_connections import WatchedConnections

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long a write waits for a lock that another process holds on the database."""


async def open_store(
    url: str,
    *,
    busy_timeout: timedelta = BUSY_TIMEOUT,
    now: Callable[[], datetime] = utc_now,
    is_watched: bool = False,
) -> "SqlStore":
    """Return the store for a database that `prepare_database` has made ready.

    Nothing is opened before it is needed: a database that is away now may be back when it is asked.

    Args:
        url: `[database] url` of the configuration.
        busy_timeout: how long to wait for a lock that another process holds.
        now: tells the time at which items are created and updated.
        is_watched: whether a database that failed is left alone until `check` finds it working.

    Raises:
        DatabaseRefused: the URL names no database that this version could use.
    """
    kind = WatchedConnections if is_watched else Connections
    return SqlStore(kind(database_named(url), busy_timeout), now)


class SqlStore:
    """Implements `core.store.Store`, where every method is documented.

    All values leave as those of the core; rows stay inside. A caller who is cancelled no longer
    waits for the transaction, which still comes to its end, one way or the other.
    """

    def __init__(self, connections: Connections, now: Callable[[], datetime] = utc_now) -> None:
        self._connections = connections
        self._now = now
        self.users = UserRecords(connections)
        """What is recorded of users, in the same database."""

    def session(self) -> AsyncSession:
        """Return a session for queries of one's own over the models; it cannot write.

        Use it as an asynchronous context manager, in one task. While it is open in a transaction it
        sees one snapshot, and keeps one of the few reading connections.
        """
        return self._connections.session()

    async def close(self) -> None:
        """Close every connection, after what is under way; may be called twice."""
        await self._connections.close()

    def require_working(self) -> None:
        """See `Store.require_working`."""
        self._connections.require_working()

    async def check(self) -> bool:
        """See `Store.check`."""
        return await self._connections.check()

    # Services

    async def service(self, service: BareJID) -> ServiceRecord | None:
        """See `Store.service`."""
        return await self._connections.read(
            lambda connection: nodes.find_service(connection, service)
        )

    async def save_service(self, record: ServiceRecord) -> None:
        """See `Store.save_service`."""
        await self._connections.write(lambda connection: nodes.save_service(connection, record))

    # Nodes

    async def node(self, key: NodeKey) -> NodeRecord | None:
        """See `Store.node`."""
        return await self._connections.read(lambda connection: nodes.find(connection, key))

    async def save_node(self, record: NodeRecord) -> None:
        """See `Store.save_node`."""
        await self._connections.write(lambda connection: resuming.save_node(connection, record))

    async def record_write(self, key: NodeKey, written_at: datetime | None) -> None:
        """See `Store.record_write`."""
        await self._connections.write(
            lambda connection: nodes.record_write(connection, key, written_at)
        )

    async def record_writes(self, service: BareJID, written_at: datetime) -> None:
        """See `Store.record_writes`."""
        await self._connections.write(
            lambda connection: nodes.record_writes(connection, service, written_at)
        )

    async def withdraw_writes(self, service: BareJID, written_at: datetime) -> None:
        """See `Store.withdraw_writes`."""
        await self._connections.write(
            lambda connection: nodes.withdraw_writes(connection, service, written_at)
        )

    async def save_node_without_items(self, record: NodeRecord) -> None:
        """See `Store.save_node_without_items`."""
        await self._connections.write(
            lambda connection: setting_aside.save_without_items(connection, record)
        )

    async def forget_node(self, key: NodeKey) -> None:
        """See `Store.forget_node`."""
        await self._connections.write(lambda connection: nodes.forget(connection, key))

    async def count_nodes(self) -> int:
        """See `Store.count_nodes`."""
        return await self._connections.read(lambda connection: nodes.count(connection))

    async def make_stale(self, now: datetime, service: BareJID | None = None) -> int:
        """See `Store.make_stale`."""
        return await self._connections.write(
            lambda connection: nodes.make_stale(connection, now, service)
        )

    async def nodes_to_mend(
        self, now: datetime, limit: int, excluding: Sequence[BareJID] = ()
    ) -> list[NodeKey]:
        """See `Store.nodes_to_mend`."""
        return await self._connections.read(
            lambda connection: nodes.to_mend(connection, now, limit, excluding)
        )

    async def nodes_to_verify(
        self, verified_before: datetime, read_since: datetime, limit: int
    ) -> dict[NodeKey, datetime | None]:
        """See `Store.nodes_to_verify`."""
        return await self._connections.read(
            lambda connection: nodes.to_verify(connection, verified_before, read_since, limit)
        )

    async def usage(self) -> Usage:
        """See `Store.usage`."""
        return await self._connections.read(bounds.usage)

    async def least_recently_read(self, limit: int, *, with_items: bool = False) -> list[Candidate]:
        """See `Store.least_recently_read`."""
        return await self._connections.read(
            lambda connection: bounds.least_recently_read(connection, limit, with_items=with_items)
        )

    async def longest_departing(self, limit: int) -> list[NodeKey]:
        """See `Store.longest_departing`."""
        return await self._connections.read(
            lambda connection: bounds.longest_departing(connection, limit)
        )

    async def forget_services(self, unused_since: datetime, keep: int) -> int:
        """See `Store.forget_services`."""
        return await self._connections.write(
            lambda connection: bounds.forget_services(connection, unused_since, keep)
        )

    async def record_reads(self, reads: Mapping[NodeKey, datetime]) -> None:
        """See `Store.record_reads`."""
        if not reads:
            return
        await self._connections.write(lambda connection: nodes.record_reads(connection, reads))

    # Nodes whose analyser has changed

    async def held_nodes(self, after: NodeKey | None, limit: int) -> list[HeldNode]:
        """See `Store.held_nodes`."""
        return await self._connections.read(
            lambda connection: setting_aside.held(connection, after, limit)
        )

    async def set_aside(self, reasons: Mapping[NodeKey, str], now: datetime) -> None:
        """See `Store.set_aside`."""
        await self._connections.write(
            lambda connection: setting_aside.set_aside(connection, reasons, now)
        )

    async def take_back(self, keys: Sequence[NodeKey], now: datetime) -> None:
        """See `Store.take_back`."""
        await self._connections.write(
            lambda connection: setting_aside.take_back(connection, keys, now)
        )

    async def look_at_all_again(self) -> None:
        """See `Store.look_at_all_again`."""
        await self._connections.write(setting_aside.look_at_all_again)

    async def nodes_to_unsubscribe(
        self, now: datetime, limit: int, excluding: Sequence[BareJID] = ()
    ) -> list[NodeKey]:
        """See `Store.nodes_to_unsubscribe`."""
        return await self._connections.read(
            lambda connection: setting_aside.to_unsubscribe(connection, now, limit, excluding)
        )

    async def nodes_to_forget(self, set_aside_before: datetime, limit: int) -> list[NodeKey]:
        """See `Store.nodes_to_forget`."""
        return await self._connections.read(
            lambda connection: setting_aside.to_forget(connection, set_aside_before, limit)
        )

    # Items, staged

    async def begin_staging(self, key: NodeKey, parser: str | None) -> None:
        """See `Store.begin_staging`; StoreConflict when the node has no record."""
        await self._connections.write(
            lambda connection: resuming.begin(connection, key, self._now(), parser)
        )

    async def staged_sizes(self, key: NodeKey, parser: str) -> dict[str, int]:
        """See `Store.staged_sizes`."""
        return await self._connections.read(
            lambda connection: resuming.sizes(connection, key, parser)
        )

    async def staged_items(self, key: NodeKey, item_ids: Sequence[str]) -> list[Item]:
        """See `Store.staged_items`."""
        return await self._connections.read(
            lambda connection: items.by_id(connection, key, item_ids, is_staged=True)
        )

    async def discard_abandoned(self, staged_before: datetime, limit: int) -> int:
        """See `Store.discard_abandoned`."""
        return await self._connections.write(
            lambda connection: resuming.discard_abandoned(connection, staged_before, limit)
        )

    async def discard_staged(self, key: NodeKey) -> None:
        """See `Store.discard_staged`."""
        await self._connections.write(lambda connection: staging.discard(connection, key))

    async def stage(self, key: NodeKey, items: Sequence[ParsedItem]) -> None:
        """See `Store.stage`; StoreConflict when the node has no record."""
        await self._connections.write(
            lambda connection: staging.stage(connection, key, items, self._now())
        )

    async def unstage(self, key: NodeKey, item_ids: Sequence[str]) -> None:
        """See `Store.unstage`."""
        await self._connections.write(lambda connection: staging.unstage(connection, key, item_ids))

    async def publish_staged(
        self, record: NodeRecord, order: Sequence[str], *, reuse_current: bool = False
    ) -> NodeRecord:
        """See `Store.publish_staged`."""
        return await self._connections.write(
            lambda connection: staging.publish(
                connection, record, order, reuse_current=reuse_current
            )
        )

    # Items, current generation

    async def put_item(self, key: NodeKey, item: ParsedItem, *, to_newest_end: bool) -> bool:
        """See `Store.put_item`."""
        return await self._connections.write(
            lambda connection: items.put(
                connection, key, item, self._now(), to_newest_end=to_newest_end
            )
        )

    async def remove_items(self, key: NodeKey, item_ids: Sequence[str]) -> frozenset[str]:
        """See `Store.remove_items`."""
        return await self._connections.write(
            lambda connection: items.remove(connection, key, item_ids)
        )

    async def remove_all_items(self, key: NodeKey) -> None:
        """See `Store.remove_all_items`."""
        await self._connections.write(lambda connection: items.remove_all(connection, key))

    async def item_ids(self, key: NodeKey) -> list[str]:
        """See `Store.item_ids`."""
        return await self._connections.read(lambda connection: items.ids(connection, key))

    async def ids_written_since(self, key: NodeKey, moment: datetime) -> frozenset[str]:
        """See `Store.ids_written_since`."""
        return await self._connections.read(
            lambda connection: items.written_since(connection, key, moment)
        )

    async def parsers(self, key: NodeKey) -> frozenset[str | None]:
        """See `Store.parsers`."""
        return await self._connections.read(lambda connection: items.parsers(connection, key))

    async def items_by_id(self, key: NodeKey, item_ids: Sequence[str]) -> list[Item]:
        """See `Store.items_by_id`."""
        return await self._connections.read(
            lambda connection: items.by_id(connection, key, item_ids)
        )

    async def page(
        self, key: NodeKey, page: PageRequest, *, newest_first: bool, max_bytes: int
    ) -> StoredPage:
        """See `Store.page`."""
        return await self._connections.read(
            lambda connection: pages.read(
                connection, key, page, newest_first=newest_first, max_bytes=max_bytes
            )
        )

    async def id_page(self, key: NodeKey, page: PageRequest, *, newest_first: bool) -> StoredIdPage:
        """See `Store.id_page`."""
        return await self._connections.read(
            lambda connection: pages.read_ids(connection, key, page, newest_first=newest_first)
        )
