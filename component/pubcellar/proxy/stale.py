"""Answers from the database while the service is away: counted, each of them, and logged."""

import logging
from collections import OrderedDict
from datetime import datetime, timedelta

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.ports import Clock
from pubcellar.core.values import BareJID

log = logging.getLogger(__name__)

SAY_EVERY = timedelta(minutes=1)
MOST_SERVICES = 1000


class StaleAnswers:
    """Marks stale answers as such, for who runs the proxy.

    Each is a line at level `debug`. At the level that is the default one line a minute tells of a
    service and how many they were: however busy it is, an outage must not fill the disk.
    """

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters = counters
        self._clock = clock
        self._unsaid: OrderedDict[BareJID, tuple[datetime, int]] = OrderedDict()

    def note(self, service: BareJID, node: str | None, verified_at: datetime | None) -> None:
        """An answer was stale.

        Args:
            service: who should have answered.
            node: what it was about; None for the service as a whole.
            verified_at: when the service last confirmed what was answered.
        """
        self._counters.count(Happened.ANSWERED_STALE)
        now = self._clock.now()
        say_at, unsaid = self._unsaid.pop(service, (now, 0))
        if now >= say_at:
            log.warning(
                "answered stale, the service is away service=%s node=%r as of %s; "
                "stale answers of this service since the last such line: %d",
                service,
                node,
                "an unknown time" if verified_at is None else verified_at.isoformat(" ", "seconds"),
                unsaid + 1,
            )
            say_at, unsaid = now + SAY_EVERY, 0
        else:
            unsaid += 1
        self._unsaid[service] = (say_at, unsaid)
        while len(self._unsaid) > MOST_SERVICES:
            self._unsaid.popitem(last=False)
