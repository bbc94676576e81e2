"""Tells apart the states that a database can be in; looks, and touches nothing.

The table of an unknown database is `_standing`. Two states are ours to act on, one is ready, and
the others are refused with what was found and what to do.
"""

import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from pubcellar.core.errors import (
    DatabaseAhead,
    DatabaseBroken,
    DatabaseForeign,
    DatabaseRefused,
    DatabaseUnversioned,
)
from pubcellar.storage.databases import Database
from pubcellar.storage.drift import VERSION_TABLE, Drift, drift, our_tables
from pubcellar.storage.failures import sqlite_code
from pubcellar.storage.revisions import Revision, Revisions
from pubcellar.storage.sqlite import SqliteDatabase

MOST_NAMED = 5
"""How many tables or differences a message names."""


_VIEWS_OF_EXTENSIONS = (
    "SELECT relname FROM pg_class JOIN pg_depend"
    " ON objid = pg_class.oid AND classid = 'pg_class'::regclass"
    " WHERE deptype = 'e' AND relkind IN ('v', 'm')"
    " AND relnamespace = current_schema()::regnamespace"
)


class Standing(StrEnum):
    """Where a database stands."""

    EMPTY = "empty"
    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    UNVERSIONED = "unversioned"
    FOREIGN = "foreign"
    BROKEN = "broken"


REFUSALS: dict[Standing, type[DatabaseRefused]] = {
    Standing.AHEAD: DatabaseAhead,
    Standing.UNVERSIONED: DatabaseUnversioned,
    Standing.FOREIGN: DatabaseForeign,
    Standing.BROKEN: DatabaseBroken,
}


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What was found.

    Attributes:
        database: which one.
        standing: where it stands.
        head: the revision this version works with.
        revision: that of the database; None where it has none.
        pending: the revisions that an upgrade would run, in their order.
        found: what speaks against using it, in clauses of a sentence.
        extras: what others added to it, which does no harm.
    """

    database: Database
    standing: Standing
    head: str
    revision: str | None = None
    pending: tuple[Revision, ...] = ()
    found: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    def __str__(self) -> str:
        match self.standing:
            case Standing.EMPTY:
                return f"{self.database} is empty or missing, and is created at start ({self.head})"
            case Standing.BEHIND:
                return (
                    f"{self.database} is at {self.revision}, and is upgraded at start to"
                    f" {self.head}"
                )
            case Standing.CURRENT:
                return f"{self.database} is current ({self.head})"
            case _:
                return f"{self.database} {self._complaint()}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its operator should know although it can be used."""
        if not self.extras:
            return ()
        return (
            f"database {self.database} also holds what Pubcellar did not make, and a later upgrade"
            f" may trip over: {named(self.extras)}",
        )

    def require_usable(self) -> None:
        """See that it is ready, or can be made so.

        Raises:
            DatabaseRefused: it is none that we may work with.
        """
        refusal = REFUSALS.get(self.standing)
        if refusal is not None:
            raise refusal(f"[database] url: {self}")

    def _complaint(self) -> str:
        what = named(self.found)
        match self.standing:
            case Standing.AHEAD:
                return (
                    f"is at revision {self.revision}, which this version does not know (its newest"
                    f" is {self.head}): start the newer Pubcellar that made it, or take it back"
                    f" with that one's 'pubcellar db downgrade {self.head}', or name another"
                    " database"
                )
            case Standing.UNVERSIONED:
                return (
                    f"holds tables of Pubcellar's ({what}), but its {VERSION_TABLE} does not say of"
                    f" which revision: restore a whole backup, {self._anew()}"
                )
            case Standing.FOREIGN:
                return f"{what}: name another database, which only Pubcellar uses"
            case _:
                return f"is broken: {what}; restore a backup, {self._anew()}"

    def _anew(self) -> str:
        if isinstance(self.database, SqliteDatabase):
            name = self.database.path.name
            how = f"remove {name}, {name}-wal and {name}-shm"
        else:
            how = "dropdb removes it, and createdb makes it anew"
        return f"or let Pubcellar begin with an empty one ({how}): it fetches everything again"


