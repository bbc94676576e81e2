"""The copy of an SQLite file before a change: exactly what is changed, whole or not there."""

import asyncio
import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from places import ITEM, ROWS, Newer, Place, environment

from pubcellar.core.errors import MigrationFailed
from pubcellar.storage import (
    backup,
    copies,
    database_state,
    downgrade_database,
    prepare_database,
    upgrade_database,
)
from pubcellar.storage.databases import database_named


def names(place: Place) -> set[str]:
    return {path.name for path in place.path.parent.iterdir()} - {"cache.db-wal", "cache.db-shm"}


class TestCopy:
    async def test_it_is_the_database_as_it_was_before(self, file: Place, upgraded: Newer):
        await prepare_database(file.url)
        file.execute(*ROWS)
        before = file.contents()
        upgraded.add("op.execute('DELETE FROM pubsub_item')")
        migrated = await prepare_database(file.url)
        assert migrated.copy == file.path.with_name("cache.db.0003.backup")
        assert stat.S_IMODE(migrated.copy.stat().st_mode) == 0o600
        copy = Place(f"sqlite:///{migrated.copy}")
        assert copy.contents() == before
        assert copy.rows("PRAGMA integrity_check") == [("ok",)]

    async def test_what_is_committed_but_not_yet_written_back_is_in_it(
        self, file: Place, upgraded: Newer
    ):
        await prepare_database(file.url)
        upgraded.add("pass")
        with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
            for statement in ROWS:
                other.execute(statement)
            assert file.path.with_name("cache.db-wal").stat().st_size > 0
            migrated = await prepare_database(file.url)
        copy = Place(f"sqlite:///{migrated.copy}")
        assert copy.value("SELECT count(*) FROM pubsub_item") == 3

    async def test_it_can_take_the_place_of_the_database(self, file: Place, upgraded: Newer):
        await prepare_database(file.url)
        file.execute(*ROWS)
        before = file.contents()
        upgraded.add("op.execute('DELETE FROM pubsub_item')")
        migrated = await prepare_database(file.url)
        assert migrated.copy is not None
        shutil.copy(migrated.copy, file.path)
        assert (await database_state(file.url)).revision == "0003"
        assert file.contents() == before

    async def test_a_downgrade_is_copied_before_too(self, file: Place):
        await prepare_database(file.url)
        file.execute(*ROWS)
        migrated = await downgrade_database(file.url, "base")
        assert str(migrated) == (
            f"database {file} was taken back from 0003 and is empty;"
            f" what it was before is in {file}.0003.backup"
        )
        copy = Place(f"sqlite:///{migrated.copy}")
        assert copy.value("SELECT count(*) FROM pubsub_item") == 3

    async def test_nothing_is_copied_where_nothing_is_or_nothing_changes(self, file: Place):
        await prepare_database(file.url)
        await prepare_database(file.url)
        assert names(file) == {"cache.db"}

    async def test_copy_can_be_done_without(self, file: Place, upgraded: Newer):
        await prepare_database(file.url)
        upgraded.add("pass")
        assert (await upgrade_database(file.url, with_copy=False)).copy is None
        assert names(file) == {"cache.db"}

    async def test_there_is_one_for_each_revision_and_never_more_than_a_few(
        self, file: Place, upgraded: Newer
    ):
        (file.path.parent / "cache.db.my own.backup").touch()
        (file.path.parent / "other.db.0003.backup").touch()
        await prepare_database(file.url)
        for _ in range(2):
            upgraded.add("pass", "pass")
            await prepare_database(file.url)
            await downgrade_database(file.url, "-1")
            await prepare_database(file.url)
        assert names(file) == {
            "cache.db",
            "cache.db.0003.backup",
            "cache.db.0004.backup",
            "cache.db.0005.backup",
            "cache.db.my own.backup",
            "other.db.0003.backup",
        }
        upgraded.add("pass", "pass")
        upgraded.add("pass", "pass")
        await prepare_database(file.url)
        await downgrade_database(file.url, "-1")
        kept = [path.name for path in copies(database_named(file.url))]
        assert kept[0] == "cache.db.0007.backup"
        assert len(kept) == backup.KEPT == 3
        assert {"cache.db.my own.backup", "other.db.0003.backup"} <= names(file)

    async def test_what_cannot_be_tidied_away_is_a_warning_and_no_failure(
        self, file: Place, upgraded: Newer, monkeypatch: pytest.MonkeyPatch
    ):
        await prepare_database(file.url)
        for number in range(5):
            Path(f"{file}.000{number}x.backup").mkdir()
            Path(f"{file}.000{number}y.backup").touch()
        upgraded.add("pass")
        remove = Path.unlink

        def unlink(path: Path, missing_ok: bool = False) -> None:
            if path.name.endswith("y.backup"):
                raise PermissionError(errno.EPERM, "Operation not permitted")
            remove(path, missing_ok)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", unlink)
            migrated = await prepare_database(file.url)
        assert migrated.after == "0004"
        assert len(migrated.warnings) == 3
        for warning in migrated.warnings:
            assert "y.backup cannot be removed (Operation not permitted)" in warning
        assert (await database_state(file.url)).revision == "0004"
        assert all(Path(f"{file}.000{number}x.backup").is_dir() for number in range(5))

    async def test_failed_migration_leaves_its_copy_and_says_where(
        self, file: Place, upgraded: Newer
    ):
        await prepare_database(file.url)
        upgraded.add('raise RuntimeError("power cut")')
        for _ in range(5):
            with pytest.raises(MigrationFailed, match=f"and copied to {file}.0003.backup"):
                await prepare_database(file.url)
        assert names(file) == {"cache.db", "cache.db.0003.backup"}


