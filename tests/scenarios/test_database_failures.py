"""Without its database the proxy is a pure forwarder, and recovers by itself (design §8)."""

import pytest
from playbook import Cellar, Service, info, item_ids, items, listing
from sqlalchemy import text

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
