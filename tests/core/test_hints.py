"""Pubsub Caching Hints, one by one (XEP-0460), and what is made of hints that are none."""

from datetime import timedelta

import pytest

from pubcellar.core.hints import NO_HINTS, CachingHints, Persistence, caching_hints

CACHING = "{urn:xmpp:pubsub-caching:0}"


def hints(**fields: str) -> CachingHints:
    """Return the hints of a form; underscores stand for hyphens."""
    return caching_hints({CACHING + name.replace("_", "-"): [v] for name, v in fields.items()})


def test_the_example_of_the_xep_is_read() -> None:
    """XEP-0460, "Entities Receive Pubsub Node Metadata with Caching Hints"."""
    fields = {
        "pubsub#title": ["Princely Musings (Atom)"],
        "pubsub#max_items": ["max"],
        "pubsub#item_expire": ["max"],
        f"{CACHING}persistence": ["persistent"],
        f"{CACHING}consistent-items": ["true"],
        f"{CACHING}consistent-set": ["true"],
        f"{CACHING}stable-items": ["true"],
        f"{CACHING}always-notify": ["true"],
        "pubsub#access_model": ["open"],
        f"{CACHING}allowed-for-suggestions": ["true"],
        f"{CACHING}purge-keep-last-item": ["false"],
    }
    assert caching_hints(fields) == CachingHints(
        persistence=Persistence.PERSISTENT,
        consistent_items=True,
        consistent_set=True,
        stable_items=True,
        always_notify=True,
        purge_keeps_last_item=False,
        max_items=None,
        item_expire=None,
    )


def test_a_form_without_hints_says_nothing() -> None:
    assert caching_hints({}) == NO_HINTS
    assert caching_hints({"pubsub#title": ["A node"], "": []}) == NO_HINTS


@pytest.mark.parametrize("spelling", ["always-notify", "alway-notify"])
def test_both_spellings_of_always_notify_are_read(spelling: str) -> None:
    assert caching_hints({CACHING + spelling: ["1"]}).always_notify is True


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"persistence": "persistent"}, None),
        ({"persistence": "semi-persistent"}, None),
        ({"persistence": "transient-with-last-item"}, None),
        ({"persistence": "transient"}, "does not keep"),
        ({"consistent_items": "true", "consistent_set": "true"}, None),
        ({"consistent_items": "false"}, "differ"),
        ({"consistent_items": "0"}, "differ"),
        ({"consistent_set": "false"}, "not everybody"),
        ({}, None),
    ],
)
def test_what_is_not_the_same_for_all_is_not_held(
    fields: dict[str, str], reason: str | None
) -> None:
    found = hints(**fields).reason_not_held
    assert (found is None) if reason is None else (reason in (found or ""))


@pytest.mark.parametrize(
    ("persistence", "expected"),
    [
        ("persistent", False),
        ("semi-persistent", True),
        ("transient-with-last-item", True),
        ("eternal", False),
    ],
)
def test_what_is_only_in_memory_may_vanish(persistence: str, expected: bool) -> None:
    assert hints(persistence=persistence).may_vanish is expected


def test_how_many_items_are_dropped_is_told_by_max_items() -> None:
    kept = caching_hints({"pubsub#max_items": ["20"]})
    assert [kept.surplus(number) for number in (0, 20, 21, 25)] == [0, 0, 1, 5]
    assert hints(persistence="transient-with-last-item").surplus(3) == 2
    assert NO_HINTS.surplus(1_000_000) == 0


def test_when_items_expire_is_told_in_seconds() -> None:
    found = caching_hints({"pubsub#item_expire": ["604800"]})
    assert found.item_expire == timedelta(days=7)


class TestMalformed:
    """A hint that is wrong is none, or the careful one."""

    @pytest.mark.parametrize("value", ["", "yes", "True ", "2", "-1", "true false", "wahr"])
    @pytest.mark.parametrize(
        "name",
        [
            "consistent-items",
            "consistent-set",
            "stable-items",
            "always-notify",
            "purge-keep-last-item",
        ],
    )
    def test_what_is_no_boolean_says_nothing(self, name: str, value: str) -> None:
        assert caching_hints({CACHING + name: [value]}) == NO_HINTS

    @pytest.mark.parametrize("name", ["max_items", "item_expire"])
    @pytest.mark.parametrize(
        "values",
        [["0"], ["-5"], ["1_000"], ["٣"], ["5.0"], ["9" * 13], [""], ["max"], [], ["5", "6"]],
    )
    def test_what_is_no_number_says_nothing(self, name: str, values: list[str]) -> None:
        assert caching_hints({f"pubsub#{name}": values}) == NO_HINTS

    @pytest.mark.parametrize("values", [["for ever"], ["persistent", "transient"], []])
    def test_persistence_that_is_not_understood_says_nothing(self, values: list[str]) -> None:
        assert caching_hints({f"{CACHING}persistence": values}) == NO_HINTS

    @pytest.mark.parametrize("order", [["true", "false"], ["false", "true"], ["false", "maybe"]])
    def test_of_contradictory_values_the_careful_one_counts(self, order: list[str]) -> None:
        careful = caching_hints(
            {
                f"{CACHING}consistent-items": order,
                f"{CACHING}consistent-set": order,
                f"{CACHING}stable-items": order,
                f"{CACHING}always-notify": order[:1],
                f"{CACHING}alway-notify": order[1:],
            }
        )
        assert careful == CachingHints(
            consistent_items=False, consistent_set=False, stable_items=False, always_notify=False
        )

    def test_true_beside_nonsense_is_not_true(self) -> None:
        assert caching_hints({f"{CACHING}stable-items": ["true", "maybe"]}) == NO_HINTS

    def test_a_purge_that_is_contradicted_says_nothing(self) -> None:
        assert caching_hints({f"{CACHING}purge-keep-last-item": ["1", "0"]}) == NO_HINTS
