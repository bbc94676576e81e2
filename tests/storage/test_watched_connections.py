"""A database that fails is said to fail once, left alone, and found again when it works."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from store_values import KEY, NOW, hold, item, node

from failing_databases import (
    Failing,
    downgraded,
    full,
    locked,
    read_only,
    upgraded_by_another_version,
    without_a_table,
)
from pubcellar.core.errors import StoreUnavailable
from pubcellar.storage import SqlStore, open_store
from pubcellar.storage import watched_connections as module
from throw_away_postgresql import ThrowAwayPostgresql


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def postgresql_url(postgresql: ThrowAwayPostgresql, prepared_name: str) -> Iterator[str]:
    """Return a database of its own: what is done to it here is not for other tests to find."""
    with postgresql.database(template=prepared_name) as name:
        yield postgresql.url(name)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(
    database_url: str, time: Time, wait_for_coroutine: Callable[..., Any]
) -> Iterator[SqlStore]:
    store: SqlStore = wait_for_coroutine(
        open_store(database_url, busy_timeout=timedelta(milliseconds=20), is_watched=True)
    )
    connections: Any = store._connections
    connections._seconds = time
    yield store
    wait_for_coroutine(store.close())


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what an operator would read, without what is for developers."""
    return [one.getMessage() for one in caplog.records if one.levelno > logging.INFO]


async def put(store: SqlStore, name: str) -> None:
    await store.put_item(KEY, item(name, "x" * 10_000), to_newest_end=False)


@pytest.mark.parametrize(
    ("failing", "condition"),
    [
        (locked, "is locked by another process"),
        (full, "is full, or its disk is"),
        (read_only, "cannot be written to"),
        (without_a_table, "is not the one this version works with"),
        (upgraded_by_another_version, "is at revision 9999 now"),
    ],
)
async def test_a_failure_and_its_end_are_each_said_once(
    store: SqlStore,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    failing: Failing,
    condition: str,
) -> None:
    await hold(store, ["a"])
    async with failing(store, database_url):
        for number in range(20):
            with pytest.raises(StoreUnavailable):
                await put(store, str(number))
            with pytest.raises(StoreUnavailable, match=condition):
                store.require_working()
            with pytest.raises(StoreUnavailable):
                await store.item_ids(KEY)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.check()
        assert len(said(caplog)) == 1
        assert "every request is forwarded" in said(caplog)[0]
        assert condition in said(caplog)[0]
    await store.check()
    store.require_working()
    await put(store, "b")
    assert await store.item_ids(KEY) == ["a", "b"]
    await store.check()
    assert len(said(caplog)) == 2
    assert "works again" in said(caplog)[1]


async def test_while_it_fails_nobody_waits_for_it(store: SqlStore, database_url: str) -> None:
    await hold(store, ["a"])
    async with locked(store, database_url):
        with pytest.raises(StoreUnavailable):
            await put(store, "b")
        waiting = asyncio.ensure_future(put(store, "c"))
        await asyncio.sleep(0)
        # It has come to its end without a transaction.
        assert waiting.done()
        assert isinstance(waiting.exception(), StoreUnavailable)
    await store.check()


async def test_one_that_fails_again_and_again_fills_no_log(
    store: SqlStore, database_url: str, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    await hold(store, ["a"])
    for _ in range(5):
        async with locked(store, database_url):
            with pytest.raises(StoreUnavailable):
                await put(store, "b")
        await store.check()
        time.seconds += 1
    assert len(said(caplog)) == 2
    time.seconds += module.QUIET_SECONDS
    async with locked(store, database_url):
        with pytest.raises(StoreUnavailable):
            await put(store, "b")
        assert len(said(caplog)) == 3
    await store.check()


async def test_a_failure_that_was_not_said_is_said_if_it_lasts(
    store: SqlStore, database_url: str, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    await hold(store, ["a"])
    for _ in range(2):
        async with locked(store, database_url):
            with pytest.raises(StoreUnavailable):
                await put(store, "b")
        await store.check()
    assert len(said(caplog)) == 2
    async with locked(store, database_url):
        with pytest.raises(StoreUnavailable):
            await put(store, "b")
        time.seconds += module.QUIET_SECONDS
        with pytest.raises(StoreUnavailable):
            await store.check()
        assert len(said(caplog)) == 3
    await store.check()


async def test_looking_leaves_nothing_behind(store: SqlStore, database_url: str) -> None:
    await store.save_node(node())
    async with locked(store, database_url):
        with pytest.raises(StoreUnavailable):
            await store.save_node(node(state=node().state, reason="b"))
    await store.check()
    assert (await store.usage()).nodes == 1
    assert await store.forget_services(NOW, 0) == 0


class TestChanged:
    """Whether what is in it may not be what we left there."""

    @pytest.mark.parametrize("failing", [locked, full, read_only])
    async def test_what_keeps_us_from_writing_changes_nothing(
        self, store: SqlStore, database_url: str, failing: Failing
    ) -> None:
        await hold(store, ["a"])
        async with failing(store, database_url):
            with pytest.raises(StoreUnavailable):
                await put(store, "b")
        assert not await store.check()
        assert await store.item_ids(KEY) == ["a"]

    @pytest.mark.parametrize("failing", [without_a_table, upgraded_by_another_version])
    async def test_whoever_touches_the_tables_may_have_changed_what_is_in_them(
        self, store: SqlStore, database_url: str, failing: Failing
    ) -> None:
        await hold(store, ["a"])
        async with failing(store, database_url):
            with pytest.raises(StoreUnavailable):
                await store.item_ids(KEY)
        assert await store.check()
        assert not await store.check()

    async def test_a_revision_that_harms_no_query_is_found_by_looking(
        self, store: SqlStore, database_url: str
    ) -> None:
        await hold(store, ["a"])
        async with upgraded_by_another_version(store, database_url):
            with pytest.raises(StoreUnavailable, match="is at revision 9999 now"):
                await store.check()
            with pytest.raises(StoreUnavailable):
                await store.node(KEY)
        assert await store.check()

    async def test_a_downgrade_and_an_upgrade_leave_another_database(
        self, store: SqlStore, database_url: str
    ) -> None:
        await hold(store, ["a"])
        async with downgraded(store, database_url):
            with pytest.raises(StoreUnavailable):
                await store.check()
        assert await store.check()
        assert await store.node(KEY) is None

    async def test_another_file_in_its_place_is_noticed(
        self, sqlite_url: str, tmp_path: Path
    ) -> None:
        store = await open_store(sqlite_url, is_watched=True)
        await hold(store, ["a"])
        assert not await store.check()
        with (
            closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
            closing(sqlite3.connect(tmp_path / "cache.db")) as original,
        ):
            original.backup(copy)
        (tmp_path / "cache.db-wal").unlink()
        (tmp_path / "cache.db-shm").unlink()
        (tmp_path / "copy.db").rename(tmp_path / "cache.db")
        assert await store.check()
        assert not await store.check()
        await store.close()

    async def test_a_server_that_was_away_may_be_another_one(
        self, postgresql: ThrowAwayPostgresql, postgresql_url: str
    ) -> None:
        store = await open_store(postgresql_url, is_watched=True)
        await hold(store, ["a"])
        postgresql.stop()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await store.node(KEY)
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await store.check()
        postgresql.start()
        assert await store.check()
        assert await store.item_ids(KEY) == ["a"]
        await store.close()
