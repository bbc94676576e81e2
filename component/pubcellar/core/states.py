"""The life of a node in the cache (docs/architecture.md, "A node's life").

UNKNOWN is the absence of a record. The transitions stand in one table that can be printed; whoever
changes the state of a node goes through `moved`.
"""

from enum import StrEnum


class NodeState(StrEnum):
    """Where a recorded node stands; the values are what the database holds."""

    NO_SYNC = "no_sync"
    """Looked at, and not to be held: always forwarded, looked at again after `reanalyse_after`.

    A node that was held when its analyser went away is set aside: it is here with its items, which
    nobody is given, until the analyser is back or `forget_after` has passed.
    """
    SYNCING = "syncing"
    """Being fetched for the first time; forwarded."""
    LIVE = "live"
    """Complete and followed; answered from the database."""
    STALE = "stale"
    """Complete once, in doubt now; forwarded, and answered from the database only in an outage."""
    FAILED = "failed"
    """Could not be fetched; forwarded, and tried again after a back-off."""


TRANSITIONS: dict[NodeState | None, frozenset[NodeState | None]] = {
    None: frozenset({NodeState.NO_SYNC, NodeState.SYNCING}),
    NodeState.NO_SYNC: frozenset({NodeState.SYNCING, NodeState.STALE, None}),
    NodeState.SYNCING: frozenset({NodeState.LIVE, NodeState.FAILED, NodeState.NO_SYNC, None}),
    NodeState.LIVE: frozenset({NodeState.STALE, NodeState.NO_SYNC, None}),
    NodeState.STALE: frozenset({NodeState.LIVE, NodeState.NO_SYNC, None}),
    NodeState.FAILED: frozenset({NodeState.SYNCING, NodeState.NO_SYNC, None}),
}
"""From each state, the states that may follow; None is UNKNOWN. Staying is always allowed."""


def moved(old: NodeState | None, new: NodeState) -> NodeState:
    """Return `new`, having made sure that a node in state `old` may go there.

    Raises:
        ValueError: when the table has no such transition, which is a bug of ours.
    """
    if new != old and new not in TRANSITIONS[old]:
        raise ValueError(f"a node cannot go from {old} to {new}")
    return new
