"""What every test may use. Tests and fixtures share one loop: asyncio's, under Twisted."""

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_twisted
from hypothesis import settings
from twisted.internet.defer import Deferred

from throw_away_postgresql import ThrowAwayPostgresql

Result = TypeVar("Result")

# How long an example takes says something about the machine alone. A run that is to find something
# new says how many are to be tried (`make fuzz`); any other tries the same ones each time.
EXAMPLES = os.environ.get("EXAMPLES")
settings.register_profile(
    "pubcellar",
    deadline=None,
    derandomize=EXAMPLES is None,
    max_examples=int(EXAMPLES or 100),
    database=None,
)
settings.load_profile("pubcellar")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-combination",
        action="store_true",
        help="run the server tests with every server and every database, not a choice of them",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run `async def` tests as asyncio tasks, which pytest-twisted waits for as Deferreds.

    Those with servers come first: they take longest, and the others fill what gaps are left.
    """
    if not config.getoption("every_combination"):
        thorough = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=thorough)
        items[:] = [item for item in items if item not in thorough]
    items.sort(key=lambda item: item.get_closest_marker("servers") is None)
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


@pytest.fixture(scope="session")
def shared_postgresql() -> Iterator[ThrowAwayPostgresql]:
    server = ThrowAwayPostgresql()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgresql(shared_postgresql: ThrowAwayPostgresql) -> Iterator[ThrowAwayPostgresql]:
    """Return the server that all tests share; a test may end it, or let it hang."""
    yield shared_postgresql
    shared_postgresql.recover()


@pytest.fixture
def postgresql_url(postgresql: ThrowAwayPostgresql) -> Iterator[str]:
    """Return the URL of a new, empty database in PostgreSQL."""
    with postgresql.database() as name:
        yield postgresql.url(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a database in SQLite, of which there is no file yet."""
    return f"sqlite:///{tmp_path}/cache.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a new, empty database, of each kind that there is."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
