"""Where the database library's exceptions end: each becomes one of `core.errors`.

The texts name neither SQL nor paths, since a requester may see them; the original is the cause.
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

from pubcellar.core.errors import StoreConflict, StoreUnavailable

_CONDITIONS = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_FULL: "is full, or its disk is",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "cannot be opened: permission denied",
    sqlite3.SQLITE_READONLY: "cannot be written to",
    sqlite3.SQLITE_IOERR: "cannot be read from or written to its disk",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is not a database",
}


def condition_of(error: BaseException) -> str:
    """Return what an exception of the database says of it, as the end of a sentence."""
    original = getattr(error, "orig", None) or error
    # The lower byte is the primary result code; what is above it only refines that.
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    return _CONDITIONS.get(code, "does not answer")


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
    except (DBAPIError, PoolTimeout, InvalidRequestError) as error:
        raise StoreUnavailable(f"the cache's database {condition_of(error)}") from error
    except StatementError as error:
        if error.orig is None:
            raise
        raise error.orig from None
