"""How long we bear with a callable that does not come back, and how much we say about failures."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

TIMEOUTS_IN_A_ROW = 3
FIRST_REST = timedelta(minutes=5)
LONGEST_REST = timedelta(days=1)
LOG_EVERY = timedelta(minutes=1)

Seconds = Callable[[], float]
"""A clock that only goes forward, in seconds."""


class Patience:
    """Suspends a callable that exceeded its time limit `TIMEOUTS_IN_A_ROW` times in a row.

    The first rest lasts `FIRST_REST`. After it, one call is tried; each further time-out begins a
    rest twice as long, up to `LONGEST_REST`. A call that comes back, with a result or an error,
    ends all of it. So the time, and the threads, that a hanging callable can cost are bounded.
    """

    def __init__(self, seconds: Seconds) -> None:
        self._seconds = seconds
        self._timeouts = 0
        self._rests_until = 0.0

    def is_suspended(self) -> bool:
        """Tell whether the callable is resting."""
        return self._timeouts >= TIMEOUTS_IN_A_ROW and self._seconds() < self._rests_until

    def came_back(self) -> None:
        """Note that a call ended by itself."""
        self._timeouts = 0

    def timed_out(self) -> timedelta | None:
        """Note that a call exceeded its limit; return how long the callable rests from now."""
        self._timeouts += 1
        rests_before = self._timeouts - TIMEOUTS_IN_A_ROW
        if rests_before < 0:
            return None
        # Capped before it is multiplied: timedelta overflows.
        rest = min(LONGEST_REST, FIRST_REST * (1 << min(rests_before, 16)))
        self._rests_until = self._seconds() + rest.total_seconds()
        return rest


@dataclass(slots=True)
class _Quiet:
    """What was left unsaid of one kind of failure since a line was last written."""

    until: float
    left_out: int = 0


class FailureLog:
    """Writes a warning per analyser and kind of failure at most once every `LOG_EVERY`.

    The line says how many were left out since the last one.
    """

    def __init__(self, logger: logging.Logger, seconds: Seconds) -> None:
        self._logger = logger
        self._seconds = seconds
        self._quiet: dict[tuple[str, str], _Quiet] = {}

    def failed(self, analyser: str, kind: str, text: str, error: BaseException) -> None:
        """Report one failure; its traceback goes to the debug level.

        `kind` is one of a few words, and `analyser` a name that is registered.
        """
        now = self._seconds()
        quiet = self._quiet.get((analyser, kind))
        if quiet is not None and now < quiet.until:
            quiet.left_out += 1
            return
        left_out = quiet.left_out if quiet else 0
        self._quiet[analyser, kind] = _Quiet(until=now + LOG_EVERY.total_seconds())
        more = f" ({left_out} more like this since the last such line)" if left_out else ""
        self._logger.warning("analyser %r: %s%s", analyser, text, more)
        self._logger.debug("analyser %r: where it failed", analyser, exc_info=error)
