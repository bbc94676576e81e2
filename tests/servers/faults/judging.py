"""Whether what a reader got is right: an answer that the service had, and no older than it may be.

What may be how old:

* Whoever answers, a read shows every change that the proxy had to know of when it was asked; see
  `faults.history`.
* Where a fault explains that the service seemed to be away, an error may be given instead of an
  answer, or one marked stale: each item in it is one that the service had within `max_stale`.
* While a change that nothing told of is within its bound, what is held may lack just that one.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from faults.history import NodeHistory, State
from faults.reading import Read
from faults.relay import Loss, Trace
from faults.stanza import Kind

OUTAGE_ERRORS = frozenset(
    {"remote-server-not-found", "remote-server-timeout", "internal-server-error"}
)
"""What is said of a service that is away or ill, by whomever."""


WRITTEN_SECONDS = 1
"""How long a stream may have ended already when something is still written to it."""


EARLIER_STATES, LATER_STATES = 3, 1
"""How much of a node's history is told about a wrong answer."""


class Verdict(StrEnum):
    """What a read has come to."""

    FROM_CACHE = "answered from the cache"
    FORWARDED = "answered by the service"
    STALE = "answered stale, the service being away"
    BEHIND = "answered before a change that nothing told of"
    ERROR = "answered with an error that a fault explains"
    ABSENT = "refused by the XMPP server, the proxy not being connected"
    LOST = "request or answer lost to a fault"
    WRONG = "wrong"
    UNANSWERED = "unanswered"


BY = {"cache": Verdict.FROM_CACHE, "stale": Verdict.STALE}


@dataclass(frozen=True)
class Bounds:
    """How old answers may be, in seconds.

    Attributes:
        max_stale_seconds: those given while the service is away.
        outage_seconds: for how long after a fault the service may seem to be away.
    """

    max_stale_seconds: float
    outage_seconds: float


@dataclass(frozen=True)
class Evidence:
    """What is known about the time of the reads.

    Attributes:
        traces: of the stanzas of reads, by their ids.
        losses: when the proxy was told that it is told nothing.
        faults: when each fault struck.
    """

    traces: Mapping[str, Sequence[Trace]]
    losses: Sequence[Loss]
    faults: Sequence[float]


class Judge:
    """Judges reads of some nodes.

    Attributes:
        verdicts: how many of each there were.
    """

    def __init__(self, histories: dict[str, NodeHistory], bounds: Bounds) -> None:
        self._histories = histories
        self._bounds = bounds
        self.verdicts: Counter[Verdict] = Counter()

    def judge(self, read: Read, evidence: Evidence) -> str | None:
        """Count what the read has come to; return what is wrong with it, or None."""
        verdict = self.verdict(read, evidence)
        self.verdicts[verdict] += 1
        if verdict not in (Verdict.WRONG, Verdict.UNANSWERED):
            return None
        return f"{verdict}: {self._told(read, evidence)}"

    def _told(self, read: Read, evidence: Evidence) -> str:
        """Say all that there is to know about a read, short enough to be read."""
        history = self._histories[read.node]
        begin, end = self._range(read, is_held=read.by == "cache")
        lines = [
            f"{read.question} of {read.node} by {read.requester} ({read.id}), asked at "
            f"{read.asked_at:.3f}, answered at {read.answered_at} by {read.by}: "
            f"{read.condition or read.answer.short}"
        ]
        lines += [
            f"  {trace.stanza.kind} on link {trace.stanza.link} seen at {trace.seen_at:.3f}, "
            f"handed on at {trace.delivered_at} {trace.fate}"
            for trace in evidence.traces.get(read.id, ())
        ]
        lines.append(f"  losses: {[(loss.since, loss.until) for loss in evidence.losses[-3:]]}")
        lines.append(f"  right are {begin} to {end - 1} of:")
        for number, (state, due) in enumerate(zip(history.states, history.due, strict=True)):
            if begin - EARLIER_STATES <= number < end + LATER_STATES:
                what = f"{state.mark}, done at {state.done_at:.3f}, due at {due:.3f}"
                lines.append(f"  {number} {what}: {state.answers[read.question].short}")
        return "\n".join(lines)

    def verdict(self, read: Read, evidence: Evidence) -> Verdict:
        """Tell what a read has come to."""
        if read.answered_at is None:
            return Verdict.LOST if is_lost(read, evidence) else Verdict.UNANSWERED
        is_explained = self._is_explained(read, evidence)
        if read.condition in OUTAGE_ERRORS and is_explained and not evidence.traces.get(read.id):
            return Verdict.ABSENT
        if read.condition in OUTAGE_ERRORS:
            return Verdict.ERROR if is_explained else Verdict.WRONG
        history = self._histories[read.node]
        if _is_one_of(read, history.states[slice(*self._range(read, is_held=False))]):
            return BY.get(read.by or "", Verdict.FORWARDED)
        if read.by == "stale" and is_explained and self._was_right(read, history):
            return Verdict.STALE
        if read.by == "cache" and self._is_behind(read, history):
            return Verdict.BEHIND
        return Verdict.WRONG

    def _is_behind(self, read: Read, history: NodeHistory) -> bool:
        begin, end = self._range(read, is_held=True)
        if _is_one_of(read, history.states[begin:end]):
            return True
        silent = [at for at in history.silent if at < end and history.due[at] > read.asked_at]
        return bool(silent) and _lacks_only(read, history.states, silent, begin, end)

    def _range(self, read: Read, *, is_held: bool) -> tuple[int, int]:
        """Return the numbers of the first state that the read may show, and of the one after all.

        What is held may lack what the proxy did not have to know.
        """
        history = self._histories[read.node]
        shown = history.due if is_held else [state.done_at for state in history.states]
        first = max(number for number, at in enumerate(shown) if at <= read.asked_at)
        ended = math.inf if read.answered_at is None else read.answered_at
        return first, sum(state.begun_at <= ended for state in history.states)

    def _was_right(self, read: Read, history: NodeHistory) -> bool:
        """Tell whether the service had each of the items at some time within `max_stale`."""
        oldest = read.asked_at - self._bounds.max_stale_seconds
        _, end = self._range(read, is_held=True)
        ended = [number for number in range(1, end) if history.states[number].done_at < oldest]
        states = history.states[max(ended, default=0) : end]
        if _is_one_of(read, states):
            return True
        return bool(read.answer.items) and _is_made_of(read, states, states, loose=set())

    def _is_explained(self, read: Read, evidence: Evidence) -> bool:
        assert read.answered_at is not None
        since, until = read.asked_at - self._bounds.outage_seconds, read.answered_at
        return any(since <= struck_at <= until for struck_at in evidence.faults) or any(
            loss.since <= until and (loss.until is None or loss.until >= since)
            for loss in evidence.losses
        )


