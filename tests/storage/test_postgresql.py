"""What is particular to PostgreSQL: settings, locks, a server that goes, hangs and comes back."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text
from store_values import ALL, KEY, hold, item, items, node

from pubcellar.core.errors import StoreConflict, StoreUnavailable
from pubcellar.core.values import BareJID, NodeKey, PageRequest
from pubcellar.storage import SqlStore, open_store
from pubcellar.storage import postgresql as module
from throw_away_postgresql import ThrowAwayPostgresql

pytestmark = pytest.mark.filterwarnings("error")

SHORT = timedelta(milliseconds=50)
EVERY_READER = module.READERS + 1


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    return postgresql_url


@pytest.fixture
def store(postgresql_url: str, wait_for_coroutine: Callable[..., Any]) -> Iterator[SqlStore]:
    store = wait_for_coroutine(open_store(postgresql_url, busy_timeout=SHORT))
    yield store
    wait_for_coroutine(store.close())


@pytest.fixture
def other(
    postgresql: ThrowAwayPostgresql, prepared_name: str, store: SqlStore
) -> Iterator[psycopg.Connection[Any]]:
    """Return the connection of another process to the store's database."""
    connection = postgresql.connect(prepared_name)
    yield connection
    connection.close()


async def setting(connection: Any, name: str) -> Any:
    return await connection.scalar(text(f"SHOW {name}"))


class TestSettings:
    async def test_writer(self, store: SqlStore):
        async with store._connections.writing() as connection:
            assert await setting(connection, "transaction_isolation") == "read committed"
            assert await setting(connection, "lock_timeout") == "50ms"
            assert await setting(connection, "statement_timeout") == "30s"
            assert await setting(connection, "TimeZone") == "UTC"
            assert await setting(connection, "application_name") == "pubcellar"

    async def test_reader(self, store: SqlStore):
        async with store._connections.reading() as connection:
            assert await setting(connection, "transaction_isolation") == "repeatable read"
            assert await setting(connection, "transaction_read_only") == "on"
            assert await setting(connection, "statement_timeout") == "10s"

    async def test_what_the_url_says_wins(self, postgresql_url: str):
        store = await open_store(
            f"{postgresql_url}&application_name=mine&options=-c%20statement_timeout%3D7s"
        )
        async with store._connections.reading() as connection:
            assert await setting(connection, "application_name") == "mine"
            assert await setting(connection, "statement_timeout") == "7s"
            assert await setting(connection, "lock_timeout") == "5s"
        await store.close()

    async def test_a_large_node_is_looked_into_by_the_index_of_its_ids(
        self, store: SqlStore, other: psycopg.Connection[Any]
    ):
        """At once, and not only after PostgreSQL has come round to count the rows."""
        large = node(NodeKey(KEY.service, "large"))
        many = [f"id{number}" for number in range(5_000)]
        for order in (many, many[::-1]):  # fetched, and then listed in another order
            await hold(store, ["a"])
            held = await hold(store, order, large)
            [[node_id]] = other.execute(
                "SELECT id FROM pubsub_node WHERE name = 'large'"
            ).fetchall()
            items_of_it = f"node_id = {node_id} AND generation = {held.generation}"
            plan = _plan(
                other, f"SELECT xml FROM pubsub_item WHERE {items_of_it} AND item_id='id7'"
            )
            assert "uq_pubsub_item_node_id_generation_item_id" in plan
            plan = _plan(
                other,
                f"SELECT xml FROM pubsub_item WHERE {items_of_it} AND position > 5"
                " ORDER BY position LIMIT 10",
            )
            assert "uq_pubsub_item_node_id_generation_position" in plan
            assert "Sort" not in plan

    async def test_what_is_cleaned_up_is_found_by_an_index(
        self, store: SqlStore, other: psycopg.Connection[Any]
    ):
        """A node's other generations, beside others' items; also where statistics are old."""
        large = node(NodeKey(KEY.service, "large"))
        await hold(store, [f"id{number}" for number in range(5_000)], large)
        await hold(store, ["a"])
        [[node_id]] = other.execute("SELECT id FROM pubsub_node WHERE name = 'blog'").fetchall()
        for generations in ("> 1", "< 2"):
            where = f"node_id = {node_id} AND generation {generations}"
            plan = _plan(other, f"DELETE FROM pubsub_item WHERE {where}")
            assert "Seq Scan" not in plan
            assert "uq_pubsub_item_node_id_generation_" in plan

    async def test_many_items_are_placed_by_few_statements(self, store: SqlStore):
        """One for each would take minutes where the server is far, and hold up all writers."""
        many = [f"id{number}" for number in range(3_000)]
        held = await hold(store, many)
        sent: list[str] = []

        def note(*arguments: Any) -> None:
            _, _, statement, parameters, _, is_of_many = arguments
            sent.extend([statement] * (len(parameters) if is_of_many else 1))

        async with store._connections.writing() as connection:
            event.listen(connection.sync_connection.engine, "before_cursor_execute", note)
        await store.publish_staged(held, many[::-1], reuse_current=True)
        assert len([each for each in sent if each.startswith("UPDATE pubsub_item ")]) == 2
        assert await store.item_ids(KEY) == many[::-1]


