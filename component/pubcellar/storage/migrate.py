"""Brings the database to a revision, by the migrations and nothing else.

`database_state` looks and touches nothing; `prepare_database`, at start, acts on what it found. A
change is one transaction, from the second look over the copy and all revisions to the stamping, so
that whatever ends it on the way leaves what was there.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.errors import DatabaseRefused, MigrationFailed
from pubcellar.storage import revisions as shipped
from pubcellar.storage.backup import copy_before_migration, copy_place, drop_old_copies
from pubcellar.storage.databases import Database, database_named
from pubcellar.storage.failures import condition_of, is_of_surroundings
from pubcellar.storage.probe import insert_one_of_each
from pubcellar.storage.revisions import BASE, HEAD, Revision, Revisions
from pubcellar.storage.states import (
    DatabaseState,
    Standing,
    look,
    named,
    read_through,
    state_of_unreadable,
)

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=30)
"""How long to wait for another process that is migrating the same database."""

LOOKS = 10
"""How often to look again because another process has been writing meanwhile."""

Steps = Callable[[DatabaseState, Revisions], tuple[Revision, ...]]
"""Which revisions are to be run on a database that is in that state."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did, or would have done.

    Attributes:
        before: the state it found.
        after: the revision it left; None is an empty database.
        steps: the revisions it ran, in the order in which it did.
        copy: where what was there before has been copied to, or in a trial would have been; None
            where it has not.
        warnings: what the operator should know although all went well.
        seconds: how long it took; None where it was not run at all.
    """

    before: DatabaseState
    after: str | None
    steps: tuple[Revision, ...] = ()
    copy: Path | None = None
    warnings: tuple[str, ...] = ()
    seconds: float | None = None

    def __str__(self) -> str:
        database = f"database {self.before.database}"
        if not self.steps:
            if self.after is None:
                return f"{database} is empty"
            if self.after != self.before.head:
                return f"{database} is at {self.after} already"
            return f"{database} is current ({self.after})"
        if self.before.revision is None:
            return f"{database} was created ({self.after})"
        if self.after is None:
            said = f"{database} was taken back from {self.before.revision} and is empty"
        elif self.after < self.before.revision:
            said = f"{database} was taken back from {self.before.revision} to {self.after}"
        else:
            said = f"{database} was upgraded from {self.before.revision} to {self.after}"
        return f"{said}; what it was before is in {self.copy}" if self.copy else said


async def database_state(url: str, *, read_all: bool = False) -> DatabaseState:
    """Return where the database stands, without touching it.

    Args:
        url: `[database] url`.
        read_all: also look for damage in every page of an SQLite file, which takes its time.

    Raises:
        DatabaseRefused: it cannot be looked at.
    """
    return await _state(database_named(url), shipped.known_revisions(), read_all)


async def prepare_database(url: str) -> Migrated:
    """Make the database ready for `open_store`, and return what was done.

    An empty database is created, one that is behind is upgraded; of two starts at once, one waits
    for the other.

    Raises:
        DatabaseRefused: the database is none that we may work with, or cannot be written to. It is
            as it was before.
    """
    migrated = await upgrade_database(url)
    if not migrated.steps:
        await _require_writable(migrated.before)
    return migrated


async def upgrade_database(
    url: str, target: str = HEAD, *, is_trial: bool = False, with_copy: bool = True
) -> Migrated:
    """Bring the database up to a revision.

    Args:
        url: `[database] url`.
        target: the revision, or `head`.
        is_trial: do it, and take it back at once; an empty database is not touched even so.
        with_copy: copy an SQLite file first.

    Raises:
        DatabaseRefused: as of `prepare_database`.
        NoSuchRevision: there is no such revision above.
    """

    def steps(state: DatabaseState, revisions: Revisions) -> tuple[Revision, ...]:
        return revisions.above(state.revision, target)

    database, revisions = database_named(url), shipped.known_revisions()
    state = await _state(database, revisions)
    state.require_usable()
    due = steps(state, revisions)
    if not due:
        return Migrated(state, state.revision, warnings=state.warnings)
    if is_trial and state.standing is Standing.EMPTY:
        return Migrated(state, due[-1].number, due)
    return await _Change(database, revisions, steps, is_trial, with_copy).carry_out()


async def downgrade_database(
    url: str, target: str, *, is_trial: bool = False, with_copy: bool = True
) -> Migrated:
    """Take the database back to a revision, or with `base` to an empty one.

    Args:
        url: `[database] url`.
        target: the revision, `base`, or `-1` for the one below.
        is_trial: as of `upgrade_database`.
        with_copy: as of `upgrade_database`.

    Raises:
        DatabaseRefused: as of `prepare_database`.
        NoSuchRevision: there is no such revision below.
    """

    def steps(state: DatabaseState, revisions: Revisions) -> tuple[Revision, ...]:
        return revisions.below(state.revision, target)

    database, revisions = database_named(url), shipped.known_revisions()
    state = await _state(database, revisions)
    state.require_usable()
    if not steps(state, revisions):
        return Migrated(state, state.revision, warnings=state.warnings)
    return await _Change(database, revisions, steps, is_trial, with_copy).carry_out()


@dataclass(frozen=True, slots=True)
class _Change:
    """One transaction that runs revisions, or what comes of it."""

    database: Database
    revisions: Revisions
    steps: Steps
    is_trial: bool
    with_copy: bool

    async def carry_out(self) -> Migrated:
        engine = self.database.migration_engine(PATIENCE)
        try:
            async with engine.connect() as connection, connection.begin() as transaction:
                migrated = await self._within(connection)
                if self.is_trial:
                    await transaction.rollback()
        except DBAPIError as error:
            raise _refusal(self.database, error) from error
        finally:
            await engine.dispose()
        if migrated.copy and not self.is_trial:
            left = await asyncio.to_thread(drop_old_copies, self.database)
            return replace(migrated, warnings=(*migrated.warnings, *left))
        return migrated

    async def _within(self, connection: AsyncConnection) -> Migrated:
        # Once more, now that nobody else can write: another start may have been faster.
        state = await connection.run_sync(look, self.database, self.revisions)
        state.require_usable()
        steps = self.steps(state, self.revisions)
        if not steps:
            return Migrated(state, state.revision, warnings=state.warnings)
        copy = await self._copy(state) if self.with_copy else None
        begin = time.monotonic()
        for step in steps:
            await connection.run_sync(self._run, step, state, copy)
        after = await connection.run_sync(look, self.database, self.revisions)
        if after.found:
            raise self._failure("the result", named(after.found), state, copy)
        seconds = time.monotonic() - begin
        return Migrated(state, after.revision, steps, copy, after.warnings, seconds)

    async def _copy(self, state: DatabaseState) -> Path | None:
        if state.revision is None:
            return None
        copy = copy_place if self.is_trial else copy_before_migration
        return await asyncio.to_thread(copy, self.database, state.revision)

    def _run(
        self, connection: Connection, step: Revision, state: DatabaseState, copy: Path | None
    ) -> None:
        config = Config()
        directory = str(shipped.migrations_directory())
        config.set_main_option("script_location", directory.replace("%", "%%"))
        config.attributes["connection"] = connection
        is_upgrade = state.revision is None or step.number > state.revision
        try:
            if is_upgrade:
                command.upgrade(config, step.number)
            else:
                command.downgrade(config, step.below or BASE)
        except Exception as error:
            if isinstance(error, DBAPIError) and is_of_surroundings(error):
                raise
            log.debug("revision %s failed", step.number, exc_info=error)
            raise self._failure(f"revision {step}", _one_line(error), state, copy) from error

    def _failure(
        self, what: str, problem: str, state: DatabaseState, copy: Path | None
    ) -> MigrationFailed:
        place = f", and copied to {copy}" if copy and not self.is_trial else ""
        if state.revision is None:
            outcome, remedy = "was not created, and is empty as it was", "see to that"
        else:
            outcome = f"was not migrated, and is at {state.revision} as it was{place}"
            remedy = "see to that, or go on with the version of Pubcellar that it worked with"
        return MigrationFailed(
            f"[database] url: {self.database} {outcome}; {what} failed: {problem}; {remedy}"
        )


async def _state(database: Database, revisions: Revisions, read_all: bool = False) -> DatabaseState:
    for _ in range(LOOKS):
        mark = database.mark()
        try:
            state = await _looked(database, revisions, read_all)
        except DatabaseRefused:
            if database.mark() == mark:
                raise
        else:
            if database.mark() == mark:
                return state
    return await _looked(database, revisions, read_all)


async def _looked(database: Database, revisions: Revisions, read_all: bool) -> DatabaseState:
    database.require_place()
    if database.is_missing():
        return DatabaseState(
            database, Standing.EMPTY, revisions.head, pending=revisions.above(None)
        )
    engine = database.looking_engine(PATIENCE)
    try:
        async with engine.connect() as connection:
            state = await connection.run_sync(look, database, revisions)
            return await connection.run_sync(read_through, state) if read_all else state
    except DBAPIError as error:
        unreadable = state_of_unreadable(database, error, revisions)
        if unreadable is None:
            raise _refusal(database, error) from error
        return unreadable
    finally:
        await engine.dispose()


async def _require_writable(state: DatabaseState) -> None:
    engine = state.database.writer_engine(PATIENCE)
    try:
        async with engine.connect() as connection, connection.begin() as transaction:
            await connection.run_sync(insert_one_of_each)
            await transaction.rollback()
    except DBAPIError as error:
        if is_of_surroundings(error):
            raise _refusal(state.database, error) from error
        found = (f"an insert fails: {_one_line(error)}",)
        replace(state, standing=Standing.BROKEN, found=found).require_usable()
    finally:
        await engine.dispose()


def _refusal(database: Database, error: DBAPIError) -> DatabaseRefused:
    if "locked" not in condition_of(error):
        return database.refusal(error)
    return DatabaseRefused(
        f"[database] url: {database} {condition_of(error)}: another Pubcellar may be migrating it,"
        " or another program may have it in a transaction; wait for that one, or end it"
    )


def _one_line(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    lines = str(original).splitlines() or [""]
    return f"{type(original).__name__}: {lines[0]}"
