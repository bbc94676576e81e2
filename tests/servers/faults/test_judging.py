"""The judge: what is wrong is called wrong, whatever faults there were."""

import math

import pytest

from faults.answers import Answer
from faults.history import NodeHistory, State
from faults.judging import Bounds, Evidence, Judge, Verdict
from faults.reading import Read
from faults.relay import Loss, Trace
from faults.stanza import Addresses, Stanza, Way, read_stanza

ADDRESSES = Addresses("cache.localhost", "pubsub.localhost")
READER = "reader@localhost/r"
SILENT_SECONDS = 3
BOUNDS = Bounds(max_stale_seconds=60, outage_seconds=5)
NO_FAULTS = Evidence({}, [], [])


def listed(**texts: str) -> Answer:
    """Return the answer that lists items of these ids with these texts."""
    return Answer(str(texts), tuple(texts.items()))


FIRST, SECOND, THIRD = listed(i="1"), listed(i="1", j="2"), listed(i="3", j="2")


def published(title: str) -> Stanza:
    raw = (
        f"<message from='pubsub.localhost' to='cache.localhost'>"
        "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'><item id='i'>"
        f"<entry xmlns='urn:x'><title>{title}</title></entry></item></items></event></message>"
    )
    return read_stanza(raw.encode(), Way.TO_PROXY, ADDRESSES)


def state(title: str, answer: Answer, begun_at: float) -> State:
    """Return what a node is after a change that took a tenth of a second."""
    return State(("published", title), begun_at, begun_at + 0.1, {"all items": answer})


def history(
    *traces: Trace, losses: tuple[Loss, ...] = (), third_at: float | None = None
) -> NodeHistory:
    """Return that of a node that was changed at 10 s."""
    node = NodeHistory("n", state("first", FIRST, 0))
    node.changed(state("second", SECOND, 10))
    if third_at is not None:
        node.changed(state("third", THIRD, third_at))
    node.judge_events(traces, losses, SILENT_SECONDS)
    return node


def read(asked_at: float, answer: Answer, by: str | None = "cache", took: float = 0.01) -> Read:
    return Read(READER, "id", "n", "all items", asked_at, asked_at + took, answer, by=by)


def verdict(node: NodeHistory, read: Read, evidence: Evidence = NO_FAULTS) -> Verdict:
    return Judge({"n": node}, BOUNDS).verdict(read, evidence)


def told(title: str, at: float, delivered_at: float | None, fate: str = "") -> Trace:
    return Trace(published(title), at, delivered_at, fate)


class TestCache:
    def test_shows_a_change_from_when_its_event_came(self) -> None:
        node = history(told("second", 10.05, 10.05))
        assert verdict(node, read(9, FIRST)) is Verdict.FROM_CACHE
        assert verdict(node, read(10.02, FIRST)) is Verdict.FROM_CACHE
        assert verdict(node, read(10.02, SECOND)) is Verdict.FROM_CACHE
        assert verdict(node, read(10.2, SECOND)) is Verdict.FROM_CACHE
        assert verdict(node, read(10.2, FIRST)) is Verdict.WRONG

    def test_shows_nothing_before_it_is(self) -> None:
        node = history(told("second", 10.05, 10.05))
        assert verdict(node, read(9, SECOND)) is Verdict.WRONG
        assert verdict(node, read(10.2, THIRD)) is Verdict.WRONG

    def test_may_be_behind_while_the_event_is_delayed(self) -> None:
        node = history(told("second", 10.05, 11))
        assert verdict(node, read(10.9, FIRST)) is Verdict.BEHIND
        assert verdict(node, read(11.1, FIRST)) is Verdict.WRONG

    def test_may_be_behind_after_a_silent_loss_and_no_longer_than_that(self) -> None:
        node = history(told("second", 10.05, None, "dropped"))
        assert verdict(node, read(13, FIRST)) is Verdict.BEHIND
        assert verdict(node, read(13.2, FIRST)) is Verdict.WRONG
        assert verdict(node, read(13.2, SECOND)) is Verdict.FROM_CACHE

    def test_may_not_be_behind_after_a_loss_that_shows(self) -> None:
        """A dropped event, or none: an error or the end of the stream afterwards tells of it."""
        dropped = told("second", 10.05, None, "dropped")
        for loss in (Loss(11, 11), Loss(11, 12), Loss(11, None)):
            node = history(dropped, losses=(loss,))
            assert verdict(node, read(10.9, FIRST)) is Verdict.BEHIND
            assert verdict(node, read(11.1, FIRST)) is Verdict.WRONG
        away = history(losses=(Loss(9, 10.5),))
        assert verdict(away, read(10.6, FIRST)) is Verdict.WRONG

    def test_an_earlier_loss_does_not_tell_of_a_later_event(self) -> None:
        node = history(told("second", 10.05, None, "dropped"), losses=(Loss(9, 9.5),))
        assert verdict(node, read(12, FIRST)) is Verdict.BEHIND

    def test_may_lack_a_silent_change_though_it_shows_a_later_one(self) -> None:
        """What it holds then is what the service never had."""
        traces = (told("second", 10.05, None, "dropped"), told("third", 11.05, 11.05))
        node = history(*traces, third_at=11)
        assert verdict(node, read(11.5, listed(i="3"))) is Verdict.BEHIND
        assert verdict(node, read(13.2, listed(i="3"))) is Verdict.WRONG, "after the bound"
        assert verdict(node, read(11.5, FIRST)) is Verdict.WRONG, "the third was told of"
        assert verdict(node, read(11.5, listed(j="2"))) is Verdict.WRONG, "that item is missing"
        assert verdict(node, read(11.5, listed(i="2"))) is Verdict.WRONG, "that never was"

    def test_may_lack_nothing_else_than_the_silent_change(self) -> None:
        traces = (told("second", 10.05, 10.05), told("third", 11.05, None, "dropped"))
        node = history(*traces, third_at=11)
        assert verdict(node, read(11.5, SECOND)) is Verdict.BEHIND
        assert verdict(node, read(11.5, FIRST)) is Verdict.WRONG
        assert verdict(node, read(11.5, listed(i="3"))) is Verdict.WRONG


