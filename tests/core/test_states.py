import itertools

import pytest

from pubcellar.core.states import TRANSITIONS, NodeState, moved

EVERYWHERE: list[NodeState | None] = [None, *NodeState]

UNKNOWN = None
NO_SYNC, SYNCING = NodeState.NO_SYNC, NodeState.SYNCING
LIVE, STALE, FAILED = NodeState.LIVE, NodeState.STALE, NodeState.FAILED

ALLOWED = {
    (UNKNOWN, NO_SYNC),
    (UNKNOWN, SYNCING),
    (NO_SYNC, SYNCING),
    (NO_SYNC, STALE),
    (SYNCING, LIVE),
    (SYNCING, FAILED),
    (SYNCING, NO_SYNC),
    (LIVE, STALE),
    (LIVE, NO_SYNC),
    (STALE, LIVE),
    (STALE, NO_SYNC),
    (FAILED, SYNCING),
    (FAILED, NO_SYNC),
}


def test_the_table_has_a_row_for_every_state_and_names_no_other() -> None:
    assert set(TRANSITIONS) == set(EVERYWHERE)
    assert set().union(*TRANSITIONS.values()) <= set(EVERYWHERE)


def test_every_state_can_be_reached_and_every_record_can_be_forgotten() -> None:
    reached: set[NodeState | None] = {None}
    while reached != (further := reached.union(*(TRANSITIONS[state] for state in reached))):
        reached = further
    assert reached == set(EVERYWHERE)
    assert all(None in TRANSITIONS[state] for state in NodeState)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(EVERYWHERE, NodeState)))
def test_only_the_transitions_of_a_node_s_life_are_made(
    old: NodeState | None, new: NodeState
) -> None:
    if old is new or (old, new) in ALLOWED:
        assert moved(old, new) is new
    else:
        with pytest.raises(ValueError, match="cannot go from"):
            moved(old, new)


def test_a_node_becomes_live_only_by_way_of_having_been_complete() -> None:
    assert {old for old in EVERYWHERE if LIVE in TRANSITIONS[old]} == {SYNCING, STALE}
