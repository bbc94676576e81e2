"""Who may make us look at how many new nodes: per requester, and per service.

To look at a node costs its service requests, us a record, and perhaps a synchronisation. Beyond the
limits a read is forwarded like any other, and the node stays unknown. All of this is in memory, and
bounded; it does not depend on the database.
"""

import logging
from collections import Counter, OrderedDict
from datetime import datetime, timedelta

from pubcellar.core.counters import Happened
from pubcellar.core.values import BareJID
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)

PER = timedelta(hours=1)
MOST_REMEMBERED = 10_000
"""Requesters, and as many services; of whoever asked the longest ago it is forgotten."""
LOG_EVERY = timedelta(minutes=10)


class Allowance:
    """So many in a time for each of many keys, all at once or one by one (a token bucket).

    Args:
        number: how many are given in that time, and at most at once.
        per: the time.
    """

    def __init__(self, number: int, per: timedelta = PER) -> None:
        self._number = number
        self._per = per
        self._spent: OrderedDict[BareJID, tuple[float, datetime]] = OrderedDict()

    def __len__(self) -> int:
        """Return of how many keys it is remembered what they have spent."""
        return len(self._spent)

    def has_one(self, key: BareJID, now: datetime) -> bool:
        """Tell whether one is left."""
        return self._spent_until(key, now) <= self._number - 1

    def take_one(self, key: BareJID, now: datetime) -> None:
        """Spend one."""
        self._spent[key] = self._spent_until(key, now) + 1, now
        self._spent.move_to_end(key)
        if len(self._spent) > MOST_REMEMBERED:
            self._spent.popitem(last=False)

    def _spent_until(self, key: BareJID, now: datetime) -> float:
        spent, at = self._spent.get(key, (0.0, now))
        return max(0.0, spent - self._number * max((now - at) / self._per, 0.0))


class Triggers:
    """Admits looks at new nodes, or not."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._of_requesters = Allowance(parts.limits.max_new_nodes_per_requester)
        self._of_services = Allowance(parts.limits.max_new_nodes_per_service)
        self._quiet_until: datetime | None = None
        self._left_out: Counter[str] = Counter()

    def admits(self, requester: BareJID, service: BareJID) -> bool:
        """Tell whether a new node may be looked at; if so, that is counted."""
        now = self._parts.clock.now()
        if not self._of_requesters.has_one(requester, now):
            self._refused(f"requester {requester}", "max_new_nodes_per_requester", now)
            return False
        if not self._of_services.has_one(service, now):
            self._refused(f"service {service}", "max_new_nodes_per_service", now)
            return False
        self._of_requesters.take_one(requester, now)
        self._of_services.take_one(service, now)
        return True

    def _refused(self, whose: str, setting: str, now: datetime) -> None:
        self._parts.counters.count(Happened.LEFT_UNKNOWN)
        self._left_out[setting] += 1
        if self._quiet_until is not None and now < self._quiet_until:
            return
        log.warning(
            "new nodes are not looked at, their reads are only forwarded: the limit for %s is "
            "reached ([cache] %s); since the last such line: %s",
            whose,
            setting,
            ", ".join(f"{number} for {name}" for name, number in self._left_out.items()),
        )
        self._left_out.clear()
        self._quiet_until = now + LOG_EVERY
