"""What was written through us and may not show yet in what is held.

A node is in doubt from before a write to it is sent until what is held shows what came of it. While
the write is under way the node is forwarded; until it shows the node is not answered in an outage
either. That is written down (`pubcellar.proxy.settling`), so that it outlives us; here is what this
process knows of it, in memory.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

from pubcellar.core.errors import TooManyRequests
from pubcellar.core.events import Change, Published, Purged, Retracted
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.core.writes import Write, WriteKind, fingerprint

MOST_DOUBTS = 10_000
MOST_LOOKED_AT = 100
MOST_SEEN = 1000
MOST_SERVICES = 10_000

Sign = tuple[WriteKind, str]
"""By which a notification shows a write: its kind, and the id of the item."""


@dataclass(slots=True, eq=False)
class UnderWay:
    """A write to a node, until what is held shows it, or it is to be looked for.

    Attributes:
        key: the node.
        prints: of published items by id, what tells their payloads from others (`fingerprint`).
        seen: what the service has notified us of since it was sent.
        expected: what it will have notified us of when the write shows; None while the write has
            not been answered.
    """

    key: NodeKey
    prints: dict[str, bytes | None] = field(default_factory=dict)
    seen: set[Sign] = field(default_factory=set)
    expected: frozenset[Sign] | None = None

    @property
    def is_notified(self) -> bool:
        """Whether it was answered, and everything was notified of that it leads to."""
        return self.expected is not None and self.expected <= self.seen

    def answered(self, write: Write, new_ids: Sequence[str]) -> bool:
        """The service has done it; return whether notifications can show that it has.

        Args:
            write: what was asked for.
            new_ids: ids that the service says the published items have.
        """
        signs: list[Sign] = []
        match write.kind:
            case WriteKind.PUBLISH:
                ids = [item.item_id for item in write.items]
                if "" in ids and len(new_ids) == len(ids):
                    ids = list(new_ids)
                prints = [fingerprint(item.xml) for item in write.items]
                self.prints = dict(zip(ids, prints, strict=True))
                if "" in ids or None in prints or len(self.prints) < len(prints):
                    return False
                signs = [(write.kind, item_id) for item_id in ids]
            case WriteKind.RETRACT:
                signs = [(write.kind, item_id) for item_id in write.item_ids]
            case WriteKind.PURGE:
                signs = [(write.kind, "")]
        self.expected = frozenset(signs)
        return bool(signs)


@dataclass(slots=True)
class _Doubt:
    """What is not over yet of a node; `is_marked` once that is written down."""

    under_way: list[UnderWay] = field(default_factory=list)
    is_marked: bool = False


class Doubts:
    """Which nodes were written to through us."""

    def __init__(self) -> None:
        self._doubts: OrderedDict[NodeKey, _Doubt] = OrderedDict()
        self._services: Counter[BareJID] = Counter()
        self.unmarked_services: set[BareJID] = set()
        """Of which it could not be written down yet that any of their nodes may be in doubt."""
        self._turns: dict[BareJID, int] = {}
        self._next_turn = count(1)
        self._first_turn = 0

    def __len__(self) -> int:
        """Return how many nodes are in doubt, as far as that is in memory."""
        return len(self._doubts)

    # Writes

    def begin(self, key: NodeKey) -> UnderWay:
        """A write to the node is about to be sent.

        Raises:
            TooManyRequests: there are so many of which the database could not be told.
        """
        doubt = self._doubts.get(key)
        if doubt is None:
            self._make_room()
            doubt = self._doubts[key] = _Doubt()
        under_way = UnderWay(key)
        doubt.under_way.append(under_way)
        return under_way

    def _make_room(self) -> None:
        if len(self._doubts) < MOST_DOUBTS:
            return
        for key in list(islice(self._doubts, MOST_LOOKED_AT)):
            doubt = self._doubts[key]
            if doubt.is_marked and not doubt.under_way:
                # The database knows.
                del self._doubts[key]
                return
            self._doubts.move_to_end(key)
        raise TooManyRequests("too many changes have still to be looked after")

    def end(self, under_way: UnderWay) -> None:
        """The write shows in what is held, or is looked for from now on."""
        if self.is_waited_for(under_way):
            self._doubts[under_way.key].under_way.remove(under_way)

    def begin_anywhere(self, service: BareJID) -> None:
        """A write is about to be sent that may touch any node of the service."""
        self._services[service] += 1

    def end_anywhere(self, service: BareJID) -> bool:
        """It was answered, or is given up; return whether it was the only one."""
        self._services[service] -= 1
        if self._services[service]:
            return False
        del self._services[service]
        return True

    def noticed(self, key: NodeKey, changes: Sequence[Change]) -> None:
        """The service has notified us of changes of the node, which are not applied yet."""
        doubt = self._doubts.get(key)
        if doubt is None:
            return
        signs = {sign for sign in map(_sign, changes) if sign is not None}
        for under_way in doubt.under_way:
            if len(under_way.seen) + len(signs) <= MOST_SEEN:
                under_way.seen |= signs

    # Doubts

    def is_under_way(self, key: NodeKey) -> bool:
        """Tell whether something is being written to the node, so that it is to be forwarded."""
        doubt = self._doubts.get(key)
        return (doubt is not None and bool(doubt.under_way)) or key.service in self._services

    def is_unseen(self, key: NodeKey) -> bool:
        """Tell whether something was written to the node that may not show in what is held."""
        is_anywhere = key.service in self._services or key.service in self.unmarked_services
        return is_anywhere or key in self._doubts

    def is_waited_for(self, under_way: UnderWay) -> bool:
        """Tell whether the write neither shows yet, nor is looked for."""
        doubt = self._doubts.get(under_way.key)
        return doubt is not None and under_way in doubt.under_way

    def notified(self, key: NodeKey) -> list[UnderWay]:
        """Return writes to the node of all whose consequences the service has notified us."""
        doubt = self._doubts.get(key)
        return [] if doubt is None else [one for one in doubt.under_way if one.is_notified]

    def is_unmarked(self, key: NodeKey) -> bool:
        """Tell whether it is still to be written down that the node is in doubt."""
        doubt = self._doubts.get(key)
        return doubt is not None and not doubt.is_marked

    def unmarked(self) -> list[NodeKey]:
        """Return the nodes of which that is so."""
        return [key for key, doubt in self._doubts.items() if not doubt.is_marked]

    def marked(self, key: NodeKey, *, is_marked: bool = True) -> None:
        """It is written down that the node is in doubt; or, of one that is still, that it is not.

        Of a node to which nothing is being written the latter is the end of it.
        """
        doubt = self._doubts.get(key)
        if doubt is None:
            return
        doubt.is_marked = is_marked
        if not is_marked and not doubt.under_way:
            del self._doubts[key]

    # Turns

    def turn(self, service: BareJID) -> int:
        """Return a value that changes whenever a write to the service begins or ends.

        What was asked for in one turn says nothing to who asks in another.
        """
        return self._turns.get(service, self._first_turn)

    def next_turn(self, service: BareJID) -> None:
        """A write to the service begins, or has just ended."""
        if service not in self._turns and len(self._turns) >= MOST_SERVICES:
            self._turns.clear()
            self._first_turn = next(self._next_turn)
        self._turns[service] = next(self._next_turn)


def _sign(change: Change) -> Sign | None:
    match change:
        case Published(item):
            return WriteKind.PUBLISH, item.item_id
        case Retracted(item_id):
            return WriteKind.RETRACT, item_id
        case Purged():
            return WriteKind.PURGE, ""
    return None


def are_held(under_way: UnderWay, held: Mapping[str, str]) -> bool:
    """Tell whether the items that were published are held as they were, by id and whole item."""
    return all(
        item_id in held and fingerprint(held[item_id]) == fingerprinted
        for item_id, fingerprinted in under_way.prints.items()
    )
