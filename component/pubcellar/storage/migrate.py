"""Brings the database to the schema this version knows, by the migrations and nothing else.

`database_state` looks and touches nothing; `prepare_database` acts on what it found, in one
transaction with the stamping, so that a start which dies on the way leaves what was there.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from pubcellar.core.errors import DatabaseRefused
from pubcellar.storage.databases import Database, database_named
from pubcellar.storage.failures import condition_of

MIGRATIONS_PACKAGE = "pubcellar.migrations"

PATIENCE = timedelta(seconds=30)
"""How long to wait for another process that is migrating the same database."""


class Standing(StrEnum):
    """Where a database stands, of those that we may work with."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What was found.

    Attributes:
        database: which one.
        standing: where its schema stands.
        revision: that of the database, or None when it is empty.
        head: the revision this version works with.
    """

    database: Database
    standing: Standing
    revision: str | None
    head: str

    def __str__(self) -> str:
        if self.standing is Standing.EMPTY:
            return f"{self.database} is empty or missing, and is created at start ({self.head})"
        if self.standing is Standing.BEHIND:
            return f"{self.database} is at {self.revision}, and is upgraded at start to {self.head}"
        return f"{self.database} is current ({self.head})"


async def database_state(url: str) -> DatabaseState:
    """Return where the database stands, without touching it.

    Raises:
        DatabaseRefused: it is none that we may work with.
    """
    database = database_named(url)
    database.require_place()
    if database.is_missing():
        return DatabaseState(database, Standing.EMPTY, None, _head())
    engine = database.looking_engine(PATIENCE)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_look, database)
    except DBAPIError as error:
        raise _refusal(database, error) from error
    finally:
        await engine.dispose()


async def prepare_database(url: str) -> str:
    """Make the database ready for `open_store`, and return in one line what was done.

    An empty database is created, one that is behind is upgraded; of two starts at once, one waits
    for the other.

    Raises:
        DatabaseRefused: the database is none that we may work with, or cannot be written to. It is
            as it was before.
    """
    state = await database_state(url)
    if state.standing is Standing.CURRENT:
        return f"database {state.database} is current ({state.head})"
    engine = state.database.migration_engine(PATIENCE)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_bring_to_head, state.database)
    except DBAPIError as error:
        raise _refusal(state.database, error) from error
    finally:
        await engine.dispose()


def migrations_directory() -> Path:
    """Return where the migrations are, in a checkout or in an installed wheel."""
    return Path(str(resources.files(MIGRATIONS_PACKAGE)))


def _bring_to_head(connection: Connection, database: Database) -> str:
    # Once more, now that nobody else can write: another start may have been faster.
    state = _look(connection, database)
    if state.standing is Standing.CURRENT:
        return f"database {database} is current ({state.head})"
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if state.standing is Standing.EMPTY:
        return f"database {database} was created ({state.head})"
    return f"database {database} was upgraded from {state.revision} to {state.head}"


def _look(connection: Connection, database: Database) -> DatabaseState:
    tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    revisions = MigrationContext.configure(connection).get_current_heads()
    if not revisions and not tables:
        return DatabaseState(database, Standing.EMPTY, None, _head())
    if not revisions:
        raise DatabaseRefused(
            f"[database] url: {database} holds tables that Pubcellar did not make (it has no"
            " alembic_version); name another file"
        )
    known = [script.revision for script in _scripts().walk_revisions()]
    unknown = [revision for revision in revisions if revision not in known]
    if unknown or len(revisions) > 1:
        raise DatabaseRefused(
            f"[database] url: {database} is at revision {', '.join(unknown or revisions)}, which"
            " this version does not know; start the newer Pubcellar that made it, or name another"
            " file"
        )
    standing = Standing.CURRENT if revisions[0] == known[0] else Standing.BEHIND
    return DatabaseState(database, standing, revisions[0], known[0])


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(migrations_directory()))


def _head() -> str:
    head = _scripts().get_current_head()
    assert head is not None, "the migrations are part of the package"
    return head


def _refusal(database: Database, error: DBAPIError) -> DatabaseRefused:
    return DatabaseRefused(
        f"[database] url: {database} {condition_of(error)}; see to it that it is an SQLite database"
        " which only Pubcellar uses and may write to, or name another file"
    )
