"""How many new nodes one requester, and all of one service together, may have looked at."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.values import BareJID
from pubcellar.proxy import triggers as module
from pubcellar.proxy.parts import Limits
from pubcellar.proxy.triggers import Allowance, Triggers

NOW = datetime(2026, 11, 21, tzinfo=UTC)
JULIET, ROMEO = BareJID("juliet@capulet.lit"), BareJID("romeo@montague.lit")
SERVICE, OTHER = BareJID("pubsub.example.org"), BareJID("other.example.org")


class Moment:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Moment:
    return Moment()


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def triggers(clock: Moment, counters: Counters) -> Triggers:
    limits = Limits(max_new_nodes_per_requester=10, max_new_nodes_per_service=15)
    parts: Any = SimpleNamespace(clock=clock, counters=counters, limits=limits)
    return Triggers(parts)


def admitted(triggers: Triggers, requester: BareJID, service: BareJID, number: int) -> int:
    return sum(triggers.admits(requester, service) for _ in range(number))


def test_a_requester_is_admitted_so_often(triggers: Triggers, counters: Counters) -> None:
    assert admitted(triggers, JULIET, SERVICE, 100) == 10
    assert admitted(triggers, JULIET, OTHER, 100) == 0
    assert counters[Happened.LEFT_UNKNOWN] == 190


def test_others_are_admitted_all_the_same(triggers: Triggers) -> None:
    admitted(triggers, JULIET, SERVICE, 100)
    assert admitted(triggers, ROMEO, OTHER, 100) == 10


def test_all_together_are_admitted_so_often_for_one_service(triggers: Triggers) -> None:
    assert admitted(triggers, JULIET, SERVICE, 100) == 10
    assert admitted(triggers, ROMEO, SERVICE, 100) == 5
    assert admitted(triggers, ROMEO, OTHER, 100) == 5, "what was not given was not spent"


def test_what_was_spent_comes_back_within_the_hour(triggers: Triggers, clock: Moment) -> None:
    admitted(triggers, JULIET, SERVICE, 100)
    clock.time += timedelta(minutes=12)
    assert admitted(triggers, JULIET, SERVICE, 100) == 2
    clock.time += timedelta(days=3)
    assert admitted(triggers, JULIET, SERVICE, 100) == 10, "no more is saved up than for an hour"


def test_a_clock_that_is_set_back_gives_and_takes_nothing(
    triggers: Triggers, clock: Moment
) -> None:
    assert admitted(triggers, JULIET, SERVICE, 9) == 9
    clock.time -= timedelta(hours=5)
    assert admitted(triggers, JULIET, SERVICE, 100) == 1


def test_any_number_of_requesters_takes_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 50)
    allowance = Allowance(10)
    for number in range(500):
        allowance.take_one(BareJID(f"{number}@capulet.lit"), NOW)
        allowance.take_one(JULIET, NOW)
    assert len(allowance) == 50
    assert not allowance.has_one(JULIET, NOW), "who asks all the time is not forgotten"


def test_it_is_said_once_for_a_while_with_the_setting_to_raise(
    triggers: Triggers, clock: Moment, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        admitted(triggers, JULIET, SERVICE, 100)
        admitted(triggers, ROMEO, SERVICE, 100)
        assert len(caplog.records) == 1
        assert "juliet@capulet.lit" in caplog.text
        assert "max_new_nodes_per_requester" in caplog.text
        caplog.clear()
        clock.time += module.LOG_EVERY
        admitted(triggers, ROMEO, SERVICE, 100)
    assert len(caplog.records) == 1
    assert "89 for max_new_nodes_per_requester" in caplog.text
    assert "for max_new_nodes_per_service" in caplog.text
