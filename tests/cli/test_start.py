"""What a start says and does about its database, in a process of its own."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from pubcellar.exit_codes import ExitCode
from pubcellar.storage.postgresql import MIGRATION_LOCK
from throw_away_postgresql import ThrowAwayPostgresql

PATIENCE_SECONDS = 60.0

DATABASE = "INFO pubcellar.wiring: database "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@contextmanager
def started(path: Path, database: str = "") -> Iterator["subprocess.Popen[str]"]:
    """Start the proxy in front of a server that is not there, which it goes on looking for."""
    configuration = path.with_name("pubcellar.toml")
    configuration.write_text(
        "[component]\njid = 'cache.example.org'\nserver = 'tcp:127.0.0.1:1'\n"
        "[upstream]\nallow = ['pubsub.example.org']\n" + database
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PUBCELLAR_")}
    with subprocess.Popen(
        [sys.executable, "-m", "pubcellar", "run", "--config", str(configuration)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"PUBCELLAR_COMPONENT_SECRET": "hidden"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def served(path: Path) -> list[str]:
    """Return what a start says until it looks for its server; it is stopped then."""
    lines = []
    with started(path) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            if "127.0.0.1:1" in line:
                process.send_signal(signal.SIGTERM)
                break
        lines += process.stderr.read().splitlines()
        assert process.wait() == ExitCode.DONE, lines
    return lines


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_it_says_one_line_and_warns_of_what_others_added(path: Path) -> None:
    (line,) = [line for line in served(path) if "database" in line]
    assert line.endswith(f"{DATABASE}{path} was created (0003)")
    execute(path, "CREATE TABLE strangers (id INTEGER)")
    line, warning = [line for line in served(path) if "database" in line]
    assert line.endswith(f"{DATABASE}{path} is current (0003)")
    assert "WARNING pubcellar.wiring: database" in warning
    assert warning.endswith("table strangers")


def test_one_that_it_may_not_work_with_ends_it_in_one_line_with_its_code(path: Path) -> None:
    served(path)
    execute(path, "UPDATE alembic_version SET version_num = '0417'")
    with started(path) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.DATABASE_AHEAD
    assert out == ""
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if "database" in line]
    assert line.startswith(f"[database] url: {path} is at revision 0417")


class TestStoppedWhileAnotherMigrates:
    """It would otherwise wait for its turn, and then be refused or begin."""

    def test_sqlite(self, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as another:
            another.execute("PRAGMA journal_mode=WAL")  # as of a start that was faster
            another.execute("BEGIN IMMEDIATE")
            with started(path) as process:
                wait_until(lambda: may_write(process, path), process)
                self._require_stopped(process)
            another.execute("ROLLBACK")
            assert another.execute("SELECT name FROM sqlite_master").fetchall() == []

    def test_postgresql(self, path: Path, postgresql: ThrowAwayPostgresql) -> None:
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with postgresql.database() as name, postgresql.connect(name) as another:
            with another.transaction():
                another.execute(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                table = f"[database]\nurl = '{postgresql.url(name)}'\n"
                with started(path, table) as process:
                    wait_until(lambda: another.execute(waiting).fetchall(), process)
                    self._require_stopped(process)
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            assert another.execute(tables).fetchall() == []

    def _require_stopped(self, process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == ExitCode.DONE, err
        _, line = err.splitlines()  # after the one that names the version
        assert line.endswith("stopped while the database was being prepared")


def wait_until(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait for something that a process does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def may_write(process: "subprocess.Popen[str]", path: Path) -> bool:
    """Tell whether it has come to more than looking at a file."""
    for each in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if each.readlink() == path.resolve() and each.lstat().st_mode & stat.S_IWUSR:
                return True
    return False
