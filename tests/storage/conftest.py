"""The store contract: every test that takes `store` states what `core.store.Store` promises.

It runs on every kind of `database_url` there is; what passes it is a store. Here the databases
have been prepared: once, since a test that leaves the tables as they are needs no new ones.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pubcellar.storage import SqlStore, open_store, prepare_database
from throw_away_postgresql import ThrowAwayPostgresql

Waits = Callable[..., Any]


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory, wait_for_coroutine: Waits) -> Path:
    path = tmp_path_factory.mktemp("prepared") / "cache.db"
    wait_for_coroutine(prepare_database(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def prepared_name(shared_postgresql: ThrowAwayPostgresql, wait_for_coroutine: Waits) -> str:
    name = shared_postgresql.create_database()
    wait_for_coroutine(prepare_database(shared_postgresql.url(name)))
    return name


@pytest.fixture
def sqlite_url(prepared_file: Path, tmp_path: Path) -> str:
    shutil.copy(prepared_file, tmp_path / "cache.db")
    return f"sqlite:///{tmp_path}/cache.db"


@pytest.fixture
def postgresql_url(postgresql: ThrowAwayPostgresql, prepared_name: str) -> Iterator[str]:
    yield postgresql.url(prepared_name)
    postgresql.recover()
    postgresql.empty_database(prepared_name)


@pytest.fixture
def store(database_url: str, wait_for_coroutine: Waits) -> Iterator[SqlStore]:
    store = wait_for_coroutine(open_store(database_url))
    yield store
    wait_for_coroutine(store.close())