class TestService:
    def test_answers_what_is_now_whatever_was_lost(self) -> None:
        node = history(told("second", 10.05, None, "dropped"))
        assert verdict(node, read(10.2, SECOND, by="service")) is Verdict.FORWARDED
        assert verdict(node, read(10.2, FIRST, by="service")) is Verdict.WRONG

    def test_answer_may_be_of_any_time_while_it_was_under_way(self) -> None:
        node = history(told("second", 10.05, 10.05))
        for answer in (FIRST, SECOND):
            assert verdict(node, read(9.9, answer, "service", took=1)) is Verdict.FORWARDED


class TestOutage:
    def test_stale_answers_want_a_fault_to_explain_them(self) -> None:
        node = history(told("second", 10.05, 10.05))
        stale = read(20, FIRST, by="stale")
        assert verdict(node, stale) is Verdict.WRONG
        assert verdict(node, stale, Evidence({}, [], [16])) is Verdict.STALE
        assert verdict(node, stale, Evidence({}, [Loss(1, None)], [])) is Verdict.STALE
        assert verdict(node, stale, Evidence({}, [], [14])) is Verdict.WRONG
        assert verdict(node, stale, Evidence({}, [], [20.5])) is Verdict.WRONG

    def test_stale_answers_may_be_of_items_of_different_times(self) -> None:
        node = history(told("second", 10.05, 10.05), told("third", 11.05, 11.05), third_at=11)
        evidence = Evidence({}, [], [20])
        for answer, expected in (
            (listed(i="3"), Verdict.STALE),
            (listed(i="1", j="2"), Verdict.STALE),
            (listed(j="2"), Verdict.WRONG),
            (listed(i="2"), Verdict.WRONG),
        ):
            assert verdict(node, read(21, answer, by="stale"), evidence) is expected
        late = Evidence({}, [], [72])
        assert verdict(node, read(73, listed(i="1", j="2"), by="stale"), late) is Verdict.WRONG

    def test_stale_answers_have_an_end(self) -> None:
        node = history(told("second", 10.05, 10.05))
        late = read(71, FIRST, by="stale")
        assert verdict(node, late, Evidence({}, [], [70])) is Verdict.WRONG

    def test_errors_want_a_fault_to_explain_them(self) -> None:
        node = history(told("second", 10.05, 10.05))
        error = read(20, Answer("wait/remote-server-timeout/None"), by=None)
        error.condition = "remote-server-timeout"
        request = Trace(client_request(), 20, 20)
        assert verdict(node, error, Evidence({"id": [request]}, [], [])) is Verdict.WRONG
        assert verdict(node, error, Evidence({"id": [request]}, [], [19])) is Verdict.ERROR
        assert verdict(node, error, Evidence({}, [Loss(19, None)], [])) is Verdict.ABSENT
        error.condition = "item-not-found"
        assert verdict(node, error, Evidence({"id": [request]}, [], [19])) is Verdict.WRONG


class TestUnanswered:
    @pytest.mark.parametrize(
        ("request_fate", "answer_fate", "losses", "expected"),
        [
            ("", None, [], Verdict.UNANSWERED),
            ("dropped", None, [], Verdict.LOST),
            ("", "", [], Verdict.UNANSWERED),
            ("", "dropped", [], Verdict.LOST),
            ("", None, [Loss(20.5, 21)], Verdict.LOST),
            ("", None, [Loss(19, 19.5)], Verdict.UNANSWERED),
            ("", None, [Loss(20.5, 20.5)], Verdict.UNANSWERED),
            (None, None, [Loss(20.5, 21)], Verdict.LOST),
            (None, None, [], Verdict.UNANSWERED),
        ],
    )
    def test_only_a_fault_of_its_own_stanzas_excuses_it(
        self,
        request_fate: str | None,
        answer_fate: str | None,
        losses: list[Loss],
        expected: Verdict,
    ) -> None:
        """None: no such stanza was seen."""
        traces = []
        if request_fate is not None:
            traces.append(Trace(client_request(), 20, 20, request_fate))
        if answer_fate is not None:
            raw = f"<iq type='result' id='id' from='cache.localhost' to='{READER}'/>".encode()
            traces.append(
                Trace(read_stanza(raw, Way.TO_SERVER, ADDRESSES), 20.1, 20.1, answer_fate)
            )
        unanswered = Read(READER, "id", "n", "all items", 20)
        evidence = Evidence({"id": traces}, losses, [])
        assert verdict(history(), unanswered, evidence) is expected


def client_request() -> Stanza:
    raw = f"<iq type='get' id='id' from='{READER}' to='cache.localhost'/>".encode()
    return read_stanza(raw, Way.TO_PROXY, ADDRESSES)


def test_first_state_is_always_due() -> None:
    assert history().due[0] == -math.inf
