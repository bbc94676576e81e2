"""What must happen now with a read of a node: answer it, verify first, or forward it.

Two rules. While in doubt, forward. Time and facts come in as arguments, and nothing is done here:
`pubcellar.proxy` carries the decision out.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from zlib import crc32

from pubcellar.core.access import Audience, audience, may_be_given
from pubcellar.core.hints import NO_HINTS, CachingHints
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import NodeKey, SubscriptionState

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VERIFY_FIRST, VERIFY_LAST = 0.6, 0.8
"""Parts of `verify_every` between which contents are verified, so that they are in time."""


READ_LATELY = timedelta(days=1)
"""Since when a node must have been read to be verified by itself."""


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """The clocks, as configured in `[cache]`; each is explained in conf/pubcellar.toml."""

    access_verify_every: timedelta = timedelta(seconds=60)
    verify_every: timedelta = timedelta(minutes=15)
    compare_every: timedelta = timedelta(hours=6)
    max_age: timedelta = timedelta(minutes=5)
    max_stale: timedelta = timedelta(days=1)
    service_max_age: timedelta = timedelta(minutes=5)


class FollowUp(Enum):
    """What begins behind a forwarded read, adding nothing to its latency."""

    NOTHING = "nothing"
    ANALYSE = "analyse"
    """Ask the analysers what the node is, if the read shows that it is there."""
    WORK = "work"
    """Let the node's worker synchronise, revalidate or verify, whichever is due."""
    VERIFY_ACCESS = "verify access"
    """Ask the service for the node's access model."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer from the database.

    `verify_soon` asks for a verification behind the answer, so that a node read all the time never
    makes a requester wait for one.
    """

    verify_soon: bool = False


@dataclass(frozen=True, slots=True)
class VerifyAccess:
    """Ask the service for the node's access model first, then decide again."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Forward as the requester.

    `may_answer_stale` allows an answer from the database if the service cannot be reached.
    """

    follow_up: FollowUp = FollowUp.NOTHING
    may_answer_stale: bool = False


Decision = Answer | VerifyAccess | Forward


def decide(
    record: NodeRecord | None,
    now: datetime,
    policy: FreshnessPolicy,
    *,
    in_doubt: bool = False,
    is_notified: bool = True,
    hints: CachingHints = NO_HINTS,
    check_open: bool = False,
    is_entitled: bool = False,
) -> Decision:
    """Decide on a read of a node.

    Args:
        record: what is known of the node; None when nothing is.
        now: the current time.
        policy: the clocks.
        in_doubt: whether something has happened that the database does not show yet.
        is_notified: whether our subscription, where there is one, can be counted on.
        hints: what the service says of the node (XEP-0460).
        check_open: whether open nodes are only given to who is entitled, too.
        is_entitled: whether the requester is (`core.entitlements`).
    """
    if record is None:
        return Forward(FollowUp.ANALYSE)
    if record.state is NodeState.NO_SYNC:
        return Forward(FollowUp.ANALYSE if _is_due(record, now) else FollowUp.NOTHING)
    if record.state is NodeState.FAILED:
        return Forward(FollowUp.WORK if _is_due(record, now) else FollowUp.NOTHING)
    if record.state is NodeState.SYNCING:
        return Forward(FollowUp.WORK)
    if audience(record.access_model) is Audience.NOBODY:
        return Forward(FollowUp.WORK)
    is_admitted = may_be_given(record.access_model, check_open=check_open, is_entitled=is_entitled)
    if (
        in_doubt
        or record.state is NodeState.STALE
        or _age(record.items_verified_at, now) > contents_bound(record, policy, hints, is_notified)
    ):
        return forward_unverified(record, now, policy, is_admitted=is_admitted)
    info_age = _age(record.info_verified_at, now)
    is_young = info_age <= policy.access_verify_every
    if not is_admitted:
        return Forward(FollowUp.NOTHING if is_young else FollowUp.VERIFY_ACCESS)
    if not is_young:
        return VerifyAccess()
    return Answer(verify_soon=info_age > policy.access_verify_every / 2)


