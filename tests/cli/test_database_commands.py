"""`pubcellar db` as an operator uses it, on databases of every kind."""

import asyncio
import io
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pubcellar import cli
from pubcellar.core.errors import DatabaseRefused
from pubcellar.storage import Standing, database_state, prepare_database, revisions
from pubcellar.storage.states import REFUSALS

MORE = '''"""Room for more.

Locks and duration: one table is locked for
    a moment.
Rollback: drops the column.
"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0004", "0003"
def upgrade():
    op.add_column("pubsub_node", sa.Column("extra", sa.String()))
def downgrade():
    with op.batch_alter_table("pubsub_node") as batch:
        batch.drop_column("extra")
'''

Result = TypeVar("Result")


def apart(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function that runs a loop of its own, which the tests' loop would not let it."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function, *arguments).result()


Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def run(
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return a function that runs `pubcellar db`, and returns its code and what it printed.

    The configuration has no secret: nothing connects.
    """
    for name in ("PUBCELLAR_CONFIG", "PUBCELLAR_COMPONENT_SECRET", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    # What a service manager hands a command.
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    configuration = tmp_path_factory.mktemp("etc") / "pubcellar.toml"
    configuration.write_text(
        "[component]\njid = 'cache.example.org'\nserver = 'tcp:127.0.0.1:5347'\n"
        f"[upstream]\nallow = ['pubsub.example.org']\n[database]\nurl = '{database_url}'\n"
    )

    def run(*words: str) -> tuple[int, list[str], str]:
        code = apart(cli.main, ["db", *words, "--config", str(configuration)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


@pytest.fixture
def newer(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a version that has one revision more."""
    directory = tmp_path_factory.mktemp("newer") / "migrations"
    shutil.copytree(
        revisions.migrations_directory(), directory, ignore=shutil.ignore_patterns("__pycache__")
    )
    (directory / "versions/0004_more.py").write_text(MORE)
    monkeypatch.setattr(revisions, "migrations_directory", lambda: directory)


def standing(url: str) -> tuple[Standing, str | None]:
    state = apart(asyncio.run, database_state(url))
    return state.standing, state.revision


def is_file(url: str) -> bool:
    return url.startswith("sqlite")


def execute(url: str, statement: str) -> None:
    if is_file(url):
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(statement)
    else:
        import psycopg

        with psycopg.connect(url) as connection:
            connection.execute(statement)


class TestStatus:
    def test_empty_current_and_behind_are_usable(
        self, run: Run, database_url: str, request: pytest.FixtureRequest
    ) -> None:
        code, out, err = run("status")
        assert (code, err) == (0, "")
        assert out[1:] == [
            "state:    empty",
            "revision: none; this version works with 0003",
            "pending:  0001 (The first schema: services, nodes and items)",
            "pending:  0002 (Synchronisations that were interrupted can go on)",
            "pending:  0003 (Writes through the proxy, users' subscriptions, and servers that let"
            " us act for their users)",
        ]
        apart(asyncio.run, prepare_database(database_url))
        execute(database_url, "CREATE TABLE strangers (id INTEGER)")
        assert run("status")[1][1:] == [
            "state:    current",
            "revision: 0003; this version works with 0003",
            "extra:    table strangers",
        ]
        request.getfixturevalue("newer")
        code, out, err = run("status")
        assert (code, err) == (0, "")
        assert out[1:] == [
            "state:    behind",
            "revision: 0003; this version works with 0004",
            "pending:  0004 (Room for more)",
        ]

    @pytest.mark.parametrize(
        ("statement", "state", "expected", "found"),
        [
            ("UPDATE alembic_version SET version_num = '0417'", "ahead", 11, None),
            ("DELETE FROM alembic_version", "unversioned", 12, None),
            ("UPDATE alembic_version SET version_num = 'x'", "foreign", 13, None),
            ("DROP TABLE pubsub_item", "broken", 14, "broken:   table pubsub_item is missing"),
        ],
    )
    def test_every_other_state_ends_with_a_code_of_its_own(
        self,
        run: Run,
        database_url: str,
        statement: str,
        state: str,
        expected: int,
        found: str | None,
    ) -> None:
        apart(asyncio.run, prepare_database(database_url))
        execute(database_url, statement)
        code, out, err = run("status")
        assert code == expected
        assert out[1] == f"state:    {state}"
        assert found is None or found in out
        assert err.startswith("[database] url: ")
        assert err.count("\n") == 1
        for words in (["upgrade"], ["upgrade", "--dry-run"], ["downgrade", "base", "--yes"]):
            assert run(*words) == (expected, [], err)

    def test_what_cannot_be_looked_at_ends_with_a_code_of_its_own_too(
        self, run: Run, database_url: str, request: pytest.FixtureRequest
    ) -> None:
        if is_file(database_url):
            Path(database_url.removeprefix("sqlite:///")).mkdir()
        else:
            name = database_url.partition("@/")[2].partition("?")[0]
            request.getfixturevalue("postgresql").execute(f"DROP DATABASE {name}")
        for words in (["status"], ["upgrade"], ["downgrade", "base", "--yes"]):
            code, out, err = run(*words)
            assert (code, out) == (10, [])
            assert err.startswith("[database] url: ")
            assert err.count("\n") == 1

    def test_no_state_is_forgotten(self) -> None:
        usable = {Standing.EMPTY, Standing.CURRENT, Standing.BEHIND}
        assert set(REFUSALS) | usable == set(Standing)
        assert all(issubclass(refusal, DatabaseRefused) for refusal in REFUSALS.values())


class TestUpgrade:
    def test_it_does_what_a_start_does_and_names_the_copy(
        self, run: Run, database_url: str, request: pytest.FixtureRequest
    ) -> None:
        code, out, _ = run("upgrade")
        assert (code, len(out)) == (0, 1)
        assert out[0].endswith("was created (0003)")
        request.getfixturevalue("newer")
        code, out, _ = run("upgrade")
        assert code == 0
        assert "was upgraded from 0003 to 0004" in out[0]
        assert standing(database_url) == (Standing.CURRENT, "0004")
        if is_file(database_url):
            copy = database_url.removeprefix("sqlite:///") + ".0003.backup"
            assert out[0].endswith(copy)
            assert any(line.startswith(f"copy:     {copy} (20") for line in run("status")[1])

    def test_dry_run_says_what_it_would_do_and_does_not(
        self, run: Run, database_url: str, newer: None
    ) -> None:
        assert run("upgrade", "0003")[0] == 0
        code, out, err = run("upgrade", "--dry-run")
        assert (code, err) == (0, "")
        assert out[1:4] == [
            "from 0003 to 0004, all at once:",
            "  0004 (Room for more)",
            "    locks and duration: one table is locked for a moment.",
        ]
        if is_file(database_url):
            path = database_url.removeprefix("sqlite:///")
            assert out[4] == f"it would first be copied to {path}.0003.backup"
            assert not Path(f"{path}.0003.backup").exists()
        assert out[-2].startswith("tried in ")
        assert out[-1].startswith("warning: ")
        assert standing(database_url) == (Standing.BEHIND, "0003")

    def test_dry_run_on_an_empty_one_touches_nothing(self, run: Run, database_url: str) -> None:
        code, out, _ = run("upgrade", "--dry-run")
        assert code == 0
        assert out[-1] == "not tried, since the database is empty; nothing was changed"
        assert standing(database_url) == (Standing.EMPTY, None)
        if is_file(database_url):
            assert not Path(database_url.removeprefix("sqlite:///")).exists()

    def test_without_a_copy(self, run: Run, sqlite_url: str, newer: None) -> None:
        run("upgrade", "0003")
        code, out, _ = run("upgrade", "--no-copy")
        assert code == 0
        assert "copied" not in out[0]
        assert not list(Path(sqlite_url.removeprefix("sqlite:///")).parent.glob("*.backup"))

    def test_failed_one_is_told_in_one_line_with_its_code(
        self, run: Run, database_url: str, newer: None
    ) -> None:
        run("upgrade", "0003")
        execute(database_url, "ALTER TABLE pubsub_node ADD COLUMN extra TEXT")
        code, out, err = run("upgrade")
        assert (code, out) == (15, [])
        assert "revision 0004 (Room for more) failed: " in err
        assert err.count("\n") == 1
        assert standing(database_url)[1] == "0003"

    def test_where_there_is_nothing_to_do_it_says_where_the_database_is(
        self, run: Run, database_url: str, newer: None
    ) -> None:
        assert run("downgrade", "base", "--yes")[1][0].endswith(" is empty")
        run("upgrade", "0003")
        assert run("upgrade", "0003")[1][0].endswith(" is at 0003 already")
        assert run("downgrade", "0003", "--yes")[1][0].endswith(" is at 0003 already")
        run("upgrade")
        assert run("upgrade")[1][0].endswith(" is current (0004)")

    def test_unknown_revision_is_a_mistake_of_the_command_line(self, run: Run) -> None:
        code, out, err = run("upgrade", "0417")
        assert (code, out) == (2, [])
        assert err == "there is no revision 0417: this version knows 0001, 0002, 0003\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestDowngrade:
    def test_it_takes_back_what_is_named(self, run: Run, database_url: str, newer: None) -> None:
        run("upgrade")
        code, out, _ = run("downgrade", "-1", "--yes")
        assert code == 0
        assert "was taken back from 0004 to 0003" in out[0]
        assert standing(database_url) == (Standing.BEHIND, "0003")

    def test_dry_run_does_not(self, run: Run, database_url: str) -> None:
        run("upgrade")
        code, out, _ = run("downgrade", "base", "--dry-run")
        assert code == 0
        assert out[1] == "from 0003 to nothing, all at once:"
        assert standing(database_url) == (Standing.CURRENT, "0003")

    @pytest.mark.parametrize(
        ("answer", "code", "after"), [("yes\n", 0, None), ("y\n", 1, "0003"), ("", 1, "0003")]
    )
    def test_it_asks_on_a_terminal(
        self,
        run: Run,
        database_url: str,
        monkeypatch: pytest.MonkeyPatch,
        answer: str,
        code: int,
        after: str | None,
    ) -> None:
        run("upgrade")
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        found, out, _ = run("downgrade", "base")
        assert found == code
        assert "lose what newer revisions have stored?" in out[0]
        assert standing(database_url)[1] == after

    def test_without_a_terminal_it_must_be_meant(self, run: Run, database_url: str) -> None:
        run("upgrade")
        code, out, err = run("downgrade", "base")
        assert (code, out) == (2, [])
        assert "add --yes" in err
        assert standing(database_url)[1] == "0003"


@pytest.mark.parametrize("words", [[], ["walk"], ["downgrade"], ["status", "-1"]])
def test_what_the_command_line_lacks_is_said(
    run: Run, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: pubcellar")
