"""Keeping the stream up, with an endpoint and a clock that the tests own."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TimeoutError,
    UnknownHostError,
)
from twisted.internet.protocol import Factory

from pubcellar.xmpp.connection import (
    LONGEST_RETRY_SECONDS,
    Connection,
    SecretRefused,
    remedy,
)
from pubcellar.xmpp.stream import ComponentStream, StreamError

SERVER = "tcp:127.0.0.1:5347"
JID = "cache.example.org"


class FakeStream:
    """A stream that opens and ends when the test says so."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.closed = 0
        self.aborted = 0
        self.closes_at_once = True

    def close(self) -> None:
        self.closed += 1
        if self.closes_at_once:
            self.ended.set_result(None)

    def abort(self) -> None:
        self.aborted += 1


class FakeClock:
    """Keeps the pauses it is asked for, and lets each pass when the test says so."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.time = datetime(2026, 11, 21, tzinfo=UTC)
        self.looks = 0
        self._passed = asyncio.Event()

    def now(self) -> datetime:
        self.looks += 1
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._passed.clear()
        await self._passed.wait()

    def passes(self) -> None:
        self._passed.set()


class FakeEndpoint:
    """Connects as the test says: an error to fail with, or a stream to give."""

    def __init__(self) -> None:
        self.outcome: Callable[[], FakeStream | BaseException] = FakeStream
        self.streams: list[FakeStream] = []
        self.attempts = 0

    def connect(self, factory: Factory) -> Deferred[Any]:
        self.attempts += 1
        outcome = self.outcome()
        if isinstance(outcome, BaseException):
            return fail(outcome)
        self.streams.append(outcome)
        return succeed(outcome)


class Running:
    """A connection that runs."""

    def __init__(self) -> None:
        self.endpoint = FakeEndpoint()
        self.clock = FakeClock()
        self.connection = Connection(
            self.endpoint, server=SERVER, jid=JID, make=_not_made, clock=self.clock
        )
        self.task: asyncio.Task[None] | None = None

    def begins(self) -> "asyncio.Task[None]":
        self.task = asyncio.ensure_future(self.connection.run())
        return self.task

    @property
    def stream(self) -> FakeStream:
        return self.endpoint.streams[-1]


def _not_made() -> ComponentStream:
    raise AssertionError("the endpoint of these tests makes its own streams")


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until `condition` holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Running]:
    it = Running()
    try:
        yield it
    finally:
        if it.task is not None:
            it.task.cancel()
            await asyncio.gather(it.task, return_exceptions=True)


class TestRetry:
    @pytest.mark.parametrize(
        "error",
        [
            ConnectionRefusedError(),
            NoRouteError(),
            UnknownHostError(),
            TimeoutError(),
            ConnectError(),
            DNSLookupError(),
            OSError(2, "no such socket"),
        ],
        ids=lambda each: type(each).__name__,
    )
    async def test_whatever_prevents_connecting_it_is_tried_again(
        self, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running() as it:
            it.endpoint.outcome = lambda: error
            it.begins()
            for attempt in (1, 2, 3):
                await until(lambda attempt=attempt: len(it.clock.pauses) == attempt)
                assert it.endpoint.attempts == attempt
                it.clock.passes()
            assert "[component] server" in caplog.text

    async def test_pauses_grow_and_have_an_end(self) -> None:
        async with running() as it:
            it.endpoint.outcome = ConnectionRefusedError
            it.begins()
            for attempt in range(1, 31):
                await until(lambda attempt=attempt: len(it.clock.pauses) == attempt)
                it.clock.passes()
            pauses = it.clock.pauses
            assert 1 <= pauses[0] <= 3
            # Twisted's policy adds up to a second at random: compared over several attempts.
            assert all(pauses[n] < pauses[n + 4] for n in range(6))
            assert all(pause <= LONGEST_RETRY_SECONDS + 1 for pause in pauses)
            assert all(pause >= LONGEST_RETRY_SECONDS for pause in pauses[20:])
            assert len(set(pauses[20:])) > 1, "no jitter"

    @pytest.mark.parametrize(("minutes", "shortest", "longest"), [(10, 0, 3), (0, 20, 90)])
    async def test_after_a_stream_that_stayed_up_pauses_begin_anew(
        self, minutes: int, shortest: float, longest: float
    ) -> None:
        """A server that throws us out as soon as we are in is not hammered."""
        async with running() as it:
            it.endpoint.outcome = ConnectionRefusedError
            it.begins()
            for attempt in range(1, 11):
                await until(lambda attempt=attempt: len(it.clock.pauses) == attempt)
                if attempt == 10:
                    it.endpoint.outcome = FakeStream
                it.clock.passes()
            assert it.clock.pauses[-1] > 20
            await until(lambda: bool(it.endpoint.streams))
            it.stream.ready.set_result(None)
            await until(lambda: it.clock.looks == 1)
            it.clock.time += timedelta(minutes=minutes)
            it.stream.ended.set_result(None)
            await until(lambda: len(it.clock.pauses) == 11)
            assert shortest < it.clock.pauses[-1] <= longest

    async def test_a_stream_that_is_up_is_left_alone_until_it_ends(self) -> None:
        async with running() as it:
            it.begins()
            await until(lambda: bool(it.endpoint.streams))
            it.stream.ready.set_result(None)
            for _ in range(20):
                await asyncio.sleep(0)
            assert it.endpoint.attempts == 1
            assert it.clock.pauses == []
            it.stream.ended.set_result(None)
            await until(lambda: len(it.clock.pauses) == 1)
            it.clock.passes()
            await until(lambda: it.endpoint.attempts == 2)

    @pytest.mark.parametrize(
        "condition", ["host-unknown", "conflict", "not-well-formed", "connection-closed"]
    )
    async def test_a_stream_that_does_not_open_is_tried_again(
        self, condition: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running() as it:
            it.begins()
            await until(lambda: bool(it.endpoint.streams))
            it.stream.ready.set_exception(StreamError(condition))
            await until(lambda: len(it.clock.pauses) == 1)
            it.clock.passes()
            await until(lambda: it.endpoint.attempts == 2)
            warnings = [each for each in caplog.records if each.levelname == "WARNING"]
            assert len(warnings) == 1
            assert "\n" not in warnings[0].getMessage()

    async def test_a_wrong_secret_is_not_tried_again(self) -> None:
        async with running() as it:
            task = it.begins()
            await until(lambda: bool(it.endpoint.streams))
            it.stream.ready.set_exception(StreamError("not-authorized"))
            with pytest.raises(SecretRefused, match=r"\[component\] secret"):
                await task
            assert it.endpoint.attempts == 1
            assert it.clock.pauses == []

    async def test_a_server_that_never_answers_the_handshake_is_left(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("pubcellar.xmpp.connection.HANDSHAKE_SECONDS", 0)
        async with running() as it:
            it.begins()
            await until(lambda: len(it.clock.pauses) == 1)
            assert it.stream.aborted == 1
            assert "connection-timeout" in caplog.text


class TestStop:
    async def test_being_cancelled_just_as_the_stream_opens_is_being_cancelled(self) -> None:
        async with running() as it:
            task = it.begins()
            await until(lambda: bool(it.endpoint.streams))
            it.stream.ready.set_result(None)
            # Between these two, the task has been told of neither.
            task.cancel()
            await until(task.done)
            assert task.cancelled()


class TestClose:
    async def test_before_the_first_stream_there_is_nothing_to_close(self) -> None:
        async with running() as it:
            await it.connection.close()

    async def test_closing_waits_for_the_stream_s_end(self) -> None:
        async with running() as it:
            it.begins()
            await until(lambda: bool(it.endpoint.streams))
            it.stream.ready.set_result(None)
            it.stream.closes_at_once = False
            closing = asyncio.ensure_future(it.connection.close())
            await until(lambda: it.stream.closed == 1)
            assert not closing.done()
            it.stream.ended.set_result(None)
            await closing
            assert it.stream.aborted == 0
            await it.connection.close()
            assert it.stream.closed == 1

    async def test_a_server_that_does_not_close_is_not_waited_for_long(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pubcellar.xmpp.connection.CLOSE_SECONDS", 0)
        async with running() as it:
            it.begins()
            await until(lambda: bool(it.endpoint.streams))
            it.stream.ready.set_result(None)
            it.stream.closes_at_once = False
            await it.connection.close()
            assert (it.stream.closed, it.stream.aborted) == (1, 1)


class TestRemedy:
    @pytest.mark.parametrize(
        ("error", "keys", "said"),
        [
            # ejabberd tells a name that it does not know from a wrong secret in its log alone.
            (StreamError("not-authorized"), "secret jid", "refused the secret"),
            (StreamError("host-unknown"), "jid", "does not know"),
            (StreamError("conflict"), "jid", "already has"),
            (StreamError("not-well-formed", "no XMPP"), "server", "no XMPP"),
            (StreamError("connection-closed"), "server", "connection-closed"),
            (ConnectionRefusedError(), "server", "no connection"),
            (DNSLookupError("no such host"), "server", "no such host"),
            (OSError(2, "No such file"), "server", "No such file"),
        ],
        ids=lambda each: each if isinstance(each, str) else type(each).__name__,
    )
    def test_it_is_one_line_that_names_the_key_to_change(
        self, error: Exception, keys: str, said: str
    ) -> None:
        line = remedy(error, SERVER, JID)
        assert "\n" not in line
        assert set(re.findall(r"\[component\] (\w+)", line)) == set(keys.split())
        assert said in line
        assert SERVER in line or JID in line
