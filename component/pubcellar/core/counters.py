"""What happened how often, for logs now and for metrics."""

from collections import Counter
from enum import StrEnum


class Happened(StrEnum):
    """Everything that is counted; the values are the names that people see."""

    ANSWERED_FROM_CACHE = "answered_from_cache"
    ANSWERED_STALE = "answered_stale"
    FORWARDED = "forwarded"
    JOINED = "joined"
    REFUSED = "refused"
    UPSTREAM_REQUEST = "upstream_request"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    REPLY_UNMATCHED = "reply_unmatched"
    REPLY_FOREIGN = "reply_foreign"
    EVENT_APPLIED = "event_applied"
    EVENT_IGNORED = "event_ignored"
    STANZA_TOO_LARGE = "stanza_too_large"
    STANZA_DROPPED = "stanza_dropped"
    PARSER_FAILED = "parser_failed"
    ANALYSER_FAILED = "analyser_failed"
    SYNCHRONISED = "synchronised"
    SYNCHRONISATION_FAILED = "synchronisation_failed"
    DRIFT_REPAIRED = "drift_repaired"
    STORE_UNAVAILABLE = "store_unavailable"


class Counters:
    """Counts since the process started; not shared between threads."""

    def __init__(self) -> None:
        self._counts: Counter[Happened] = Counter()

    def count(self, what: Happened, times: int = 1) -> None:
        """Add `times` to the count of `what`."""
        self._counts[what] += times

    def __getitem__(self, what: Happened) -> int:
        return self._counts[what]

    def __str__(self) -> str:
        return " ".join(f"{what}={self._counts[what]}" for what in Happened if self._counts[what])
