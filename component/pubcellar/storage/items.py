"""Statements about the items that readers see, each in a transaction that the caller began."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.errors import StoreConflict
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import Item, NodeKey
from pubcellar.storage.models import PubsubItem, PubsubNode
from pubcellar.storage.rows import (
    CONTENT_COLUMNS,
    IDS_PER_STATEMENT,
    ITEM_COLUMNS,
    CurrentNode,
    batches,
    current_node,
    insert_into,
    item_of,
    item_values,
    items_of,
)


async def put(
    connection: AsyncConnection,
    key: NodeKey,
    item: ParsedItem,
    now: datetime,
    *,
    to_newest_end: bool,
) -> bool:
    """Insert or replace an item; tell if it was new."""
    node = await current_node(connection, key, for_update=True)
    if node is None:
        raise StoreConflict("there is no record of the node")
    # Nothing can come between this and the insert: the node is locked.
    old_size = await connection.scalar(
        select(PubsubItem.size_bytes).where(node.items, PubsubItem.item_id == item.item.item_id)
    )
    position = await last_position(connection, node.id, node.generation) + 1
    statement = insert_into(connection, PubsubItem).values(
        item_values(node.id, node.generation, position, item, now)
    )
    replaced = (*CONTENT_COLUMNS, "position") if to_newest_end else CONTENT_COLUMNS
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["node_id", "generation", "item_id"],
            set_={name: statement.excluded[name] for name in replaced},
        )
    )
    is_new = old_size is None
    await _count(connection, node, int(is_new), item.item.size_bytes - (old_size or 0))
    return is_new


async def remove(
    connection: AsyncConnection, key: NodeKey, item_ids: Sequence[str]
) -> frozenset[str]:
    """Delete items; return the ids that were there."""
    node = await current_node(connection, key, for_update=True)
    if node is None:
        return frozenset()
    removed: dict[str, int] = {}
    for batch in batches(item_ids, IDS_PER_STATEMENT):
        rows = await connection.execute(
            delete(PubsubItem)
            .where(node.items, PubsubItem.item_id.in_(batch))
            .returning(PubsubItem.item_id, PubsubItem.size_bytes)
        )
        removed.update((row.item_id, row.size_bytes) for row in rows)
    if removed:
        await _count(connection, node, -len(removed), -sum(removed.values()))
    return frozenset(removed)


async def remove_all(connection: AsyncConnection, key: NodeKey) -> None:
    """Delete all items of the node that readers see."""
    node = await current_node(connection, key, for_update=True)
    if node is None:
        return
    await connection.execute(delete(PubsubItem).where(node.items))
    await _count(connection, node, -node.item_count, -node.size_bytes)


async def ids(connection: AsyncConnection, key: NodeKey) -> list[str]:
    """Return all item ids that readers see, oldest first."""
    node = await current_node(connection, key)
    if node is None:
        return []
    query = select(PubsubItem.item_id).where(node.items).order_by(PubsubItem.position)
    return list((await connection.scalars(query)).all())


async def written_since(
    connection: AsyncConnection, key: NodeKey, moment: datetime
) -> frozenset[str]:
    """Return the ids of the items that readers see and that were written after that time."""
    node = await current_node(connection, key)
    if node is None:
        return frozenset()
    query = select(PubsubItem.item_id).where(node.items, PubsubItem.updated_at > moment)
    return frozenset((await connection.scalars(query)).all())


async def parsers(connection: AsyncConnection, key: NodeKey) -> frozenset[str | None]:
    """Return by whom the items that readers see were parsed."""
    node = await current_node(connection, key)
    if node is None:
        return frozenset()
    query = select(PubsubItem.parsed_by).where(node.items).distinct()
    return frozenset((await connection.scalars(query)).all())


async def by_id(
    connection: AsyncConnection, key: NodeKey, item_ids: Sequence[str], *, is_staged: bool = False
) -> list[Item]:
    """Return those items that have one of these ids, each once, by position.

    Those that readers see, or those that are staged.
    """
    node = await current_node(connection, key)
    if node is None:
        return []
    found: list[tuple[int, Item]] = []
    for batch in batches(list(dict.fromkeys(item_ids)), IDS_PER_STATEMENT):
        rows = await connection.execute(
            select(PubsubItem.position, *ITEM_COLUMNS).where(
                node.staged_items if is_staged else node.items, PubsubItem.item_id.in_(batch)
            )
        )
        found.extend((row.position, item_of(row)) for row in rows)
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


async def last_position(connection: AsyncConnection, node_id: int, generation: int) -> int:
    """Return the position of the newest item of a generation, or 0."""
    return (
        await connection.execute(
            select(func.coalesce(func.max(PubsubItem.position), 0)).where(
                items_of(node_id, generation)
            )
        )
    ).scalar_one()


async def _count(connection: AsyncConnection, node: CurrentNode, items: int, size: int) -> None:
    await connection.execute(
        update(PubsubNode)
        .where(PubsubNode.id == node.id)
        .values(
            item_count=PubsubNode.item_count + items,
            size_bytes=PubsubNode.size_bytes + size,
        )
    )
