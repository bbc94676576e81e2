"""Statements about nodes that nobody wants held any more, each in a transaction begun before.

A node that is set aside is in NO_SYNC and keeps its items, so that they are still there if somebody
wants them again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ScalarSelect, bindparam, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.records import HeldNode, NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, NodeKey, SubscriptionState
from pubcellar.storage import nodes
from pubcellar.storage.models import PubsubItem, PubsubNode
from pubcellar.storage.rows import ROWS_PER_BATCH, batches, held_node, table_of

REASON_TAKEN_BACK = "its analyser is back"

_NODES = table_of(PubsubNode)
_IS_HELD = _NODES.c.state != NodeState.NO_SYNC.value
_IS_SET_ASIDE = (_NODES.c.state == NodeState.NO_SYNC.value) & (_NODES.c.generation > 0)
_IS_NAMED = (_NODES.c.service == bindparam("of_service")) & (_NODES.c.name == bindparam("of_name"))


async def save_without_items(connection: AsyncConnection, record: NodeRecord) -> None:
    """Insert or update the record, and delete all items of the node."""
    node = await nodes.save(connection, record)
    await connection.execute(delete(PubsubItem).where(PubsubItem.node_id == node.id))
    await connection.execute(
        update(PubsubNode)
        .where(PubsubNode.id == node.id)
        .values(generation=0, item_count=0, size_bytes=0, staged_at=None, staged_for=None)
    )


async def held(connection: AsyncConnection, after: NodeKey | None, limit: int) -> list[HeldNode]:
    """Return a page of the nodes that are held or set aside, by their keys."""
    query = (
        select(
            PubsubNode.service,
            PubsubNode.name,
            PubsubNode.state,
            PubsubNode.analyser,
            PubsubNode.type,
            _namespace_of_one(newest=True).label("newest_namespace"),
            _namespace_of_one(newest=False).label("oldest_namespace"),
        )
        .where(or_(_IS_HELD, _IS_SET_ASIDE))
        .order_by(PubsubNode.service, PubsubNode.name)
        .limit(limit)
    )
    if after is not None:
        query = query.where(
            tuple_(PubsubNode.service, PubsubNode.name) > tuple_(after.service, after.node)
        )
    return [held_node(row) for row in await connection.execute(query)]


def _namespace_of_one(*, newest: bool) -> ScalarSelect[str | None]:
    """Return a query for what the item at one end of the list holds; it walks along the index."""
    position = PubsubItem.position
    return (
        select(PubsubItem.payload_namespace)
        .where(PubsubItem.node_id == PubsubNode.id, PubsubItem.generation == PubsubNode.generation)
        .order_by(position.desc() if newest else position)
        .limit(1)
        .correlate(PubsubNode)
        .scalar_subquery()
    )


async def set_aside(
    connection: AsyncConnection, reasons: Mapping[NodeKey, str], now: datetime
) -> None:
    """Turn nodes that are held NO_SYNC, each for its reason."""
    statement = (
        update(_NODES)
        .where(_IS_NAMED, _IS_HELD)
        .values(
            state=NodeState.NO_SYNC.value,
            reason=bindparam("for_reason"),
            state_changed_at=now,
            failures=0,
            retry_at=None,
        )
    )
    parameters = [{**_name(key), "for_reason": reason} for key, reason in reasons.items()]
    for batch in batches(parameters, ROWS_PER_BATCH):
        await connection.execute(statement, batch)


async def take_back(connection: AsyncConnection, keys: Sequence[NodeKey], now: datetime) -> None:
    """Turn nodes that are set aside STALE."""
    statement = (
        update(_NODES)
        .where(_IS_NAMED, _IS_SET_ASIDE)
        .values(
            state=NodeState.STALE.value,
            reason=REASON_TAKEN_BACK,
            state_changed_at=now,
            failures=0,
            retry_at=None,
        )
    )
    for batch in batches([_name(key) for key in keys], ROWS_PER_BATCH):
        await connection.execute(statement, batch)


def _name(key: NodeKey) -> dict[str, str]:
    return {"of_service": key.service, "of_name": key.node}


async def look_at_all_again(connection: AsyncConnection) -> None:
    """Let every node in NO_SYNC be looked at when it is read next."""
    await connection.execute(
        update(_NODES)
        .where(
            _NODES.c.state == NodeState.NO_SYNC.value,
            _NODES.c.retry_at.is_not(None),
        )
        .values(retry_at=None)
    )


async def to_unsubscribe(
    connection: AsyncConnection, now: datetime, limit: int, excluding: Collection[BareJID]
) -> list[NodeKey]:
    """Return nodes in NO_SYNC with a subscription of ours, whose time has come."""
    query = (
        select(PubsubNode.service, PubsubNode.name)
        .where(
            PubsubNode.state == NodeState.NO_SYNC.value,
            or_(PubsubNode.retry_at.is_(None), PubsubNode.retry_at <= now),
            PubsubNode.subscription != SubscriptionState.NONE.value,
        )
        .order_by(PubsubNode.retry_at.asc().nulls_first(), PubsubNode.id)
    )
    return await nodes.keys_elsewhere(connection, query, excluding, limit)


async def to_forget(
    connection: AsyncConnection, set_aside_before: datetime, limit: int
) -> list[NodeKey]:
    """Return nodes that were set aside before that time, those set aside first, first."""
    query = (
        select(PubsubNode.service, PubsubNode.name)
        .where(_IS_SET_ASIDE, PubsubNode.state_changed_at < set_aside_before)
        .order_by(PubsubNode.state_changed_at, PubsubNode.id)
        .limit(limit)
    )
    return await nodes.keys_of(connection, query)
