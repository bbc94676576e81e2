"""Who was given what by the service, for how long that counts, and what ends it."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from pubcellar.core import entitlements as module
from pubcellar.core.entitlements import Asked, Entitlements
from pubcellar.core.identity import Identity
from pubcellar.core.values import BareJID, NodeKey

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SERVICE = BareJID("pubsub.example.org")
KEY, OTHER_KEY = NodeKey(SERVICE, "a"), NodeKey(SERVICE, "b")
JULIET, ROMEO = BareJID("juliet@capulet.lit"), BareJID("romeo@montague.lit")
ALIAS, PRIVILEGED = Identity.ALIAS, Identity.PRIVILEGED


def entitlements(**bounds: int) -> Entitlements:
    return Entitlements(60 * SECOND, **bounds)


def shown(
    held: Entitlements,
    requester: BareJID = JULIET,
    ids: Collection[str] | None = None,
    key: NodeKey = KEY,
    asked: Asked | None = None,
) -> None:
    held.grant(key, requester, ALIAS, asked or held.asked(NOW), ids)


def reaches(
    held: Entitlements,
    requester: BareJID = JULIET,
    ids: Collection[str] = (),
    after: float = 0,
    key: NodeKey = KEY,
) -> bool:
    return held.reaches(key, requester, ALIAS, NOW + after * SECOND, ids)


def test_who_was_shown_all_is_entitled_to_all_until_the_time_is_over() -> None:
    held = entitlements()
    assert not reaches(held)
    shown(held)
    assert reaches(held) and reaches(held, ids=["whatever"])
    assert reaches(held, after=60)
    assert not reaches(held, after=60.001)


def test_nobody_else_is_nor_elsewhere_nor_in_another_identity() -> None:
    held = entitlements()
    shown(held)
    assert not reaches(held, ROMEO)
    assert not reaches(held, key=OTHER_KEY)
    assert not held.reaches(KEY, JULIET, PRIVILEGED, NOW)


def test_who_was_shown_a_part_is_entitled_to_no_more() -> None:
    held = entitlements()
    shown(held, ids=["1", "2"])
    assert reaches(held, ids=["2"]) and reaches(held)
    assert not reaches(held, ids=["2", "3"])
    shown(held, ids=["3"])
    assert reaches(held, ids=["1", "2", "3"])


def test_what_shows_nothing_entitles_to_nothing() -> None:
    held = entitlements()
    shown(held, ids=())
    assert not reaches(held)
    assert len(held) == 0


def test_each_item_has_its_own_time() -> None:
    held = entitlements()
    shown(held, ids=["1"])
    shown(held, ids=["2"], asked=held.asked(NOW + 30 * SECOND))
    assert reaches(held, ids=["2"], after=61)
    assert not reaches(held, ids=["1", "2"], after=61)


def test_a_clock_that_is_set_back_prolongs_nothing() -> None:
    held = entitlements()
    shown(held)
    assert not reaches(held, after=-1)


def test_no_time_at_all_entitles_nobody() -> None:
    held = Entitlements(timedelta(0))
    shown(held)
    assert not reaches(held)
    assert len(held) == 0


def test_who_is_refused_is_entitled_to_nothing_and_others_are_as_before() -> None:
    held = entitlements()
    shown(held)
    shown(held, ROMEO)
    held.forget(KEY, JULIET)
    assert not reaches(held)
    assert reaches(held, ROMEO)


def test_a_change_of_the_node_ends_all_of_its_entitlements() -> None:
    held = entitlements()
    shown(held, ids=["1"])
    shown(held, ROMEO)
    shown(held, key=OTHER_KEY)
    held.forget(KEY)
    assert not reaches(held) and not reaches(held, ROMEO)
    assert reaches(held, key=OTHER_KEY)
    assert held.shown == 0
    held.forget_service(SERVICE)
    assert len(held) == 0


def test_what_was_asked_before_something_was_forgotten_entitles_nobody() -> None:
    for forget in (
        lambda held: held.forget(KEY),
        lambda held: held.forget(KEY, JULIET),
        lambda held: held.forget_service(SERVICE),
    ):
        held = entitlements()
        before = held.asked(NOW)
        forget(held)
        shown(held, asked=before)
        assert not reaches(held)
        shown(held)
        assert reaches(held)


def test_one_who_is_refused_keeps_nobody_else_from_being_entitled() -> None:
    held = entitlements()
    before = held.asked(NOW)
    held.forget(KEY, ROMEO)
    held.forget(OTHER_KEY)
    shown(held, asked=before)
    assert reaches(held)


def test_whatever_was_forgotten_too_long_ago_to_be_remembered_counts(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "MOST_FORGOTTEN", 3)
    held = entitlements()
    before = held.asked(NOW)
    held.forget(KEY, JULIET)
    for number in range(5):
        held.forget(NodeKey(SERVICE, f"n{number}"))
    shown(held, asked=before)
    assert not reaches(held)


def test_beyond_the_bounds_those_go_that_were_earned_the_longest_ago(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    held = entitlements(most=2, most_shown=10)
    for number in range(3):
        shown(held, BareJID(f"user{number}@capulet.lit"))
    assert [reaches(held, BareJID(f"user{one}@capulet.lit")) for one in range(3)] == [
        False,
        True,
        True,
    ]
    shown(held, ids=[str(one) for one in range(8)])
    shown(held, ROMEO, ids=[str(one) for one in range(8)])
    assert not reaches(held) and reaches(held, ROMEO)
    assert held.shown == 8
    monkeypatch.setattr(module, "MOST_SHOWN", 3)
    shown(held, ROMEO, ids=["x"])
    assert held.shown == 3
    assert reaches(held, ROMEO, ids=["x", "7", "6"]) and not reaches(held, ROMEO, ids=["5"])
