"""What every test may use. Tests and fixtures share one loop: asyncio's, under Twisted."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

Result = TypeVar("Result")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run `async def` tests as asyncio tasks, which pytest-twisted waits for as Deferreds."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _as_deferred(item.obj)


def _as_deferred(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def test(*args: Any, **kwargs: Any) -> Any:
        return Deferred.fromFuture(asyncio.ensure_future(function(*args, **kwargs)))

    return test


@pytest.fixture(scope="session")
def wait_for_coroutine() -> Callable[[Coroutine[Any, Any, Result]], Result]:
    """Return a function that runs a coroutine to its end, for fixtures to set up and tear down."""

    def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
        return pytest_twisted.blockon(Deferred.fromFuture(asyncio.ensure_future(coroutine)))

    return run
