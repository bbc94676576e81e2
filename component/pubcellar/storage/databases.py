"""What differs between the kinds of database: how one is named, opened and prepared."""

from datetime import timedelta
from typing import Protocol

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pubcellar.core.errors import DatabaseRefused
from pubcellar.storage.postgresql import PostgresqlDatabase
from pubcellar.storage.sqlite import SqliteDatabase

EXAMPLE = 'write for example url = "sqlite:///cache.db" or "postgresql://user@host/name"'


class Database(Protocol):
    """One database of either kind; making one of these opens nothing.

    `str()` of it is how messages name it: never with a password.
    """

    def require_place(self) -> None:
        """See that there is a place for it, such as the directory of a file; touches nothing.

        Raises:
            DatabaseRefused: there is none.
        """
        ...

    def is_missing(self) -> bool:
        """Tell, without opening anything, whether there is certainly nothing in it yet."""
        ...

    def mark(self) -> object:
        """Return what changes when others write in a way that a look might see half of.

        Where it is not the same before and after a look, what that found is not to be trusted.
        """
        ...

    def identity(self) -> object:
        """Return what tells it from another that takes its place, as far as that can be told."""
        ...

    def refusal(self, error: DBAPIError) -> DatabaseRefused:
        """Return what to tell the operator when it cannot be looked at or migrated."""
        ...

    def looking_engine(self, patience: timedelta) -> AsyncEngine:
        """Return an engine for one connection that reads and leaves nothing behind."""
        ...

    def migration_engine(self, patience: timedelta) -> AsyncEngine:
        """Return an engine for one connection whose transactions exclude every other migration.

        `patience` is how long to wait for one that another process is in. The database is made
        where that is the kind's custom (an SQLite file).

        Raises:
            DatabaseRefused: it cannot be made.
        """
        ...

    def writer_engine(self, patience: timedelta) -> AsyncEngine:
        """Return the engine that writes; `patience` bounds the wait for a lock of another's."""
        ...

    def reader_engine(self, patience: timedelta) -> AsyncEngine:
        """Return the engine that reads: each transaction sees one snapshot, and cannot write."""
        ...


def database_named(url: str) -> Database:
    """Return the database that `[database] url` names.

    Raises:
        DatabaseRefused: it names none that this version could use. The URL itself is not repeated,
            for it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseRefused(f"[database] url: this is not a database URL; {EXAMPLE}") from None
    if parsed.drivername == "sqlite":
        return SqliteDatabase.of(parsed)
    if parsed.drivername == "postgresql":
        return PostgresqlDatabase.of(parsed)
    raise DatabaseRefused(
        f"[database] url: begins with {parsed.drivername}://, which is no kind of database that"
        f" Pubcellar knows; {EXAMPLE}"
    )
