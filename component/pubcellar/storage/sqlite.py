"""SQLite files, and engines for them, each with its settings on its own connections only.

sqlite3's own idea of transactions is switched off, since it would commit before schema changes:
BEGIN is sent when SQLAlchemy begins.
"""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pubcellar.core.errors import DatabaseRefused
from pubcellar.storage.failures import condition_of, sqlite_code

READERS = 4
"""Connections that read at the same time; each is a thread."""

READER_PATIENCE = timedelta(seconds=1)
"""Readers wait for nobody under WAL, unless another process has locked the whole file."""

POOL_PATIENCE = timedelta(seconds=5)

LOOK_AGAIN_SECONDS = 0.02
"""How often a connection tries to switch to WAL while others have the file."""

WAL_KEPT_BYTES = 64 * 1024 * 1024

# What else can be wrong is who may use the file, and how.
_REMEDIES = {
    sqlite3.SQLITE_FULL: "make room on its disk, or name another file",
    sqlite3.SQLITE_IOERR: (
        "look after its disk, of which the system's log may say more, or name another file"
    ),
}

# Never mode "rwc": a file that has gone must not come back empty.
_WRITABLE = {"mode": "rw"}

_REMEDY = (
    "see to it that it is an SQLite database which only Pubcellar uses and may write to, or name"
    " another file"
)

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


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """A file; implements `storage.databases.Database`, where every method is documented.

    Attributes:
        path: absolute, and without links: SQLite keeps its other files beside what they lead to.
    """

    path: Path

    @classmethod
    def of(cls, url: URL) -> "SqliteDatabase":
        """Return the database that the parsed `[database] url` names.

        Raises:
            DatabaseRefused: it names no file.
        """
        if not url.database or url.database == ":memory:" or url.query or url.host:
            raise DatabaseRefused(
                "[database] url: must name a file, with three slashes and no parameters; write for"
                ' example url = "sqlite:///cache.db", or with an absolute path'
                ' "sqlite:////var/lib/pubcellar/cache.db"'
            )
        try:
            return cls(Path(url.database).resolve())
        except (OSError, RuntimeError, ValueError) as error:
            # A loop of links is a RuntimeError.
            raise DatabaseRefused(f"[database] url: names no file: {error}") from error

    def __str__(self) -> str:
        return str(self.path)

    def require_place(self) -> None:
        """See `Database.require_place`."""
        with self._as_refusals():
            if not self.path.parent.is_dir():
                raise DatabaseRefused(
                    f"[database] url: there is no directory {self.path.parent}; create it, writable"
                    " for the user that Pubcellar runs as"
                )
            if self.path.is_dir():
                raise DatabaseRefused(
                    f"[database] url: {self.path} is a directory; name a file in it"
                )

    def is_missing(self) -> bool:
        """See `Database.is_missing`."""
        with self._as_refusals():
            return not self.path.exists() or self.path.stat().st_size == 0

    def mark(self) -> object:
        """See `Database.mark`."""
        if os.path.exists(f"{self.path}-wal"):
            # The look takes part in SQLite's own locks, and sees one snapshot.
            return "wal"
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def identity(self) -> object:
        """See `Database.identity`."""
        return _identity(self.path)

    def refusal(self, error: DBAPIError) -> DatabaseRefused:
        """See `Database.refusal`."""
        return DatabaseRefused(
            f"[database] url: {self} {condition_of(error)};"
            f" {_REMEDIES.get(sqlite_code(error), _REMEDY)}"
        )

    @contextmanager
    def _as_refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatabaseRefused(
                f"[database] url: {self.path} cannot be looked at: {error.strerror}; let the user"
                f" that Pubcellar runs as into {self.path.parent}, or name another file"
            ) from error

    def looking_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.looking_engine`."""
        # Without a WAL beside it all is in the file itself, and "immutable" keeps SQLite from
        # making one just to read. With one, somebody is at work there, or died and left it.
        # Whether somebody came meanwhile, `mark` tells.
        options = {"mode": "ro"}
        if not os.path.exists(f"{self.path}-wal"):
            options["immutable"] = "1"
        return _engine(self.path, options, "BEGIN", (), patience, connections=1)

    def migration_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.migration_engine`; foreign keys are not enforced.

        SQLite changes a table by copying it and dropping the original, and dropping `pubsub_node`
        with foreign keys enforced would delete all items. Whoever migrates checks them before the
        commit.
        """
        try:
            # SQLite gives the files it puts beside it the same permissions.
            self.path.touch(mode=0o600)
        except OSError as error:
            raise DatabaseRefused(
                f"[database] url: {self.path} cannot be written to: {error.strerror}; {_REMEDY}"
            ) from error
        return _engine(self.path, _WRITABLE, "BEGIN IMMEDIATE", _WAL, patience, connections=1)

    def writer_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.writer_engine`: one connection, whose transactions lock from the start."""
        pragmas = (*_EVERY_CONNECTION, *_WAL)
        return _engine(self.path, _WRITABLE, "BEGIN IMMEDIATE", pragmas, patience, connections=1)

    def reader_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.reader_engine`."""
        pragmas = (*_EVERY_CONNECTION, "PRAGMA query_only=ON")
        shorter = min(patience, READER_PATIENCE)
        return _engine(self.path, _WRITABLE, "BEGIN", pragmas, shorter, connections=READERS)


def _engine(
    path: Path,
    options: Mapping[str, str],
    begin: str,
    pragmas: Sequence[str],
    busy_timeout: timedelta,
    *,
    connections: int,
) -> AsyncEngine:
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
        # COMPAT removable with SQLite 3.45: before, a key is not found where JSON has it escaped.
        json_serializer=partial(json.dumps, ensure_ascii=False),
    )
    _listen(engine, path, begin, pragmas, busy_timeout)
    return engine


def _listen(
    engine: AsyncEngine, path: Path, begin: str, pragmas: Sequence[str], busy_timeout: timedelta
) -> None:
    def set_up(dbapi_connection: Any, record: Any) -> None:
        cursor = dbapi_connection.cursor()
        deadline = time.monotonic() + busy_timeout.total_seconds()
        for pragma in pragmas:
            while not _is_done(cursor, pragma, deadline):
                dbapi_connection.run_async(lambda _: asyncio.sleep(LOOK_AGAIN_SECONDS))
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


def _is_done(cursor: Any, pragma: str, deadline: float) -> bool:
    """Execute a PRAGMA; tell whether that was possible, or is to be tried again before `deadline`.

    SQLite's own patience does not cover the change of a file to WAL, which it refuses at once while
    somebody else has a lock on the file.
    """
    try:
        cursor.execute(pragma)
    except sqlite3.OperationalError as error:
        if sqlite_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
            raise
        return False
    return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
