"""The store contract: every test that takes `store` states what `core.ports.Store` promises.

A database of another kind is added as one more parameter of `database_url`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pubcellar.storage import SqlStore, open_store, prepare_database


@pytest.fixture(params=["sqlite"])
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/cache.db"


@pytest.fixture
def store(database_url: str, wait_for_coroutine: Callable[..., Any]) -> Iterator[SqlStore]:
    async def opened() -> SqlStore:
        await prepare_database(database_url)
        return await open_store(database_url)

    store = wait_for_coroutine(opened())
    yield store
    wait_for_coroutine(store.close())
