"""Statements about how much there is, and about what may go, each in a transaction begun before.

How much is in use is what the database has in it, not how large its files are: what is freed is
used again before they grow.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.records import Candidate, Usage
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, NodeKey, SubscriptionState
from pubcellar.storage.models import PubsubItem, PubsubNode, PubsubService

NODE_BYTES = 1024
"""What a node takes besides its metadata: its row, and its places in four indexes."""
ITEM_BYTES = 512
"""What an item takes besides its XML: its row, its places in the indexes, what a parser made."""

_IS_DEPARTING = (
    (PubsubNode.state == NodeState.NO_SYNC.value)
    & (PubsubNode.generation == 0)
    & (PubsubNode.subscription != SubscriptionState.NONE.value)
)
"""Of such a node nothing is held; its record is kept for the subscription that is to be ended."""


async def usage(connection: AsyncConnection) -> Usage:
    """Return how much there is."""
    all_nodes, departing = (
        await connection.execute(
            select(func.count(), func.count().filter(_IS_DEPARTING)).select_from(PubsubNode)
        )
    ).one()
    is_sqlite = connection.dialect.name == "sqlite"
    used = await (_pages_in_use(connection) if is_sqlite else _bytes_held(connection))
    return Usage(nodes=all_nodes - departing, departing=departing, used_bytes=used)


async def _pages_in_use(connection: AsyncConnection) -> int:
    """Return the bytes of all pages that hold something; SQLite counts them, and looks at none."""
    values = [
        (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    ]
    in_file, free, size_bytes = map(int, values)
    return (in_file - free) * size_bytes


async def _bytes_held(connection: AsyncConnection) -> int:
    """Return what is held, by the counts that nodes keep, and what is staged.

    PostgreSQL knows the size of its files alone, of which it cannot say how much is free. Rows that
    were replaced take room as well, until its autovacuum comes round.
    """
    info = func.coalesce(func.octet_length(PubsubNode.info), 0)
    row = PubsubNode.size_bytes + PubsubNode.item_count * ITEM_BYTES + info + NODE_BYTES
    # It walks along the index, from the current generation of each node on.
    staged = (
        select(func.coalesce(func.sum(PubsubItem.size_bytes + ITEM_BYTES), 0))
        .where(
            PubsubItem.node_id == PubsubNode.id,
            PubsubItem.generation > PubsubNode.generation,
        )
        .correlate(PubsubNode)
        .scalar_subquery()
    )
    of_services = func.coalesce(func.octet_length(PubsubService.info), 0) + NODE_BYTES
    queries = (
        select(func.coalesce(func.sum(row + staged), 0)),
        select(func.coalesce(func.sum(of_services), 0)),
    )
    total = 0
    for query in queries:
        total += int((await connection.execute(query)).scalar_one())
    return total


async def least_recently_read(
    connection: AsyncConnection, limit: int, *, with_items: bool
) -> list[Candidate]:
    """Return the nodes not asked for the longest; one never read counts as read when it was made.

    A node is made because somebody asked, and must not be the first to go for its reads not being
    recorded yet. Two queries, since each can walk along the index.
    """
    columns = select(
        PubsubNode.last_read_at,
        PubsubNode.created_at,
        PubsubNode.service,
        PubsubNode.name,
        PubsubNode.size_bytes,
    ).where(_has_items() if with_items else ~_IS_DEPARTING)
    read = columns.where(PubsubNode.last_read_at.is_not(None)).order_by(PubsubNode.last_read_at)
    never_read = columns.where(PubsubNode.last_read_at.is_(None)).order_by(PubsubNode.created_at)
    rows = [
        row
        for query in (read, never_read)
        for row in (await connection.execute(query.limit(limit))).all()
    ]
    rows.sort(key=lambda row: row.last_read_at or row.created_at)
    return [
        Candidate(NodeKey(BareJID(row.service), row.name), row.size_bytes) for row in rows[:limit]
    ]


def _has_items() -> ColumnElement[bool]:
    return PubsubNode.item_count > 0


async def longest_departing(connection: AsyncConnection, limit: int) -> list[NodeKey]:
    """Return the nodes that have waited the longest for their subscription to be ended."""
    query = (
        select(PubsubNode.service, PubsubNode.name)
        .where(_IS_DEPARTING)
        .order_by(PubsubNode.state_changed_at, PubsubNode.id)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    return [NodeKey(BareJID(service), name) for service, name in rows]


async def forget_services(connection: AsyncConnection, unused_since: datetime, keep: int) -> int:
    """Delete services that no node belongs to; return how many there were."""
    is_referred_to = exists().where(PubsubNode.service == PubsubService.jid)
    fetched_at = PubsubService.info_fetched_at
    newest = (
        select(PubsubService.id)
        .where(~is_referred_to)
        .order_by(fetched_at.desc().nulls_last(), PubsubService.id.desc())
        .limit(keep)
    )
    forgotten = await connection.execute(
        delete(PubsubService).where(
            ~is_referred_to,
            or_(
                fetched_at.is_(None),
                fetched_at < unused_since,
                PubsubService.id.not_in(newest),
            ),
        )
    )
    return forgotten.rowcount
