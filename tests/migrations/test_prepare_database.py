"""What happens to the database at start, and by the commands that migrate it."""

import asyncio
import logging
import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from datetime import timedelta

import pytest
from places import ROWS, TABLES, Newer, Place, environment

from pubcellar.core.errors import (
    DatabaseBroken,
    DatabaseRefused,
    MigrationFailed,
    NoSuchRevision,
)
from pubcellar.storage import (
    Standing,
    database_state,
    downgrade_database,
    migrate,
    open_store,
    prepare_database,
    sqlite,
    upgrade_database,
)
from pubcellar.storage.postgresql import MIGRATION_LOCK


class TestEmpty:
    async def test_it_is_created(self, place: Place):
        prepared = await prepare_database(place.url)
        assert str(prepared) == f"database {place} was created (0003)"
        assert (prepared.copy, prepared.warnings) == (None, ())
        assert place.tables() == TABLES
        assert place.rows("SELECT version_num FROM alembic_version") == [("0003",)]

    async def test_new_file_is_for_its_owner_alone(self, file: Place):
        await prepare_database(file.url)
        assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600

    async def test_prepared_database_serves_a_store(self, place: Place):
        await prepare_database(place.url)
        store = await open_store(place.url)
        assert await store.count_nodes() == 0
        await store.close()

    async def test_failure_on_the_way_leaves_it_empty(self, place: Place, upgraded: Newer):
        upgraded.add('raise RuntimeError("power cut\\nor so")')
        with pytest.raises(MigrationFailed) as caught:
            await prepare_database(place.url)
        assert str(caught.value) == (
            f"[database] url: {place} was not created, and is empty as it was; revision 0004 (More)"
            " failed: RuntimeError: power cut; see to that"
        )
        assert place.tables() == set()


class TestCurrent:
    async def test_it_is_left_alone(self, place: Place):
        await prepare_database(place.url)
        before = place.everything()
        prepared = await prepare_database(place.url)
        assert str(prepared) == f"database {place} is current (0003)"
        assert (prepared.steps, prepared.warnings) == ((), ())
        assert place.everything() == before


class TestWritable:
    """A database that is current must also take what the program is going to write."""

    async def _is_refused(self, url: str, kind: type[DatabaseRefused], *words: str) -> None:
        assert (await database_state(url)).standing is Standing.CURRENT
        with pytest.raises(DatabaseRefused) as caught:
            await prepare_database(url)
        assert type(caught.value) is kind
        said = str(caught.value)
        assert "\n" not in said
        assert all(word in said for word in words), said

    async def test_file_that_is_read_only(self, file: Place, monkeypatch: pytest.MonkeyPatch):
        await prepare_database(file.url)
        # As SQLite itself opens a file that it may not write to.
        monkeypatch.setattr(sqlite, "_WRITABLE", {"mode": "ro"})
        before = file.contents()
        await self._is_refused(file.url, DatabaseRefused, "cannot be written to; see to it")
        assert file.contents() == before

    async def test_server_or_role_that_is_read_only(self, postgresql_url: str):
        place = Place(postgresql_url)
        await prepare_database(place.url)
        name = place.value("SELECT current_database()")
        place.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await self._is_refused(
            place.url, DatabaseRefused, "cannot be written to", "default_transaction_read_only"
        )

    async def test_user_who_may_only_read(self, postgresql_url: str):
        place = Place(postgresql_url)
        await prepare_database(place.url)
        place.execute(
            "DROP ROLE IF EXISTS reader",
            "CREATE ROLE reader LOGIN",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        )
        url = place.url.replace("postgres@", "reader@")
        try:
            await self._is_refused(url, DatabaseRefused, "permission denied", "REASSIGN OWNED BY")
        finally:
            place.execute("DROP OWNED BY reader", "DROP ROLE reader")

    async def test_another_process_that_never_ends(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ):
        await prepare_database(place.url)
        monkeypatch.setattr(migrate, "PATIENCE", timedelta(milliseconds=20))
        with place.transaction() as other:
            if place.kind == "postgresql":
                other.execute("LOCK TABLE pubsub_node IN SHARE MODE")
            await self._is_refused(place.url, DatabaseRefused, "is locked by another process")

    @pytest.mark.parametrize("table", ["pubsub_service", "pubsub_node", "pubsub_item"])
    async def test_trigger_of_others_that_lets_nothing_in(self, file: Place, table: str):
        await prepare_database(file.url)
        file.execute(
            f"CREATE TRIGGER no BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'not me'); END"
        )
        before = file.contents()
        await self._is_refused(
            file.url, DatabaseBroken, "is broken: an insert fails: IntegrityError: not me; restore"
        )
        assert file.contents() == before

    @pytest.mark.parametrize(
        "change",
        [
            "ALTER TABLE pubsub_node ALTER name TYPE varchar(100)",
            "ALTER TABLE pubsub_item ADD CONSTRAINT short CHECK (length(xml) < 100)",
        ],
    )
    async def test_table_that_takes_nothing(self, postgresql_url: str, change: str):
        place = Place(postgresql_url)
        await prepare_database(place.url)
        place.execute(change)
        before = place.everything()
        await self._is_refused(place.url, DatabaseBroken, "is broken: an insert fails: ")
        assert place.everything() == before

    async def test_looking_does_not_try(self, file: Place, monkeypatch: pytest.MonkeyPatch):
        await prepare_database(file.url)
        monkeypatch.setattr(sqlite, "_WRITABLE", {"mode": "ro"})
        assert (await database_state(file.url)).standing is Standing.CURRENT
        assert not (await upgrade_database(file.url)).steps