class TestRefusal:
    """What cannot be copied is not migrated."""

    async def _is_refused(self, file: Place, reason: str) -> None:
        before = file.contents()
        with pytest.raises(MigrationFailed) as caught:
            await prepare_database(file.url)
        said = str(caught.value)
        assert said.startswith(
            f"[database] url: {file} cannot be copied to {file}.0003.backup before the migration"
        )
        assert reason in said
        assert "'pubcellar db upgrade --no-copy'" in said
        assert file.contents() == before
        assert (await database_state(file.url)).revision == "0003"

    async def test_disk_without_room(
        self, file: Place, upgraded: Newer, monkeypatch: pytest.MonkeyPatch
    ):
        await prepare_database(file.url)
        upgraded.add("pass")
        usage = namedtuple("usage", "free")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1024 * 1024 // 20 - 1))
        await self._is_refused(file, "needs 0.1 MiB, and 0.0 MiB of its disk are free")
        assert names(file) == {"cache.db"}
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1024 * 1024))
        assert (await prepare_database(file.url)).after == "0004"

    async def test_something_in_its_place(self, file: Place, upgraded: Newer):
        await prepare_database(file.url)
        upgraded.add("pass")
        Path(f"{file}.0003.backup").mkdir()
        await self._is_refused(file, "Is a directory")
        assert names(file) == {"cache.db", "cache.db.0003.backup"}

    async def test_write_that_fails_on_the_way(self, file: Place, upgraded: Newer):
        """Here because no file may grow beyond what the database has, less one page."""
        await prepare_database(file.url)
        file.execute(*ROWS, *(ITEM.format(number) for number in range(10, 400)))
        upgraded.add("pass")
        before = file.contents()
        script = (
            "import asyncio, resource, sys\n"
            "from pathlib import Path\n"
            "from pubcellar.core.errors import MigrationFailed\n"
            "from pubcellar.storage import prepare_database, revisions\n"
            "revisions.migrations_directory = lambda: Path(sys.argv[2])\n"
            "size = Path(sys.argv[3]).stat().st_size - 4096\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
            "try:\n"
            "    asyncio.run(prepare_database(sys.argv[1]))\n"
            "except MigrationFailed as error:\n"
            "    print(error)\n"
        )
        arguments = [file.url, str(upgraded.directory), str(file.path)]
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
        )
        assert "cannot be copied" in done.stdout, done.stderr
        assert os.path.exists(file.path)
        assert file.contents() == before
        assert names(file) == {"cache.db"}
