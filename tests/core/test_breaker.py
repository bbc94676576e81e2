"""The circuit breaker of a service, transition by transition (docs/architecture.md, "Outages")."""

from datetime import UTC, datetime, timedelta

import pytest

from pubcellar.core.breaker import Breaker, BreakerPolicy, BreakerState

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = BreakerPolicy(suspend_after=3, probe_after=SECOND, probe_at_most=8 * SECOND)
LATEST = 1.0
"""The chance with which a pause is not shortened."""


class Service:
    """A breaker, and what happens to it in the order in which it is written down."""

    def __init__(self) -> None:
        self.breaker = Breaker(POLICY)
        self.now = NOW
        self.order = 0

    def next(self) -> int:
        self.order += 1
        return self.order

    def fails(self, times: int = 1) -> None:
        for _ in range(times):
            self.breaker.failed(self.next(), self.now)

    def answers(self) -> None:
        self.breaker.heard(self.next())

    def begins_probe(self) -> int:
        assert self.breaker.is_probe_due(self.now)
        self.breaker.probe_began(self.now)
        return self.next()

    def fails_probe(self, asked: int | None = None) -> None:
        asked = self.begins_probe() if asked is None else asked
        self.breaker.probe_failed(asked, self.now, LATEST)
        self.breaker.probe_ended()

    def opens(self) -> "Service":
        self.fails(2)
        self.fails_probe()
        assert self.breaker.state is BreakerState.OPEN
        return self

    def pauses(self) -> timedelta:
        """Return after how many whole seconds the next probe is due."""
        start = self.now
        while not self.breaker.is_probe_due(self.now):
            self.now += SECOND
            assert self.now < start + timedelta(hours=1)
        return self.now - start


@pytest.fixture
def service() -> Service:
    return Service()


class TestClosed:
    def test_outages_in_a_row_open_it_if_a_probe_is_among_them(self, service: Service) -> None:
        service.fails(2)
        assert service.breaker.is_closed
        service.fails_probe()
        assert service.breaker.state is BreakerState.OPEN

    def test_a_probe_and_then_others_open_it_too(self, service: Service) -> None:
        service.fails()
        service.fails_probe()
        assert service.breaker.is_closed
        service.fails()
        assert service.breaker.state is BreakerState.OPEN

    def test_no_number_of_outages_opens_it_without_a_probe(self, service: Service) -> None:
        """One node, or one kind of request, that is never answered says nothing of the service."""
        service.fails(100)
        assert service.breaker.is_closed
        service.begins_probe()
        service.fails(100)
        assert service.breaker.is_closed
        service.answers()
        service.breaker.probe_ended()
        service.fails(2)
        assert service.breaker.is_closed

    def test_an_answer_between_them_begins_the_count_anew(self, service: Service) -> None:
        service.fails()
        service.fails_probe()
        service.answers()
        service.fails(2)
        assert service.breaker.is_closed
        assert not service.breaker.is_away

    def test_what_was_asked_before_the_last_answer_does_not_count(self, service: Service) -> None:
        """It may have been asked long ago, and the answer came since."""
        asked = [service.next() for _ in range(5)]
        service.answers()
        assert not any(service.breaker.failed(one, service.now) for one in asked)
        assert service.breaker.outages == 0
        assert not service.breaker.is_probe_due(service.now)

    def test_a_probe_is_due_at_the_first_outage_and_one_at_a_time(self, service: Service) -> None:
        assert not service.breaker.is_probe_due(service.now)
        service.fails()
        asked = service.begins_probe()
        service.fails()
        assert not service.breaker.is_probe_due(service.now)
        service.fails_probe(asked)
        assert not service.breaker.is_probe_due(service.now)
        assert service.breaker.is_probe_due(service.now + SECOND)

    def test_a_request_never_answered_does_not_cost_a_probe_each_time(
        self, service: Service
    ) -> None:
        service.fails()
        service.begins_probe()
        service.answers()
        service.breaker.probe_ended()
        service.fails()
        assert not service.breaker.is_probe_due(service.now)
        assert service.breaker.is_probe_due(service.now + SECOND)

    def test_it_is_away_once_a_probe_has_failed(self, service: Service) -> None:
        service.fails()
        assert not service.breaker.is_away
        service.fails_probe()
        assert service.breaker.is_away


class TestOpen:
    def test_it_probes_after_a_pause_that_doubles_up_to_the_most(self, service: Service) -> None:
        service.opens()
        pauses = []
        for _ in range(6):
            pauses.append(service.pauses().total_seconds())
            service.fails_probe()
        assert pauses == [1, 2, 4, 8, 8, 8]

    def test_chance_shortens_a_pause_by_half_at_most(self) -> None:
        assert POLICY.pause(3, 1.0) == 4 * SECOND
        assert POLICY.pause(3, 0.5) == 3 * SECOND
        assert POLICY.pause(3, 0.0) == 2 * SECOND
        assert POLICY.pause(10**6, 1.0) == 8 * SECOND

    def test_late_outages_do_not_put_the_probe_off(self, service: Service) -> None:
        service.opens()
        service.fails(50)
        assert service.pauses() == SECOND
        assert service.breaker.outages == 3

    def test_anything_heard_closes_it(self, service: Service) -> None:
        service.opens().answers()
        assert service.breaker.is_closed
        assert not service.breaker.is_probe_due(service.now + timedelta(days=1))

    def test_after_it_was_closed_the_pauses_are_short_again(self, service: Service) -> None:
        service.opens()
        for _ in range(4):
            service.pauses()
            service.fails_probe()
        service.answers()
        service.now += 10 * SECOND
        service.opens()
        assert service.pauses() == SECOND


class TestHalfOpen:
    def test_a_probe_makes_it_half_open_and_its_failure_open(self, service: Service) -> None:
        service.opens().pauses()
        asked = service.begins_probe()
        assert service.breaker.state is BreakerState.HALF_OPEN
        assert not service.breaker.is_closed
        service.fails_probe(asked)
        assert service.breaker.state is BreakerState.OPEN

    def test_its_success_closes_it(self, service: Service) -> None:
        service.opens().pauses()
        service.begins_probe()
        service.answers()
        service.breaker.probe_ended()
        assert service.breaker.is_closed

    def test_other_outages_leave_it_half_open(self, service: Service) -> None:
        service.opens().pauses()
        service.begins_probe()
        service.fails(5)
        assert service.breaker.state is BreakerState.HALF_OPEN

    def test_a_probe_that_says_nothing_is_made_again(self, service: Service) -> None:
        """Our own stream was lost meanwhile."""
        service.opens().pauses()
        service.begins_probe()
        service.breaker.probe_ended()
        assert service.breaker.state is BreakerState.OPEN
        assert service.breaker.is_probe_due(service.now)

    def test_the_failure_of_a_probe_that_was_overtaken_by_an_answer_says_nothing(
        self, service: Service
    ) -> None:
        service.opens().pauses()
        asked = service.begins_probe()
        service.answers()
        service.fails_probe(asked)
        assert service.breaker.is_closed
        assert not service.breaker.is_away
