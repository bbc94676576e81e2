"""The exit codes of the command, one for each way in which it can end.

They are promised to whoever starts it, such as a service manager; the README has the same table.
"""

from enum import IntEnum

from pubcellar.core.errors import (
    DatabaseAhead,
    DatabaseBroken,
    DatabaseForeign,
    DatabaseRefused,
    DatabaseUnversioned,
    MigrationFailed,
)


class ExitCode(IntEnum):
    """How the command ended."""

    DONE = 0
    DECLINED = 1
    WRONG = 2
    SECRET_REFUSED = 3
    DATABASE_REFUSED = 10
    DATABASE_AHEAD = 11
    DATABASE_UNVERSIONED = 12
    DATABASE_FOREIGN = 13
    DATABASE_BROKEN = 14
    MIGRATION_FAILED = 15
    FAILED = 70
    INTERRUPTED = 130


REFUSALS: dict[type[DatabaseRefused], ExitCode] = {
    DatabaseRefused: ExitCode.DATABASE_REFUSED,
    DatabaseAhead: ExitCode.DATABASE_AHEAD,
    DatabaseUnversioned: ExitCode.DATABASE_UNVERSIONED,
    DatabaseForeign: ExitCode.DATABASE_FOREIGN,
    DatabaseBroken: ExitCode.DATABASE_BROKEN,
    MigrationFailed: ExitCode.MIGRATION_FAILED,
}


def exit_code_of(refusal: DatabaseRefused) -> ExitCode:
    """Return the exit code for a database that was refused."""
    return REFUSALS[type(refusal)]
