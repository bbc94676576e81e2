"""What happened how often, for logs now and for metrics."""

from collections import Counter
from enum import StrEnum


class Happened(StrEnum):
    """Everything that is counted; the values are the names that people see."""

    ANSWERED_FROM_CACHE = "answered_from_cache"
    ANSWERED_STALE = "answered_stale"
    FORWARDED = "forwarded"
    JOINED = "joined"
    FAILURE_REMEMBERED = "failure_remembered"
    """A read that has just failed was asked again, and told the same without asking the service."""
    NOT_FORWARDED = "not_forwarded"
    """A read was not forwarded, since its service is away; it may have been answered stale."""
    SERVICE_AWAY = "service_away"
    SERVICE_BACK = "service_back"
    PROBED = "probed"
    REFUSED = "refused"
    WRITTEN = "written"
    """A pubsub set was passed on."""
    ACTED_AS_USER = "acted_as_user"
    """A request went out in the user's own name (XEP-0356)."""
    PRIVILEGE_MISSING = "privilege_missing"
    """A request was put off since the user's server does not let us act for them any more."""
    NOTIFICATION_RELAYED = "notification_relayed"
    NOTIFICATION_DROPPED = "notification_dropped"
    """What came for an alias and was not from a node that it is subscribed to."""
    OVER_QUOTA = "over_quota"
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
    SYNCHRONISATION_RESUMED = "synchronisation_resumed"
    DRIFT_REPAIRED = "drift_repaired"
    """What a service has changed without a notification that reached us; each of the kinds below
    is counted here too."""
    DRIFT_ACCESS = "drift_access"
    """A node is not to be held any more: its access model, or what else it says of itself."""
    DRIFT_DELETED = "drift_deleted"
    """A node is not there any more."""
    DRIFT_EVICTED = "drift_evicted"
    """An old item is not there any more, after a new one came."""
    DRIFT_ITEMS = "drift_items"
    """Items are there that were not, or the reverse."""
    DRIFT_METADATA = "drift_metadata"
    """disco#info of a node says something else."""
    DRIFT_ORDER = "drift_order"
    """The same items are in another order."""
    DRIFT_REPUBLISHED = "drift_republished"
    """An item has other contents; each is counted."""
    DRIFT_SUBSCRIPTION = "drift_subscription"
    """Our subscription is not there any more."""
    LEFT_UNKNOWN = "left_unknown"
    DROPPED_FOR_ROOM = "dropped_for_room"
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
