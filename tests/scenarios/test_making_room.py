"""What is held stays within the bounds, and who goes is unsubscribed from."""

from datetime import timedelta

import pytest
from playbook import Cellar, Service, info, item_ids, items

from pubcellar.core.counters import Happened
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import NodeKey
from pubcellar.proxy import room

LARGE = f"<n xmlns='n'>{'x' * 5_000}</n>"
TEN = [f"i{number}" for number in range(10)]
UNSUBSCRIBE = "unsubscribe"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def subscribed(service: Service) -> set[str]:
    """Return the nodes that the component is subscribed to."""
    return {name for name, node in service.nodes.items() if node.subscribers}


class TestMaxDatabaseBytes:
    async def test_the_least_recently_read_go_until_there_is_room(
        self, start, service: Service
    ) -> None:
        cellar: Cellar = await start("[cache]\nmax_database_bytes = '1MiB'\n")
        for number in range(28):
            await cellar.holds(service, f"notes/{number}", TEN, LARGE)
            await cellar.result(items("notes/0", max_items=1))
            await cellar.advance(11)
        await cellar.advance(11)
        usage = await cellar.store.usage()
        assert usage.used_bytes <= 1 << 20
        assert usage.used_bytes > 1 << 19, "no more goes than is needed"
        assert await cellar.state("notes/0") == "live", "it is read all the time"
        assert await cellar.state("notes/27") == "live"
        assert [await cellar.state(f"notes/{number}") for number in (1, 2, 3)] == ["", "", ""]
        held = {f"notes/{n}" for n in range(28) if await cellar.state(f"notes/{n}")}
        assert subscribed(service) == held
        assert cellar.counted(Happened.DROPPED_FOR_ROOM) == 28 - len(held)

    async def test_a_node_that_takes_a_quarter_of_it_is_not_held(
        self, start, service: Service
    ) -> None:
        """No node is worth all the others."""
        cellar: Cellar = await start("[cache]\nmax_database_bytes = '1MiB'\n")
        await cellar.holds(service, "notes/a", TEN, LARGE)
        sixty = [f"i{n}" for n in range(60)]
        cellar.stands_behind(service).has("notes/large", sixty, payload=LARGE)
        assert len(item_ids(await cellar.result(items("notes/large")))) == 60
        await cellar.settled()
        record = await cellar.record("notes/large")
        assert record.state == "no_sync"
        assert "max_database_bytes" in record.reason
        assert subscribed(service) == {"notes/a"}
        assert (await cellar.store.usage()).used_bytes < 1 << 19

    async def test_one_that_grows_to_it_is_not_held_any_more(self, start, service: Service) -> None:
        cellar: Cellar = await start("[cache]\nmax_database_bytes = '1MiB'\n")
        await cellar.holds(service, "notes/a", [f"i{n}" for n in range(45)], LARGE)
        for number in range(10):
            cellar.receives(service.publish("notes/a", f"new{number}", LARGE))
        await cellar.settled()
        assert await cellar.state("notes/a") == "no_sync"
        assert subscribed(service) == set()


class TestMaxNodes:
    async def test_a_twentieth_goes_at_once(self, start, service: Service) -> None:
        cellar: Cellar = await start("[cache]\nmax_nodes = 40\n")
        await cellar.holds(service, "notes/0", ["i1"])
        for number in range(39):
            key = NodeKey(service.jid, f"remembered {number}")
            made_at = cellar.clock.now() + timedelta(seconds=number)
            await cellar.store.save_node(
                NodeRecord(key, NodeState.NO_SYNC, made_at, made_at, reason="r")
            )
        await cellar.advance(60)
        for number, left in ((1, 38), (2, 39), (3, 40), (4, 38)):
            await cellar.holds(service, f"notes/{number}", ["i1"])
            for _ in range(2):
                await cellar.advance(2)
            assert await cellar.store.count_nodes() == left
        assert subscribed(service) == {f"notes/{number}" for number in range(1, 5)}
        assert await cellar.state("remembered 4") == ""
        assert await cellar.state("remembered 5") == "no_sync"


class TestUnsubscribing:
    """A node is not forgotten before the service has ended our subscription."""

    async def test_a_refused_one_is_tried_again_and_then_forgotten(
        self, start, service: Service
    ) -> None:
        cellar: Cellar = await start("[cache]\nmax_nodes = 1\n")
        await cellar.holds(service, "notes/a", ["i1"])
        service.refusals[UNSUBSCRIBE] = ("wait", "resource-constraint")
        await cellar.holds(service, "notes/b", ["i1"])
        record = await cellar.record("notes/a")
        assert record.is_departing
        assert record.item_count == 0
        assert (await cellar.store.usage()).nodes == 1
        await cellar.restart()
        service.refusals.clear()
        await cellar.advance(3600)
        await cellar.advance(120)
        assert subscribed(service) == {"notes/b"}
        assert await cellar.state("notes/a") == ""

    async def test_who_reads_it_meanwhile_is_answered(self, start, service: Service) -> None:
        cellar: Cellar = await start("[cache]\nmax_nodes = 1\n")
        await cellar.holds(service, "notes/a", ["i1"])
        service.refusals[UNSUBSCRIBE] = ("wait", "resource-constraint")
        await cellar.holds(service, "notes/b", ["i1"])
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1"]
        cellar.receives(service.publish("notes/a", "i2"))
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1", "i2"]

    async def test_a_service_that_never_does_it_fills_no_database(
        self, start, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(room, "MOST_DEPARTING", 3)
        cellar: Cellar = await start("[cache]\nmax_nodes = 2\n")
        service.refusals[UNSUBSCRIBE] = ("wait", "resource-constraint")
        for number in range(12):
            await cellar.holds(service, f"notes/{number}", ["i1"])
            await cellar.advance(11)
        usage = await cellar.store.usage()
        assert usage.nodes <= 2
        assert usage.departing <= 3


class TestServices:
    async def test_one_that_no_node_is_of_is_forgotten_after_a_day(
        self, start, service: Service
    ) -> None:
        cellar: Cellar = await start()
        other = cellar.stands_behind(Service("other.example.org"))
        await cellar.holds(service, "notes/a", ["i1"])
        await cellar.result(info(), to="other.example.org@cache.example.org")
        await cellar.result(info())
        await cellar.settled()
        assert await cellar.store.service(other.jid) is not None
        await cellar.advance(86_400 + 1)
        await cellar.advance(61)
        await cellar.settled()
        assert await cellar.store.service(other.jid) is None
        assert await cellar.store.service(service.jid) is not None
