"""What is staged is gone on with only while every notification is accounted for."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pubcellar.core.events import Retracted
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.proxy import staged as module
from pubcellar.proxy.node_entry import Interrupted, NodeEntry
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.staged import Journals, Staged

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SERVICE = BareJID("pubsub.example.org")


def synchronisation(nodes: Nodes, node: str = "notes/a") -> Staged:
    entry = nodes.entry(NodeKey(SERVICE, node))
    entry.record = NodeRecord(entry.key, NodeState.SYNCING, NOW, NOW, analyser="notes")
    nodes.follow(entry.key)
    return Staged(
        entry,
        analyser="notes",
        epoch=nodes.epoch(SERVICE),
        overflows=entry.overflows,
        accounted=entry.arrivals,
        started_at=NOW,
        is_notified=True,
        ids={"i1": 10},
    )


def arrives(entry: NodeEntry) -> None:
    entry.arrivals += 1
    entry.inbox.append(Retracted("i1"))


@pytest.fixture
def nodes() -> Nodes:
    return Nodes(store=None)


def test_what_arrives_is_in_the_inbox_until_it_is_taken(nodes: Nodes) -> None:
    staged = synchronisation(nodes)
    arrives(staged.entry)
    assert staged.is_intact(nodes)
    assert staged.take() == Retracted("i1")
    assert staged.is_intact(nodes)


@pytest.mark.parametrize(
    "loss",
    [
        lambda nodes, entry: nodes.distrust(SERVICE),
        lambda nodes, entry: nodes.distrust(),
        lambda nodes, entry: nodes.unfollow(entry.key),
        lambda nodes, entry: entry.inbox.clear(),
        lambda nodes, entry: entry.inbox.popleft(),
        lambda nodes, entry: setattr(entry, "overflows", entry.overflows + 1),
    ],
)
def test_after_a_loss_nobody_goes_on(
    nodes: Nodes, loss: Callable[[Nodes, NodeEntry], object]
) -> None:
    staged, journals = synchronisation(nodes), Journals(nodes)
    arrives(staged.entry)
    journals.keep(staged)
    staged.ensure(nodes)
    loss(nodes, staged.entry)
    with pytest.raises(Interrupted):
        staged.ensure(nodes)
    assert journals.taken(staged.entry) is None


def test_it_is_gone_on_with_once(nodes: Nodes) -> None:
    staged, journals = synchronisation(nodes), Journals(nodes)
    journals.keep(staged)
    assert staged.entry.is_journalled
    assert journals.taken(staged.entry) is staged
    assert not staged.entry.is_journalled
    assert journals.taken(staged.entry) is None


@pytest.mark.parametrize("what", ["nothing staged", "not notified", "another analyser"])
def test_what_is_of_no_use_is_not_kept(nodes: Nodes, what: str) -> None:
    staged, journals = synchronisation(nodes), Journals(nodes)
    match what:
        case "nothing staged":
            staged.ids.clear()
        case "not notified":
            staged.is_notified = False
        case _:
            staged.analyser = "diary"
    journals.keep(staged)
    assert journals.taken(staged.entry) is None


def test_there_are_so_many_and_no_more(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_JOURNALS", 2)
    journals = Journals(nodes)
    all_of_them = [synchronisation(nodes, f"notes/{number}") for number in range(3)]
    for staged in all_of_them:
        arrives(staged.entry)
        journals.keep(staged)
    given_up, *kept = all_of_them
    assert not given_up.entry.is_journalled
    assert not given_up.entry.inbox
    assert not nodes.is_followed(given_up.entry.key)
    assert journals.taken(given_up.entry) is None
    assert [journals.taken(staged.entry) for staged in kept] == kept
