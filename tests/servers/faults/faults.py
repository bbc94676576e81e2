"""The kinds of faults: what stanza each strikes, and what it does; a seed decides the rest."""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from faults.link import Link
from faults.relay import Fault
from faults.stanza import REPLIES, REQUESTS, Kind, Stanza

Inject = Callable[[Link, Stanza], None]

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 1.5
"""How long something is kept back: at times longer than a service may take to answer."""

EVENTS = frozenset({Kind.EVENT})
TRAFFIC = frozenset({Kind.EVENT, *REQUESTS, *REPLIES})

NOT_FOUND = ("cancel", "remote-server-not-found")
TIMED_OUT = ("wait", "remote-server-timeout")
FAILED = ("wait", "internal-server-error")


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault.

    Attributes:
        name: what figures and documentation call it.
        on: what stanzas it strikes.
        injected: returns what it does to the one that it strikes.
    """

    name: str
    on: frozenset[Kind]
    injected: Callable[[random.Random], Inject]

    def drawn(self, chance: random.Random) -> Fault:
        """Return a fault of this kind."""
        # Some kinds of stanzas are much rarer than others.
        on = chance.choice(sorted(self.on))
        return Fault(self.name, lambda stanza: stanza.kind is on, self.injected(chance))


def _drop(_: random.Random) -> Inject:
    return lambda link, stanza: link.lose(stanza)


def _duplicate(_: random.Random) -> Inject:
    return lambda link, stanza: link.duplicate(stanza)


def _refuse(error: tuple[str, str]) -> Callable[[random.Random], Inject]:
    return lambda _: lambda link, stanza: link.refuse(stanza, *error)


def _delay(chance: random.Random) -> Inject:
    seconds = _seconds(chance)
    return lambda link, stanza: link.hold(stanza, seconds)


def _reorder(chance: random.Random) -> Inject:
    seconds, mixing = _seconds(chance), random.Random(chance.random())
    return lambda link, stanza: link.reorder(stanza, seconds, mixing)


def _stall(*, then_cut: bool) -> Callable[[random.Random], Inject]:
    def drawn(chance: random.Random) -> Inject:
        seconds = _seconds(chance)
        return lambda link, stanza: link.stall(stanza, seconds, then_cut=then_cut)

    return drawn


def _cut(parts: Collection[float]) -> Callable[[random.Random], Inject]:
    def drawn(chance: random.Random) -> Inject:
        part, abruptly = chance.choice(list(parts)), chance.random() < 0.5
        return lambda link, stanza: link.cut_at(stanza, part=part, abruptly=abruptly)

    return drawn


def _seconds(chance: random.Random) -> float:
    return chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)


CUTS = (
    FaultKind("stream cut between stanzas", TRAFFIC, _cut([0.0, 1.0])),
    FaultKind("stream cut within a stanza", TRAFFIC, _cut([0.1, 0.5, 0.9])),
    FaultKind("stream stalled, then cut", TRAFFIC, _stall(then_cut=True)),
)
"""The proxy waits longer before it connects again, the more of them there are."""

SILENT = FaultKind("event dropped", EVENTS, _drop)
"""What nobody can notice but by looking."""

_TELLING = {f"answered {condition}" for _, condition in (NOT_FOUND, TIMED_OUT)}

OTHERS = (
    FaultKind("own request dropped", frozenset({Kind.OWN_REQUEST}), _drop),
    FaultKind("reply to an own request dropped", frozenset({Kind.OWN_REPLY}), _drop),
    FaultKind("forwarded request dropped", frozenset({Kind.FORWARDED_REQUEST}), _drop),
    FaultKind("reply to a forwarded request dropped", frozenset({Kind.FORWARDED_REPLY}), _drop),
    FaultKind("client's request dropped", frozenset({Kind.CLIENT_REQUEST}), _drop),
    FaultKind("answer to a client dropped", frozenset({Kind.CLIENT_ANSWER}), _drop),
    FaultKind("event duplicated", EVENTS, _duplicate),
    FaultKind("reply duplicated", REPLIES, _duplicate),
    FaultKind("answered remote-server-not-found", REQUESTS, _refuse(NOT_FOUND)),
    FaultKind("answered remote-server-timeout", REQUESTS, _refuse(TIMED_OUT)),
    FaultKind("answered internal-server-error", REQUESTS, _refuse(FAILED)),
    FaultKind("delayed", TRAFFIC, _delay),
    FaultKind("reordered", TRAFFIC, _reorder),
    FaultKind("direction stalled", TRAFFIC, _stall(then_cut=False)),
)

SHOWING = (*CUTS, *(kind for kind in OTHERS if kind.name in _TELLING))
"""What shows that events may have been lost."""

KILLED = "server killed and restarted"
"""No fault of the relay's."""

ALL_NAMES = [kind.name for kind in (SILENT, *OTHERS, *CUTS)] + [KILLED]
