"""Every state that a database can be in: told apart, refused with a remedy, and never touched."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from places import ROWS, Newer, Place, environment
from sqlalchemy.exc import OperationalError

from pubcellar.core.errors import (
    DatabaseAhead,
    DatabaseBroken,
    DatabaseForeign,
    DatabaseRefused,
    DatabaseUnversioned,
)
from pubcellar.storage import (
    Standing,
    database_state,
    downgrade_database,
    migrate,
    open_store,
    prepare_database,
    states,
    upgrade_database,
)

VERSION = "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"


def version(number: str) -> str:
    return f"INSERT INTO alembic_version VALUES ('{number}')"


class TestUsable:
    async def test_nothing_at_all_is_empty(self, place: Place):
        state = await database_state(place.url)
        assert (state.standing, state.revision, state.head) == (Standing.EMPTY, None, "0003")
        assert [revision.number for revision in state.pending] == ["0001", "0002", "0003"]
        assert str(state) == f"{place} is empty or missing, and is created at start (0003)"

    async def test_missing_file_is_not_made(self, file: Place):
        await database_state(file.url)
        assert not list(file.path.parent.iterdir())

    async def test_table_of_versions_alone_is_empty(self, place: Place):
        place.execute(VERSION)
        assert (await database_state(place.url)).standing is Standing.EMPTY

    async def test_file_without_a_page_and_file_without_tables_are_empty(self, file: Place):
        file.path.touch()
        assert (await database_state(file.url)).standing is Standing.EMPTY
        file.execute("CREATE TABLE t (id)", "DROP TABLE t")
        assert file.path.stat().st_size > 0
        assert (await database_state(file.url)).standing is Standing.EMPTY

    async def test_what_the_migrations_made_is_current_and_without_a_difference(self, place: Place):
        await prepare_database(place.url)
        state = await database_state(place.url, read_all=True)
        assert (state.standing, state.revision) == (Standing.CURRENT, "0003")
        assert (state.found, state.extras, state.pending, state.warnings) == ((), (), (), ())
        assert str(state) == f"{place} is current (0003)"

    async def test_older_one_is_behind_and_says_by_which_revisions(
        self, place: Place, upgraded: Newer
    ):
        await prepare_database(place.url)
        upgraded.add_column()
        upgraded.add("pass", what="Nothing, really.")
        state = await database_state(place.url)
        assert (state.standing, state.revision, state.head) == (Standing.BEHIND, "0003", "0005")
        assert [str(revision) for revision in state.pending] == [
            "0004 (Room for more)",
            "0005 (Nothing, really)",
        ]
        assert str(state) == f"{place} is at 0003, and is upgraded at start to 0005"

    async def test_looking_touches_nothing(self, place: Place, upgraded: Newer):
        await prepare_database(place.url)
        place.execute(*ROWS)
        before = place.everything()
        await database_state(place.url, read_all=True)
        assert place.everything() == before
        upgraded.add_column()
        await database_state(place.url)
        assert place.everything() == before

    async def test_database_in_use_can_be_looked_at(self, place: Place):
        await prepare_database(place.url)
        store = await open_store(place.url)
        await store.count_nodes()
        with place.transaction():
            assert (await database_state(place.url)).standing is Standing.CURRENT
        await store.close()


async def _unversioned(place: Place) -> None:
    await prepare_database(place.url)
    place.execute("DROP TABLE alembic_version")


async def _emptied_of_its_version(place: Place) -> None:
    await prepare_database(place.url)
    place.execute("DELETE FROM alembic_version")


async def _with_a_table_of_versions_of_another_kind(place: Place) -> None:
    await prepare_database(place.url)
    place.execute("DROP TABLE alembic_version", "CREATE TABLE alembic_version (id INTEGER)")


async def _ahead(place: Place) -> None:
    await prepare_database(place.url)
    place.execute("UPDATE alembic_version SET version_num = '0417'")


async def _others(place: Place) -> None:
    place.execute("CREATE TABLE strangers (id INTEGER)")


async def _others_that_number_as_we_do(place: Place) -> None:
    place.execute("CREATE TABLE strangers (id INTEGER)", VERSION, version("0003"))


async def _others_with_a_later_number(place: Place) -> None:
    place.execute("CREATE TABLE strangers (id INTEGER)", VERSION, version("0004"))


async def _others_with_two_heads(place: Place) -> None:
    place.execute("CREATE TABLE strangers (id INTEGER)", VERSION, version("a"), version("b"))


async def _stamped_by_others(place: Place) -> None:
    place.execute(VERSION, version("1975ea83b712"))


async def _ours_stamped_by_others(place: Place) -> None:
    await prepare_database(place.url)
    place.execute("UPDATE alembic_version SET version_num = '1975ea83b712'")


async def _others_view(place: Place) -> None:
    place.execute("CREATE VIEW strangers AS SELECT 1 AS id")


async def _view_in_the_place_of_versions(place: Place) -> None:
    place.execute("CREATE VIEW alembic_version AS SELECT '0003' AS version_num")


async def _view_of_our_name(place: Place) -> None:
    place.execute("CREATE VIEW pubsub_node AS SELECT 1 AS id")


async def _with_two_heads(place: Place) -> None:
    await prepare_database(place.url)
    place.execute(version("0004"))


async def _without_its_tables(place: Place) -> None:
    place.execute(VERSION, version("0003"))


async def _without_a_table(place: Place) -> None:
    await prepare_database(place.url)
    place.execute("DROP TABLE pubsub_item")


Make = Callable[[Place], object]

REFUSED = [
    (_unversioned, Standing.UNVERSIONED, DatabaseUnversioned, ("pubsub_node", "restore a whole")),
    (_emptied_of_its_version, Standing.UNVERSIONED, DatabaseUnversioned, ("pubsub_item",)),
    (
        _with_a_table_of_versions_of_another_kind,
        Standing.UNVERSIONED,
        DatabaseUnversioned,
        ("alembic_version",),
    ),
    (
        _ahead,
        Standing.AHEAD,
        DatabaseAhead,
        ("at revision 0417", "its newest is 0003", "start the newer", "db downgrade 0003"),
    ),
    (_others, Standing.FOREIGN, DatabaseForeign, ("(strangers)", "name another database")),
    (_others_that_number_as_we_do, Standing.FOREIGN, DatabaseForeign, ("(strangers)",)),
    (_others_with_a_later_number, Standing.FOREIGN, DatabaseForeign, ("(strangers)",)),
    (_others_with_two_heads, Standing.FOREIGN, DatabaseForeign, ("(strangers)",)),
    (_stamped_by_others, Standing.FOREIGN, DatabaseForeign, ("1975ea83b712", "none of Pub")),
    (_ours_stamped_by_others, Standing.FOREIGN, DatabaseForeign, ("1975ea83b712",)),
    (_others_view, Standing.FOREIGN, DatabaseForeign, ("(strangers)",)),
    (_view_in_the_place_of_versions, Standing.FOREIGN, DatabaseForeign, ("(alembic_version)",)),
    (_view_of_our_name, Standing.UNVERSIONED, DatabaseUnversioned, ("(pubsub_node)",)),
    (_with_two_heads, Standing.BROKEN, DatabaseBroken, ("several revisions: 0003, 0004",)),
    (_without_its_tables, Standing.BROKEN, DatabaseBroken, ("all tables are missing", "restore")),
    (_without_a_table, Standing.BROKEN, DatabaseBroken, ("table pubsub_item is missing",)),
]


@pytest.mark.parametrize(
    ("make", "standing", "error", "words"), REFUSED, ids=[case[0].__name__[1:] for case in REFUSED]
)
async def test_anything_else_is_refused_with_a_remedy_and_left_as_it_is(
    place: Place,
    make: Make,
    standing: Standing,
    error: type[DatabaseRefused],
    words: tuple[str, ...],
):
    await make(place)
    before = place.everything()
    state = await database_state(place.url)
    assert state.standing is standing
    for refuse in (
        lambda: prepare_database(place.url),
        lambda: upgrade_database(place.url, is_trial=True),
        lambda: downgrade_database(place.url, "base"),
    ):
        with pytest.raises(DatabaseRefused) as caught:
            await refuse()
        assert type(caught.value) is error
        said = str(caught.value)
        assert said.startswith(f"[database] url: {place} ")
        assert "\n" not in said
        assert all(word in said for word in words), said
    assert place.everything() == before


@pytest.mark.parametrize("make", [_without_a_table, _unversioned])
async def test_whoever_wants_to_begin_anew_hears_how(place: Place, make: Make):
    await make(place)
    said = str(await database_state(place.url))
    if place.kind == "sqlite":
        assert "an empty one (remove cache.db, cache.db-wal and cache.db-shm)" in said
        for suffix in ("", "-wal", "-shm"):
            place.path.with_name(f"cache.db{suffix}").unlink(missing_ok=True)
        assert "was created" in str(await prepare_database(place.url))
    else:
        assert "an empty one (dropdb removes it, and createdb makes it anew)" in said


class TestViews:
    async def test_materialised_one_counts_too(self, postgresql_url: str):
        Place(postgresql_url).execute("CREATE MATERIALIZED VIEW pubsub_node AS SELECT 1 AS id")
        with pytest.raises(DatabaseUnversioned, match="pubsub_node"):
            await prepare_database(postgresql_url)

    async def test_those_of_an_extension_come_with_the_database(self, postgresql_url: str):
        place = Place(postgresql_url)
        place.execute(
            "CREATE VIEW statistics AS SELECT 1 AS id",
            "ALTER EXTENSION plpgsql ADD VIEW statistics",
        )
        assert "was created" in str(await prepare_database(place.url))


class TestWhileOthersWrite:
    """Without a WAL a look reads the file alone, past all locks, and may see half of a change."""

    @pytest.mark.parametrize("is_error", [True, False])
    async def test_what_was_seen_meanwhile_is_not_trusted(
        self, file: Place, monkeypatch: pytest.MonkeyPatch, is_error: bool
    ):
        await prepare_database(file.url)
        looks = []

        def look(connection, database, revisions):
            state = states.look(connection, database, revisions)
            looks.append(state)
            if len(looks) > 1:
                return state
            file.execute(*ROWS)
            assert not file.path.with_name("cache.db-wal").exists()
            if is_error:
                error = sqlite3.OperationalError("locking protocol")
                error.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
                raise OperationalError("SELECT", {}, error)
            return replace(state, standing=Standing.BROKEN, found=("half of a change",))

        monkeypatch.setattr(migrate, "look", look)
        assert (await database_state(file.url)).standing is Standing.CURRENT
        assert len(looks) == 2


class TestLink:
    async def test_files_beside_what_it_leads_to_are_seen_and_the_copy_is_there(
        self, file: Place, upgraded: Newer
    ):
        target = file.path.parent / "disk" / "kept.db"
        target.parent.mkdir()
        file.path.symlink_to(target)
        target.touch()
        with closing(sqlite3.connect(target)) as other:
            # Whoever has it open keeps what is committed in the WAL.
            other.execute("SELECT * FROM sqlite_schema").fetchall()
            await prepare_database(file.url)
            other.execute("SELECT * FROM pubsub_node").fetchall()
            file.execute(*ROWS)
            assert target.with_name("kept.db-wal").stat().st_size > 0
            state = await database_state(file.url)
            assert state.standing is Standing.CURRENT
            assert str(state).startswith(f"{target} ")
        upgraded.add("pass")
        assert (await prepare_database(file.url)).copy == target.with_name("kept.db.0003.backup")
        assert file.path.is_symlink()

    async def test_loop_is_refused(self, file: Place):
        file.path.symlink_to(file.path)
        with pytest.raises(DatabaseRefused, match="names no file: Symlink loop"):
            await database_state(file.url)


class TestDamagedFiles:
    async def _is_refused(self, place: Place, error: type[DatabaseRefused], *words: str) -> None:
        before = place.everything()
        with pytest.raises(DatabaseRefused) as caught:
            await prepare_database(place.url)
        assert type(caught.value) is error
        said = str(caught.value)
        assert all(word in said for word in words), said
        assert place.everything() == before

    async def test_file_that_is_no_database_is_foreign(self, file: Place):
        file.path.write_text("Dear diary,\n" * 500)
        await self._is_refused(file, DatabaseForeign, "not a database", "name another database")

    async def test_damaged_catalogue_is_broken(self, file: Place):
        await prepare_database(file.url)
        content = file.path.read_bytes()
        # The cells of the catalogue's page, which end at the end of the first page.
        file.path.write_bytes(content[:110] + b"\xa5" * (4096 - 110) + content[4096:])
        await self._is_refused(file, DatabaseBroken, "is broken: the file is damaged", "restore")

    async def test_damaged_page_of_rows_is_found_by_reading_all_of_it(self, file: Place):
        await prepare_database(file.url)
        file.execute(*ROWS)
        with closing(file.path.open("r+b")) as opened:
            opened.seek(-4096, 2)
            opened.write(b"\xa5" * 4096)
        state = await database_state(file.url, read_all=True)
        assert state.standing is Standing.BROKEN
        assert state.found[0] == "is damaged"
        assert len(state.found) > 1


class TestUnreachable:
    async def test_missing_directory(self, file: Place):
        missing = file.path.parent / "missing"
        with pytest.raises(DatabaseRefused, match=f"there is no directory {missing}; create it"):
            await database_state(f"sqlite:///{missing}/cache.db")

    async def test_directory_in_the_place_of_the_file(self, file: Place):
        file.path.mkdir()
        with pytest.raises(DatabaseRefused, match="is a directory"):
            await database_state(file.url)

    async def test_name_that_no_file_can_have(self, file: Place):
        for path in (f"{'x' * 300}/cache.db", f"{'x' * 300}.db"):
            with pytest.raises(DatabaseRefused, match="cannot be looked at: File name too long"):
                await database_state(f"sqlite:///{file.path.parent}/{path}")

    async def test_directory_that_nobody_lets_us_into(self, file: Place):
        closed = file.path.parent / "closed"
        closed.mkdir(mode=0o000)
        script = (
            "import asyncio, os, sys\n"
            "from pubcellar.core.errors import DatabaseRefused\n"
            "from pubcellar.storage import backup, database_state, revisions\n"
            "from pubcellar.storage.databases import database_named\n"
            "from pubcellar.storage.revisions import known_revisions\n"
            "known = known_revisions()\n"
            "revisions.known_revisions = lambda: known\n"
            "if os.geteuid() == 0:\n"
            "    os.seteuid(65534)\n"
            "try:\n"
            "    asyncio.run(database_state(sys.argv[1]))\n"
            "except DatabaseRefused as error:\n"
            "    print(error)\n"
            "print(backup.copies(database_named(sys.argv[1])))\n"
        )
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", script, f"sqlite:///{closed}/cache.db"],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
        )
        said, copies = done.stdout.splitlines() or pytest.fail(done.stderr)
        assert f"{closed}/cache.db cannot be looked at: Permission denied; let the user" in said
        assert copies == "()"

    async def test_server_that_is_not_there(self, tmp_path_factory: pytest.TempPathFactory):
        nowhere = f"postgresql://nobody@/nothing?host={tmp_path_factory.mktemp('none')}"
        with pytest.raises(DatabaseRefused, match="cannot be reached") as caught:
            await database_state(nowhere)
        assert type(caught.value) is DatabaseRefused

    async def test_database_that_is_not_there(self, postgresql_url: str):
        with pytest.raises(DatabaseRefused, match="does not exist"):
            await database_state(postgresql_url.replace("/test_", "/no_test_"))

    async def test_user_who_may_not_create_tables(self, postgresql_url: str):
        with psycopg.connect(postgresql_url) as connection:
            connection.execute("DROP ROLE IF EXISTS guest")
            connection.execute("CREATE ROLE guest LOGIN")
        url = postgresql_url.replace("postgres@", "guest@")
        with pytest.raises(DatabaseRefused) as caught:
            await prepare_database(url)
        assert type(caught.value) is DatabaseRefused
        assert "permission denied" in str(caught.value)
        assert "OWNER TO" in str(caught.value)
        assert "\n" not in str(caught.value)
