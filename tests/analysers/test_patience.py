import logging
from datetime import timedelta

import pytest

from pubcellar.analysers.patience import FIRST_REST, LONGEST_REST, FailureLog, Patience


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, time: timedelta) -> None:
        self.now += time.total_seconds()


class TestPatience:
    def test_the_third_time_out_in_a_row_suspends(self) -> None:
        patience = Patience(Seconds())
        assert [patience.timed_out(), patience.timed_out()] == [None, None]
        assert not patience.is_suspended()
        assert patience.timed_out() == FIRST_REST
        assert patience.is_suspended()

    def test_a_call_that_comes_back_in_between_starts_the_count_again(self) -> None:
        patience = Patience(Seconds())
        for _ in range(10):
            patience.timed_out()
            patience.timed_out()
            patience.came_back()
        assert not patience.is_suspended()

    def test_after_the_rest_one_call_is_tried_and_the_next_rest_is_twice_as_long(self) -> None:
        seconds = Seconds()
        patience = Patience(seconds)
        patience.timed_out()
        patience.timed_out()
        rest = patience.timed_out()
        for _ in range(400):
            assert rest is not None
            seconds.passes(rest)
            assert not patience.is_suspended()
            expected = min(rest * 2, LONGEST_REST)
            rest = patience.timed_out()
            assert rest == expected and patience.is_suspended()
        assert rest == LONGEST_REST

    def test_success_after_a_rest_ends_all_of_it(self) -> None:
        seconds = Seconds()
        patience = Patience(seconds)
        for _ in range(3):
            patience.timed_out()
        seconds.passes(FIRST_REST)
        patience.came_back()
        assert patience.timed_out() is None


class TestFailureLog:
    def test_ten_thousand_failures_make_one_line_and_the_next_minute_tells_of_them(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        seconds = Seconds()
        log = FailureLog(logging.getLogger("test"), seconds)
        for number in range(10_000):
            log.failed("blog", "parser_failed", f"item {number}", ValueError())
        assert [record.getMessage() for record in caplog.records] == ["analyser 'blog': item 0"]
        seconds.passes(timedelta(minutes=1))
        log.failed("blog", "parser_failed", "item 10000", ValueError())
        assert "item 10000 (9999 more like this" in caplog.records[-1].getMessage()

    def test_analysers_and_kinds_are_told_apart(self, caplog: pytest.LogCaptureFixture) -> None:
        log = FailureLog(logging.getLogger("test"), Seconds())
        for analyser in ("blog", "events"):
            for kind in ("parser_failed", "analyser_failed"):
                log.failed(analyser, kind, kind, ValueError())
        assert len(caplog.records) == 4
