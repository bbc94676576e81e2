"""The shortest part of a failing sequence that still fails, found by leaving out and trying again.

Knows nothing of what a sequence does: only that it is made of steps, and steps of operations.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

Failure = TypeVar("Failure")
One = TypeVar("One")
Steps = tuple[tuple[One, ...], ...]
Fails = Callable[[Steps[One]], Awaitable[Failure | None]]


class _Enough(Exception):
    """No more runs are to be spent."""


async def shrunk(
    sequence: Steps[One], failure: Failure, fails: Fails[One, Failure], most_runs: int
) -> tuple[Steps[One], Failure]:
    """Return a part of the sequence that fails, no step or operation of which can be left out.

    Args:
        sequence: fails.
        failure: how it does.
        fails: runs a sequence from the beginning; returns how it failed, None if it did not.
        most_runs: how many runs may be spent; the shortest found by then is returned.
    """
    best, how = sequence, failure
    runs = 0

    async def try_(candidate: Steps[One]) -> bool:
        nonlocal best, how, runs
        if runs == most_runs:
            raise _Enough
        runs += 1
        found = await fails(candidate)
        if found is not None:
            best, how = candidate, found
        return found is not None

    try:
        await _without_steps(lambda: best, try_)
        await _without_operations(lambda: best, try_)
    except _Enough:
        pass
    return best, how


async def _without_steps(
    best: Callable[[], Steps[One]], try_: Callable[[Steps[One]], Awaitable[bool]]
) -> None:
    size = max(len(best()) // 2, 1)
    while True:
        start, was_shrunk = 0, False
        while start < len(best()):
            now = best()
            candidate = now[:start] + now[start + size :]
            if candidate and await try_(candidate):
                was_shrunk = True
            else:
                start += size
        if size == 1 and not was_shrunk:
            return
        size = max(size // 2, 1)


async def _without_operations(
    best: Callable[[], Steps[One]], try_: Callable[[Steps[One]], Awaitable[bool]]
) -> None:
    index = 0
    while index < len(best()):
        place = 0
        while place < len(best()[index]) and len(best()[index]) > 1:
            now = best()
            step = now[index][:place] + now[index][place + 1 :]
            if not await try_((*now[:index], step, *now[index + 1 :])):
                place += 1
        index += 1
