"""Entitlements: what the service itself has given to somebody, and so may be given them again.

Two rules. An entitlement is earned only by an items request that the service answered in the name
of that very person, in that identity; disco earns none, since services tell strangers of closed
nodes too. And it reaches as far as what was shown: to who was shown all items of a node, to the
whole node; else to the items that were shown, so that nobody who is let in to a part is given more.

In memory alone, and bounded: what is forgotten is asked for again.
"""

from collections import OrderedDict
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from pubcellar.core.identity import Identity
from pubcellar.core.values import BareJID, NodeKey

MOST_ENTITLEMENTS = 10_000
MOST_SHOWN = 1_000
"""Items of one node, to one person who was not shown all."""
MOST_SHOWN_IN_ALL = 100_000
MOST_FORGOTTEN = 10_000

_Holder = tuple[BareJID, Identity]


@dataclass(frozen=True, slots=True)
class Asked:
    """When a request was sent: by the clock, and in the order in which things happened here."""

    at: datetime
    turn: int


@dataclass(slots=True)
class _Entitlement:
    """When all was shown, and when which items were; of ids, their hashes."""

    whole_at: datetime | None = None
    shown: OrderedDict[int, datetime] = field(default_factory=OrderedDict)


class Entitlements:
    """Who may be given what, until when.

    Args:
        max_age: how long after the request was sent; zero is not at all.
        most: how many there are at most.
        most_shown: how many items they may name together.
    """

    def __init__(
        self,
        max_age: timedelta,
        most: int = MOST_ENTITLEMENTS,
        most_shown: int = MOST_SHOWN_IN_ALL,
    ) -> None:
        self._max_age = max_age
        self._most = most
        self._most_shown = most_shown
        self._held: OrderedDict[tuple[NodeKey, _Holder], _Entitlement] = OrderedDict()
        self._holders: dict[NodeKey, set[_Holder]] = {}
        self._shown = 0
        self._turns = count(1)
        self._forgotten: OrderedDict[Hashable, int] = OrderedDict()
        self._all_forgotten = 0

    def __len__(self) -> int:
        """Return how many there are, those among them whose time is over too."""
        return len(self._held)

    @property
    def shown(self) -> int:
        """How many items those that do not reach to the whole node name together."""
        return self._shown

    def asked(self, now: datetime) -> Asked:
        """Return what `grant` wants to know of a request that is about to be sent."""
        return Asked(now, next(self._turns))

    def grant(
        self,
        key: NodeKey,
        requester: BareJID,
        identity: Identity,
        asked: Asked,
        shown: Collection[str] | None,
    ) -> None:
        """Somebody was given items of a node by the service.

        Nothing is granted if something was forgotten that concerns them since they asked: the
        answer may be from before.

        Args:
            key: the node.
            requester: who.
            identity: in whose name they asked.
            asked: when.
            shown: ids of the items; None if these were all that the node has.
        """
        is_nothing = shown is not None and not shown
        if is_nothing or not self._max_age or self._is_forgotten_since(key, requester, asked):
            return
        holder = (requester, identity)
        held = self._held.setdefault((key, holder), _Entitlement())
        self._held.move_to_end((key, holder))
        self._holders.setdefault(key, set()).add(holder)
        if shown is None:
            held.whole_at = _later(held.whole_at, asked.at)
        else:
            self._show(held, shown, asked.at)
        while len(self._held) > self._most or self._shown > self._most_shown:
            self._drop(*next(iter(self._held)))

    def _show(self, held: _Entitlement, shown: Collection[str], at: datetime) -> None:
        before = len(held.shown)
        for item_id in shown:
            mark = hash(item_id)
            held.shown[mark] = _later(held.shown.get(mark), at)
            held.shown.move_to_end(mark)
        while len(held.shown) > MOST_SHOWN:
            held.shown.popitem(last=False)
        self._shown += len(held.shown) - before

    def reaches(
        self,
        key: NodeKey,
        requester: BareJID,
        identity: Identity,
        now: datetime,
        item_ids: Collection[str] = (),
    ) -> bool:
        """Tell whether somebody may be given these items of a node; without ids, anything of it."""
        held = self._held.get((key, (requester, identity)))
        if held is None:
            return False
        if self._is_young(held.whole_at, now):
            return True
        if item_ids:
            return all(self._is_young(held.shown.get(hash(one)), now) for one in item_ids)
        return any(self._is_young(at, now) for at in held.shown.values())

    def _is_young(self, at: datetime | None, now: datetime) -> bool:
        # A clock that was set back must not prolong what was granted.
        return at is not None and timedelta(0) <= now - at <= self._max_age and bool(self._max_age)

    def forget(self, key: NodeKey, requester: BareJID | None = None) -> None:
        """Forget what was granted at a node, to one person or to all.

        What they have asked for already, and is not answered yet, grants nothing either.
        """
        self._note(key if requester is None else (key, requester))
        for holder in list(self._holders.get(key, ())):
            if requester in (None, holder[0]):
                self._drop(key, holder)

    def forget_service(self, service: BareJID) -> None:
        """Forget what was granted at all nodes of a service."""
        self._note(service)
        for key in [key for key in self._holders if key.service == service]:
            for holder in list(self._holders[key]):
                self._drop(key, holder)

    def _note(self, what: Hashable) -> None:
        self._forgotten[what] = next(self._turns)
        self._forgotten.move_to_end(what)
        while len(self._forgotten) > MOST_FORGOTTEN:
            # Of whom nothing is remembered, everything older counts as forgotten.
            _, self._all_forgotten = self._forgotten.popitem(last=False)

    def _is_forgotten_since(self, key: NodeKey, requester: BareJID, asked: Asked) -> bool:
        concerned = (key.service, key, (key, requester))
        since = max(self._forgotten.get(one, 0) for one in concerned)
        return asked.turn <= max(since, self._all_forgotten)

    def _drop(self, key: NodeKey, holder: _Holder) -> None:
        self._shown -= len(self._held.pop((key, holder)).shown)
        self._holders[key].discard(holder)
        if not self._holders[key]:
            del self._holders[key]


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)
