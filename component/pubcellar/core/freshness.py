"""What must happen now with a read of a node: answer it, verify first, or forward it.

Two rules. While in doubt, forward. Time and facts come in as arguments, and nothing is done here:
`pubcellar.proxy` carries the decision out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from pubcellar.core.access import is_shared
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import SubscriptionState


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """The clocks, as configured in `[cache]`; each is explained in conf/pubcellar.toml."""

    access_verify_every: timedelta = timedelta(seconds=60)
    verify_every: timedelta = timedelta(minutes=15)
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
) -> Decision:
    """Decide on a read of a node.

    Args:
        record: what is known of the node; None when nothing is.
        now: the current time.
        policy: the clocks.
        in_doubt: whether something has happened that the database does not show yet.
        is_notified: whether our subscription, where there is one, can be counted on.
    """
    if record is None:
        return Forward(FollowUp.ANALYSE)
    if record.state is NodeState.NO_SYNC:
        return Forward(FollowUp.ANALYSE if _is_due(record, now) else FollowUp.NOTHING)
    if record.state is NodeState.FAILED:
        return Forward(FollowUp.WORK if _is_due(record, now) else FollowUp.NOTHING)
    if record.state is NodeState.SYNCING:
        return Forward(FollowUp.WORK)
    if not is_shared(record.access_model):
        return Forward(FollowUp.WORK)
    if (
        in_doubt
        or record.state is NodeState.STALE
        or not _are_contents_fresh(record, now, policy, is_notified)
    ):
        may_answer_stale = _age(record.items_verified_at, now) <= policy.max_stale
        return Forward(FollowUp.WORK, may_answer_stale=may_answer_stale)
    info_age = _age(record.info_verified_at, now)
    if info_age > policy.access_verify_every:
        return VerifyAccess()
    return Answer(verify_soon=info_age > policy.access_verify_every / 2)


def _is_due(record: NodeRecord, now: datetime) -> bool:
    return record.retry_at is None or record.retry_at <= now


def _are_contents_fresh(
    record: NodeRecord, now: datetime, policy: FreshnessPolicy, is_notified: bool
) -> bool:
    is_followed = is_notified and record.subscription is SubscriptionState.SUBSCRIBED
    bound = policy.verify_every if is_followed else min(policy.max_age, policy.verify_every)
    return _age(record.items_verified_at, now) <= bound


def _age(moment: datetime | None, now: datetime) -> timedelta:
    return timedelta.max if moment is None else now - moment
