"""The server that the tests start leaves nothing behind, whatever becomes of the tests."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import throw_away_postgresql
from throw_away_postgresql import ThrowAwayPostgresql

SCRIPT = """
import signal
from throw_away_postgresql import ThrowAwayPostgresql
server = ThrowAwayPostgresql()
server.start()
print(server.directory, server.pid, flush=True)
signal.pause()
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_ends_with_the_tests_even_when_they_are_killed():
    tests = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(throw_away_postgresql.__file__).parent,
    )
    assert tests.stdout is not None
    directory, pid = tests.stdout.readline().split()
    tests.stdout.close()
    assert is_running(int(pid))
    tests.send_signal(signal.SIGKILL)
    tests.wait()
    deadline = time.monotonic() + 30
    while is_running(int(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not Path(directory, ".s.PGSQL.5432").exists()
    shutil.rmtree(directory)


def test_it_removes_what_it_wrote():
    server = ThrowAwayPostgresql()
    server.start()
    server.pause()
    server.remove()
    assert not server.is_running
    assert not os.path.exists(server.directory)


def test_missing_binaries_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(throw_away_postgresql, "BINARIES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    server = ThrowAwayPostgresql()
    with pytest.raises(RuntimeError, match=r"\.ci/install-packages"):
        server.start()
    server.remove()
