"""Runs migrations, for the program at start and for the `alembic` command.

The program hands in its connection, already in the transaction that everything happens in. The
command works on the database that PUBCELLAR_DATABASE_URL names, else the one that the configuration
file PUBCELLAR_CONFIG names, else a throw-away one, brought to head, which is what
`revision --autogenerate` and `check` need. A database that is not ours, or not known, is refused
unless the command can do it no harm.
"""

import asyncio
import logging
import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrationScript, Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import JSON, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pubcellar.config.database_url import database_url
from pubcellar.core.errors import DatabaseRefused
from pubcellar.storage.column_types import UtcDateTime
from pubcellar.storage.databases import Database, database_named
from pubcellar.storage.models import Base
from pubcellar.storage.revisions import Revisions
from pubcellar.storage.sqlite import SqliteDatabase
from pubcellar.storage.states import Standing, look

PATIENCE = timedelta(seconds=30)

DEFAULT_URL = "sqlite:///cache.db"
"""What `[database] url` is where a configuration does not say; a test holds that it is."""

HARMLESS = ("stamp", "current")
"""Commands for databases whose revision is wrong or not known."""


def run() -> None:
    """Do what `env.py` is there for."""
    if context.is_offline_mode():
        raise CommandError("--sql is not supported: SQLite's schema changes need the database")
    connection = context.config.attributes.get("connection")
    if connection is not None:
        run_migrations(connection)
        return
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
    with database() as (named, is_throw_away):
        asyncio.run(run_on(named, is_throw_away))


def run_migrations(connection: Connection) -> None:
    """Run what the command asked for, in the transaction that `connection` is in."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        transactional_ddl=True,
        render_item=render_item,
        process_revision_directives=number,
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.dialect.name == "sqlite":
        require_foreign_keys(connection)


def require_foreign_keys(connection: Connection) -> None:
    """Raise CommandError when rows refer to others that are not there.

    SQLite does not enforce foreign keys while a migration may have to rebuild tables.
    """
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise CommandError(f"{len(broken)} row(s) would refer to missing ones: {broken[:3]}")


async def run_on(named: Database, is_throw_away: bool) -> None:
    """Run what the command asked for on a database."""
    try:
        named.require_place()
        engine = named.migration_engine(PATIENCE)
    except DatabaseRefused as error:
        raise CommandError(str(error)) from None
    try:
        if is_throw_away:
            async with engine.begin() as connection:
                await connection.run_sync(bring_to_head)
        else:
            await require_usable(engine, named)
        async with engine.begin() as connection:
            await connection.run_sync(run_migrations)
    finally:
        await engine.dispose()


async def require_usable(engine: AsyncEngine, named: Database) -> None:
    """Raise CommandError when the command could harm the database; a broken one may be mended."""
    command = getattr(context.config.cmd_opts, "cmd", None)
    if command is not None and command[0].__name__ in HARMLESS:
        return
    try:
        revisions = Revisions(Path(context.script.dir))
        async with engine.begin() as connection:
            state = await connection.run_sync(look, named, revisions)
        if state.standing is not Standing.BROKEN:
            state.require_usable()
    except (DatabaseRefused, ValueError) as error:
        raise CommandError(str(error)) from None
    except DBAPIError as error:
        raise CommandError(str(named.refusal(error))) from None


def bring_to_head(connection: Connection) -> None:
    """Run every revision there is; without `alembic.context`, which the command is using."""
    migration_context = MigrationContext.configure(connection)
    script = context.script
    with Operations.context(migration_context):
        for revision in reversed(list(script.walk_revisions())):
            revision.module.upgrade()
    migration_context.stamp(script, "heads")


@contextmanager
def database() -> Iterator[tuple[Database, bool]]:
    """Give the database to work on, and whether it is a throw-away one."""
    url = os.environ.get("PUBCELLAR_DATABASE_URL") or configured_url()
    if url:
        try:
            named = database_named(url)
        except DatabaseRefused as error:
            raise CommandError(str(error)) from None
        yield named, False
        return
    sys.stderr.write(
        "neither PUBCELLAR_DATABASE_URL nor PUBCELLAR_CONFIG is set:"
        " working on a throw-away database\n"
    )
    with tempfile.TemporaryDirectory(prefix="pubcellar-") as directory:
        yield SqliteDatabase(Path(directory, "throw-away.db")), True


def configured_url() -> str | None:
    """Return `[database] url` of the file that PUBCELLAR_CONFIG names, or None without one."""
    name = os.environ.get("PUBCELLAR_CONFIG")
    if not name:
        return None
    try:
        with open(name, "rb") as file:
            table = tomllib.load(file).get("database", {})
        return database_url(table.get("url", DEFAULT_URL), Path(name).absolute().parent)
    except OSError as error:
        raise CommandError(f"PUBCELLAR_CONFIG: {name}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"PUBCELLAR_CONFIG: {name}: {error}") from None
    except (AttributeError, ValueError) as error:
        raise CommandError(f"PUBCELLAR_CONFIG: {name}: [database] url: {error}") from None


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Write our own types as what they are in the database."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        return (
            "sa.JSON(none_as_null=True).with_variant("
            'postgresql.JSONB(none_as_null=True), "postgresql")'
        )
    return False


def number(
    migration_context: MigrationContext, revision: Any, directives: list[MigrationScript]
) -> None:
    """Number a new revision after the head, which makes files stand in their order."""
    head = context.script.get_current_head()
    if directives and not getattr(context.config.cmd_opts, "rev_id", None):
        directives[0].rev_id = f"{int(head or 0) + 1:04}"


run()
