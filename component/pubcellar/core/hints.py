"""Pubsub Caching Hints: what a service says of one of its nodes to whoever caches it (XEP-0460).

Two rules. A hint that is missing, malformed or contradicts itself is no hint, and then nothing is
taken for granted. Hints decide whether and how closely a node is looked at, never who may read it:
that is the access model's, which alone is not read here.

They arrive as fields of the node's metadata form (XEP-0060 section 5.4), which `pubcellar.xmpp`
reads; no XML is parsed here. `allowed-for-suggestions` is not read either: nothing is suggested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pubcellar.core.namespaces import NS_PUBSUB_CACHING

LONGEST_NUMBER = 12
"""Digits; a number of items or seconds with more is no sensible one."""


class Persistence(StrEnum):
    """Whether the service keeps the items of a node; the values are those on the wire."""

    PERSISTENT = "persistent"
    SEMI_PERSISTENT = "semi-persistent"
    TRANSIENT = "transient"
    TRANSIENT_WITH_LAST_ITEM = "transient-with-last-item"


@dataclass(frozen=True, slots=True)
class CachingHints:
    """What a service says of a node; None where it does not say, or not clearly.

    Attributes:
        persistence: whether it keeps the items.
        consistent_items: an item is the same whoever asks, and whenever.
        consistent_set: everybody who may read the node is given the same items.
        stable_items: what is published, for the first time or again, goes to the newest end.
        always_notify: every change is notified, also where its author did not ask for that.
        purge_keeps_last_item: the newest item survives a purge.
        max_items: the service silently drops items beyond so many.
        item_expire: it silently drops items as old as that.
    """

    persistence: Persistence | None = None
    consistent_items: bool | None = None
    consistent_set: bool | None = None
    stable_items: bool | None = None
    always_notify: bool | None = None
    purge_keeps_last_item: bool | None = None
    max_items: int | None = None
    item_expire: timedelta | None = None

    @property
    def reason_not_held(self) -> str | None:
        """Why a node of which this is said cannot be held; None where nothing speaks against it."""
        if self.persistence is Persistence.TRANSIENT:
            return "the service does not keep its items"
        if self.consistent_items is False:
            return "its items differ from one requester, or one moment, to the next"
        if self.consistent_set is False:
            return "not everybody is given the same items of it"
        return None

    @property
    def may_vanish(self) -> bool:
        """Whether items are only in the service's memory, and gone without a word when that is."""
        return self.persistence in (
            Persistence.SEMI_PERSISTENT,
            Persistence.TRANSIENT_WITH_LAST_ITEM,
        )

    def surplus(self, item_count: int) -> int:
        """Return how many of so many items the service has dropped if it does what it says."""
        kept = self.max_items
        if self.persistence is Persistence.TRANSIENT_WITH_LAST_ITEM:
            kept = 1
        return 0 if kept is None else max(0, item_count - kept)


NO_HINTS = CachingHints()


def caching_hints(fields: Mapping[str, Sequence[str]]) -> CachingHints:
    """Return what the fields of a metadata form say.

    Args:
        fields: the values of every field, by `var`; of fields of the same name together.
    """
    return CachingHints(
        persistence=_persistence(_values(fields, "persistence")),
        consistent_items=_boolean(_values(fields, "consistent-items")),
        consistent_set=_boolean(_values(fields, "consistent-set")),
        stable_items=_boolean(_values(fields, "stable-items")),
        # The XEP's text on it has the first spelling, its summary and its example the second.
        always_notify=_boolean(
            (*_values(fields, "alway-notify"), *_values(fields, "always-notify"))
        ),
        purge_keeps_last_item=_undisputed(_values(fields, "purge-keep-last-item")),
        max_items=_number(fields.get("pubsub#max_items", ())),
        item_expire=_seconds(_number(fields.get("pubsub#item_expire", ()))),
    )


def _values(fields: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    return fields.get(f"{{{NS_PUBSUB_CACHING}}}{name}", ())


def _boolean(values: Sequence[str]) -> bool | None:
    """Return what they say; where they contradict each other, False, which is the careful one."""
    said = {_TRUTH.get(value.strip()) for value in values}
    if False in said:
        return False
    return True if said == {True} else None


def _undisputed(values: Sequence[str]) -> bool | None:
    said = {_TRUTH.get(value.strip()) for value in values}
    return said.pop() if len(said) == 1 else None


def _persistence(values: Sequence[str]) -> Persistence | None:
    try:
        said = {Persistence(value.strip()) for value in values}
    except ValueError:
        return None
    return said.pop() if len(said) == 1 else None


def _number(values: Sequence[str]) -> int | None:
    """Return an `integer-or-max` of XEP-0060; None for `max`, which names no number."""
    if len(set(values)) != 1:
        return None
    digits = values[0].strip()
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER
    return int(digits) or None if is_number else None


def _seconds(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)


_TRUTH = {"true": True, "1": True, "false": False, "0": False}
"""The lexical forms of a boolean (XEP-0004 section 3.3)."""
