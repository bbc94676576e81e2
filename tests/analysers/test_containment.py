import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from pubcellar.analysers.containment import Ended, OutOfTime, in_thread, within

SOON = timedelta(milliseconds=50)
LATE = timedelta(seconds=20)


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


async def ended(name: str) -> None:
    """Return when no thread of that name is left; fail after a while."""
    for thread in threads(name):
        await asyncio.to_thread(thread.join, LATE.total_seconds())
    assert not threads(name)


class TestWithin:
    async def test_a_result_and_an_error_pass(self) -> None:
        async def fails() -> None:
            raise KeyError("a")

        async def works() -> str:
            return "result"

        assert await within(LATE, works()) == "result"
        with pytest.raises(KeyError):
            await within(LATE, fails())

    async def test_what_takes_too_long_is_cancelled(self) -> None:
        cancelled = asyncio.Event()

        async def hangs() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        with pytest.raises(OutOfTime):
            await within(SOON, hangs())
        await asyncio.wait_for(cancelled.wait(), 20)

    async def test_what_refuses_to_be_cancelled_is_not_waited_for(self) -> None:
        may_end = asyncio.Event()
        has_refused = asyncio.Event()

        async def refuses() -> None:
            while not may_end.is_set():
                try:
                    await may_end.wait()
                except asyncio.CancelledError:
                    has_refused.set()

        with pytest.raises(OutOfTime):
            await within(SOON, refuses())
        await asyncio.wait_for(has_refused.wait(), 20)
        may_end.set()

    async def test_its_own_time_out_is_an_error_like_any_other(self) -> None:
        async def times_out() -> None:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            await within(LATE, times_out())

    @pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), GeneratorExit()])
    async def test_an_exit_or_cancellation_of_its_own_ends_nothing_else(
        self, error: BaseException
    ) -> None:
        async def ends() -> None:
            raise error

        with pytest.raises(Ended):
            await within(LATE, ends())

    async def test_our_own_cancellation_passes_and_cancels_it(self) -> None:
        begun, cancelled = asyncio.Event(), asyncio.Event()

        async def hangs() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        task = asyncio.ensure_future(within(LATE, hangs()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(cancelled.wait(), 20)


class TestInThread:
    async def test_a_function_runs_in_a_daemon_thread_of_its_own(self) -> None:
        def function() -> tuple[str, bool]:
            return threading.current_thread().name, threading.current_thread().daemon

        assert await in_thread(function, "one-call") == ("one-call", True)

    @pytest.mark.parametrize(
        ("error", "arrives_as"),
        [
            (KeyError("a"), KeyError),
            (SystemExit(3), Ended),
            (KeyboardInterrupt(), Ended),
            (asyncio.CancelledError(), Ended),
        ],
    )
    async def test_what_it_raises_arrives_and_never_stops_the_loop(
        self, error: BaseException, arrives_as: type[Exception]
    ) -> None:
        def function() -> None:
            raise error

        with pytest.raises(arrives_as):
            await in_thread(function, "one-call")

    async def test_an_endless_loop_leaves_the_event_loop_running_and_is_ended(self) -> None:
        loop = asyncio.get_running_loop()
        begun, turned = threading.Event(), asyncio.Event()

        def function() -> None:
            begun.set()
            while True:
                pass

        call = asyncio.ensure_future(within(SOON, in_thread(function, "endless-loop")))
        assert await asyncio.to_thread(begun.wait, LATE.total_seconds())
        loop.call_soon(turned.set)
        await asyncio.wait_for(turned.wait(), LATE.total_seconds())
        with pytest.raises(OutOfTime):
            await call
        await ended("endless-loop")

    async def test_a_blocking_call_is_not_waited_for(self) -> None:
        may_end = threading.Event()
        with pytest.raises(OutOfTime):
            await within(SOON, in_thread(may_end.wait, "blocking"))
        assert threads("blocking")
        may_end.set()
        await ended("blocking")

    async def test_many_given_up_at_the_moment_they_end_harm_nothing(self) -> None:
        """The race between a call that ends and the request that it end; warnings are errors."""

        async def one(number: int) -> Any:
            call = in_thread(lambda: sum(range(number * 500)), "racing")
            try:
                return await within(timedelta(microseconds=number * 10), call)
            except OutOfTime:
                return None

        await asyncio.gather(*(one(number) for number in range(200)))
        await ended("racing")
