"""What is particular to SQLite: settings, locks, full and missing files."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from store_values import KEY, hold, item, items, node

from pubcellar.core.errors import DatabaseRefused, StoreUnavailable
from pubcellar.storage import SqlStore, migrate, open_store, prepare_database, sqlite
from pubcellar.storage.sqlite import SqliteDatabase

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def store(path: Path, wait_for_coroutine: Callable[..., Any]) -> Iterator[SqlStore]:
    async def opened() -> SqlStore:
        await prepare_database(f"sqlite:///{path}")
        return await open_store(f"sqlite:///{path}", busy_timeout=timedelta(milliseconds=20))

    store = wait_for_coroutine(opened())
    yield store
    wait_for_coroutine(store.close())


async def setting(connection: Any, name: str) -> Any:
    return await connection.scalar(text(f"PRAGMA {name}"))


class TestSettings:
    async def test_writer(self, store: SqlStore):
        async with store._connections.writing() as connection:
            assert await setting(connection, "journal_mode") == "wal"
            assert await setting(connection, "foreign_keys") == 1
            assert await setting(connection, "synchronous") == 1
            assert await setting(connection, "busy_timeout") == 20
            assert await setting(connection, "query_only") == 0

    async def test_reader_cannot_write(self, store: SqlStore):
        async with store._connections.reading() as connection:
            assert await setting(connection, "query_only") == 1
            assert await setting(connection, "foreign_keys") == 1
        with pytest.raises(StoreUnavailable):
            async with store._connections.reading() as connection:
                await connection.execute(text("DELETE FROM pubsub_node"))

    async def test_other_engines_keep_their_own(self, store: SqlStore, tmp_path: Path):
        await store.save_node(node())
        engine = create_engine(f"sqlite:///{tmp_path}/other.db")
        with engine.connect() as connection:
            assert connection.scalar(text("PRAGMA foreign_keys")) == 0
            assert connection.scalar(text("PRAGMA journal_mode")) == "delete"
        engine.dispose()

    async def test_what_was_committed_survives_the_death_of_the_process(
        self, store: SqlStore, path: Path, tmp_path: Path
    ):
        """The files as they are after each answer are what a dead process leaves."""
        await hold(store, ["a"])
        await store.put_item(KEY, item("b"), to_newest_end=False)
        left = tmp_path / "left"
        left.mkdir()
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(path.with_name(name), left / name)
        url = f"sqlite:///{left}/{path.name}"
        await prepare_database(url)
        successor = await open_store(url)
        assert await successor.item_ids(KEY) == ["a", "b"]
        await successor.close()

    @pytest.mark.parametrize(
        ("query", "step"),
        [
            ("SELECT xml FROM pubsub_item WHERE node_id=1 AND generation=1 AND position > 5"
             " ORDER BY position LIMIT 10", "(node_id=? AND generation=? AND position>?)"),
            ("SELECT max(position) FROM pubsub_item WHERE node_id=1 AND generation=1",
             "COVERING INDEX"),
            ("SELECT xml FROM pubsub_item WHERE node_id=1 AND generation=1 AND item_id='a'",
             "(node_id=? AND generation=? AND item_id=?)"),
            ("SELECT id FROM pubsub_node WHERE state IN ('stale', 'failed')"
             " AND (retry_at IS NULL OR retry_at <= 1)", "ix_pubsub_node_state_retry_at"),
            ("SELECT id FROM pubsub_node WHERE state = 'live' AND last_read_at >= 1"
             " ORDER BY items_verified_at NULLS FIRST LIMIT 5",
             "ix_pubsub_node_state_items_verified_at"),
            ("SELECT id FROM pubsub_node WHERE last_read_at IS NOT NULL"
             " ORDER BY last_read_at LIMIT 5", "ix_pubsub_node_last_read_at_created_at"),
            ("SELECT id FROM pubsub_node WHERE last_read_at IS NULL"
             " ORDER BY created_at LIMIT 5", "ix_pubsub_node_last_read_at_created_at"),
        ],
    )  # fmt: skip
    async def test_queries_walk_along_their_indexes(self, store: SqlStore, query: str, step: str):
        async with store._connections.reading() as connection:
            plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))).all()
        steps = " / ".join(row.detail for row in plan)
        assert step in steps
        assert "TEMP B-TREE" not in steps


class TestLocked:
    async def test_locked_database_is_unavailable_and_recovers(self, store: SqlStore, path: Path):
        await hold(store, ["a"])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked") as caught:
                await store.put_item(KEY, item("b"), to_newest_end=False)
            assert caught.value.__cause__ is not None
            assert "INSERT" not in str(caught.value)
            assert str(path) not in str(caught.value)
            assert await store.item_ids(KEY) == ["a"]  # readers wait for no writer
            other.execute("ROLLBACK")
        assert await store.put_item(KEY, item("b"), to_newest_end=False)
        assert await store.item_ids(KEY) == ["a", "b"]

    async def test_database_locked_for_readers_too(self, store: SqlStore, path: Path):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN IMMEDIATE")
            other.execute("DELETE FROM pubsub_node")
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.node(KEY)
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.save_node(node())
            other.execute("COMMIT")
        await store.save_node(node())
        assert await store.node(KEY) == node()


class TestStartOnAFileThatOthersHave:
    """SQLite refuses at once to change the journal of a file that is locked, patient or not."""

    async def test_it_waits_for_them(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        refused = asyncio.Event()
        tried = sqlite._is_done

        def noted(cursor: Any, pragma: str, deadline: float) -> bool:
            is_done = tried(cursor, pragma, deadline)
            if not is_done:
                refused.set()
            return is_done

        monkeypatch.setattr(sqlite, "_is_done", noted)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            starting = asyncio.ensure_future(prepare_database(f"sqlite:///{path}"))
            await asyncio.wait_for(refused.wait(), 10)
            assert not starting.done()
            other.execute("ROLLBACK")
        assert "was created" in str(await starting)

    async def test_it_does_not_wait_for_ever(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(migrate, "PATIENCE", timedelta(milliseconds=20))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseRefused, match="is locked by another process"):
                await prepare_database(f"sqlite:///{path}")


class TestFullAndGone:
    async def test_full_disk_is_unavailable_and_changes_nothing(self, store: SqlStore):
        held = await hold(store, ["a"])
        async with store._connections.writing() as connection:
            pages = await setting(connection, "page_count")
            await setting(connection, f"max_page_count={pages + 2}")
        with pytest.raises(StoreUnavailable, match="full"):
            await store.stage(KEY, [item(f"id{n}", "x" * 2_000) for n in range(100)])
        assert await store.node(KEY) == held
        assert await store.item_ids(KEY) == ["a"]
        async with store._connections.writing() as connection:
            await setting(connection, f"max_page_count={pages + 10_000}")
        await store.stage(KEY, items(["b"]))
        assert (await store.publish_staged(held, ["b"])).item_count == 1

    async def test_missing_file_is_unavailable_and_is_not_made_anew(
        self, store: SqlStore, path: Path
    ):
        await hold(store, ["a"])
        away = path.with_name("away")
        away.mkdir()
        names = [name for name in os.listdir(path.parent) if name.startswith(path.name)]
        for name in names:
            path.with_name(name).rename(away / name)
        with pytest.raises(StoreUnavailable, match="cannot be opened"):
            await store.node(KEY)
        with pytest.raises(StoreUnavailable, match="cannot be opened"):
            await store.put_item(KEY, item("b"), to_newest_end=False)
        assert path.name not in os.listdir(path.parent)
        for name in os.listdir(away):
            (away / name).rename(path.with_name(name))
        assert await store.item_ids(KEY) == ["a"]
        await store.put_item(KEY, item("b"), to_newest_end=False)
        assert await store.item_ids(KEY) == ["a", "b"]

    async def test_database_without_tables_is_unavailable(self, tmp_path: Path):
        (tmp_path / "empty.db").touch()
        store = await open_store(f"sqlite:///{tmp_path}/empty.db")
        with pytest.raises(StoreUnavailable, match="is not the one this version works with"):
            await store.node(KEY)
        await store.close()

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            (sqlite3.SQLITE_FULL, "is full, or its disk is; make room on its disk"),
            (sqlite3.SQLITE_IOERR | 3 << 8, "written to its disk; look after its disk"),
            (sqlite3.SQLITE_SCHEMA, "is not the one this version works with; see to it"),
        ],
    )
    def test_remedy_is_for_what_is_wrong(self, path: Path, code: int, said: str):
        original = sqlite3.OperationalError()
        original.sqlite_errorcode = code
        refusal = SqliteDatabase(path).refusal(OperationalError("SELECT", {}, original))
        assert f"{path} " in str(refusal)
        assert said in str(refusal)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:hush@host/name", "mysql://"),
        ("sqlite://", "three slashes"),
        ("sqlite:///:memory:", "three slashes"),
        ("sqlite:///cache.db?mode=ro", "no parameters"),
        ("cache.db", "not a database URL"),
        ("", "not a database URL"),
    ],
)
async def test_url_of_no_sqlite_file_is_refused(url: str, said: str):
    for refusing in (open_store, prepare_database):
        with pytest.raises(DatabaseRefused) as caught:
            await refusing(url)
        assert said in str(caught.value)
        assert 'url = "sqlite:///cache.db"' in str(caught.value)
        assert "hush" not in str(caught.value)