def forward_unverified(
    record: NodeRecord, now: datetime, policy: FreshnessPolicy, *, is_admitted: bool
) -> Forward:
    """Return how to answer of a node for which nobody vouches at the moment.

    In an outage it may be given to who would be given it otherwise, and to nobody else.
    """
    may_answer_stale = is_admitted and _age(record.items_verified_at, now) <= policy.max_stale
    return Forward(FollowUp.WORK, may_answer_stale=may_answer_stale)


def _is_due(record: NodeRecord, now: datetime) -> bool:
    return record.retry_at is None or record.retry_at <= now


def contents_bound(
    record: NodeRecord,
    policy: FreshnessPolicy,
    hints: CachingHints = NO_HINTS,
    is_notified: bool = True,
) -> timedelta:
    """Return how long the contents of a node are believed after they were fetched or verified.

    Hints only shorten that: items that expire, or that a restart of the service takes away, go
    without a notification. No hint makes us verify more often than `access_verify_every`.
    """
    is_followed = is_notified and record.subscription is SubscriptionState.SUBSCRIBED
    bound = policy.verify_every
    if not is_followed or hints.may_vanish:
        bound = min(bound, policy.max_age)
    if hints.item_expire is not None:
        bound = min(bound, max(hints.item_expire, policy.access_verify_every))
    return bound


def is_verification_due(
    record: NodeRecord, now: datetime, policy: FreshnessPolicy, hints: CachingHints = NO_HINTS
) -> bool:
    """Tell whether contents that are looked at anyway are to be verified in full."""
    return _age(record.items_verified_at, now) >= contents_bound(record, policy, hints) / 2


def verify_after(key: NodeKey, policy: FreshnessPolicy) -> timedelta:
    """Return after how long the contents of that node are to be verified, to be so in time.

    Each node has its own part of `verify_every`, so that those fetched together do not all fall
    due together again.
    """
    return policy.verify_every * (VERIFY_FIRST + (VERIFY_LAST - VERIFY_FIRST) * _share(key))


def is_comparison_due(record: NodeRecord, now: datetime, policy: FreshnessPolicy) -> bool:
    """Tell whether all items are to be compared whole, whatever rule makes that unnecessary.

    Each node has a moment of its own in every `compare_every`; it is due if one has come since the
    contents were last verified.
    """
    if record.items_verified_at is None:
        return True
    first = EPOCH + policy.compare_every * _share(record.key)
    number_then = (record.items_verified_at - first) // policy.compare_every
    return (now - first) // policy.compare_every > number_then


def _share(key: NodeKey) -> float:
    """Return a number from 0 up to 1, always the same for a node, and others for others."""
    return crc32(f"{key.service} {key.node}".encode()) / 2**32


class Extent(Enum):
    """Which items are to be compared whole, once ids, their order and the newest item agree."""

    NOTHING = "nothing"
    """None: the service has let us know that they are unchanged."""
    HIDDEN = "hidden"
    """Those before which something newer was published, of which we did hear."""
    ALL = "all"


def extent_of_comparison(
    traits: ServiceTraits, hints: CachingHints, *, was_followed: bool
) -> Extent:
    """Tell what equal ids in equal order leave open.

    Args:
        traits: the service's habits, as seen.
        hints: what it says of the node; what was seen weighs more.
        was_followed: whether our subscription held since the contents were last verified.
    """
    if hints.always_notify and was_followed:
        return Extent.NOTHING
    if hints.stable_items is False:
        return Extent.ALL
    does_move = traits.republish_moves
    if does_move is None:
        # A single sighting makes no rule, but it does contradict the service's own word.
        does_move = hints.stable_items is True and traits.republish_sightings >= 0
    return Extent.HIDDEN if does_move else Extent.ALL


def _age(moment: datetime | None, now: datetime) -> timedelta:
    return timedelta.max if moment is None else now - moment
