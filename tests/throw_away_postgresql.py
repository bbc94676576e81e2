"""A throw-away PostgreSQL of Debian's packages: on a socket in a temporary directory, and no port.

It is for tests alone: it trusts everybody who can open the socket, and does not wait for its disk.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)

BINARIES = Path("/usr/lib/postgresql")
PATIENCE_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.01

SETTINGS = {
    "listen_addresses": "",
    # What was committed survives the death of the server, though not that of the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "log_statement": "none",
    "log_checkpoints": "off",
}


LOCKED_USER = "locked"
"""A user who needs a password, once `CREATE ROLE` has made it; nobody else does."""

ACCESS = f"local all {LOCKED_USER} scram-sha-256\nlocal all all trust\n"


class ThrowAwayPostgresql:
    """One server, which can be killed, stopped and started again.

    It is started from the main thread alone: it ends with the thread that started it, also when the
    tests are killed.

    Attributes:
        directory: holds everything it has, its socket too.
    """

    def __init__(self) -> None:
        # Not pytest's: the path of a socket may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._data = self.directory / "data"
        self._log = self.directory / "log"
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user is not None:
            os.chown(self.directory, pwd.getpwnam(self._user).pw_uid, -1)
            os.chmod(self.directory, 0o755)

    def url(self, database: str, user: str = "postgres") -> str:
        """Return what `[database] url` says to use a database of this server.

        `user` may come with a password, after a colon.
        """
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def log(self) -> str:
        """Return everything it has said so far, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    # The server's life

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; only while it has been started."""
        assert self._process is not None, "PostgreSQL has not been started"
        return self._process.pid

    def start(self) -> None:
        """Start it, and return once it accepts connections.

        Raises: RuntimeError with its log if it does not, or is not installed.
        """
        if not self._data.exists():
            self._make_cluster()
        settings = {**SETTINGS, "unix_socket_directories": str(self.directory)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_binary("postgres"), "-D", str(self._data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_stop_with_parent,
                **self._as_user(),
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End it as an administrator would: whoever is connected is told, and thrown out."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, without a word to anybody, as far as PostgreSQL lets that happen."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop it, and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let its processes hang: connections stay open, and nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo `pause`."""
        self._signal_all(signal.SIGCONT)

    def recover(self) -> None:
        """Let it run, whatever was done to it."""
        if self.is_running:
            self.go_on()
        else:
            self.start()

    def remove(self) -> None:
        """End it and remove everything it wrote."""
        if self.is_running:
            self.go_on()
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Databases

    def create_database(self, template: str = "template1", options: str = "") -> str:
        """Make a database like `template`, and return its name; it stays as long as the server."""
        name = f"test_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
            sql.Identifier(name), sql.Identifier(template), sql.SQL(options)
        )
        self.execute(statement)
        return name

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Give the name of a new database like `template`, and drop it afterwards.

        Whatever was done to the server meanwhile, it runs again then.
        """
        name = self.create_database(template)
        try:
            yield name
        finally:
            self.recover()
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            self.execute(drop.format(sql.Identifier(name)))

    def empty_database(self, name: str) -> None:
        """Delete every row but the schema's version, whoever uses the database.

        Takes a tenth of what a new database takes.
        """
        self.execute(
            sql.SQL("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = {} AND pid <> pg_backend_pid()
            """).format(sql.Literal(name))
        )
        tables = self.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
            name,
        )
        names = sql.SQL(", ").join(sql.Identifier(table) for (table,) in tables)
        self.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names), name)

    def execute(self, statement: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the server's administrator, and return its rows."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection as the server's administrator, outside any transaction."""
        return psycopg.connect(
            host=str(self.directory), user="postgres", dbname=database, autocommit=True
        )

    # Parts of the above

    def _make_cluster(self) -> None:
        made = subprocess.run(
            [
                *(_binary("initdb"), "-D", str(self._data), "--no-sync", "--no-instructions"),
                *("--username=postgres", "--auth=trust", "--encoding=UTF8"),
                # Names do not sort by their bytes here, as on most machines of operators.
                *("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.directory,
            **self._as_user(),
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
        (self._data / "pg_hba.conf").write_text(ACCESS)

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if not self.is_running or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL does not start:\n{self.log()}") from None
            time.sleep(LOOK_AGAIN_SECONDS)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_SECONDS)

    def _signal_all(self, number: signal.Signals) -> None:
        # Every process of the server is in a group of its own.
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        for pid in (self.pid, *map(int, children.read_text().split())):
            # Those that serve a connection come and go.
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _binary(name: str) -> str:
    versions = sorted(BINARIES.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if found is None:
        raise RuntimeError("PostgreSQL is missing; install it with: .ci/install-packages")
    return found


def _stop_with_parent() -> None:
    # Not SIGKILL: its own processes would outlive it for a moment.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