def is_lost(read: Read, evidence: Evidence) -> bool:
    """Tell whether a fault has struck the read's own stanzas, so that nobody can be answered."""
    its_own = [each for each in evidence.traces.get(read.id, ()) if _concerns(each, read)]
    if any(trace.is_lost for trace in its_own):
        return True
    # Whatever was on its way when the stream ended has nowhere to go.
    last = its_own[-1] if its_own else None
    since = read.asked_at - WRITTEN_SECONDS if last is None else last.seen_at
    until = math.inf
    if last is not None and last.stanza.kind is Kind.CLIENT_ANSWER:
        until = since + WRITTEN_SECONDS
    return any(since <= loss.since <= until for loss in evidence.losses if loss.until != loss.since)


def _concerns(trace: Trace, read: Read) -> bool:
    return read.requester in trace.stanza.pair


def _is_one_of(read: Read, states: Sequence[State]) -> bool:
    return any(state.answers[read.question] == read.answer for state in states)


def _lacks_only(
    read: Read, states: Sequence[State], silent: Sequence[int], begin: int, end: int
) -> bool:
    """Tell whether an answer is right but for what silent changes have made of single items.

    Args:
        read: the read.
        states: of the node.
        silent: the numbers of changes that the proxy did not have to know.
        begin, end: from which state on, up to which one not, all else is to be as it is there.
    """
    loose = set()
    for number in silent:
        before, after = (_list(states[each], read) for each in (number - 1, number))
        loose |= {item_id for item_id, _ in before.items() ^ after.items()}
    return _is_made_of(read, states[begin:end], states[min(silent) - 1 : end], loose)


def _is_made_of(
    read: Read, right: Sequence[State], earlier: Sequence[State], loose: set[str]
) -> bool:
    """Tell whether each item is as in one of the states, and none is missing that is in all.

    Those with the ids of `loose` may be as in one of the `earlier` states, or missing.
    """
    lists, more = ([_list(state, read) for state in states] for states in (right, earlier))
    is_whole = read.question in ("all items", "disco#items")
    missing = set.intersection(*map(set, lists)) - loose - dict(read.answer.items).keys()
    return not (is_whole and missing) and all(
        any(each.get(item_id) == text for each in (more if item_id in loose else lists))
        for item_id, text in read.answer.items
    )


def _list(state: State, read: Read) -> dict[str, str]:
    """Return all items: where one is missing, others are the newest few."""
    name = read.question if read.question.startswith("disco") else "all items"
    return dict(state.answers[name].items)
