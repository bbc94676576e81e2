"""Column types that mean the same in SQLite and in PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")
"""Surrogate key: SQLite numbers rows by itself only where the type is exactly INTEGER."""

PORTABLE_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON whose keys can be queried one by one; None is NULL, not the JSON literal `null`."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, in UTC when it comes back.

    SQLite has no time zones: it stores the UTC time without one.

    Raises:
        ValueError: a time without a time zone was to be stored; the statement is not executed.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return `value` in UTC, for the database."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"a time without time zone cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database holds as an aware time."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)
