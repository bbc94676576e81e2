"""Engines for SQLite files, each with its settings on its own connections and nowhere else.

sqlite3's own idea of transactions is switched off, since it would commit before schema changes:
BEGIN is sent when SQLAlchemy begins. This module decides no wording but that of a wrong URL.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pubcellar.core.errors import DatabaseRefused

READERS = 4
"""Connections that read at the same time; each is a thread."""

READER_PATIENCE = timedelta(seconds=1)
"""Readers wait for nobody under WAL, unless another process has locked the whole file."""

POOL_PATIENCE = timedelta(seconds=5)

WAL_KEPT_BYTES = 64 * 1024 * 1024

_EVERY_CONNECTION = (
    "PRAGMA foreign_keys=ON",
    # Under WAL a commit survives the death of the process at once, since the system has the pages;
    # what the death of the machine may take, the next start fetches again (all nodes are STALE).
    "PRAGMA synchronous=NORMAL",
)
_WAL = (
    # Readers go on reading what was committed while one connection writes.
    "PRAGMA journal_mode=WAL",
    f"PRAGMA journal_size_limit={WAL_KEPT_BYTES}",
)


def sqlite_path(url: str) -> Path:
    """Return the file that `[database] url` names.

    Raises:
        DatabaseRefused: it names none that this version could use. The URL itself is not repeated,
            for it may hold a password.
    """
    example = 'write for example url = "sqlite:///cache.db"'
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseRefused(f"[database] url: this is not a database URL; {example}") from None
    if parsed.drivername != "sqlite":
        raise DatabaseRefused(
            f"[database] url: begins with {parsed.drivername}://, but this version holds its cache"
            f" in SQLite; {example}"
        )
    if not parsed.database or parsed.database == ":memory:" or parsed.query or parsed.host:
        raise DatabaseRefused(
            f"[database] url: must name a file, with three slashes and no parameters; {example},"
            ' or with an absolute path "sqlite:////var/lib/pubcellar/cache.db"'
        )
    return Path(parsed.database).absolute()


def writer_engine(path: Path, busy_timeout: timedelta) -> AsyncEngine:
    """Return the engine that writes: one connection, whose transactions lock at their beginning."""
    pragmas = (*_EVERY_CONNECTION, *_WAL)
    return _engine(path, {"mode": "rw"}, "BEGIN IMMEDIATE", pragmas, busy_timeout, connections=1)


def reader_engine(path: Path, busy_timeout: timedelta) -> AsyncEngine:
    """Return the engine that reads: a transaction is a snapshot, and cannot write."""
    pragmas = (*_EVERY_CONNECTION, "PRAGMA query_only=ON")
    patience = min(busy_timeout, READER_PATIENCE)
    return _engine(path, {"mode": "rw"}, "BEGIN", pragmas, patience, connections=READERS)


def migration_engine(path: Path, busy_timeout: timedelta) -> AsyncEngine:
    """Return an engine for schema changes, with foreign keys not enforced.

    SQLite changes a table by copying it and dropping the original, and dropping `pubsub_node` with
    foreign keys enforced would delete all items. Whoever migrates checks them before the commit.
    """
    return _engine(path, {"mode": "rw"}, "BEGIN IMMEDIATE", _WAL, busy_timeout, connections=1)


def looking_engine(path: Path, busy_timeout: timedelta) -> AsyncEngine:
    """Return an engine that reads the file and leaves nothing behind."""
    # Without a WAL beside it all is in the file itself, and "immutable" keeps SQLite from making
    # one just to read. With one, somebody is at work there, or died and left it.
    options = {"mode": "ro"}
    if not Path(f"{path}-wal").exists():
        options["immutable"] = "1"
    return _engine(path, options, "BEGIN", (), busy_timeout, connections=1)


def _engine(
    path: Path,
    options: Mapping[str, str],
    begin: str,
    pragmas: Sequence[str],
    busy_timeout: timedelta,
    *,
    connections: int,
) -> AsyncEngine:
    # Never mode "rwc": a file that has gone must not come back empty.
    engine = create_async_engine(
        URL.create(
            "sqlite+aiosqlite",
            database=f"file:{quote(str(path))}",
            query={"uri": "true", **options},
        ),
        connect_args={"isolation_level": None, "timeout": busy_timeout.total_seconds()},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_PATIENCE.total_seconds(),
    )
    _listen(engine, path, begin, pragmas)
    return engine


def _listen(engine: AsyncEngine, path: Path, begin: str, pragmas: Sequence[str]) -> None:
    def set_up(dbapi_connection: Any, record: Any) -> None:
        cursor = dbapi_connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()
        record.info["file"] = _identity(path)

    def check_out(dbapi_connection: Any, record: Any, proxy: Any) -> None:
        # A connection to a deleted file would go on working, and all it wrote would be lost.
        if record.info.get("file") != _identity(path):
            raise DisconnectionError("the database file has been replaced or removed")

    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "checkout", check_out)
    event.listen(engine.sync_engine, "begin", begin_transaction)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
