"""Fixtures of the scenarios: a component that is started, and a service behind it."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playbook import Cellar, Service

Start = Callable[..., Awaitable[Cellar]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Return the database of the component; few scenarios depend on which kind it is."""
    return sqlite_url


@pytest.fixture
def start(
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    wait_for_coroutine: Callable[..., Any],
) -> Iterator[Start]:
    """Return a function that starts a component; it takes what differs in the configuration."""
    started: list[Cellar] = []

    async def start(more: str = "", **tables: str) -> Cellar:
        cellar = Cellar(tmp_path, monkeypatch, more, **tables)
        cellar.database_url = database_url
        started.append(cellar)
        return await cellar.start()

    yield start
    for cellar in started:
        wait_for_coroutine(cellar.stop())


@pytest.fixture
def cellar(start: Start, wait_for_coroutine: Callable[..., Any]) -> Cellar:
    """Return a component with the configuration that most scenarios need."""
    return wait_for_coroutine(start())


@pytest.fixture
def service() -> Service:
    """Return a service that does not page, such as Prosody's; it stands behind nothing yet."""
    return Service()


@pytest.fixture
def paging_service() -> Service:
    """Return a service that pages, with tokens of its own, such as ejabberd's."""
    return Service(pages=True)
