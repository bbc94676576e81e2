"""What is learnt of a service; what real ones do stands in docs/protocol.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.core.traits import (
    ServiceTraits,
    are_ids_as_requested,
    did_republished_move,
    is_newest_first,
)

LEARNABLE = (
    "pages",
    "items_newest_first",
    "max_items_newest_first",
    "disco_newest_first",
    "pages_newest_first",
    "ids_as_requested",
)


class TestLearnt:
    @pytest.mark.parametrize("name", LEARNABLE)
    @pytest.mark.parametrize(
        ("known", "seen", "expected"),
        [
            (None, True, True),
            (None, False, False),
            (None, None, None),
            (True, True, True),
            (False, False, False),
            (True, None, True),
            (False, None, False),
            (True, False, None),
            (False, True, None),
        ],
    )
    def test_a_trait_is_learnt_once_and_cleared_by_a_contradiction(
        self, name: str, known: bool | None, seen: bool | None, expected: bool | None
    ) -> None:
        traits = ServiceTraits().learnt(**{name: known}).learnt(**{name: seen})
        assert getattr(traits, name) is expected
        assert traits == ServiceTraits().learnt(**{name: expected}), "others changed too"

    def test_several_traits_are_learnt_at_once(self) -> None:
        traits = ServiceTraits(pages=True).learnt(pages=False, ids_as_requested=True)
        assert traits == ServiceTraits(pages=None, ids_as_requested=True)


class TestRepublishRule:
    @pytest.mark.parametrize(
        ("seen", "expected"),
        [
            ("", None),
            ("m", None),
            ("s", None),
            ("mm", True),
            ("ss", False),
            ("ms", None),
            ("sm", None),
            ("mmmmmm", True),
            # One contradiction clears the rule, however often it held, and two are needed again.
            ("mms", None),
            ("mmmmms", None),
            ("mmsm", None),
            ("mmsmm", True),
            ("mmss", None),
            ("mmsss", False),
            ("ssm", None),
            ("ssmmm", True),
        ],
    )
    def test_two_that_agree_make_it_and_one_contradiction_clears_it(
        self, seen: str, expected: bool | None
    ) -> None:
        traits = ServiceTraits()
        for letter in seen:
            traits = traits.republish_seen(moved=letter == "m")
        assert traits.republish_moves is expected

    @given(st.lists(st.booleans()))
    def test_a_rule_stands_only_on_the_last_two_sightings(self, seen: list[bool]) -> None:
        traits = ServiceTraits()
        for moved in seen:
            traits = traits.republish_seen(moved=moved)
        assert abs(traits.republish_sightings) <= 2
        if traits.republish_moves is not None:
            assert seen[-2:] == [traits.republish_moves] * 2


@pytest.mark.parametrize(
    ("newest", "sequence", "expected"),
    [
        ("a", ["a", "b", "c"], True),
        ("c", ["a", "b", "c"], False),
        ("b", ["a", "b", "c"], None),
        ("x", ["a", "b"], None),
        ("a", ["a"], None),
        ("a", [], None),
        ("a", ["a", "b", "a"], None),
    ],
)
def test_the_order_shows_at_which_end_the_newest_stands(
    newest: str, sequence: list[str], expected: bool | None
) -> None:
    assert is_newest_first(newest, sequence) is expected


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (["b", "a", "b"], True),
        (["a", "b"], False),
        (["b", "a"], False),
        (["a", "b", "b"], None),
        (["b", "b", "a"], None),
        (["b"], None),
        ([], None),
        (["b", "x"], None),
        (["b", "b"], None),
    ],
)
def test_ids_asked_twice_show_whether_the_request_s_order_is_kept(
    answered: list[str], expected: bool | None
) -> None:
    assert are_ids_as_requested(["b", "a", "b"], answered) is expected


@pytest.mark.parametrize(
    ("before", "after", "item_id", "expected"),
    [
        (["a", "b", "c"], ["b", "c", "a"], "a", True),
        (["a", "b", "c"], ["a", "c", "b"], "b", True),
        (["a", "b", "c"], ["a", "b", "c"], "a", False),
        pytest.param(["a", "b", "c"], ["a", "b", "c"], "c", None, id="it was the newest anyway"),
        pytest.param(["a"], ["a"], "a", None, id="it was the only one"),
        pytest.param(["a", "b"], ["a", "b", "x"], "x", None, id="it was new"),
        pytest.param(["a", "b"], ["b", "x", "a"], "a", None, id="another came"),
        pytest.param(["a", "b", "c"], ["c", "a"], "a", None, id="another went"),
        pytest.param(["a", "b", "c"], ["c", "b", "a"], "a", None, id="others changed places"),
        pytest.param(["a", "b", "c"], ["b", "c"], "a", None, id="it is gone"),
        pytest.param([], [], "a", None, id="nothing there"),
    ],
)
def test_two_listings_show_whether_a_republished_item_moved(
    before: list[str], after: list[str], item_id: str, expected: bool | None
) -> None:
    assert did_republished_move(before, after, item_id) is expected
