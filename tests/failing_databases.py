"""Databases that are locked, full, read-only, or changed by others, while a block runs.

Each takes the store that uses the database, and the database's URL.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

from pubcellar.storage import downgrade_database, upgrade_database
from pubcellar.storage.revisions import head_shipped

Failing = Callable[[Any, str], AbstractAsyncContextManager[None]]

FULL = """
CREATE FUNCTION no_room() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END
$$ LANGUAGE plpgsql
"""
TABLES = ("pubsub_service", "pubsub_node", "pubsub_item", "user_subscription", "iq_permission")
MOST_PAGES = 1 << 30


def execute(url: str, *statements: str) -> None:
    """Run statements as somebody else who may do anything."""
    parsed = make_url(url)
    if _is_sqlite(parsed):
        with closing(sqlite3.connect(str(parsed.database), isolation_level=None)) as other:
            for statement in statements:
                other.execute(statement)
        return
    with _administrator(parsed) as server:
        for statement in statements:
            server.execute(statement)  # type: ignore[arg-type]


@asynccontextmanager
async def locked(store: Any, url: str) -> AsyncIterator[None]:
    """Another process is in a transaction that has written, and does not end."""
    parsed = make_url(url)
    if _is_sqlite(parsed):
        with closing(sqlite3.connect(str(parsed.database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    with _administrator(parsed) as server, server.transaction():
        server.execute("LOCK TABLE pubsub_service, pubsub_node, pubsub_item, iq_permission")
        yield


@asynccontextmanager
async def full(store: Any, url: str) -> AsyncIterator[None]:
    """There is no room for anything new; what is there can be read."""
    if _is_sqlite(make_url(url)):
        await _set_on_writer(store, "max_page_count=1")
        yield
        await _set_on_writer(store, f"max_page_count={MOST_PAGES}")
        return
    triggers = [
        f"CREATE TRIGGER is_full BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION no_room()"
        for table in TABLES
    ]
    execute(url, FULL, *triggers)
    yield
    execute(url, "DROP FUNCTION no_room CASCADE")


@asynccontextmanager
async def read_only(store: Any, url: str) -> AsyncIterator[None]:
    """Nothing can be written: the file, or the server, has become read-only."""
    parsed = make_url(url)
    if _is_sqlite(parsed):
        await _set_on_writer(store, "query_only=1")
        yield
        await _set_on_writer(store, "query_only=0")
        return
    setting = f'ALTER DATABASE "{parsed.database}" SET default_transaction_read_only'
    throw_out = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{parsed.database}' AND pid <> pg_backend_pid()"
    )
    execute(url, f"{setting} = on", throw_out)
    yield
    execute(url, "SET default_transaction_read_only = off", f"{setting} = off", throw_out)


@asynccontextmanager
async def without_a_table(store: Any, url: str) -> AsyncIterator[None]:
    """Somebody has taken a table away, and brings it back."""
    execute(url, "ALTER TABLE pubsub_item RENAME TO gone")
    yield
    execute(url, "ALTER TABLE gone RENAME TO pubsub_item")


@asynccontextmanager
async def upgraded_by_another_version(store: Any, url: str) -> AsyncIterator[None]:
    """A version that has a revision more than ours has migrated it; no query of ours minds."""
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    yield
    execute(url, f"UPDATE alembic_version SET version_num = '{head_shipped()}'")


@asynccontextmanager
async def downgraded(store: Any, url: str) -> AsyncIterator[None]:
    """Somebody has run `pubcellar db downgrade`, and upgrades it again; all is empty then."""
    await downgrade_database(url, "base", with_copy=False)
    yield
    await upgrade_database(url, with_copy=False)


def _is_sqlite(url: URL) -> bool:
    return url.drivername == "sqlite"


def _administrator(url: URL) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        host=str(url.query["host"]), user="postgres", dbname=url.database, autocommit=True
    )


async def _set_on_writer(store: Any, pragma: str) -> None:
    async with store._connections._writer.connect() as connection:
        # Past SQLAlchemy, which would begin a transaction that writes.
        raw = (await connection.get_raw_connection()).driver_connection
        await raw.execute_fetchall(f"PRAGMA {pragma}")
