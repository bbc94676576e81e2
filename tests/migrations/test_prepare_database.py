"""What happens to the database at start, for each standing it can be found in."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.operations import Operations

from pubcellar.core.errors import DatabaseRefused
from pubcellar.storage import database_state, migrate, open_store, prepare_database
from pubcellar.storage.migrate import migrations_directory

TABLES = {"alembic_version", "pubsub_item", "pubsub_node", "pubsub_service"}


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {name for (name,) in rows}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def write(path: Path, text: str) -> None:
    path.write_text(text)


def contents(directory: Path) -> dict[str, bytes]:
    files = sorted(file for file in directory.iterdir() if file.is_file())
    return {file.name: file.read_bytes() for file in files}


class TestEmpty:
    async def test_missing_file_is_created(self, url: str, path: Path):
        assert await prepare_database(url) == f"database {path} was created (0001)"
        assert tables(path) == TABLES

    async def test_new_file_is_for_its_owner_alone(self, url: str, path: Path):
        await prepare_database(url)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600

    async def test_file_without_tables_is_created(self, url: str, path: Path):
        execute(path, "PRAGMA journal_mode=WAL")
        assert "was created" in await prepare_database(url)
        assert tables(path) == TABLES

    async def test_database_taken_down_to_base_is_created(self, url: str, path: Path):
        execute(path, "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        assert "was created" in await prepare_database(url)
        assert tables(path) == TABLES

    async def test_failure_on_the_way_leaves_the_database_empty(
        self, url: str, path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        create_table = Operations.create_table

        def fail_late(self: Operations, name: str, *args: object, **kwargs: object) -> object:
            if name == "pubsub_item":
                raise RuntimeError("power cut")
            return create_table(self, name, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Operations, "create_table", fail_late)
            with pytest.raises(RuntimeError, match="power cut"):
                await prepare_database(url)
        assert tables(path) == set()
        assert "was created" in await prepare_database(url)
        assert tables(path) == TABLES

    async def test_process_that_dies_on_the_way_leaves_the_database_empty(
        self, url: str, path: Path
    ):
        script = (
            "import asyncio, os, sys\n"
            "from alembic.operations import Operations\n"
            "from pubcellar.storage import prepare_database\n"
            "create = Operations.create_table\n"
            "def die(self, name, *args, **kwargs):\n"
            "    os._exit(9) if name == 'pubsub_item' else create(self, name, *args, **kwargs)\n"
            "Operations.create_table = die\n"
            "asyncio.run(prepare_database(sys.argv[1]))\n"
        )
        died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, url])
        assert died.returncode == 9
        assert "is empty" in str(await database_state(url))
        assert tables(path) == set()
        assert "was created" in await prepare_database(url)

    async def test_two_starts_at_once_create_it_once(self, url: str, path: Path):
        said = sorted(await asyncio.gather(*(prepare_database(url) for _ in range(4))))
        created = f"database {path} was created (0001)"
        assert said == [created.replace("was created", "is current")] * 3 + [created]

    def test_two_processes_at_once_create_it_once(self, url: str):
        script = (
            "import asyncio, sys\n"
            "from pubcellar.storage import prepare_database\n"
            "print('ready', flush=True)\n"
            "sys.stdin.readline()\n"
            "print(asyncio.run(prepare_database(sys.argv[1])))\n"
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        arguments = [sys.executable, "-c", script, url]
        starts = [subprocess.Popen(arguments, **pipes) for _ in range(2)]
        for start in starts:
            assert start.stdout.readline() == "ready\n"
        for start in starts:
            start.stdin.write("go\n")
            start.stdin.flush()
        said = [start.communicate(timeout=60)[0] for start in starts]
        assert sorted("was created" in line for line in said) == [False, True]
        assert sorted("is current" in line for line in said) == [False, True]

    async def test_prepared_database_serves_a_store(self, url: str):
        await prepare_database(url)
        store = await open_store(url)
        assert await store.count_nodes() == 0
        await store.close()


class TestCurrent:
    async def test_current_database_is_left_alone(self, url: str, path: Path):
        await prepare_database(url)
        before = contents(path.parent)
        assert await prepare_database(url) == f"database {path} is current (0001)"
        assert contents(path.parent) == before


class TestState:
    async def test_missing_file_is_not_made(self, url: str, path: Path):
        said = str(await database_state(url))
        assert said == f"{path} is empty or missing, and is created at start (0001)"
        assert os.listdir(path.parent) == []

    async def test_looking_touches_nothing(self, url: str, path: Path):
        await prepare_database(url)
        before = contents(path.parent)
        assert str(await database_state(url)) == f"{path} is current (0001)"
        assert contents(path.parent) == before

    async def test_database_in_use_can_be_looked_at(self, url: str):
        await prepare_database(url)
        store = await open_store(url)
        await store.make_stale(store._now())
        assert "is current" in str(await database_state(url))
        await store.close()

    async def test_what_another_process_has_not_written_back_yet_is_seen(
        self, url: str, path: Path
    ):
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA journal_mode=WAL")
            other.execute("CREATE TABLE strangers (id INTEGER)")
            other.commit()
            with pytest.raises(DatabaseRefused, match="did not make"):
                await database_state(url)


class TestBehind:
    @pytest.fixture
    def newer(self, tmp_path: Path) -> Path:
        """Return the migrations of a version that has one more."""
        newer = tmp_path / "newer"
        shutil.copytree(migrations_directory(), newer)
        (newer / "versions/0002_more.py").write_text(
            '"""More."""\n'
            "import sqlalchemy as sa\n"
            "from alembic import op\n"
            'revision, down_revision = "0002", "0001"\n'
            "def upgrade():\n"
            '    op.add_column("pubsub_node", sa.Column("extra", sa.String()))\n'
            '    op.create_table("more", sa.Column("id", sa.Integer(), primary_key=True))\n'
        )
        return newer

    async def test_database_is_upgraded_and_keeps_its_rows(
        self, url: str, path: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
    ):
        await prepare_database(url)
        execute(path, "INSERT INTO pubsub_service (jid, traits) VALUES ('s', '{}')")
        monkeypatch.setattr(migrate, "migrations_directory", lambda: newer)
        before = contents(path.parent)
        said = str(await database_state(url))
        assert said == f"{path} is at 0001, and is upgraded at start to 0002"
        assert contents(path.parent) == before
        assert await prepare_database(url) == f"database {path} was upgraded from 0001 to 0002"
        assert tables(path) == {*TABLES, "more"}
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT jid FROM pubsub_service").fetchall() == [("s",)]
        assert await prepare_database(url) == f"database {path} is current (0002)"

    async def test_failure_on_the_way_leaves_it_as_it_was(
        self, url: str, path: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
    ):
        await prepare_database(url)
        monkeypatch.setattr(migrate, "migrations_directory", lambda: newer)
        with (newer / "versions/0002_more.py").open("a") as file:
            file.write('    raise RuntimeError("power cut")\n')
        with pytest.raises(RuntimeError, match="power cut"):
            await prepare_database(url)
        assert tables(path) == TABLES
        with closing(sqlite3.connect(path)) as connection:
            columns = connection.execute("PRAGMA table_info(pubsub_node)").fetchall()
        assert "extra" not in {column[1] for column in columns}


class TestRefused:
    """Each with one sentence that says what was found and what to do, and nothing changed."""

    async def test_tables_without_version(self, url: str, path: Path):
        execute(path, "CREATE TABLE strangers (id INTEGER)")
        await self._is_refused(url, path, "did not make", "name another file")

    async def test_tables_of_ours_without_version(self, url: str, path: Path):
        execute(path, "CREATE TABLE pubsub_node (id INTEGER)")
        await self._is_refused(url, path, "alembic_version")

    async def test_newer_version(self, url: str, path: Path):
        await prepare_database(url)
        execute(path, "UPDATE alembic_version SET version_num = '9999'")
        await self._is_refused(url, path, "revision 9999", "does not know", "newer Pubcellar")

    async def test_file_that_is_no_database(self, url: str, path: Path):
        write(path, "Dear diary,\n" * 500)
        await self._is_refused(url, path, "is not a database", "name another file")

    async def test_directory_in_its_place(self, url: str, path: Path):
        os.mkdir(path)
        await self._is_refused(url, path, "is a directory")

    async def test_missing_directory(self, path: Path):
        missing = path.parent / "missing"
        url = f"sqlite:///{missing}/cache.db"
        await self._is_refused(url, path, f"there is no directory {missing}", "create it")

    async def test_locked_by_another_process(
        self, url: str, path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(migrate, "PATIENCE", timedelta(milliseconds=20))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA journal_mode=WAL")
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseRefused, match="is locked by another process"):
                await prepare_database(url)
        assert "was created" in await prepare_database(url)

    async def _is_refused(self, url: str, path: Path, *words: str) -> None:
        before = contents(path.parent)
        for function in (database_state, prepare_database):
            with pytest.raises(DatabaseRefused) as caught:
                await function(url)
            said = str(caught.value)
            assert said.startswith("[database] url: ")
            assert "\n" not in said
            assert all(word in said for word in words), said
        assert contents(path.parent) == before
