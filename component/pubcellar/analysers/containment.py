"""Runs code that is not ours, so that it can fail, hang or exit without taking us with it.

Two rules. What is asked to end is not waited for. A cancellation of ours passes, and nothing that
the foreign code raises looks like one.
"""

import asyncio
import ctypes
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar, cast

Result = TypeVar("Result")

_given_up: set[asyncio.Future[object]] = set()
"""Tasks that were cancelled and may take their time; held, since the loop refers to them weakly."""


class OutOfTime(Exception):
    """The limit is over; not TimeoutError, which the foreign code may raise for its own reasons."""


class Ended(Exception):
    """The foreign code tried to end more than itself: it exited, or cancelled its own task."""


async def within(limit: timedelta, work: Awaitable[Result]) -> Result:
    """Return what `work` returns, or give it up after `limit`.

    It is cancelled then, but not waited for: it may refuse to end.

    Raises:
        OutOfTime: the limit is over.
        Ended: it exited, or was cancelled from within.
        Exception: whatever else `work` raises.
    """
    task = asyncio.ensure_future(_without_exit(work))
    try:
        await asyncio.wait({task}, timeout=limit.total_seconds())
        if not task.done():
            raise OutOfTime
    finally:
        _give_up(task)
    if task.cancelled():
        raise Ended("it cancelled its own task")
    error = task.exception()
    if error is not None and not isinstance(error, Exception):
        raise Ended(f"it raised {type(error).__name__}") from error
    return task.result()


async def _without_exit(work: Awaitable[Result]) -> Result:
    try:
        return await work
    except SystemExit as error:
        # A task that raises SystemExit stops the event loop, and the process with it.
        raise Ended("it called exit") from error


def _give_up(task: "asyncio.Future[Result]") -> None:
    if task.done():
        return
    task.cancel()
    # A future is invariant in its result only because one can set it.
    held: asyncio.Future[object] = task  # type: ignore[assignment]
    _given_up.add(held)
    held.add_done_callback(_forget)


def _forget(task: asyncio.Future[object]) -> None:
    _given_up.discard(task)
    if not task.cancelled():
        task.exception()  # Looked at, so that asyncio does not complain that nobody has.


async def in_thread(function: Callable[[], Result], name: str) -> Result:
    """Call `function` in a daemon thread of its own, called `name`, and return what it returns.

    Threads of a pool would be waited for when the interpreter ends; these are not. When this
    coroutine is cancelled, the thread is asked to end: SystemExit is raised in it, which stops a
    loop in Python, but takes effect in a blocking call of C only once that returns.

    Raises:
        Ended: the function exited.
        Exception: whatever else it raises.
    """
    call = _Call(function, asyncio.get_running_loop())
    thread = threading.Thread(target=call.run, name=name, daemon=True)
    thread.start()
    try:
        await call.finished.wait()
    finally:
        call.end(thread)
    return call.result()


class _Call(Generic[Result]):
    """One call in a thread; everything but `run` belongs to the thread of the event loop."""

    def __init__(self, function: Callable[[], Result], loop: asyncio.AbstractEventLoop) -> None:
        self.finished = asyncio.Event()
        self._function = function
        self._loop = loop
        self._returned: Result | None = None
        self._raised: BaseException | None = None
        self._may_be_ended = True
        self._lock = threading.Lock()

    def run(self) -> None:
        try:
            self._returned = self._function()
        except BaseException as error:
            self._raised = error
        with self._lock:
            self._may_be_ended = False
        try:
            self._loop.call_soon_threadsafe(self.finished.set)
        except RuntimeError:
            pass  # The loop is closed: nobody waits any more.

    def end(self, thread: threading.Thread) -> None:
        # The lock keeps the exception from being raised in what follows the call.
        with self._lock:
            if self._may_be_ended and thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
                )

    def result(self) -> Result:
        if self._raised is None:
            return cast("Result", self._returned)
        if isinstance(self._raised, Exception):
            raise self._raised
        raise Ended(f"it raised {type(self._raised).__name__}") from self._raised
