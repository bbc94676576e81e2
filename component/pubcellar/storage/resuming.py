"""Statements about what an interrupted synchronisation left staged.

Each runs in a transaction that was begun before. `staged_at` of a node is set in the transaction
that stages something, and cleared in that which discards or publishes it: where it is NULL nothing
is staged, and nobody need look at the items.
"""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.errors import StoreConflict
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import NodeKey
from pubcellar.storage import nodes
from pubcellar.storage.models import PubsubItem, PubsubNode
from pubcellar.storage.rows import (
    CurrentNode,
    current_node,
    node_named,
)


async def begin(
    connection: AsyncConnection, key: NodeKey, now: datetime, parser: str | None
) -> None:
    """Delete what is staged, and note for whom the next items are."""
    node = await current_node(connection, key, for_update=True)
    if node is None:
        raise StoreConflict("there is no record of the node")
    await clear(connection, node)
    await note(connection, node, now, parser)


async def note(
    connection: AsyncConnection, node: CurrentNode, now: datetime | None, parser: str | None
) -> None:
    """Write down when something was last staged, and for which parser; None for nothing."""
    await connection.execute(
        update(PubsubNode).where(PubsubNode.id == node.id).values(staged_at=now, staged_for=parser)
    )


async def clear(connection: AsyncConnection, node: CurrentNode) -> None:
    """Delete everything staged for the node, but not that it was."""
    # By a range, which either index finds: nothing lies beyond the next generation.
    await connection.execute(
        delete(PubsubItem).where(
            PubsubItem.node_id == node.id, PubsubItem.generation > node.generation
        )
    )


async def save_node(connection: AsyncConnection, record: NodeRecord) -> None:
    """Save the record; nobody goes on with what is staged for a node that has come to be LIVE."""
    node = await nodes.save(connection, record)
    if record.state is not NodeState.LIVE:
        return
    is_staged = PubsubNode.id == node.id, PubsubNode.staged_at.is_not(None)
    if await connection.scalar(select(PubsubNode.id).where(*is_staged)) is not None:
        await clear(connection, node)
        await note(connection, node, None, None)


async def sizes(connection: AsyncConnection, key: NodeKey, parser: str) -> dict[str, int]:
    """Return id -> size of what is staged for that parser and may be gone on with, by position."""
    node = await current_node(connection, key)
    query = select(PubsubNode.staged_for).where(node_named(key))
    if node is None or await connection.scalar(query) != parser:
        return {}
    found = await connection.execute(
        select(PubsubItem.item_id, PubsubItem.size_bytes)
        .where(node.staged_items)
        .order_by(PubsubItem.position)
    )
    return {row.item_id: row.size_bytes for row in found}


async def discard_abandoned(
    connection: AsyncConnection, staged_before: datetime, limit: int
) -> int:
    """Delete what was staged last before that time; return of how many nodes."""
    rows = await connection.execute(
        select(PubsubNode.id, PubsubNode.generation, PubsubNode.item_count, PubsubNode.size_bytes)
        .where(PubsubNode.staged_at < staged_before)
        .order_by(PubsubNode.staged_at)
        .limit(limit)
        .with_for_update()
    )
    abandoned = [CurrentNode(*row) for row in rows]
    for node in abandoned:
        await clear(connection, node)
        await note(connection, node, None, None)
    return len(abandoned)
