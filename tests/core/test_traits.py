"""What is learnt of a service; what real ones do stands in docs/protocol.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.core.traits import (
    ORDERS,
    ServiceTraits,
    are_ids_as_requested,
    did_republished_move,
    direction,
    oldest_first,
)

LEARNABLE = ("pages", "lists_items", *ORDERS)


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
        others = {one: getattr(traits, one) for one in LEARNABLE if one != name}
        assert set(others.values()) == {None}, "others changed too"

    @pytest.mark.parametrize("name", ORDERS)
    def test_an_order_that_was_contradicted_is_not_learnt_again(self, name: str) -> None:
        """Nodes of one service may differ: what one has shown says nothing of another then."""
        traits = ServiceTraits().learnt(**{name: True}).learnt(**{name: False})
        for value in (True, True, False):
            traits = traits.learnt(**{name: value})
            assert getattr(traits, name) is None

    def test_whether_it_pages_may_change(self) -> None:
        """Of a service there is one version at a time."""
        traits = ServiceTraits(pages=False).learnt(pages=True).learnt(pages=True)
        assert traits.pages is True

    def test_several_traits_are_learnt_at_once(self) -> None:
        traits = ServiceTraits(pages=True).learnt(pages=False, ids_as_requested=True)
        assert traits == ServiceTraits(pages=None, ids_as_requested=True)

    def test_a_node_is_answered_in_the_orders_that_it_has_shown_itself(self) -> None:
        service = ServiceTraits(pages=True, items_newest_first=True, disco_newest_first=True)
        assert service.shown({"items_newest_first": False}) == ServiceTraits(
            pages=True, items_newest_first=False
        )

    def test_a_database_may_know_no_tuples(self) -> None:
        written = ["disco_newest_first"]
        assert ServiceTraits(varying=written).varying == tuple(written)  # type: ignore[arg-type]


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
            # A service that has been contradicted twice follows no rule, or not at every node.
            ("mmssss", False),
            ("mmsssm", None),
            ("mmsssmmmmm", None),
            ("mmsmmsmmmm", None),
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
        ("c", "abc", "abc"),
        ("a", "abc", "cba"),
        ("b", "abc", None),
        ("x", "abc", None),
        ("bc", "abc", "abc"),
        ("cb", "abc", "abc"),
        ("ba", "abc", "cba"),
        pytest.param("ca", "abc", None, id="they stand at both ends"),
        pytest.param("bcd", "abcdef", None, id="they stand in the middle"),
        pytest.param("dfe", "abcdef", "abcdef", id="in an order of their own"),
        pytest.param("abc", "abc", None, id="all of them stand at neither end"),
        ("a", "a", None),
        ("", "abc", None),
        ("a", "", None),
    ],
)
def test_the_order_shows_at_which_end_the_newest_stand(
    newest: str, sequence: str, expected: str | None
) -> None:
    found = oldest_first(list(sequence), list(newest))
    assert found == (None if expected is None else list(expected))


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        ("abc", False),
        ("cba", True),
        ("bac", None),
        ("ab", None),
        ("abcd", None),
        ("", None),
    ],
)
def test_a_list_has_an_order_only_if_it_is_the_whole_list(
    sequence: str, expected: bool | None
) -> None:
    assert direction(["a", "b", "c"], list(sequence)) is expected


def test_a_list_of_one_has_no_order() -> None:
    assert direction(["a"], ["a"]) is None


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        ("bab", True),
        ("ab", False),
        pytest.param("ba", None, id="each once, but as requested"),
        ("abb", None),
        ("bba", None),
        ("b", None),
        ("", None),
        ("bx", None),
        ("bb", None),
    ],
)
def test_ids_asked_twice_show_whether_the_request_s_order_is_kept(
    answered: str, expected: bool | None, is_known: bool
) -> None:
    if not is_known and expected is False:
        # The order that they came in may be that of nothing else.
        expected = None
    order = False if is_known else None
    assert are_ids_as_requested(["b", "a", "b"], list(answered), order) is expected


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
