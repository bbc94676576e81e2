import asyncio
from typing import Any

import pytest
from twisted.internet.defer import CancelledError as DeferredCancelled
from twisted.internet.defer import Deferred, ensureDeferred, fail, inlineCallbacks, succeed

from pubcellar.xmpp.bridge import as_deferred, as_future, driven, settle


async def hangs(cancelled: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        cancelled.set()


async def fails(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


class TestAsDeferred:
    async def test_a_result_crosses(self) -> None:
        results: list[str] = []
        deferred = as_deferred(asyncio.sleep(0, "result")).addCallback(results.append)
        await as_future(deferred)
        assert results == ["result"]

    async def test_an_error_crosses(self) -> None:
        failures: list[Any] = []
        await as_future(as_deferred(fails(KeyError("a"))).addErrback(failures.append))
        assert failures[0].check(KeyError)

    async def test_cancelling_the_deferred_cancels_the_task_and_arrives_as_asyncio_s(self) -> None:
        cancelled = asyncio.Event()
        failures: list[Any] = []
        deferred = as_deferred(hangs(cancelled)).addErrback(failures.append)
        await asyncio.sleep(0)
        deferred.cancel()
        await asyncio.wait_for(cancelled.wait(), 20)
        await as_future(deferred)
        assert failures[0].check(asyncio.CancelledError)
        assert not failures[0].check(DeferredCancelled)


class TestAsFuture:
    async def test_a_result_and_an_error_cross(self) -> None:
        assert await as_future(succeed("result")) == "result"
        with pytest.raises(KeyError):
            await as_future(fail(KeyError("a")))

    async def test_cancelling_the_task_that_waits_cancels_the_deferred(self) -> None:
        was_cancelled: list[Deferred[Any]] = []
        deferred: Deferred[Any] = Deferred(was_cancelled.append)

        async def waits() -> None:
            await as_future(deferred)

        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert was_cancelled == [deferred]

    async def test_a_deferred_that_others_cancel_is_an_error_and_does_not_cancel_us(self) -> None:
        deferred: Deferred[Any] = Deferred()
        future = as_future(deferred)
        deferred.cancel()
        with pytest.raises(DeferredCancelled) as caught:
            await future
        assert isinstance(caught.value, Exception)


class TestSettle:
    async def test_a_plain_value_stays(self) -> None:
        for value in (None, 3, {"a": 1}):
            assert await settle(value) == value

    async def test_deferred_coroutine_and_future_come_to_their_result(self) -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_result("future")
        assert await settle(succeed("deferred")) == "deferred"
        assert await settle(asyncio.sleep(0, "coroutine")) == "coroutine"
        assert await settle(future) == "future"

    async def test_what_they_come_to_is_settled_in_its_turn(self) -> None:
        assert await settle(asyncio.sleep(0, succeed(asyncio.sleep(0, "inner")))) == "inner"

    async def test_errors_pass(self) -> None:
        with pytest.raises(KeyError):
            await settle(fail(KeyError("a")))
        with pytest.raises(KeyError):
            await settle(fails(KeyError("a")))

    async def test_cancellation_passes(self) -> None:
        cancelled = asyncio.Event()
        task = asyncio.ensure_future(settle(hangs(cancelled)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cancelled.is_set()


class TestDriven:
    async def test_a_coroutine_may_await_deferreds_and_futures_in_turn(self) -> None:
        later: Deferred[str] = Deferred()
        asyncio.get_running_loop().call_soon(later.callback, "later")

        async def mixed() -> list[str]:
            first = await later
            second = await asyncio.sleep(0, "second")
            third = await succeed("third")
            return [first, second, third]

        assert await driven(mixed()) == ["later", "second", "third"]

    async def test_a_failing_deferred_can_be_caught_inside(self) -> None:
        later: Deferred[str] = Deferred()
        asyncio.get_running_loop().call_soon(later.errback, KeyError("a"))

        async def catches() -> str:
            try:
                return await later
            except KeyError:
                return "caught"

        assert await driven(catches()) == "caught"

    async def test_cancellation_reaches_the_coroutine_and_the_deferred(self) -> None:
        was_cancelled: list[Any] = []
        never: Deferred[None] = Deferred(was_cancelled.append)

        async def waits() -> None:
            try:
                await never
            except asyncio.CancelledError:
                was_cancelled.append("coroutine")
                raise

        task = asyncio.ensure_future(settle(waits()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert "coroutine" in was_cancelled and never in was_cancelled

    async def test_twisted_s_own_coroutines_and_generators_work(self) -> None:
        @inlineCallbacks
        def generator() -> Any:
            value = yield as_deferred(asyncio.sleep(0, 1))
            return value + 1

        async def twisted_style() -> int:
            return (await generator()) + 1

        assert await settle(ensureDeferred(twisted_style())) == 3
        assert await settle(twisted_style()) == 3