def _plan(connection: psycopg.Connection[Any], query: str) -> str:
    return str(connection.execute(f"EXPLAIN {query}").fetchall())


class TestAway:
    """The store is opened once, and never by us again."""

    async def test_killed_server_is_unavailable_and_recovers(
        self, store: SqlStore, postgresql: ThrowAwayPostgresql
    ):
        held = await hold(store, ["a"])
        postgresql.kill()
        for _ in range(EVERY_READER):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await store.node(KEY)
        with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
            await store.put_item(KEY, item("b"), to_newest_end=False)
        assert str(postgresql.directory) not in str(caught.value)
        postgresql.start()
        assert await store.node(KEY) == held
        assert await store.put_item(KEY, item("b"), to_newest_end=False)
        assert await store.item_ids(KEY) == ["a", "b"]

    async def test_restart_that_nobody_noticed_fails_no_request(
        self, store: SqlStore, postgresql: ThrowAwayPostgresql
    ):
        await hold(store, ["a"])
        await asyncio.gather(*(store.item_ids(KEY) for _ in range(EVERY_READER)))
        postgresql.restart()
        assert await store.put_item(KEY, item("b"), to_newest_end=False)
        found = await asyncio.gather(*(store.item_ids(KEY) for _ in range(EVERY_READER)))
        assert found == [["a", "b"]] * EVERY_READER

    async def test_store_that_is_opened_before_the_server_runs(
        self, postgresql: ThrowAwayPostgresql, postgresql_url: str
    ):
        postgresql.stop()
        store = await open_store(postgresql_url)
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await store.count_nodes()
        postgresql.start()
        assert await store.count_nodes() == 0
        await store.close()

    async def test_backend_that_is_ended_amid_a_transaction_changes_nothing(
        self, store: SqlStore, other: psycopg.Connection[Any]
    ):
        await hold(store, ["a"])
        with pytest.raises(StoreUnavailable, match="stopped or started"):
            async with store._connections.writing() as connection:
                await connection.execute(text("DELETE FROM pubsub_item"))
                pid = await connection.scalar(text("SELECT pg_backend_pid()"))
                other.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
                await connection.execute(text("DELETE FROM pubsub_node"))
        assert await store.item_ids(KEY) == ["a"]
        assert await store.put_item(KEY, item("b"), to_newest_end=False)

    async def test_server_that_hangs_is_unavailable_and_recovers(
        self, postgresql: ThrowAwayPostgresql, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
    ):
        """Its time-outs do not run either; what the system still accepts is never answered."""
        patient = await open_store(postgresql_url)
        await hold(patient, ["a"])
        await patient.close()
        for name in ("READ_AT_MOST", "WRITE_AT_MOST", "UNANSWERED"):
            monkeypatch.setattr(module, name, timedelta(milliseconds=1_500))
        monkeypatch.setattr(module, "CONNECT_SECONDS", 2)
        store = await open_store(postgresql_url)
        await store.put_item(KEY, item("a"), to_newest_end=False)  # has connected
        postgresql.pause()
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await store.node(KEY)
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await store.put_item(KEY, item("b"), to_newest_end=False)
        postgresql.go_on()
        assert await store.put_item(KEY, item("b"), to_newest_end=False)
        assert await store.item_ids(KEY) == ["a", "b"]
        await store.close()

    async def test_statement_that_takes_too_long_is_given_up(
        self, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(module, "READ_AT_MOST", SHORT)
        store = await open_store(postgresql_url)
        with pytest.raises(StoreUnavailable, match="too slow"):
            async with store._connections.reading() as connection:
                await connection.execute(text("SELECT pg_sleep(60)"))
        await store.close()


class TestOtherProcesses:
    async def test_locked_node_is_unavailable_and_recovers(
        self, store: SqlStore, other: psycopg.Connection[Any]
    ):
        await hold(store, ["a"])
        with other.transaction():
            other.execute("SELECT * FROM pubsub_node FOR UPDATE")
            with pytest.raises(StoreUnavailable, match="locked") as caught:
                await store.put_item(KEY, item("b"), to_newest_end=False)
            assert "SELECT" not in str(caught.value)
            assert await store.item_ids(KEY) == ["a"]  # readers wait for no writer
        assert await store.put_item(KEY, item("b"), to_newest_end=False)
        assert await store.item_ids(KEY) == ["a", "b"]

    async def test_locked_table_is_unavailable_for_readers_too(
        self, store: SqlStore, other: psycopg.Connection[Any]
    ):
        await store.save_node(node())
        with other.transaction():
            other.execute("LOCK TABLE pubsub_node")
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.node(KEY)
        assert await store.node(KEY) == node()

    async def test_large_node_is_published_while_a_vacuum_goes_on(
        self, store: SqlStore, other: psycopg.Connection[Any]
    ):
        with other.transaction():
            other.execute("LOCK TABLE pubsub_item IN SHARE UPDATE EXCLUSIVE MODE")  # as it does
            held = await hold(store, [f"id{number}" for number in range(1_000)])
        assert held.item_count == 1_000

    async def test_page_is_of_one_moment_while_another_process_writes(
        self, store: SqlStore, other: psycopg.Connection[Any]
    ):
        """A page takes several statements; the count and the items must agree."""
        await hold(store, [f"id{number}" for number in range(250)])
        async with store._connections.reading() as connection:
            count = text("SELECT item_count FROM pubsub_node")
            assert await connection.scalar(count) == 250
            other.execute("DELETE FROM pubsub_item WHERE position > 10")
            other.execute("UPDATE pubsub_node SET item_count = 10")
            assert await connection.scalar(count) == 250
            assert await connection.scalar(text("SELECT count(*) FROM pubsub_item")) == 250
        page = await store.page(KEY, PageRequest(), newest_first=True, max_bytes=ALL)
        assert (page.count, len(page.items)) == (10, 10)

    async def test_processes_that_write_to_one_node_wait_for_each_other(self, postgresql_url: str):
        stores = [await open_store(postgresql_url) for _ in range(2)]
        await stores[0].save_node(node())
        await asyncio.gather(
            *(
                store.put_item(KEY, item(f"id{number}-{turn}"), to_newest_end=False)
                for turn in range(30)
                for number, store in enumerate(stores)
            )
        )
        found = await stores[1].node(KEY)
        assert found is not None
        assert found.item_count == len(await stores[0].item_ids(KEY)) == 60
        for store in stores:
            await store.close()

    async def test_database_of_another_kind_of_tables_is_unavailable(
        self, postgresql: ThrowAwayPostgresql
    ):
        with postgresql.database() as name:
            store = await open_store(postgresql.url(name))
            with pytest.raises(StoreUnavailable, match="not the one this version works with"):
                await store.node(KEY)
            await store.close()


class TestRefusedValues:
    async def test_character_that_no_text_may_hold_is_a_conflict(self, store: SqlStore):
        """XML cannot hold it either."""
        held = await hold(store, ["a"])
        for refused in (item("b", "nul \0 nul"), item("n\0l"), item("c", parsed={"key": "n\0l"})):
            with pytest.raises(StoreConflict):
                await store.put_item(KEY, refused, to_newest_end=False)
        with pytest.raises(StoreConflict):
            await store.page(KEY, PageRequest(after="n\0l"), newest_first=True, max_bytes=ALL)
        assert await store.node(KEY) == held
        assert await store.item_ids(KEY) == ["a"]

    async def test_name_too_long_for_an_index_is_a_conflict(self, store: SqlStore):
        """No service has one that is anywhere near."""
        long = "".join(chr(0x4E00 + n * 7_919 % 20_000) for n in range(1_000))
        with pytest.raises(StoreConflict, match="too large"):
            await store.save_node(node(NodeKey(BareJID(long), "blog")))
        assert await store.count_nodes() == 0


async def test_failures_show_no_values(store: SqlStore):
    """What is logged with its cause must not hold people's addresses and texts."""
    with pytest.raises(StoreConflict) as caught:
        async with store._connections.reading() as connection:
            await connection.execute(text("SELECT 1/0 WHERE :jid <> ''"), {"jid": "juliet"})
    assert "division by zero" in str(caught.value.__cause__)
    assert "juliet" not in str(caught.value.__cause__)


async def test_items_are_staged_again_and_again_in_one_go(store: SqlStore):
    """ON CONFLICT may not touch a row twice in one statement: each item is one of its own."""
    await store.save_node(node())
    await store.stage(KEY, [item("a", str(turn)) for turn in range(3)] + items(["b", "a", "b"]))
    assert (await store.publish_staged(node(), ["b", "a"])).item_count == 2
