"""The decision on a read of a node, row by row (docs/architecture.md, "A node's life")."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from pubcellar.core.freshness import (
    Answer,
    Decision,
    Extent,
    FollowUp,
    Forward,
    FreshnessPolicy,
    VerifyAccess,
    decide,
    extent_of_comparison,
    is_comparison_due,
    is_verification_due,
    verify_after,
)
from pubcellar.core.hints import NO_HINTS, CachingHints, Persistence
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import BareJID, NodeKey, SubscriptionState

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = FreshnessPolicy(
    access_verify_every=60 * SECOND,
    verify_every=900 * SECOND,
    max_age=300 * SECOND,
    max_stale=86400 * SECOND,
)

NO_SYNC, SYNCING = NodeState.NO_SYNC, NodeState.SYNCING
LIVE, STALE, FAILED = NodeState.LIVE, NodeState.STALE, NodeState.FAILED

ANALYSE = Forward(FollowUp.ANALYSE)
NOTHING = Forward(FollowUp.NOTHING)
WORK = Forward(FollowUp.WORK)
WORK_OR_STALE = Forward(FollowUp.WORK, may_answer_stale=True)

NOT_SUBSCRIBED = [state for state in SubscriptionState if state is not SubscriptionState.SUBSCRIBED]


def record(
    state: NodeState,
    *,
    access_model: str | None = "open",
    subscription: SubscriptionState = SubscriptionState.SUBSCRIBED,
    info_age: float | None = 0,
    items_age: float | None = 0,
    retry_in: float | None = None,
) -> NodeRecord:
    """Return a record; ages and times in seconds."""

    def ago(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOW - seconds * SECOND

    return NodeRecord(
        NodeKey(BareJID("pubsub.example.org"), "blog"),
        state,
        created_at=NOW,
        state_changed_at=NOW,
        access_model=access_model,
        subscription=subscription,
        info_verified_at=ago(info_age),
        items_verified_at=ago(items_age),
        retry_at=None if retry_in is None else NOW + retry_in * SECOND,
    )


def test_a_node_nobody_knows_is_forwarded_and_analysed() -> None:
    assert decide(None, NOW, POLICY) == ANALYSE
    assert decide(None, NOW, POLICY, in_doubt=True) == ANALYSE


@pytest.mark.parametrize(
    ("state", "retry_in", "expected"),
    [
        (NO_SYNC, None, ANALYSE),
        (NO_SYNC, -1, ANALYSE),
        (NO_SYNC, 0, ANALYSE),
        (NO_SYNC, 1, NOTHING),
        (FAILED, None, WORK),
        (FAILED, -1, WORK),
        (FAILED, 0, WORK),
        (FAILED, 1, NOTHING),
        (SYNCING, None, WORK),
        (SYNCING, 1, WORK),
    ],
)
@pytest.mark.parametrize("access_model", ["open", "whitelist", None])
@pytest.mark.parametrize("in_doubt", [False, True])
def test_what_is_not_held_is_forwarded_whatever_else_is_known(
    state: NodeState,
    retry_in: float | None,
    expected: Decision,
    access_model: str | None,
    in_doubt: bool,
) -> None:
    known = record(state, access_model=access_model, retry_in=retry_in)
    assert decide(known, NOW, POLICY, in_doubt=in_doubt) == expected


CLOSED = ["authorize", "presence", "roster", "whitelist"]


@pytest.mark.parametrize("state", [LIVE, STALE])
@pytest.mark.parametrize("access_model", ["", "future", "Open", None])
@pytest.mark.parametrize("is_entitled", [False, True])
@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_node_with_an_unknown_access_model_is_forwarded_and_never_answered_in_an_outage(
    state: NodeState, access_model: str | None, is_entitled: bool, in_doubt: bool
) -> None:
    known = record(state, access_model=access_model)
    assert decide(known, NOW, POLICY, in_doubt=in_doubt, is_entitled=is_entitled) == WORK


@pytest.mark.parametrize("access_model", CLOSED)
@pytest.mark.parametrize(
    ("state", "in_doubt", "info_age", "of_the_entitled", "of_others"),
    [
        (LIVE, False, 0, Answer(), NOTHING),
        (LIVE, False, 30.001, Answer(verify_soon=True), NOTHING),
        (LIVE, False, 60.001, VerifyAccess(), Forward(FollowUp.VERIFY_ACCESS)),
        (LIVE, False, None, VerifyAccess(), Forward(FollowUp.VERIFY_ACCESS)),
        (LIVE, True, 0, WORK_OR_STALE, WORK),
        (STALE, False, 0, WORK_OR_STALE, WORK),
        (STALE, True, 3600, WORK_OR_STALE, WORK),
    ],
)
def test_a_node_that_is_not_open_is_only_for_the_entitled(
    access_model: str,
    state: NodeState,
    in_doubt: bool,
    info_age: float | None,
    of_the_entitled: Decision,
    of_others: Decision,
) -> None:
    known = record(state, access_model=access_model, info_age=info_age)
    found = [
        decide(known, NOW, POLICY, in_doubt=in_doubt, is_entitled=is_entitled)
        for is_entitled in (True, False)
    ]
    assert found == [of_the_entitled, of_others]


@pytest.mark.parametrize(
    ("state", "is_entitled", "expected"),
    [
        (LIVE, True, Answer()),
        (LIVE, False, NOTHING),
        (STALE, True, WORK_OR_STALE),
        (STALE, False, WORK),
    ],
)
def test_with_check_open_an_open_node_is_for_the_entitled_too(
    state: NodeState, is_entitled: bool, expected: Decision
) -> None:
    decision = decide(record(state), NOW, POLICY, check_open=True, is_entitled=is_entitled)
    assert decision == expected


def test_being_entitled_makes_nothing_fresher() -> None:
    known = record(LIVE, access_model="whitelist", items_age=900.001)
    assert decide(known, NOW, POLICY, is_entitled=True) == WORK_OR_STALE
    known = record(LIVE, access_model="whitelist", items_age=86400.001)
    assert decide(known, NOW, POLICY, is_entitled=True) == WORK


@pytest.mark.parametrize(
    ("info_age", "expected"),
    [
        (0, Answer()),
        (30, Answer()),
        (30.001, Answer(verify_soon=True)),
        (60, Answer(verify_soon=True)),
        (60.001, VerifyAccess()),
        (86400, VerifyAccess()),
        (None, VerifyAccess()),
    ],
)
def test_a_live_node_is_answered_while_its_access_model_is_fresh(
    info_age: float | None, expected: Decision
) -> None:
    assert decide(record(LIVE, info_age=info_age), NOW, POLICY) == expected


@pytest.mark.parametrize(
    ("items_age", "expected"),
    [
        (0, Answer()),
        (900, Answer()),
        (900.001, WORK_OR_STALE),
        (86400, WORK_OR_STALE),
        (86400.001, WORK),
        (None, WORK),
    ],
)
def test_a_followed_node_is_answered_until_its_contents_want_verifying(
    items_age: float | None, expected: Decision
) -> None:
    assert decide(record(LIVE, items_age=items_age), NOW, POLICY) == expected


@pytest.mark.parametrize("subscription", NOT_SUBSCRIBED)
@pytest.mark.parametrize(
    ("items_age", "expected"), [(300, Answer()), (300.001, WORK_OR_STALE), (86400.001, WORK)]
)
def test_a_node_without_subscription_is_answered_for_max_age_only(
    subscription: SubscriptionState, items_age: float, expected: Decision
) -> None:
    known = record(LIVE, subscription=subscription, items_age=items_age)
    assert decide(known, NOW, POLICY) == expected


@pytest.mark.parametrize(
    ("items_age", "expected"), [(300, Answer()), (300.001, WORK_OR_STALE), (86400.001, WORK)]
)
def test_a_subscription_that_cannot_be_counted_on_is_none(
    items_age: float, expected: Decision
) -> None:
    assert decide(record(LIVE, items_age=items_age), NOW, POLICY, is_notified=False) == expected


def test_a_max_age_above_verify_every_does_not_make_an_unfollowed_node_fresher() -> None:
    policy = FreshnessPolicy(verify_every=60 * SECOND, max_age=3600 * SECOND)
    known = record(LIVE, subscription=SubscriptionState.NONE, items_age=61)
    assert decide(known, NOW, policy) == WORK_OR_STALE


@pytest.mark.parametrize("state", [LIVE, STALE])
@pytest.mark.parametrize(
    ("items_age", "expected"), [(0, WORK_OR_STALE), (86400, WORK_OR_STALE), (86401, WORK)]
)
def test_doubt_is_forwarded_and_answered_only_in_an_outage_up_to_max_stale(
    state: NodeState, items_age: float, expected: Decision
) -> None:
    known = record(state, items_age=items_age)
    assert decide(known, NOW, POLICY, in_doubt=True) == expected


@pytest.mark.parametrize(
    ("items_age", "expected"),
    [(0, WORK_OR_STALE), (86400, WORK_OR_STALE), (86400.001, WORK), (None, WORK)],
)
@pytest.mark.parametrize("info_age", [0, 3600, None])
def test_a_stale_node_is_forwarded_and_answered_only_in_an_outage_up_to_max_stale(
    items_age: float | None, expected: Decision, info_age: float | None
) -> None:
    assert decide(record(STALE, items_age=items_age, info_age=info_age), NOW, POLICY) == expected


def test_max_stale_of_zero_never_answers_what_is_older_than_now() -> None:
    policy = FreshnessPolicy(max_stale=timedelta(0))
    assert decide(record(STALE, items_age=0.001), NOW, policy) == WORK


EXPIRING = CachingHints(item_expire=120 * SECOND)
VANISHING = CachingHints(persistence=Persistence.SEMI_PERSISTENT)
RELAXING = CachingHints(
    persistence=Persistence.PERSISTENT,
    consistent_items=True,
    consistent_set=True,
    stable_items=True,
    always_notify=True,
    max_items=1_000_000,
    item_expire=365 * 86400 * SECOND,
)


@pytest.mark.parametrize(
    ("hints", "bound"),
    [
        (NO_HINTS, 900),
        (EXPIRING, 120),
        (CachingHints(item_expire=SECOND), 60),
        (CachingHints(item_expire=86400 * SECOND), 900),
        (VANISHING, 300),
        (RELAXING, 900),
    ],
)
def test_hints_shorten_how_long_contents_are_believed_and_never_lengthen_it(
    hints: CachingHints, bound: float
) -> None:
    known = record(LIVE, items_age=bound)
    assert decide(known, NOW, POLICY, hints=hints) == Answer()
    known = record(LIVE, items_age=bound + 0.001)
    assert decide(known, NOW, POLICY, hints=hints) == WORK_OR_STALE
    half = record(LIVE, items_age=bound / 2)
    assert is_verification_due(half, NOW, POLICY, hints)
    assert not is_verification_due(record(LIVE, items_age=bound / 2 - 1), NOW, POLICY, hints)


@pytest.mark.parametrize("access_model", ["whitelist", "presence", "", None])
def test_no_hint_opens_a_node(access_model: str | None) -> None:
    known = record(LIVE, access_model=access_model)
    expected = WORK if not access_model else NOTHING
    assert decide(known, NOW, POLICY, hints=RELAXING) == expected


def test_every_node_is_verified_in_time_and_not_all_at_once() -> None:
    keys = [NodeKey(BareJID("pubsub.example.org"), f"node {number}") for number in range(2000)]
    moments = [verify_after(key, POLICY) / POLICY.verify_every for key in keys]
    assert 0.6 <= min(moments) < 0.61
    assert 0.79 < max(moments) <= 0.8
    tenths = [sum(low <= moment * 100 < low + 2 for moment in moments) for low in range(60, 80, 2)]
    assert min(tenths) > 100


def test_all_items_are_compared_once_in_every_compare_every() -> None:
    policy = FreshnessPolicy(compare_every=86400 * SECOND)
    names = [f"node {number}" for number in range(200)]
    due_at = set()
    for name in names:
        known = replace(record(LIVE), key=NodeKey(BareJID("pubsub.example.org"), name))
        due = []
        for quarter in range(1, 3 * 96 + 1):
            now = NOW + quarter * 900 * SECOND
            if is_comparison_due(known, now, policy):
                due.append(quarter)
            known = replace(known, items_verified_at=now)
        assert [later - earlier for earlier, later in pairwise(due)] == [96, 96]
        due_at.add(due[0])
    assert len(due_at) > 70


MOVES, STAYS, ONCE_STAYED = (ServiceTraits(republish_sightings=number) for number in (2, -2, -1))
UNKNOWN = ServiceTraits()


@pytest.mark.parametrize(
    ("traits", "hints", "was_followed", "expected"),
    [
        (UNKNOWN, NO_HINTS, True, Extent.ALL),
        (STAYS, NO_HINTS, True, Extent.ALL),
        (MOVES, NO_HINTS, True, Extent.HIDDEN),
        (MOVES, NO_HINTS, False, Extent.HIDDEN),
        (UNKNOWN, CachingHints(stable_items=True), True, Extent.HIDDEN),
        (ONCE_STAYED, CachingHints(stable_items=True), True, Extent.ALL),
        (STAYS, CachingHints(stable_items=True), True, Extent.ALL),
        (MOVES, CachingHints(stable_items=False), True, Extent.ALL),
        (STAYS, CachingHints(always_notify=True), True, Extent.NOTHING),
        (STAYS, CachingHints(always_notify=True), False, Extent.ALL),
        (STAYS, CachingHints(always_notify=False), True, Extent.ALL),
        (MOVES, CachingHints(always_notify=True, stable_items=False), False, Extent.ALL),
    ],
)
def test_what_is_compared_whole_when_ids_and_order_agree(
    traits: ServiceTraits, hints: CachingHints, was_followed: bool, expected: Extent
) -> None:
    assert extent_of_comparison(traits, hints, was_followed=was_followed) is expected
