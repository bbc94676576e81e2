"""Rows that are inserted to see whether that can be done, and are there for nobody else."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, BigInteger, Column, Connection, Integer, Table, delete, insert

from pubcellar.core.states import NodeState
from pubcellar.core.values import SubscriptionState
from pubcellar.storage.column_types import UtcDateTime
from pubcellar.storage.models import PubsubItem, PubsubNode, PubsubService

LONG = "x" * 1000
"""No column bounds its length; an index of PostgreSQL's takes up to 2704 bytes of a row."""


def insert_and_delete_one_of_each(connection: Connection) -> None:
    """Do what `insert_one_of_each` does, and undo it, so that a commit has something to write.

    Raises:
        DBAPIError: that cannot be done.
    """
    name = insert_one_of_each(connection)
    connection.execute(delete(PubsubNode).where(PubsubNode.service == name))
    connection.execute(delete(PubsubService).where(PubsubService.jid == name))


def insert_one_of_each(connection: Connection) -> str:
    """Insert a service, a node and an item that nobody has, with all their columns.

    Returns the service's JID, which is the node's too.

    Raises:
        DBAPIError: one of them cannot be inserted.
    """
    name = f"{uuid4()}.invalid"
    states = {"state": NodeState.STALE, "subscription": SubscriptionState.NONE}
    _insert(connection, PubsubService.__table__, jid=name)
    key = _insert(connection, PubsubNode.__table__, service=name, **states)
    _insert(connection, PubsubItem.__table__, node_id=key)
    return name


def _insert(connection: Connection, table: Any, **given: Any) -> Any:
    """Return the key of the row, which the database gives."""
    assert isinstance(table, Table)
    values = {
        column.name: given.get(column.name, _value(column))
        for column in table.columns
        if not column.primary_key
    }
    result = connection.execute(insert(table).values(values))
    (key,) = result.inserted_primary_key or (None,)
    return key


def _value(column: Column[Any]) -> Any:
    """Return one that is as large as this version may store."""
    match column.type:
        case BigInteger():
            return 2**63 - 1
        case Integer():
            return 2**31 - 1
        case UtcDateTime():
            return datetime.now(UTC)
        case JSON():
            return {}
        case _:
            return LONG
