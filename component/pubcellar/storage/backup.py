"""Copies an SQLite file before a migration changes it, beside it and under SQLite's own rules.

There is one copy for each revision, `cache.db.0001.backup`, which the next copy of that revision
replaces once it is complete: migrations that die again and again fill no disk. It is a database as
any other: to go back, stop the proxy, remove `cache.db-wal` and `cache.db-shm`, and put it in the
place of the file. PostgreSQL has pg_dump for this.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from pubcellar.core.errors import MigrationFailed
from pubcellar.storage.databases import Database
from pubcellar.storage.sqlite import SqliteDatabase

KEPT = 3
"""How many copies are left after a migration that succeeded, each of another revision."""

SUFFIX = ".backup"
PART = f"{SUFFIX}.part"

MEBIBYTE = 1024 * 1024


def copy_before_migration(database: Database, revision: str) -> Path | None:
    """Copy what was last committed, and return where to; None where the kind has no copies.

    Nobody else may be writing, so that what is copied is what is about to be changed.

    Raises:
        MigrationFailed: there is no room, or the copy cannot be written; nothing of it is left.
    """
    place = copy_place(database, revision)
    if place is None or not isinstance(database, SqliteDatabase):
        return None
    part = place.with_name(place.name.removesuffix(SUFFIX) + PART)
    try:
        # Left behind by a migration that died.
        for left in _beside(database, PART):
            left.unlink(missing_ok=True)
        _require_room(database)
        _copy(database.path, part)
        os.replace(part, place)
        _flush(place.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise MigrationFailed(
            f"[database] url: {database} cannot be copied to {place} before the migration"
            f" ({_reason(error)}), and was left as it is; see to that, or do without a copy:"
            " 'pubcellar db upgrade --no-copy'"
        ) from error
    return place


def copy_place(database: Database, revision: str) -> Path | None:
    """Return where the copy of the database at that revision belongs."""
    if not isinstance(database, SqliteDatabase):
        return None
    return database.path.with_name(f"{database.path.name}.{revision}{SUFFIX}")


def copies(database: Database) -> tuple[Path, ...]:
    """Return the copies of the database, the newest first; none where nobody lets us look."""
    if not isinstance(database, SqliteDatabase):
        return ()
    try:
        made = {path: path.stat().st_mtime_ns for path in _beside(database, SUFFIX)}
    except OSError:
        return ()
    return tuple(sorted(made, key=made.__getitem__, reverse=True))


def drop_old_copies(database: Database) -> tuple[str, ...]:
    """Remove all copies but the newest few; return a warning of each that cannot be removed."""
    warnings = []
    for path in copies(database)[KEPT:]:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            warnings.append(
                f"the old copy {path} cannot be removed ({error.strerror}); remove it yourself"
            )
    return tuple(warnings)


def _beside(database: SqliteDatabase, suffix: str) -> list[Path]:
    prefix = f"{database.path.name}."
    return [
        path
        for path in database.path.parent.iterdir()
        if path.name.startswith(prefix)
        and path.name.endswith(suffix)
        # Only what stands between is a revision is ours to remove.
        and path.name.removeprefix(prefix).removesuffix(suffix).isalnum()
        and path.is_file()
    ]


def _require_room(database: SqliteDatabase) -> None:
    files = (database.path, Path(f"{database.path}-wal"))
    needed = sum(file.stat().st_size for file in files if file.exists())
    free = shutil.disk_usage(database.path.parent).free
    if free < needed:
        raise OSError(
            None, f"needs {_mebibytes(needed)} MiB, and {_mebibytes(free)} MiB of its disk are free"
        )


def _copy(source: Path, part: Path) -> None:
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(part, isolation_level=None)) as copy,
    ):
        # What a crash would leave of it is thrown away.
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        original.backup(copy)
    _flush(part)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / MEBIBYTE:.1f}"
