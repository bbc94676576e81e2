"""Statements about services and nodes, each in a transaction that the caller began."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.records import NodeRecord, ServiceRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, NodeKey, SubscriptionState
from pubcellar.storage.models import PubsubNode, PubsubService
from pubcellar.storage.rows import (
    IDS_PER_STATEMENT,
    ROWS_PER_BATCH,
    CurrentNode,
    batches,
    insert_into,
    node_named,
    node_record,
    node_values,
    service_record,
    service_values,
    table_of,
)

REASON_IN_DOUBT = "events may have been missed"
REASON_INTERRUPTED = "synchronisation was interrupted"


async def find_service(connection: AsyncConnection, service: BareJID) -> ServiceRecord | None:
    """Return what is known of `service`, or None."""
    query = select(table_of(PubsubService)).where(PubsubService.jid == service)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else service_record(row)


async def save_service(connection: AsyncConnection, record: ServiceRecord) -> None:
    """Insert or replace what is known of a service."""
    statement = insert_into(connection, PubsubService).values(service_values(record))
    replaced = {name: statement.excluded[name] for name in ("traits", "info", "info_fetched_at")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["jid"], set_=replaced))


async def find(connection: AsyncConnection, key: NodeKey) -> NodeRecord | None:
    """Return the record of a node, or None."""
    query = select(table_of(PubsubNode)).where(node_named(key))
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else node_record(row)


async def save(connection: AsyncConnection, record: NodeRecord) -> CurrentNode:
    """Insert the record with no items yet, or update it but for what belongs to its items."""
    values = node_values(record)
    statement = insert_into(connection, PubsubNode).values(
        **values, generation=0, item_count=0, size_bytes=0
    )
    # When a node was read is for `record_reads` to say; a record in memory may know less.
    kept = ("service", "name", "created_at", "last_read_at")
    changed = {name: statement.excluded[name] for name in values if name not in kept}
    saved = await connection.execute(
        statement.on_conflict_do_update(index_elements=["service", "name"], set_=changed).returning(
            PubsubNode.id, PubsubNode.generation, PubsubNode.item_count, PubsubNode.size_bytes
        )
    )
    return CurrentNode(*saved.one())


async def record_write(
    connection: AsyncConnection, key: NodeKey, written_at: datetime | None
) -> None:
    """Note when something was last written to a node through us, or that all of it shows."""
    await connection.execute(
        update(PubsubNode).where(node_named(key)).values(written_at=written_at)
    )


async def record_writes(
    connection: AsyncConnection, service: BareJID, written_at: datetime
) -> None:
    """Note when something was written that may have touched any node of a service."""
    await connection.execute(
        update(PubsubNode)
        .where(PubsubNode.service == service, PubsubNode.written_at.is_(None))
        .values(written_at=written_at)
    )


async def withdraw_writes(
    connection: AsyncConnection, service: BareJID, written_at: datetime
) -> None:
    """Take back what was noted of all nodes of a service with that time."""
    await connection.execute(
        update(PubsubNode)
        .where(PubsubNode.service == service, PubsubNode.written_at == written_at)
        .values(written_at=None)
    )


async def forget(connection: AsyncConnection, key: NodeKey) -> None:
    """Delete a node; its items go with it (ON DELETE CASCADE)."""
    await connection.execute(delete(PubsubNode).where(node_named(key)))


async def count(connection: AsyncConnection) -> int:
    """Return how many nodes are recorded."""
    return (await connection.execute(select(func.count()).select_from(PubsubNode))).scalar_one()


async def make_stale(connection: AsyncConnection, now: datetime, service: BareJID | None) -> int:
    """Put every held node in doubt, and let every node in doubt be tried at once."""
    concerned = true() if service is None else PubsubNode.service == service
    turned = await connection.execute(
        _now_in(NodeState.STALE, REASON_IN_DOUBT, now).where(
            concerned, PubsubNode.state == NodeState.LIVE.value
        )
    )
    await connection.execute(
        _now_in(NodeState.FAILED, REASON_INTERRUPTED, now).where(
            concerned, PubsubNode.state == NodeState.SYNCING.value
        )
    )
    await connection.execute(
        update(PubsubNode)
        .where(concerned, _in_doubt(), PubsubNode.retry_at.is_not(None))
        .values(retry_at=None)
    )
    return turned.rowcount


def _now_in(state: NodeState, reason: str, now: datetime) -> Update:
    return update(PubsubNode).values(
        state=state.value, reason=reason, state_changed_at=now, retry_at=None
    )


def _in_doubt() -> ColumnElement[bool]:
    return PubsubNode.state.in_([NodeState.STALE.value, NodeState.FAILED.value])


async def to_mend(
    connection: AsyncConnection, now: datetime, limit: int, excluding: Collection[BareJID]
) -> list[NodeKey]:
    """Return nodes in doubt whose time has come, the most recently read first."""
    query = (
        select(PubsubNode.service, PubsubNode.name)
        .where(_in_doubt(), or_(PubsubNode.retry_at.is_(None), PubsubNode.retry_at <= now))
        .order_by(PubsubNode.last_read_at.desc().nulls_last(), PubsubNode.id)
    )
    return await keys_elsewhere(connection, query, excluding, limit)


async def keys_elsewhere(
    connection: AsyncConnection,
    query: Select[str, str],
    excluding: Collection[BareJID],
    limit: int,
) -> list[NodeKey]:
    """Return the first nodes that `query` finds by service and name, but those of some services."""
    if len(excluding) <= IDS_PER_STATEMENT:
        query = query.where(PubsubNode.service.not_in(excluding)).limit(limit)
        return await keys_of(connection, query)
    return await _filtered(connection, query, frozenset(excluding), limit)


async def _filtered(
    connection: AsyncConnection,
    query: Select[str, str],
    excluding: frozenset[BareJID],
    limit: int,
) -> list[NodeKey]:
    """Do what NOT IN would, where the list is too long to be bound to a statement."""
    keys: list[NodeKey] = []
    async with connection.stream(query) as rows:
        async for service, name in rows:
            if len(keys) == limit:
                break
            if service not in excluding:
                keys.append(NodeKey(BareJID(service), name))
    return keys


async def to_verify(
    connection: AsyncConnection, verified_before: datetime, read_since: datetime, limit: int
) -> dict[NodeKey, datetime | None]:
    """Return LIVE nodes that are read and have not been verified, the longest unverified first."""
    unverified = or_(
        PubsubNode.items_verified_at.is_(None), PubsubNode.items_verified_at < verified_before
    )
    query = (
        select(PubsubNode.service, PubsubNode.name, PubsubNode.items_verified_at)
        .where(
            PubsubNode.state == NodeState.LIVE.value,
            PubsubNode.last_read_at >= read_since,
            unverified,
            # The others are only as fresh as their last fetch; a read has them fetched again.
            PubsubNode.subscription == SubscriptionState.SUBSCRIBED.value,
            PubsubNode.service.not_like("%@%"),
        )
        .order_by(PubsubNode.items_verified_at.asc().nulls_first(), PubsubNode.id)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    return {NodeKey(BareJID(row.service), row.name): row.items_verified_at for row in rows}


async def record_reads(connection: AsyncConnection, reads: Mapping[NodeKey, datetime]) -> None:
    """Set `last_read_at` of every node named, where it has a record."""
    nodes = table_of(PubsubNode)
    statement = (
        update(nodes)
        .where(nodes.c.service == bindparam("of_service"), nodes.c.name == bindparam("of_name"))
        .values(last_read_at=bindparam("read_at"))
    )
    parameters = [
        {"of_service": key.service, "of_name": key.node, "read_at": read_at}
        for key, read_at in reads.items()
    ]
    for batch in batches(parameters, ROWS_PER_BATCH):
        await connection.execute(statement, batch)


async def keys_of(connection: AsyncConnection, query: Select[str, str]) -> list[NodeKey]:
    """Return the nodes that `query` finds by service and name."""
    rows = (await connection.execute(query)).all()
    return [NodeKey(BareJID(service), name) for service, name in rows]
