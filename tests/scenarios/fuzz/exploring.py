"""Hypothesis draws, in a thread of its own; what it draws is tried on the loop of the tests."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Example = TypeVar("Example")
PATIENCE_SECONDS = 60.0


async def explore(
    examples: st.SearchStrategy[Example], check: Callable[[Example], Awaitable[None]]
) -> None:
    """Try `check` with examples, as many as the profile says; the smallest that fails is shown."""
    loop = asyncio.get_running_loop()

    async def checked(example: Example) -> None:
        await check(example)

    # A component is started once for all examples, and they are large.
    @settings(settings.get_profile("pubcellar"), suppress_health_check=list(HealthCheck))
    @given(examples)
    def run(example: Example) -> None:
        asyncio.run_coroutine_threadsafe(checked(example), loop).result(PATIENCE_SECONDS)

    await asyncio.to_thread(run)
