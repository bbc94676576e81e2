"""Statements about the next generation of a node, which readers do not see until it is swapped in.

Each in a transaction that the caller began.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    String,
    Update,
    bindparam,
    column,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.errors import StoreConflict
from pubcellar.core.records import NodeRecord, ParsedItem
from pubcellar.core.values import NodeKey
from pubcellar.storage import nodes, resuming
from pubcellar.storage.items import last_position
from pubcellar.storage.models import PubsubItem, PubsubNode
from pubcellar.storage.rows import (
    CONTENT_COLUMNS,
    IDS_PER_STATEMENT,
    ROWS_PER_BATCH,
    CurrentNode,
    batches,
    current_node,
    insert_into,
    item_values,
    items_of,
    table_of,
)

MANY = 1_000
"""So many items are worth a look at the whole table, which reads a sample of it."""


async def discard(connection: AsyncConnection, key: NodeKey) -> None:
    """Delete everything staged for the node."""
    node = await current_node(connection, key, for_update=True)
    if node is not None:
        await resuming.clear(connection, node)
        await resuming.note(connection, node, None, None)


async def stage(
    connection: AsyncConnection, key: NodeKey, items: Sequence[ParsedItem], now: datetime
) -> None:
    """Insert items after those staged, or replace those staged under the same id."""
    node = await current_node(connection, key, for_update=True)
    if node is None:
        raise StoreConflict("there is no record of the node")
    await connection.execute(
        update(PubsubNode).where(PubsubNode.id == node.id).values(staged_at=now)
    )
    generation = node.generation + 1
    first = await last_position(connection, node.id, generation) + 1
    statement = insert_into(connection, PubsubItem)
    upsert = statement.on_conflict_do_update(
        index_elements=["node_id", "generation", "item_id"],
        set_={name: statement.excluded[name] for name in CONTENT_COLUMNS},
    )
    numbered = list(enumerate(items, first))
    for batch in batches(numbered, ROWS_PER_BATCH):
        await connection.execute(
            upsert,
            [item_values(node.id, generation, position, item, now) for position, item in batch],
        )


async def unstage(connection: AsyncConnection, key: NodeKey, item_ids: Sequence[str]) -> None:
    """Delete these from what is staged."""
    node = await current_node(connection, key, for_update=True)
    if node is None:
        return
    for batch in batches(item_ids, IDS_PER_STATEMENT):
        await connection.execute(
            delete(PubsubItem).where(node.staged_items, PubsubItem.item_id.in_(batch))
        )


async def publish(
    connection: AsyncConnection, record: NodeRecord, order: Sequence[str], *, reuse_current: bool
) -> NodeRecord:
    """Make the staged generation the current one, in `order`, and delete the old one."""
    node = await nodes.save(connection, record)
    generation = node.generation + 1
    staged = await _positions(connection, node.id, generation)
    reused = [item_id for item_id in order if item_id not in staged]
    current = await _positions(connection, node.id, node.generation) if reused else {}
    _require_fit(order, staged, reused, current if reuse_current else {})
    if reused or list(staged) != list(order):
        await _refresh_statistics(connection, len(order))
        # Beyond every position in use, since no two items may share one even for a moment.
        start = max(staged.values(), default=0) + 1
        places = {item_id: place for place, item_id in enumerate(order, start)}
        await _place(connection, node, generation, generation, staged, places)
        await _place(connection, node, node.generation, generation, reused, places)
    await connection.execute(
        delete(PubsubItem).where(PubsubItem.node_id == node.id, PubsubItem.generation < generation)
    )
    await _refresh_statistics(connection, len(order))
    return await _swap_in(connection, node, record, generation, len(order))


async def _refresh_statistics(connection: AsyncConnection, item_count: int) -> None:
    """Let PostgreSQL see that a generation has become large, before it is looked into by item id.

    It would believe until its next autovacuum that there are hardly any items in it, which makes
    either index look as good, and the one by position is then walked from end to end.
    """
    if connection.dialect.name == "postgresql" and item_count >= MANY:
        # A VACUUM, whose lock excludes it, may take far longer than a synchronisation may wait.
        await connection.exec_driver_sql("ANALYZE (SKIP_LOCKED) pubsub_item (node_id, generation)")


async def _positions(connection: AsyncConnection, node_id: int, generation: int) -> dict[str, int]:
    """Return item id -> position of a generation, oldest first."""
    query = (
        select(PubsubItem.item_id, PubsubItem.position)
        .where(items_of(node_id, generation))
        .order_by(PubsubItem.position)
    )
    return {item_id: position for item_id, position in await connection.execute(query)}


def _require_fit(
    order: Sequence[str],
    staged: Collection[str],
    reused: Sequence[str],
    current: Collection[str],
) -> None:
    """Raise StoreConflict unless `order` names all that is staged, and only what is there."""
    wanted = set(order)
    if len(wanted) != len(order):
        raise StoreConflict("the new order names an item twice")
    if len(wanted) - len(reused) != len(staged):
        raise StoreConflict("an item was staged that the new order does not name")
    missing = sum(item_id not in current for item_id in reused)
    if missing:
        raise StoreConflict(f"the new order names {missing} item(s) that are not there")


async def _place(
    connection: AsyncConnection,
    node: CurrentNode,
    old_generation: int,
    generation: int,
    item_ids: Iterable[str],
    places: dict[str, int],
) -> None:
    """Move items into `generation`, to their places."""
    numbered = [(item_id, places[item_id]) for item_id in item_ids]
    if connection.dialect.name == "postgresql":
        statement = _placing_a_batch(node, old_generation, generation)
        for batch in batches(numbered, ROWS_PER_BATCH):
            ids, positions = map(list, zip(*batch, strict=True))
            await connection.execute(statement, {"of_items": ids, "places": positions})
        return
    statement = _placing_one(node, old_generation, generation)
    for batch in batches(numbered, ROWS_PER_BATCH):
        await connection.execute(
            statement, [{"of_item": item_id, "place": place} for item_id, place in batch]
        )


def _placing_one(node: CurrentNode, old_generation: int, generation: int) -> Update:
    """Return the UPDATE that moves `of_item` to `place`: the fastest in SQLite, sent to nobody."""
    items = table_of(PubsubItem)
    return (
        update(items)
        .where(
            items.c.node_id == node.id,
            items.c.generation == old_generation,
            items.c.item_id == bindparam("of_item"),
        )
        .values(generation=generation, position=bindparam("place"))
    )


def _placing_a_batch(node: CurrentNode, old_generation: int, generation: int) -> Update:
    """Return the UPDATE of PostgreSQL that moves `of_items` to `places`, each to its own."""
    items = table_of(PubsubItem)
    of_items = bindparam("of_items", type_=ARRAY(String))
    places = bindparam("places", type_=ARRAY(BigInteger))
    moved = (
        func.unnest(of_items, places)
        .table_valued(column("item_id", String), column("place", BigInteger), name="moved")
        .render_derived()
    )
    return (
        update(items)
        .where(
            items.c.node_id == node.id,
            items.c.generation == old_generation,
            items.c.item_id == moved.c.item_id,
        )
        .values(generation=generation, position=moved.c.place)
    )


async def _swap_in(
    connection: AsyncConnection,
    node: CurrentNode,
    record: NodeRecord,
    generation: int,
    item_count: int,
) -> NodeRecord:
    sizes = select(func.coalesce(func.sum(PubsubItem.size_bytes), 0))
    total = (await connection.execute(sizes.where(items_of(node.id, generation)))).scalar_one()
    size_bytes = int(total)  # PostgreSQL sums up bigints as a numeric
    await connection.execute(
        update(PubsubNode)
        .where(PubsubNode.id == node.id)
        .values(
            generation=generation,
            item_count=item_count,
            size_bytes=size_bytes,
            staged_at=None,
            staged_for=None,
        )
    )
    return replace(record, generation=generation, item_count=item_count, size_bytes=size_bytes)
