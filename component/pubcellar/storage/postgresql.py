"""PostgreSQL databases, and engines for them, each with its settings on its own connections only.

psycopg is an extra, `pubcellar[postgresql]`: it is imported when a database is named, not before.
What the URL's own parameters say (`options`, `connect_timeout`, `application_name`) wins over our
settings. A password that is not in the URL is for libpq to find: in PGPASSWORD, ~/.pgpass or a
service file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pubcellar.core.errors import DatabaseRefused
from pubcellar.storage.failures import told_by

READERS = 4
"""Connections that read at the same time."""

POOL_PATIENCE = timedelta(seconds=5)

CONNECT_SECONDS = 5
"""How long one attempt to connect may take; libpq takes whole seconds, two of them at least."""

READ_AT_MOST = timedelta(seconds=10)
"""How long one statement that reads may take."""

WRITE_AT_MOST = timedelta(seconds=30)
"""How long one statement that writes may take."""

UNANSWERED = timedelta(seconds=5)
"""How much longer than that a server may be silent before we hang up: it is not there any more."""

MIGRATION_LOCK = int.from_bytes(b"cellared")
"""Key of the advisory lock that whoever migrates holds; locks belong to one database."""

# A snapshot is taken with the first statement of a transaction, and kept to its end.
_SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
# Whatever the operator's default is: who has waited for a lock must see what its holder committed.
_LATEST = {"isolation_level": "READ COMMITTED"}


@dataclass(frozen=True, slots=True)
class PostgresqlDatabase:
    """One database of a server; implements `storage.databases.Database`, documented there.

    Attributes:
        url: as SQLAlchemy knows it, with the name of the driver; may hold a password.
    """

    url: URL = field(repr=False)

    @classmethod
    def of(cls, url: URL) -> "PostgresqlDatabase":
        """Return the database that the parsed `[database] url` names.

        Raises:
            DatabaseRefused: it names none, or psycopg is not installed.
        """
        try:
            from pubcellar.storage.patient_connection import require_usable
        except ImportError as error:
            raise DatabaseRefused(
                f"[database] url: PostgreSQL needs psycopg, which cannot be loaded ({error});"
                " install it with: pip install 'pubcellar[postgresql]'"
            ) from None
        if not url.database and "service" not in url.query:
            raise DatabaseRefused(
                "[database] url: lacks the database's name; write for example"
                ' url = "postgresql://user@host/name"'
            )
        try:
            require_usable(url)
        except ValueError as error:
            raise DatabaseRefused(f"[database] url: {error}") from None
        return cls(url.set(drivername="postgresql+psycopg"))

    def __str__(self) -> str:
        shown = {name: self.url.query[name] for name in _SHOWN if name in self.url.query}
        # SQLAlchemy would write the slashes of a socket's directory as %2F.
        query = "&".join(f"{name}={value}" for name, value in shown.items())
        plain = self.url.set(drivername="postgresql", password=None, query={})
        return plain.render_as_string() + (f"?{query}" if query else "")

    def require_place(self) -> None:
        """See `Database.require_place`: only the server can tell."""

    def is_missing(self) -> bool:
        """See `Database.is_missing`: only the server can tell."""
        return False

    def mark(self) -> object:
        """See `Database.mark`: a transaction sees one snapshot."""
        return None

    def identity(self) -> object:
        """See `Database.identity`: one that takes its place throws everybody out first."""
        return None

    def refusal(self, error: DBAPIError) -> DatabaseRefused:
        """See `Database.refusal`."""
        return DatabaseRefused(f"[database] url: {self} {told_by(error)}; {_remedy(error)}")

    def looking_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.looking_engine`."""
        return self._engine(_SNAPSHOT, patience, READ_AT_MOST, connections=1)

    def migration_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.migration_engine`: every transaction begins with an advisory lock.

        PostgreSQL's schema changes are transactional. `patience` also bounds the wait for a table
        that somebody else uses; a statement of a migration itself may take any time.
        """
        engine = self._engine(_LATEST, patience, None, connections=1)

        def take_turn(connection: Connection) -> None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")

        event.listen(engine.sync_engine, "begin", take_turn)
        return engine

    def writer_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.writer_engine`: one connection."""
        return self._engine(_LATEST, patience, WRITE_AT_MOST, connections=1)

    def reader_engine(self, patience: timedelta) -> AsyncEngine:
        """See `Database.reader_engine`."""
        return self._engine(_SNAPSHOT, patience, READ_AT_MOST, connections=READERS)

    def _engine(
        self,
        execution_options: Mapping[str, Any],
        lock_patience: timedelta,
        at_most: timedelta | None,
        *,
        connections: int,
    ) -> AsyncEngine:
        from pubcellar.storage.patient_connection import connect

        async def connect_patiently(**parameters: Any) -> Any:
            return await connect(parameters, None if at_most is None else at_most + UNANSWERED)

        settings = {
            "lock_timeout": _milliseconds(lock_patience),
            # 0 is none, whatever the operator's default is.
            "statement_timeout": 0 if at_most is None else _milliseconds(at_most),
            "TimeZone": "UTC",
        }
        options = [f"-c {name}={value}" for name, value in settings.items()]
        parameters = {
            "application_name": "pubcellar",
            "connect_timeout": str(CONNECT_SECONDS),
            **self.url.query,
            "options": " ".join([*options, str(self.url.query.get("options", ""))]),
        }
        return create_async_engine(
            self.url.set(query=parameters),
            # SQL with all its values would stand in the log otherwise.
            hide_parameters=True,
            # A connection that died unnoticed, with its server, fails nobody: it is replaced.
            pool_pre_ping=True,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_PATIENCE.total_seconds(),
            use_native_hstore=False,
            connect_args={"async_creator_fn": connect_patiently, "client_encoding": "UTF8"},
            execution_options=dict(execution_options),
        )


_SHOWN = ("host", "port", "service")
"""Parameters that say which database it is; others are not shown, since some hold secrets."""


def _remedy(error: DBAPIError) -> str:
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is None:
        return (
            "see to it that the server runs, that it has this user and this database (createuser"
            " and createdb make them), and that its pg_hba.conf lets the user in"
        )
    if sqlstate == "42501":
        return (
            "name the user who owns the database and its tables, or make ours their owner: ALTER"
            " DATABASE … OWNER TO …, REASSIGN OWNED BY … TO …"
        )
    if sqlstate == "3F000":
        return "make a schema that is on its search_path: CREATE SCHEMA … AUTHORIZATION …"
    if sqlstate == "25006":
        return (
            "name the primary server instead of a standby, or let its user write: ALTER ROLE …"
            " RESET default_transaction_read_only, and ALTER DATABASE likewise"
        )
    if sqlstate == "53100":
        return "make room on the disk of the server"
    if sqlstate == "55P03":
        return "wait for the other process, or end it"
    return "see the log of the server"


def _milliseconds(duration: timedelta) -> int:
    # 0 would mean for ever.
    return max(1, int(duration.total_seconds() * 1000))
