"""When a service that does not answer is not asked any more: a circuit breaker.

Two rules. Anything that a service says, a refusal or a notification too, shows that it is there.
And only a probe of our own that fails as well shows that it is away: one slow node, or one kind of
request that it never answers, does not.

Time, chance and the order of what happened come in as arguments; nothing is asked or logged here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


class BreakerState(Enum):
    """Whether a service is asked."""

    CLOSED = "closed"
    """It is asked, whatever there is to ask."""
    OPEN = "open"
    """It is away, and not asked."""
    HALF_OPEN = "half-open"
    """It is away, and one probe is on its way to see whether it still is."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The numbers and pauses, as configured in `[upstream]`."""

    suspend_after: int = 3
    probe_after: timedelta = timedelta(seconds=1)
    probe_at_most: timedelta = timedelta(seconds=30)

    def pause(self, failed_probes: int, chance: float) -> timedelta:
        """Return how long to wait for the next probe after so many failed in a row.

        Twice as long after each, up to `probe_at_most`. By chance, a number from 0 to 1, as little
        as half of that, so that not everybody asks a service at the moment at which it is back.
        """
        doubled: timedelta = self.probe_after * 2 ** min(max(failed_probes - 1, 0), 20)
        return min(doubled, self.probe_at_most) * ((1 + chance) / 2)


class Breaker:
    """The breaker of one service.

    Its arguments `asked` and `heard` are numbers that grow with everything that is asked or heard:
    an outage of a request that was sent before something was heard says nothing about what is now.

    Attributes:
        state: whether the service is asked.
        outages: how many requests came to nothing since something was heard.
        failed_probes: how many of these were probes.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self.state = BreakerState.CLOSED
        self.outages = 0
        self.failed_probes = 0
        self._policy = policy
        self._heard = 0
        self._is_probing = False
        self._probe_at: datetime | None = None
        self._no_probe_before: datetime | None = None

    @property
    def is_away(self) -> bool:
        """Whether the service has not even answered a probe."""
        return self.failed_probes > 0

    @property
    def is_closed(self) -> bool:
        """Whether the service is asked."""
        return self.state is BreakerState.CLOSED

    def heard(self, heard: int) -> None:
        """The service said something, whatever it was."""
        self.state = BreakerState.CLOSED
        self.outages = self.failed_probes = 0
        self._heard = heard
        self._probe_at = None

    def failed(self, asked: int, now: datetime) -> bool:
        """A request came to nothing; tell whether that shows anything.

        It does not if something was heard since it was sent, nor of a service that is not asked.
        """
        if asked < self._heard or not self.is_closed:
            return False
        self.outages += 1
        if self._probe_at is None:
            self._probe_at = max(now, self._no_probe_before or now)
        self._judge()
        return True

    def is_probe_due(self, now: datetime) -> bool:
        """Tell whether to probe now: never twice at once, and not before the pause is over."""
        return not self._is_probing and self._probe_at is not None and self._probe_at <= now

    def probe_began(self, now: datetime) -> None:
        """A probe is sent."""
        self._is_probing = True
        self._no_probe_before = now + self._policy.probe_after
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN

    def probe_ended(self) -> None:
        """The probe is over: `heard` was called before if it was answered.

        Nothing else need have been: where it was our own stream that failed, it says nothing.
        """
        self._is_probing = False
        if self.state is BreakerState.HALF_OPEN:
            self.state = BreakerState.OPEN

    def probe_failed(self, asked: int, now: datetime, chance: float) -> None:
        """The probe came to nothing; to be followed by `probe_ended`."""
        if asked < self._heard:
            return
        self.outages += 1
        self.failed_probes += 1
        self._probe_at = now + self._policy.pause(self.failed_probes, chance)
        self._judge()

    def _judge(self) -> None:
        if self.is_closed and self.is_away and self.outages >= self._policy.suspend_after:
            self.state = BreakerState.OPEN
