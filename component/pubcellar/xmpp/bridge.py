"""Between asyncio and Twisted's Deferreds, both ways; results, exceptions and cancellation pass.

The reactor is Twisted's asyncio one, so both worlds share a loop, and everything here belongs to
its thread. One trap: Twisted's `CancelledError` is an Exception, asyncio's a BaseException. Ours
crosses as the asyncio one: who cancels a task of ours makes its Deferred fail with
`asyncio.CancelledError`, which `errback`s that trap Twisted's do not see. A Deferred that somebody
else cancelled arrives in our coroutines as Twisted's, an error like any other: it does not mean
that we are to stop.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

Result = TypeVar("Result")


def as_deferred(work: Awaitable[Result]) -> Deferred[Result]:
    """Start `work` as a task, and return a Deferred of its result.

    Cancelling the Deferred cancels the task; the Deferred then fails with asyncio.CancelledError.
    """
    return Deferred.fromFuture(asyncio.ensure_future(work))


def as_future(deferred: Deferred[Result]) -> "asyncio.Future[Result]":
    """Return a future of what the Deferred fires with, to be awaited in a task.

    Cancelling the future, as the task that awaits it does, cancels the Deferred.
    """
    return deferred.asFuture(asyncio.get_running_loop())


async def settle(value: object) -> object:
    """Return a plain value as it is; of a Deferred or an awaitable, what it comes to in the end."""
    while True:
        if isinstance(value, Deferred):
            value = await as_future(value)
        elif inspect.iscoroutine(value):
            value = await driven(value)
        elif inspect.isawaitable(value):
            value = await value
        else:
            return value


@coroutine
def driven(work: Coroutine[Any, Any, Result]) -> Generator[Any, Any, Result]:
    """Await, in a task of asyncio, a coroutine that may itself await Deferreds.

    Twisted's own coroutines do so; a task would refuse what they yield.
    """
    sent: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            yielded = work.send(sent) if thrown is None else work.throw(thrown)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        sent, thrown = None, None
        try:
            if isinstance(yielded, Deferred):
                yield from _fired(yielded)
            else:
                sent = yield yielded
        except BaseException as error:  # Cancellation too: it is for the coroutine to see.
            thrown = error


def _fired(deferred: Deferred[Any]) -> Generator[Any, Any, None]:
    """Wait until the Deferred has fired, and leave in it what it fired with.

    A coroutine that awaits a Deferred takes the result out of it, and not what is sent to it.
    """
    future = asyncio.get_running_loop().create_future()

    def fire(result: object) -> object:
        if not future.done():
            future.set_result(None)
        return result

    deferred.addBoth(fire)
    try:
        yield from future
    except BaseException:
        # Nobody will take the error any more that cancelling makes.
        deferred.addErrback(lambda _: None)
        deferred.cancel()
        raise
