"""Without its database the proxy is a pure forwarder, and recovers by itself."""

import logging
from pathlib import Path

import pytest
from playbook import Cellar, Service, info, item_ids, items, listing
from sqlalchemy import text

from failing_databases import (
    Failing,
    downgraded,
    execute,
    full,
    locked,
    read_only,
    upgraded_by_another_version,
    without_a_table,
)
from pubcellar.core.counters import Happened
from throw_away_postgresql import ThrowAwayPostgresql

IDS = ["i1", "i2", "i3"]
PING = "<ping xmlns='urn:xmpp:ping'/>"
QUESTIONS = [
    items("notes/a"),
    items("notes/a", max_items=2),
    items("notes/a", ids=["i2"]),
    items("notes/a", page="<max>2</max>"),
    items("notes/none"),
    info("notes/a"),
    listing("notes/a"),
    info(),
    listing(),
    items("other", max_items=0),
    PING,
    "<query xmlns='urn:unknown'/>",
]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.mark.parametrize("question", QUESTIONS)
async def test_every_request_gets_exactly_one_answer(
    cellar: Cellar, service: Service, question: str
) -> None:
    await cellar.holds(service, "notes/a", IDS)
    cellar.store.is_broken = True
    answer = await cellar.answer(question)
    assert "internal-server-error" not in answer.condition
    await cellar.idle()


async def test_reads_are_forwarded(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    cellar.store.is_broken = True
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    assert len(service.asked) == 1
    assert cellar.counted(Happened.STORE_UNAVAILABLE) >= 1


async def test_an_event_that_could_not_be_written_is_not_lost(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", IDS)
    cellar.store.is_broken = True
    cellar.receives(service.publish("notes/a", "i4"))
    await cellar.settled()
    assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]
    cellar.store.is_broken = False
    assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]
    await cellar.advance(6)
    assert await cellar.state("notes/a") == "live"
    service.asked.clear()
    assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]
    assert service.asked == []


async def test_a_start_without_it_recovers(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    cellar.store.is_broken = True
    cellar.disconnect()
    await cellar.reconnect()
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    cellar.store.is_broken = False
    await cellar.advance(2)
    assert await cellar.state("notes/a") == "live"


async def test_an_item_that_is_damaged_is_asked_for(cellar: Cellar, service: Service) -> None:
    """What a database holds is not believed to be XML only because it once was."""
    await cellar.holds(service, "notes/a", IDS)
    async with cellar.store._connections.writing() as database:
        await database.execute(text("UPDATE pubsub_item SET xml = '<item' WHERE item_id = 'i2'"))
    answer = await cellar.result(items("notes/a"))
    assert item_ids(answer) == IDS


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what an operator reads of the database."""
    return [
        one.getMessage()
        for one in caplog.records
        if one.levelno > logging.INFO and "database" in one.getMessage()
    ]


async def is_forwarded(cellar: Cellar, service: Service, question: str) -> bool:
    service.asked.clear()
    await cellar.result(question)
    return len(service.asked) == 1


class TestPureForwarder:
    """Whatever it suffers from: all reads are forwarded, one line says so, and one the end."""

    @pytest.mark.parametrize(
        "failing",
        [locked, full, read_only, without_a_table, upgraded_by_another_version, downgraded],
    )
    async def test_until_it_works_again(
        self,
        cellar: Cellar,
        service: Service,
        failing: Failing,
        database_url: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        for node in ("notes/a", "notes/quiet"):
            await cellar.holds(service, node, IDS)
        async with failing(cellar.store, database_url):
            cellar.receives(service.publish("notes/a", "i4", f"<large>{'x' * 50_000}</large>"))
            await cellar.advance(2)
            for node in ("notes/a", "notes/quiet"):
                for question in (items(node), info(node), listing(node)) * 3:
                    assert await is_forwarded(cellar, service, question)
            assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]
            await cellar.advance(2)
            assert len(said(caplog)) == 1
            assert "every request is forwarded" in said(caplog)[0]
        await cellar.advance(2)
        await cellar.advance(6)
        assert "works again" in said(caplog)[1]
        # A database that was emptied is filled again by being read.
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]
        await cellar.settled()
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]
        assert service.asked == []
        await cellar.advance(60)
        assert len([one for one in said(caplog) if "fail" in one or "works" in one]) == 2

    async def test_items_that_another_version_has_migrated_are_not_given(
        self, cellar: Cellar, service: Service, database_url: str
    ) -> None:
        """Not even before anybody has looked at the revision."""
        await cellar.holds(service, "notes/a", IDS)
        async with upgraded_by_another_version(cellar.store, database_url):
            execute(database_url, "UPDATE pubsub_item SET xml = replace(xml, 'i2', 'migrated')")
            assert item_ids(await cellar.result(items("notes/a"))) == IDS

    async def test_one_that_was_taken_down_and_up_again_is_not_believed(
        self, cellar: Cellar, service: Service, database_url: str
    ) -> None:
        """Nobody has read it meanwhile, and what is in memory says that the node is held."""
        await cellar.holds(service, "notes/a", IDS)
        await cellar.advance(2)
        async with downgraded(cellar.store, database_url):
            pass
        await cellar.advance(2)
        for question in (items("notes/a"), items("notes/a", ids=["i2"]), items("notes/a", page="")):
            assert item_ids(await cellar.result(question))
        assert service.asked

    async def test_the_state_of_a_database_put_in_its_place_is_not_believed(
        self, cellar: Cellar, service: Service, tmp_path: Path, database_url: str
    ) -> None:
        """As when an operator restores a copy while the proxy runs."""
        if not database_url.startswith("sqlite"):
            return
        await cellar.holds(service, "notes/a", IDS)
        cellar.database_file.with_name("copy.db").unlink(missing_ok=True)
        execute(database_url, f"VACUUM INTO '{tmp_path}/copy.db'")
        cellar.receives(service.publish("notes/a", "i4"))
        await cellar.settled()
        for name in ("cache.db-wal", "cache.db-shm"):
            (tmp_path / name).unlink()
        (tmp_path / "copy.db").rename(tmp_path / "cache.db")
        await cellar.advance(2)
        await cellar.advance(2)
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]


class TestOutageOfPostgresql:
    """The server itself goes and comes back; nobody restarts the proxy."""

    @pytest.fixture
    def database_url(self, postgresql_url: str) -> str:
        return postgresql_url

    async def test_reads_are_forwarded_until_it_is_back(
        self, cellar: Cellar, service: Service, postgresql: ThrowAwayPostgresql
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        postgresql.kill()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert len(service.asked) == 1
        cellar.receives(service.publish("notes/a", "i4"))
        await cellar.settled()
        postgresql.start()
        await cellar.advance(6)
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]
        assert service.asked == []

    async def test_its_restart_is_not_noticed(
        self, cellar: Cellar, service: Service, postgresql: ThrowAwayPostgresql
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        postgresql.restart()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert service.asked == []