def look(connection: Connection, database: Database, revisions: Revisions) -> DatabaseState:
    """Return the state of the database that `connection` is to; reads its catalogue alone."""
    tables, views = set(inspect(connection).get_table_names()), _views(connection)
    numbers = _numbers(connection, tables)
    ours = (tables | views) & our_tables()
    others = (tables - {VERSION_TABLE} | views) - our_tables()
    standing, found = _standing(numbers, ours, others, revisions)
    number = numbers[0] if len(numbers) == 1 else None
    difference = Drift()
    if standing is Standing.CURRENT:
        difference = drift(connection)
        if difference.broken:
            standing, found = Standing.BROKEN, difference.broken
    return DatabaseState(
        database,
        standing,
        revisions.head,
        number,
        pending=(revisions.above(number) if standing in (Standing.EMPTY, Standing.BEHIND) else ()),
        found=found,
        extras=difference.extras,
    )


def read_through(connection: Connection, state: DatabaseState) -> DatabaseState:
    """Return the state as it is when every page of an SQLite file has been read.

    PostgreSQL looks after its own pages.
    """
    if connection.dialect.name != "sqlite":
        return state
    rows = connection.exec_driver_sql(f"PRAGMA quick_check({MOST_NAMED})").scalars()
    damages = tuple(" ".join(str(row).split()) for row in rows if row != "ok")
    if not damages:
        return state
    return replace(state, standing=Standing.BROKEN, pending=(), found=("is damaged", *damages))


def state_of_unreadable(
    database: Database, error: DBAPIError, revisions: Revisions
) -> DatabaseState | None:
    """Return the state of a database whose reading ended in `error`; None for a passing one."""
    code = sqlite_code(error)
    if code == sqlite3.SQLITE_CORRUPT:
        found, standing = "the file is damaged", Standing.BROKEN
    elif code == sqlite3.SQLITE_NOTADB:
        found, standing = (
            "is not a database of SQLite's, or its beginning is damaged",
            (Standing.FOREIGN),
        )
    else:
        return None
    return DatabaseState(database, standing, revisions.head, found=(found,))


def named(things: tuple[str, ...]) -> str:
    """Return the first few as an enumeration, and how many more there are."""
    more = len(things) - MOST_NAMED
    return ", ".join(things[:MOST_NAMED]) + (f", and {more} more" if more > 0 else "")


def _views(connection: Connection) -> set[str]:
    """Return the views that somebody made; those of an extension come with the database."""
    inspector = inspect(connection)
    views = set(inspector.get_view_names())
    if connection.dialect.name == "postgresql":
        views.update(inspector.get_materialized_view_names())
        views.difference_update(connection.exec_driver_sql(_VIEWS_OF_EXTENSIONS).scalars())
    return views


def _numbers(connection: Connection, tables: set[str]) -> tuple[str, ...]:
    """Return what the table of versions holds; nothing where it is not one of Alembic's."""
    if VERSION_TABLE not in tables:
        return ()
    columns = inspect(connection).get_columns(VERSION_TABLE)
    if "version_num" not in {column["name"] for column in columns}:
        return ()
    return tuple(MigrationContext.configure(connection).get_current_heads())


def _standing(
    numbers: tuple[str, ...], ours: set[str], others: set[str], revisions: Revisions
) -> tuple[Standing, tuple[str, ...]]:
    """Return where the database stands, and what speaks against it.

    A revision of ours in a database without any table of ours is another program's that numbers
    its revisions as we do.
    """
    if not ours and others:
        return Standing.FOREIGN, (_belonging_to_others(others),)
    if not numbers:
        return (Standing.UNVERSIONED, tuple(sorted(ours))) if ours else (Standing.EMPTY, ())
    if len(numbers) > 1 and ours:
        return Standing.BROKEN, (f"{VERSION_TABLE} holds several revisions: {', '.join(numbers)}",)
    number = numbers[0]
    if len(numbers) == 1 and revisions.is_known(number):
        if not ours:
            return Standing.BROKEN, (f"is at revision {number}, but all tables are missing",)
        return (Standing.CURRENT if number == revisions.head else Standing.BEHIND), ()
    if ours and number.isdecimal() and int(number) > int(revisions.head):
        return Standing.AHEAD, ()
    return (
        Standing.FOREIGN,
        (f"is at revision {', '.join(numbers)}, which is none of Pubcellar's",),
    )


def _belonging_to_others(tables: set[str]) -> str:
    return f"holds tables or views that Pubcellar did not make ({named(tuple(sorted(tables)))})"
