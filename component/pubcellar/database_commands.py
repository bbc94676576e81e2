"""What `pubcellar db` does: looks at the database, and takes it from one revision to another.

Nothing here prints, or needs the component's secret.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pubcellar.core.errors import DatabaseRefused
from pubcellar.exit_codes import ExitCode, exit_code_of
from pubcellar.storage import (
    Migrated,
    Standing,
    copies,
    database_state,
    downgrade_database,
    upgrade_database,
)

KIBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What a command has to say.

    Attributes:
        lines: for the standard output.
        code: how it ended.
        problem: for the standard error; empty where there is none.
    """

    lines: tuple[str, ...]
    code: ExitCode = ExitCode.DONE
    problem: str = ""


def status(url: str) -> Said:
    """Say in what state the database is, having read all of an SQLite file.

    Raises:
        DatabaseRefused: it cannot be looked at.
    """
    state = asyncio.run(database_state(url, read_all=True))
    lines = (
        f"database: {state.database}",
        f"state:    {state.standing}",
        f"revision: {state.revision or 'none'}; this version works with {state.head}",
        *(f"pending:  {revision}" for revision in state.pending),
        *(f"broken:   {found}" for found in state.found if state.standing is Standing.BROKEN),
        *(f"extra:    {extra}" for extra in state.extras),
        *(f"copy:     {_described(path)}" for path in copies(state.database)),
    )
    try:
        state.require_usable()
    except DatabaseRefused as refusal:
        return Said(lines, exit_code_of(refusal), str(refusal))
    return Said(lines)


def upgrade(url: str, target: str, *, is_trial: bool, with_copy: bool) -> Said:
    """Bring the database up to `target`, or say what that would do.

    Raises:
        DatabaseRefused: it is none that we may work with, or the migration failed.
        NoSuchRevision: there is no such revision above.
    """
    migrated = asyncio.run(upgrade_database(url, target, is_trial=is_trial, with_copy=with_copy))
    return _told(migrated, is_trial)


def downgrade(url: str, target: str, *, is_trial: bool, with_copy: bool) -> Said:
    """Take the database back to `target`, or say what that would do.

    Raises:
        DatabaseRefused: it is none that we may work with, or the migration failed.
        NoSuchRevision: there is no such revision below.
    """
    migrated = asyncio.run(downgrade_database(url, target, is_trial=is_trial, with_copy=with_copy))
    return _told(migrated, is_trial)


def _told(migrated: Migrated, is_trial: bool) -> Said:
    warnings = tuple(f"warning: {warning}" for warning in migrated.warnings)
    if not is_trial or not migrated.steps:
        return Said((str(migrated), *warnings))
    before = migrated.before
    lines = [
        f"database: {before.database}",
        f"from {before.revision or 'nothing'} to {migrated.after or 'nothing'}, all at once:",
    ]
    for step in migrated.steps:
        lines.append(f"  {step}")
        if step.duration:
            lines.append(f"    locks and duration: {step.duration}")
    if migrated.copy:
        lines.append(f"it would first be copied to {migrated.copy}")
    if migrated.seconds is None:
        lines.append("not tried, since the database is empty; nothing was changed")
    else:
        lines.append(
            f"tried in {migrated.seconds:.1f} seconds, and taken back; nothing was changed"
        )
    return Said((*lines, *warnings))


def _described(path: Path) -> str:
    status = path.stat()
    made = datetime.fromtimestamp(status.st_mtime, UTC)
    return f"{path} ({made:%Y-%m-%d %H:%M} UTC, {status.st_size / KIBIBYTE:.0f} KiB)"
