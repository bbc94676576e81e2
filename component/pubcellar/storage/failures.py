"""Where the database library's exceptions end: each becomes one of `core.errors`.

The texts name neither SQL nor paths, since a requester may see them; the original is the cause.
Only `told_by` is for operators.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InvalidRequestError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pubcellar.core.errors import DatabaseRefused, StoreConflict, StoreUnavailable

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_FULL: "is full, or its disk is",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "cannot be opened: permission denied",
    sqlite3.SQLITE_READONLY: "cannot be written to",
    sqlite3.SQLITE_IOERR: "cannot be read from or written to its disk",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_ERROR: "is not the one this version works with",
    sqlite3.SQLITE_SCHEMA: "is not the one this version works with",
}

# PostgreSQL, appendix A: a code has five characters, of which the first two are its class.
_BY_SQLSTATE = {
    "08": "cannot be reached",
    "25006": "cannot be written to",
    "28": "refuses our user or password",
    "3D000": "does not exist",
    "3F000": "has no schema to work in",
    "40": "is being changed by another process",
    "42501": "cannot be used: permission denied",
    "42": "is not the one this version works with",
    "53": "has run out of memory, connections or other means",
    "53100": "is full, or its disk is",
    "53300": "takes no more connections",
    "55": "is locked by another process",
    "57": "is being stopped or started",
    "57014": "is too slow",
    "58": "cannot be read from or written to its disk",
    "XX": "is damaged",
}

_SQLITE_SURROUNDINGS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
    }
)
_SQLSTATES_OF_SURROUNDINGS = (
    "08", "25006", "28", "3D000", "3F000", "40", "42501", "53", "55", "57", "58",
)  # fmt: skip

# Others are at work, or there is no room or time: all that was committed is there still.
_SQLITE_HARMLESS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
    }
)
_HARMLESS_SQLSTATES = ("25006", "40", "53", "55", "57014")

_TOO_LARGE = "54"
"""Class of what is over a limit of PostgreSQL's, such as a row that is too long for its index."""


def condition_of(error: BaseException) -> str:
    """Return what an exception of the database says of it, as the end of a sentence."""
    original = _original(error)
    if hasattr(original, "sqlstate"):
        # Without a code it is psycopg that speaks: there is no connection, or none any more.
        sqlstate = original.sqlstate or "08"
        return _BY_SQLSTATE.get(sqlstate) or _BY_SQLSTATE.get(sqlstate[:2], "does not answer")
    return _BY_SQLITE_CODE.get(sqlite_code(original), "does not answer")


def is_of_surroundings(error: BaseException) -> bool:
    """Tell whether rights, locks, room or the server are in the way, and not what is stored."""
    original = _original(error)
    if hasattr(original, "sqlstate"):
        return (original.sqlstate or "08").startswith(_SQLSTATES_OF_SURROUNDINGS)
    return sqlite_code(original) in _SQLITE_SURROUNDINGS


def may_have_changed(error: StoreUnavailable) -> bool:
    """Tell whether, when the database works again, it may not be the one that it was."""
    cause = error.__cause__
    if cause is None:
        return True
    if isinstance(cause, PoolTimeout):
        return False
    original = _original(cause)
    if hasattr(original, "sqlstate"):
        return not (original.sqlstate or "08").startswith(_HARMLESS_SQLSTATES)
    return sqlite_code(original) not in _SQLITE_HARMLESS


def sqlite_code(error: BaseException) -> int:
    """Return the primary result code of SQLite's; 0 where it is none of its errors."""
    # What is above the lower byte only refines it.
    code: int = getattr(_original(error), "sqlite_errorcode", 0)
    return code & 0xFF


def told_by(error: BaseException) -> str:
    """Return `condition_of` with the database's own words, which an operator knows how to read.

    They may name hosts, users and tables, but hold no password and no SQL.
    """
    words = " ".join(str(_original(error)).split())
    for repetition in ("connection failed: ", "connection is bad: "):
        words = words.removeprefix(repetition)
    return f"{condition_of(error)}: {words}"


@contextmanager
def as_storage_errors() -> Iterator[None]:
    """Turn what the database library raises inside into StoreUnavailable or StoreConflict.

    A value that was refused before it reached the database, such as a time without time zone, is a
    bug of ours: its own exception goes on.
    """
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise StoreConflict("what was to be stored contradicts what is stored") from error
    except UnicodeEncodeError as error:
        raise StoreConflict("what was to be stored is no text: a surrogate stands alone") from error
    except (DBAPIError, PoolTimeout, InvalidRequestError) as error:
        if str(getattr(_original(error), "sqlstate", "")).startswith(_TOO_LARGE):
            raise StoreConflict("what was to be stored is too large for the database") from error
        raise StoreUnavailable(f"the cache's database {condition_of(error)}") from error
    except DatabaseRefused as error:
        raise StoreUnavailable("the cache's database has become another one") from error
    except StatementError as error:
        if error.orig is None:
            raise
        raise error.orig from None


def _original(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error