class TestSurroundings:
    """What the operator can mend is not said to be a revision's fault."""

    @pytest.mark.parametrize(
        ("setting", "words"),
        [
            ("search_path=nowhere", ("has no schema to work in", "CREATE SCHEMA")),
            ("default_transaction_read_only=on", ("cannot be written to", "primary server")),
        ],
    )
    async def test_server_that_does_not_let_it_happen(
        self, postgresql_url: str, setting: str, words: tuple[str, ...]
    ):
        separator = "&" if "?" in postgresql_url else "?"
        url = f"{postgresql_url}{separator}options=-c%20{setting.replace('=', '%3D')}"
        with pytest.raises(DatabaseRefused) as caught:
            await prepare_database(url)
        assert type(caught.value) is DatabaseRefused
        assert all(word in str(caught.value) for word in words), caught.value
        assert Place(postgresql_url).tables() == set()

    async def test_full_disk(self, file: Place, upgraded: Newer):
        await prepare_database(file.url)
        before = file.contents()
        upgraded.add(
            'op.execute("PRAGMA max_page_count=1")\n'
            'op.execute("CREATE TABLE more AS SELECT zeroblob(100000) AS content")'
        )
        with pytest.raises(DatabaseRefused) as caught:
            await prepare_database(file.url)
        assert type(caught.value) is DatabaseRefused
        assert str(caught.value) == (
            f"[database] url: {file} is full, or its disk is; make room on its disk, or name"
            " another file"
        )
        assert file.contents() == before


class TestBehind:
    async def test_it_is_upgraded_and_keeps_its_rows(self, place: Place, upgraded: Newer):
        await prepare_database(place.url)
        place.execute(*ROWS)
        upgraded.add_column()
        upgraded.add("op.execute(\"UPDATE pubsub_node SET extra = 'x'\")")
        prepared = await prepare_database(place.url)
        said = f"database {place} was upgraded from 0003 to 0005"
        if prepared.copy:
            said += f"; what it was before is in {prepared.copy}"
        assert str(prepared) == said
        assert [step.number for step in prepared.steps] == ["0004", "0005"]
        assert place.tables() == {*TABLES, "more"}
        assert place.rows("SELECT extra FROM pubsub_node") == [("x",)]
        assert place.value("SELECT count(*) FROM pubsub_item") == 3
        assert str(await prepare_database(place.url)) == f"database {place} is current (0005)"

    @pytest.mark.parametrize(
        ("revision", "said"),
        [
            ('raise RuntimeError("power cut\\nor so")', "(More) failed: RuntimeError: power cut;"),
            ('op.execute("INSERT INTO nowhere VALUES (1)")', "(More) failed: "),
            ("import nothing_of_that_name", "(More) failed: ModuleNotFoundError: "),
        ],
    )
    async def test_failing_revision_leaves_it_as_it_was_and_usable(
        self, place: Place, upgraded: Newer, revision: str, said: str
    ):
        await prepare_database(place.url)
        place.execute(*ROWS)
        before = place.contents()
        upgraded.add_column()
        upgraded.add(revision)
        with pytest.raises(MigrationFailed) as caught:
            await prepare_database(place.url)
        message = str(caught.value)
        assert message.startswith(f"[database] url: {place} was not migrated, and is at 0003 as it")
        assert f"revision 0005 {said}" in message
        assert "\n" not in message
        assert place.contents() == before
        store = await open_store(place.url)
        assert await store.count_nodes() == 1
        await store.close()

    @pytest.mark.parametrize(
        ("revision", "said"),
        [
            ('op.drop_index("ix_pubsub_node_state_retry_at")', "index ix_pubsub_node_state_retry"),
            ('op.drop_table("pubsub_item")', "table pubsub_item is missing"),
        ],
    )
    async def test_result_that_is_not_what_the_program_works_with_is_taken_back(
        self, place: Place, upgraded: Newer, revision: str, said: str
    ):
        await prepare_database(place.url)
        place.execute(*ROWS)
        before = place.contents()
        upgraded.add(revision)
        with pytest.raises(MigrationFailed, match=f"the result failed: {said}"):
            await prepare_database(place.url)
        assert place.contents() == before

    async def test_where_it_went_wrong_is_in_the_log_for_developers_alone(
        self, place: Place, upgraded: Newer, caplog: pytest.LogCaptureFixture
    ):
        upgraded.add('raise RuntimeError("power cut")')
        caplog.set_level(logging.INFO, "pubcellar")
        with pytest.raises(MigrationFailed):
            await prepare_database(place.url)
        assert not [record for record in caplog.records if record.name.startswith("pubcellar")]
        caplog.set_level(logging.DEBUG, "pubcellar")
        with pytest.raises(MigrationFailed):
            await prepare_database(place.url)
        (record,) = [record for record in caplog.records if record.name.startswith("pubcellar")]
        assert record.exc_info is not None


