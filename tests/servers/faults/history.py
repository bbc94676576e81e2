"""What a node was at each time, and from when on the proxy had to know.

Changes are made at the service itself, one after the other, and after each one the service is asked
what the reader asks through the proxy: nothing here guesses what a service would answer.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.stanzas import Event

from faults.answers import Answer
from faults.relay import Loss, Trace

Mark = tuple[str, str]
"""What tells the notification of a change from others: what was done, and to which item."""


@dataclass(frozen=True)
class State:
    """What a node is after a change.

    Attributes:
        mark: the change, as `mark_of` tells it from its event.
        begun_at: when the change was asked for.
        done_at: when the service had said that it is done.
        answers: what the service answers then, by name of the question.
    """

    mark: Mark
    begun_at: float
    done_at: float
    answers: Mapping[str, Answer]


def marks_of(event: Event) -> list[Mark]:
    """Return what the event tells of; an item that is published by the title of its payload."""
    if event.kind != "items":
        return [(event.kind, "")]
    titles = (each.text for each in event.action.iter() if each.tag.endswith("}title"))
    published = [("published", title or "") for title in titles]
    return published + [("retracted", item_id) for item_id in event.retracted_ids]


class NodeHistory:
    """The states of one node, oldest first; the first is there before the proxy is.

    Attributes:
        states: all of them.
        due: from when on the cache must show each of them, as far as `judge_events` has been told.
        silent: the numbers of those that nothing told of.
    """

    def __init__(self, node: str, first: State) -> None:
        self.node = node
        self.states = [first]
        self.due = [-math.inf]
        self.silent: set[int] = set()

    @property
    def now(self) -> State:
        return self.states[-1]

    def changed(self, state: State) -> None:
        """Add what the node is after a change."""
        self.states.append(state)
        self.due.append(math.inf)

    def judge_events(
        self, traces: Iterable[Trace], losses: Sequence[Loss], silent_seconds: float
    ) -> None:
        """Find out from when on each new state had to be known.

        A change must be seen as soon as the proxy has been told: by the event, or by something
        that shows that events may be lost. If neither comes, `silent_seconds` after the change.
        """
        told = [(mark, trace) for trace in traces for mark in self._marks(trace)]
        for number, state in enumerate(self.states):
            if self.due[number] < math.inf:
                continue
            position = next(
                (
                    index
                    for index, (mark, trace) in enumerate(told)
                    if mark == state.mark and trace.seen_at >= state.begun_at
                ),
                None,
            )
            trace = None if position is None else told.pop(position)[1]
            if trace is None or trace.is_lost:
                self.silent.add(number)
            self.due[number] = _due(state, trace, losses, silent_seconds)

    def _marks(self, trace: Trace) -> list[Mark]:
        event = Event(trace.stanza.xml)
        return marks_of(event) if event.node == self.node else []


def _due(state: State, trace: Trace | None, losses: Sequence[Loss], silent_seconds: float) -> float:
    due = state.done_at + silent_seconds
    if trace is not None and trace.delivered_at is not None and not trace.is_lost:
        due = max(state.done_at, trace.delivered_at)
    for loss in losses:
        until = math.inf if loss.until is None else loss.until
        is_before_it_is_over = state.done_at <= until or (
            # It was notified of while nobody could be told.
            trace is None and state.begun_at <= until
        )
        if is_before_it_is_over:
            due = min(due, max(state.done_at, loss.since))
    return due
