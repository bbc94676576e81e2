"""What is said of a failing database, to whom."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from pubcellar.core.errors import StoreConflict, StoreUnavailable
from pubcellar.storage.failures import as_storage_errors, condition_of, told_by

SQL = "SELECT hush FROM secret"


def of_postgresql(sqlstate: str) -> DBAPIError:
    """Return what SQLAlchemy makes of a failure with that code (PostgreSQL, appendix A)."""
    original = psycopg.errors.lookup(sqlstate)("words of the\nserver")
    return OperationalError(SQL, {}, original)


@pytest.mark.parametrize(
    ("sqlstate", "condition"),
    [
        ("08006", "cannot be reached"),
        ("25006", "cannot be written to"),  # a standby
        ("28P01", "refuses our user or password"),
        ("3D000", "does not exist"),
        ("40P01", "is being changed by another process"),
        ("42501", "cannot be used: permission denied"),
        ("42P01", "is not the one this version works with"),
        ("53100", "is full, or its disk is"),
        ("53200", "has run out of memory, connections or other means"),
        ("53300", "takes no more connections"),
        ("55P03", "is locked by another process"),
        ("57014", "is too slow"),
        ("57P01", "is being stopped or started"),
        ("57P03", "is being stopped or started"),
        ("58030", "cannot be read from or written to its disk"),
        ("XX001", "is damaged"),
        ("0A000", "does not answer"),
    ],
)
def test_every_failure_of_postgresql_is_said_in_words(sqlstate: str, condition: str):
    error = of_postgresql(sqlstate)
    assert condition_of(error) == condition
    assert told_by(error) == f"{condition}: words of the server"
    with pytest.raises(StoreUnavailable) as caught, as_storage_errors():
        raise error
    assert str(caught.value) == f"the cache's database {condition}"
    assert caught.value.__cause__ is error


def test_connection_that_was_never_made_cannot_be_reached():
    original = psycopg.OperationalError("connection failed: connection to server failed: no route")
    error = OperationalError(SQL, {}, original)
    assert told_by(error) == "cannot be reached: connection to server failed: no route"


def test_row_too_large_for_an_index_is_a_conflict():
    with pytest.raises(StoreConflict, match="too large"), as_storage_errors():
        raise of_postgresql("54000")


def test_sqlite_is_told_apart_by_its_primary_code():
    original = sqlite3.OperationalError("disk I/O error")
    original.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    assert condition_of(original) == "cannot be read from or written to its disk"
    assert condition_of(sqlite3.OperationalError("?")) == "does not answer"