class TestUpAndDown:
    async def test_every_revision_between_can_be_named(self, place: Place, upgraded: Newer):
        upgraded.add_column()
        upgraded.add("pass")
        assert (await upgrade_database(place.url, "0003")).after == "0003"
        assert (await upgrade_database(place.url, "0004")).after == "0004"
        assert "more" in place.tables()
        assert (await upgrade_database(place.url)).after == "0005"
        down = await downgrade_database(place.url, "-1")
        assert [step.number for step in down.steps] == ["0005"]
        down = await downgrade_database(place.url, "0003")
        assert str(down).startswith(f"database {place} was taken back from 0004 to 0003")
        assert place.tables() == TABLES
        assert (await downgrade_database(place.url, "base")).after is None
        assert place.tables() == {"alembic_version"}
        assert not (await downgrade_database(place.url, "base")).steps

    async def test_down_to_base_and_up_again_with_rows(self, place: Place):
        await prepare_database(place.url)
        made = place.contents()
        place.execute(*ROWS)
        await downgrade_database(place.url, "base")
        assert (await database_state(place.url)).revision is None
        assert "was created" in str(await prepare_database(place.url))
        assert place.contents() == made

    @pytest.mark.parametrize(
        ("function", "target", "said"),
        [
            (
                upgrade_database,
                "0007",
                "no revision 0007: this version knows 0001, 0002, 0003, 0004",
            ),
            (upgrade_database, "base", "base lies below 0003"),
            (downgrade_database, "0004", "0004 lies above 0003"),
            (downgrade_database, "-4", "only 3 revisions below"),
            (downgrade_database, "-x", "no revision -x"),
        ],
    )
    async def test_revision_that_cannot_be_gone_to_is_refused(
        self, file: Place, upgraded: Newer, function, target: str, said: str
    ):
        await upgrade_database(file.url, "0003")
        upgraded.add_column()
        before = file.everything()
        with pytest.raises(NoSuchRevision, match=said):
            await function(file.url, target)
        assert file.everything() == before

    async def test_failing_downgrade_leaves_it_as_it_was(self, place: Place, upgraded: Newer):
        upgraded.add_column()
        upgraded.add("pass", 'op.drop_table("more")\nraise RuntimeError("power cut")')
        await prepare_database(place.url)
        before = place.contents()
        with pytest.raises(MigrationFailed, match=r"is at 0005 as it was.*revision 0005 \(More\)"):
            await downgrade_database(place.url, "base")
        assert place.contents() == before


