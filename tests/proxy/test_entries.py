"""The memory that nodes take is bounded (docs/architecture.md, "Limits")."""

from typing import Any

import pytest

from pubcellar.core.values import BareJID, NodeKey
from pubcellar.proxy import nodes as module
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes

BOUND = 300


def key(name: str) -> NodeKey:
    return NodeKey(BareJID("pubsub.example.org"), name)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    monkeypatch.setattr(module, "MOST_ENTRIES", BOUND)
    no_store: Any = None
    return Nodes(no_store)


def ask_for_many(nodes: Nodes) -> None:
    """Make entries of many nodes that nothing is to be done about."""
    for number in range(5 * BOUND):
        nodes.entry(key(f"unknown {number}"))


def kept(nodes: Nodes, entry: NodeEntry) -> bool:
    return nodes.entry(entry.key) is entry


def test_entries_of_any_number_of_nodes_take_no_more_room(nodes: Nodes) -> None:
    ask_for_many(nodes)
    assert len(nodes._entries) <= BOUND


def test_what_is_to_be_done_is_never_let_go(nodes: Nodes) -> None:
    doubtful, changed, at_work = (nodes.entry(key(name)) for name in "abc")
    doubtful.ask(Work.VERIFY_IDS, is_doubtful=True)
    change: Any = object()
    changed.inbox.append(change)
    worker: Any = object()
    at_work.worker = worker
    ask_for_many(nodes)
    assert kept(nodes, doubtful)
    assert kept(nodes, changed)
    assert kept(nodes, at_work)


def test_the_least_recently_used_goes_first(nodes: Nodes) -> None:
    read_all_the_time, read_once = nodes.entry(key("a")), nodes.entry(key("b"))
    for number in range(5 * BOUND):
        nodes.entry(key(f"unknown {number}"))
        nodes.entry(key("a"))
    assert kept(nodes, read_all_the_time)
    assert not kept(nodes, read_once)


def test_many_nodes_at_work_do_not_shield_the_others(nodes: Nodes) -> None:
    at_work = 2 * module.MOST_LOOKED_AT
    for number in range(at_work):
        nodes.entry(key(f"at work {number}")).ask(Work.SYNCHRONISE, is_doubtful=True)
    ask_for_many(nodes)
    assert len(nodes._entries) <= BOUND
    assert sum(not entry.is_idle for entry in nodes._entries.values()) == at_work
