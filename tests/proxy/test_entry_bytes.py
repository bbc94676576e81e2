"""What others decide the size of takes a bounded part of the memory (docs/architecture.md)."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from pubcellar.core.events import Published, Retracted
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, Item, NodeKey
from pubcellar.proxy import entry_bytes as module
from pubcellar.proxy.entry_bytes import entry_bytes
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BOUND = 100_000
LARGE = Published(Item("i1", f"<item>{'x' * 5_000}</item>"))


def key(name: object) -> NodeKey:
    return NodeKey(BareJID("pubsub.example.org"), str(name))


class Store:
    """Has a record of every node, with large metadata."""

    async def node(self, key: NodeKey) -> NodeRecord:
        return NodeRecord(key, NodeState.LIVE, NOW, NOW, info="x" * 5_000)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    monkeypatch.setattr(module, "MOST_BYTES", BOUND)
    store: Any = Store()
    return Nodes(store)


def total(nodes: Nodes) -> int:
    return sum(map(entry_bytes, nodes._entries.values()))


async def test_metadata_of_any_number_of_nodes_takes_no_more_room(nodes: Nodes) -> None:
    for number in range(200):
        entry = await nodes.loaded(key(number))
        assert entry.record is not None
        await nodes.loaded(key("read all the time"))
    assert total(nodes) <= BOUND
    assert key("read all the time") in nodes._entries
    assert key(0) not in nodes._entries


async def test_metadata_that_grew_later_is_found_by_looking(nodes: Nodes) -> None:
    for number in range(200):
        entry = nodes.entry(key(number))
        entry.is_loaded = True
        entry.record = await Store().node(key(number))
    nodes.limit_bytes()
    assert total(nodes) <= BOUND


async def test_what_waits_to_be_written_is_bounded_over_all_nodes(nodes: Nodes) -> None:
    """Its node is fetched anew instead, and nothing is lost."""
    entries = [nodes.entry(key(number)) for number in range(50)]
    worker: Any = SimpleNamespace()
    for entry in entries:
        entry.worker = worker
    for entry in entries:
        for _ in range(10):
            nodes.take_in(entry, [LARGE])
    assert total(nodes) <= BOUND
    given_up = [entry for entry in entries if len(entry.inbox) < 10]
    assert given_up
    assert all(entry.overflows and Work.SYNCHRONISE in entry.work for entry in given_up)
    assert all(entry.arrivals == 10 and entry.is_in_doubt for entry in entries)


async def test_what_is_small_and_was_written_does_not_count(nodes: Nodes) -> None:
    entry = nodes.entry(key("busy"))
    worker: Any = SimpleNamespace()
    entry.worker = worker
    for _ in range(5_000):
        nodes.take_in(entry, [Retracted("i1")])
        entry.inbox.popleft()
    assert entry.overflows == 0


async def test_a_node_whose_metadata_alone_is_too_much_can_be_read(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no end to be waited for."""
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    entry: NodeEntry = await nodes.loaded(key("large"))
    assert entry.record is not None