class TestTrial:
    async def test_it_runs_everything_and_leaves_nothing(self, place: Place, upgraded: Newer):
        await prepare_database(place.url)
        place.execute(*ROWS)
        before = place.contents()
        upgraded.add_column()
        migrated = await upgrade_database(place.url, is_trial=True)
        assert [step.number for step in migrated.steps] == ["0004"]
        assert migrated.seconds is not None
        down = await downgrade_database(place.url, "base", is_trial=True)
        assert (down.after, [step.number for step in down.steps]) == (
            None,
            ["0003", "0002", "0001"],
        )
        assert place.contents() == before
        if place.kind == "sqlite":
            assert migrated.copy == place.path.with_name("cache.db.0003.backup")
            assert not migrated.copy.exists()

    async def test_it_finds_what_would_fail(self, place: Place, upgraded: Newer):
        await prepare_database(place.url)
        upgraded.add('raise RuntimeError("power cut")')
        with pytest.raises(MigrationFailed, match="power cut") as caught:
            await upgrade_database(place.url, is_trial=True)
        assert "copied" not in str(caught.value)

    async def test_missing_file_is_not_made(self, file: Place):
        migrated = await upgrade_database(file.url, is_trial=True)
        assert ([step.number for step in migrated.steps], migrated.seconds) == (
            ["0001", "0002", "0003"],
            None,
        )
        assert not list(file.path.parent.iterdir())


START = (
    "import asyncio, sys\n"
    "from pathlib import Path\n"
    "from pubcellar.storage import migrate, prepare_database, revisions\n"
    "revisions.migrations_directory = lambda: Path(sys.argv[2])\n"
    "carry_out = migrate._Change.carry_out\n"
    "def told(change):\n"
    "    print('looked', flush=True)\n"
    "    return carry_out(change)\n"
    "migrate._Change.carry_out = told\n"
    "print('ready', flush=True)\n"
    "sys.stdin.readline()\n"
    "print(asyncio.run(prepare_database(sys.argv[1])))\n"
)


class TestTwoAtOnce:
    def _start_all(self, place: Place, newer: Newer, *, together: bool) -> list[str]:
        """Start three; `together`, none may change anything before all have looked."""
        arguments = [sys.executable, "-c", START, place.url, str(newer.directory)]
        starts = [
            subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment(),
            )
            for _ in range(3)
        ]
        for start in starts:
            assert start.stdout.readline() == "ready\n"
        with place.transaction() if together else nullcontext() as other:
            if together and place.kind == "postgresql":
                other.execute(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            for start in starts:
                start.stdin.write("go\n")
                start.stdin.flush()
            for start in starts if together else ():
                assert start.stdout.readline() == "looked\n"
        said = [start.communicate(timeout=60)[0].splitlines()[-1] for start in starts]
        assert [start.returncode for start in starts] == [0, 0, 0]
        return sorted(said)

    def test_processes_at_once_create_it_once(self, place: Place, newer: Newer):
        said = self._start_all(place, newer, together=False)
        current = f"database {place} is current (0003)"
        assert said == [current.replace("is current", "was created")] + [current] * 2 or (
            said == [current] * 2 + [current.replace("is current", "was created")]
        )

    async def test_processes_at_once_upgrade_it_once(self, place: Place, newer: Newer):
        await prepare_database(place.url)
        place.execute(*ROWS)
        newer.add_column()
        # Whoever comes second must find the column, not add it again.
        said = await asyncio.to_thread(self._start_all, place, newer, together=True)
        assert sum("was upgraded from 0003 to 0004" in line for line in said) == 1
        assert sum("is current (0004)" in line for line in said) == 2
        assert place.value("SELECT count(*) FROM pubsub_item") == 3

    async def test_starts_at_once_in_one_process_create_it_once(self, place: Place):
        said = sorted(
            map(str, await asyncio.gather(*(prepare_database(place.url) for _ in range(4))))
        )
        assert sum("was created" in line for line in said) == 1
        assert sum("is current" in line for line in said) == 3

    async def test_whoever_waits_in_vain_hears_whom_to_look_for(
        self, place: Place, upgraded: Newer, monkeypatch: pytest.MonkeyPatch
    ):
        await prepare_database(place.url)
        upgraded.add_column()
        with monkeypatch.context() as patch, place.transaction() as other:
            if place.kind == "postgresql":
                other.execute(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            patch.setattr(migrate, "PATIENCE", timedelta(milliseconds=20))
            with pytest.raises(DatabaseRefused) as caught:
                await prepare_database(place.url)
        said = f"{place} is locked by another process: another Pubcellar may be migrating it"
        assert said in str(caught.value)
        assert "was upgraded" in str(await prepare_database(place.url))
