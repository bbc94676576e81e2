from pubcellar.core.counters import Counters, Happened


def test_what_never_happened_counts_zero_and_is_not_shown() -> None:
    counters = Counters()
    assert all(counters[what] == 0 for what in Happened)
    assert str(counters) == ""


def test_counts_add_up_and_are_shown_in_the_order_of_the_list() -> None:
    counters = Counters()
    counters.count(Happened.FORWARDED)
    counters.count(Happened.EVENT_APPLIED, 3)
    counters.count(Happened.FORWARDED)
    counters.count(Happened.ANSWERED_FROM_CACHE)
    assert counters[Happened.FORWARDED] == 2
    assert str(counters) == "answered_from_cache=1 forwarded=2 event_applied=3"


def test_names_are_what_metrics_can_be_called() -> None:
    assert all(what.value.replace("_", "").isalpha() and what.value.islower() for what in Happened)
    assert all(what.value == what.name.lower() for what in Happened)
