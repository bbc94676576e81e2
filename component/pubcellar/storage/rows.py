"""Between rows and the core's values: the only place that knows both."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, column, select, table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.records import HeldNode, NodeRecord, ParsedItem, ServiceRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import BareJID, Item, NodeKey, SubscriptionState
from pubcellar.storage.models import Base, PubsubItem, PubsubNode
from pubcellar.storage.revisions import head_shipped, not_at_head

Upsert = sqlite.Insert | postgresql.Insert

IDS_PER_STATEMENT = 500
"""Far below SQLite's limit of bound parameters, which is 999 in old builds."""

_REVISION = select(column("version_num")).select_from(table("alembic_version")).scalar_subquery()

ROWS_PER_BATCH = 2_000
"""The event loop runs between batches; one of these keeps it busy for some milliseconds."""


@dataclass(frozen=True, slots=True)
class CurrentNode:
    """What statements about items need to know of their node."""

    id: int
    generation: int
    item_count: int
    size_bytes: int

    @property
    def items(self) -> ColumnElement[bool]:
        """The condition for the items that readers see."""
        return items_of(self.id, self.generation)

    @property
    def staged_items(self) -> ColumnElement[bool]:
        """The condition for the items of the next generation."""
        return items_of(self.id, self.generation + 1)


def items_of(node_id: int, generation: int) -> ColumnElement[bool]:
    """Return the condition for the items of one generation of a node."""
    return and_(PubsubItem.node_id == node_id, PubsubItem.generation == generation)


def node_named(key: NodeKey) -> ColumnElement[bool]:
    """Return the condition for the row of a node."""
    return and_(PubsubNode.service == key.service, PubsubNode.name == key.node)


async def current_node(
    connection: AsyncConnection, key: NodeKey, *, for_update: bool = False
) -> CurrentNode | None:
    """Return the node's row, or None; `for_update` keeps others from its items until the commit.

    Raises:
        StoreUnavailable: another version of Pubcellar has migrated the database.
    """
    query = select(
        PubsubNode.id,
        PubsubNode.generation,
        PubsubNode.item_count,
        PubsubNode.size_bytes,
        _REVISION,
    ).where(node_named(key))
    if for_update:
        # SQLite ignores it: there, the transaction has locked the whole database already.
        query = query.with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    *columns, revision = row
    if revision != head_shipped():
        # What the columns mean to others is not known here.
        raise not_at_head(str(revision))
    return CurrentNode(*columns)


def table_of(model: type[Base]) -> Table:
    """Return the table of a model."""
    table = model.__table__
    assert isinstance(table, Table)
    return table


def insert_into(connection: AsyncConnection, model: type[Base]) -> Upsert:
    """Return an INSERT that knows ON CONFLICT, in the dialect of the connection."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table_of(model))
    return sqlite.insert(table_of(model))


def batches(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Return `values` in pieces of at most `size`."""
    return [values[start : start + size] for start in range(0, len(values), size)]


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def node_values(record: NodeRecord) -> dict[str, Any]:
    """Return the columns of a record, but for those that belong to who writes items."""
    return {
        "service": record.key.service,
        "name": record.key.node,
        "state": record.state.value,
        "reason": record.reason,
        "analyser": record.analyser,
        "type": record.type,
        "subtype": record.subtype,
        "access_model": record.access_model,
        "info": record.info,
        "subscription": record.subscription.value,
        "failures": record.failures,
        "created_at": record.created_at,
        "state_changed_at": record.state_changed_at,
        "info_verified_at": record.info_verified_at,
        "items_verified_at": record.items_verified_at,
        "last_read_at": record.last_read_at,
        "retry_at": record.retry_at,
    }


def node_record(row: Any) -> NodeRecord:
    """Return the record that a whole row of `pubsub_node` holds."""
    return NodeRecord(
        key=NodeKey(BareJID(row.service), row.name),
        state=NodeState(row.state),
        created_at=row.created_at,
        state_changed_at=row.state_changed_at,
        reason=row.reason,
        analyser=row.analyser,
        type=row.type,
        subtype=row.subtype,
        access_model=row.access_model,
        info=row.info,
        subscription=SubscriptionState(row.subscription),
        generation=row.generation,
        item_count=row.item_count,
        size_bytes=row.size_bytes,
        failures=row.failures,
        info_verified_at=row.info_verified_at,
        items_verified_at=row.items_verified_at,
        last_read_at=row.last_read_at,
        retry_at=row.retry_at,
        written_at=row.written_at,
    )


def held_node(row: Any) -> HeldNode:
    """Return what a row of `pubsub_node` says of who takes it, with the namespaces found for it."""
    namespaces = dict.fromkeys((row.newest_namespace, row.oldest_namespace))
    return HeldNode(
        key=NodeKey(BareJID(row.service), row.name),
        state=NodeState(row.state),
        analyser=row.analyser,
        type=row.type,
        namespaces=tuple(namespace for namespace in namespaces if namespace is not None),
    )


def service_values(record: ServiceRecord) -> dict[str, Any]:
    """Return the columns of a service's record; only traits that are known are written."""
    traits = {field.name: getattr(record.traits, field.name) for field in fields(ServiceTraits)}
    return {
        "jid": record.service,
        "traits": {name: value for name, value in traits.items() if value is not None},
        "info": record.info,
        "info_fetched_at": record.info_fetched_at,
    }


def service_record(row: Any) -> ServiceRecord:
    """Return the record that a row of `pubsub_service` holds, ignoring traits we do not know."""
    known = {field.name for field in fields(ServiceTraits)}
    return ServiceRecord(
        service=BareJID(row.jid),
        traits=ServiceTraits(**{k: v for k, v in row.traits.items() if k in known}),
        info=row.info,
        info_fetched_at=row.info_fetched_at,
    )


CONTENT_COLUMNS = (
    "size_bytes",
    "publisher",
    "payload_namespace",
    "parsed_by",
    "updated_at",
    "parsed",
    "xml",
)
"""What replacing an item replaces: all but who it is, where it stands and since when."""


def item_values(
    node_id: int, generation: int, position: int, parsed_item: ParsedItem, now: datetime
) -> dict[str, Any]:
    """Return the columns of an item."""
    item = parsed_item.item
    return {
        "node_id": node_id,
        "generation": generation,
        "position": position,
        "size_bytes": item.size_bytes,
        "item_id": item.item_id,
        "publisher": item.publisher,
        "payload_namespace": item.payload_namespace,
        "parsed_by": parsed_item.parsed_by,
        "created_at": now,
        "updated_at": now,
        "parsed": parsed_item.parsed,
        "xml": item.xml,
    }


ITEM_COLUMNS = (
    PubsubItem.item_id,
    PubsubItem.xml,
    PubsubItem.publisher,
    PubsubItem.payload_namespace,
)


def item_of(row: Any) -> Item:
    """Return the item that a row with `ITEM_COLUMNS` holds."""
    return Item(row.item_id, row.xml, row.publisher, row.payload_namespace)
