"""Records and items for the tests of the store."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pubcellar.core.records import NodeRecord, ParsedItem
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, Item, NodeKey

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SERVICE = BareJID("pubsub.example.org")
KEY = NodeKey(SERVICE, "blog")
ALL = 10**9
"""More bytes than any page of these tests."""


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def node(key: NodeKey = KEY, state: NodeState = NodeState.LIVE, **fields: Any) -> NodeRecord:
    return replace(NodeRecord(key, state, created_at=NOW, state_changed_at=NOW), **fields)


def item(item_id: str, payload: str = "", **fields: Any) -> ParsedItem:
    xml = f"<item xmlns='http://jabber.org/protocol/pubsub' id='{item_id}'>{payload}</item>"
    return ParsedItem(Item(item_id, xml), **fields)


def items(item_ids: Iterable[str]) -> list[ParsedItem]:
    return [item(item_id) for item_id in item_ids]


def ids_of(found: Sequence[Item]) -> list[str]:
    return [one.item_id for one in found]


async def hold(store: Any, item_ids: Sequence[str], record: NodeRecord | None = None) -> NodeRecord:
    """Make a node hold exactly these items, oldest first."""
    record = record or node()
    await store.save_node(record)
    await store.stage(record.key, items(item_ids))
    return await store.publish_staged(record, item_ids)
