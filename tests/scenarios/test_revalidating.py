"""A node in doubt is compared, and what the service lets us know to be unchanged is not fetched."""

from typing import Any

import pytest
from playbook import PUBSUB, Cellar, Service, canonical, item_ids, items

from pubcellar import Analyser
from pubcellar.core.counters import Happened
from pubcellar.core.values import BareJID, Item, NodeKey, is_same_xml

IDS = [f"i{number}" for number in range(1, 31)]
CHANGED = "<changed xmlns='urn:example:changed'/>"
OWN = "cache.example.org"
UNCHANGED = [
    "info notes/a",
    "items notes/a newest=1",
    "subscribe notes/a",
    "items notes/a newest=1",
    "list notes/a",
]


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


def payloads(service: Service) -> int:
    """Return how many items were asked for, at least; without those by which orders are seen."""
    by_id = [one.split(" id=")[1:] for one in service.asked if " id=" in one]
    number = sum(len(ids) for ids in by_id if len(ids) == len(set(ids)))
    paged = any("max=100" in one for one in service.asked)
    return len(service.nodes["notes/a"].items) if paged else number


async def held(cellar: Cellar, service: Service, *, moves: bool) -> None:
    """Hold a node whose service is, or is not, known to move republished items."""
    await cellar.holds(service, "notes/a", IDS)
    for one in ("i1", "i2") if moves else ():
        cellar.receives(service.publish("notes/a", one))
        await cellar.settled()
    await cellar.advance(13 * 60)
    await cellar.advance(1)
    service.asked.clear()


async def lose_the_stream(cellar: Cellar) -> None:
    cellar.disconnect()
    await cellar.settled()


async def is_right(cellar: Cellar, service: Service) -> None:
    """The node is LIVE, as the service has it, and answered without it."""
    assert await cellar.state("notes/a") == "live"
    service.asked.clear()
    answer = await cellar.result(items("notes/a", max_items=100))
    assert item_ids(answer) == list(service.nodes["notes/a"].items)
    held = await cellar.store.items_by_id(
        NodeKey(BareJID(service.jid), "notes/a"), item_ids(answer)
    )
    for one in held:
        there = service.nodes["notes/a"].items[one.item_id]
        assert is_same_xml(one.xml, there.replace("<item ", f"<item xmlns='{PUBSUB}' ", 1))
    assert service.asked == []
    assert service.nodes["notes/a"].subscribers == {OWN}


class TestUnchanged:
    async def test_where_items_move_no_payload_but_the_newest_is_transferred(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, moves=True)
        generation = (await cellar.record("notes/a")).generation
        await lose_the_stream(cellar)
        await cellar.reconnect()
        assert [one for one in service.asked if "newest=3" not in one][:5] == UNCHANGED
        assert payloads(service) == 0
        assert (await cellar.record("notes/a")).generation == generation
        assert cellar.counted(Happened.SYNCHRONISED) == 1
        await is_right(cellar, service)

    async def test_after_a_restart_too(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service, moves=True)
        await cellar.kill()
        service.asked.clear()
        await cellar.start()
        await cellar.advance(2)
        assert payloads(service) == 0
        assert cellar.counted(Happened.SYNCHRONISED) == 0
        await is_right(cellar, service)

    async def test_where_items_may_stay_all_are_compared_but_none_is_written(
        self, cellar: Cellar, either: Service
    ) -> None:
        await held(cellar, either, moves=False)
        generation = (await cellar.record("notes/a")).generation
        cellar.store.broken |= {"put_item", "stage", "publish_staged"}
        await lose_the_stream(cellar)
        await cellar.reconnect()
        assert payloads(either) == 30
        assert (await cellar.record("notes/a")).generation == generation
        await is_right(cellar, either)

    async def test_the_subscription_is_made_before_the_ids_are_listed(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, moves=True)
        service.nodes["notes/a"].subscribers.clear()
        await lose_the_stream(cellar)
        await cellar.reconnect()
        assert service.asked.index("subscribe notes/a") < service.asked.index("list notes/a")
        await is_right(cellar, service)


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize(
    "missed",
    [
        lambda s: s.publish("notes/a", "new"),
        lambda s: s.publish("notes/a", "i7", CHANGED),
        lambda s: (s.publish("notes/a", "i7", CHANGED), s.publish("notes/a", "new")),
        lambda s: s.publish("notes/a", list(s.nodes["notes/a"].items)[-1], CHANGED),
        lambda s: s.retract("notes/a", "i5", "i30"),
        lambda s: s.purge("notes/a"),
        lambda s: (s.purge("notes/a"), s.publish("notes/a", "i3", CHANGED)),
        lambda s: s.configure("notes/a", title="Renamed"),
    ],
)
async def test_what_was_missed_is_found(
    cellar: Cellar, service: Service, moves: bool, missed
) -> None:
    await held(cellar, service, moves=moves)
    await lose_the_stream(cellar)
    missed(service)
    await cellar.reconnect()
    await cellar.settled()
    await is_right(cellar, service)


@pytest.mark.parametrize("change", ["whitelist", None])
async def test_a_node_closed_meanwhile_is_given_up(
    cellar: Cellar, service: Service, change: str | None
) -> None:
    await held(cellar, service, moves=True)
    await lose_the_stream(cellar)
    service.nodes["notes/a"].access_model = change
    await cellar.reconnect()
    record = await cellar.record("notes/a")
    assert (record.state, record.item_count) == ("no_sync", 0)
    assert cellar.counted(Happened.DRIFT_ACCESS) == 1


async def test_a_node_deleted_meanwhile_is_forgotten_and_not_made_anew(
    cellar: Cellar, service: Service
) -> None:
    await held(cellar, service, moves=True)
    await lose_the_stream(cellar)
    service.delete("notes/a")
    await cellar.reconnect()
    assert await cellar.record("notes/a") is None
    assert not any(one.startswith("subscribe") for one in service.asked)
    assert cellar.counted(Happened.DRIFT_DELETED) == 1


class TestWhatComesMeanwhile:
    """Notifications are believed from the new subscription on, and none goes unaccounted for."""

    @pytest.mark.parametrize("step", UNCHANGED[2:])
    @pytest.mark.parametrize(
        "change",
        [
            lambda s: s.publish("notes/a", "new"),
            lambda s: s.publish("notes/a", "i9", CHANGED),
            lambda s: s.retract("notes/a", "i5"),
            lambda s: s.purge("notes/a"),
        ],
    )
    async def test_it_is_in_the_answer(
        self, cellar: Cellar, service: Service, step: str, change
    ) -> None:
        await held(cellar, service, moves=True)
        await lose_the_stream(cellar)
        service.publish("notes/a", "missed")
        cellar.stands_aside(service)
        await cellar.until(lambda: bool(cellar.clock.reactor.tcpClients), advancing=5)
        await cellar.connect()
        is_subscribed = is_done = False
        while not is_done:
            reply = service.reply((await cellar.next()).element)[0]
            is_subscribed |= service.asked[-1] == UNCHANGED[2]
            is_done = is_subscribed and service.asked[-1] == step
            if is_done:
                cellar.receives(change(service))
            cellar.receives(reply)
        cellar.stands_behind(service)
        await cellar.settled()
        await is_right(cellar, service)

    async def test_an_old_item_that_comes_with_the_subscription_does_no_harm(
        self, cellar: Cellar, either: Service
    ) -> None:
        await held(cellar, either, moves=False)
        either.nodes["notes/a"].greeting = "i30"
        await lose_the_stream(cellar)
        either.publish("notes/a", "i30", CHANGED)
        either.publish("notes/a", "i4", CHANGED)
        await cellar.reconnect()
        await is_right(cellar, either)

    async def test_a_second_loss_begins_anew(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service, moves=True)
        cellar.store.hold("ids_written_since")
        await lose_the_stream(cellar)
        await cellar.until(lambda: bool(cellar.clock.reactor.tcpClients), advancing=5)
        await cellar.connect()
        await cellar.until(lambda: "ids_written_since" in cellar.store.held)
        cellar.disconnect()
        service.publish("notes/a", "missed", CHANGED)
        cellar.store.release("ids_written_since")
        await cellar.reconnect()
        await cellar.advance(2)
        await is_right(cellar, service)


async def test_until_it_is_done_the_node_is_forwarded(cellar: Cellar, service: Service) -> None:
    await held(cellar, service, moves=True)
    cellar.store.hold("ids_written_since")
    await lose_the_stream(cellar)
    service.publish("notes/a", "missed", CHANGED)
    await cellar.until(lambda: bool(cellar.clock.reactor.tcpClients), advancing=5)
    await cellar.connect()
    await cellar.until(lambda: "ids_written_since" in cellar.store.held)
    assert await cellar.state("notes/a") == "stale"
    assert "urn:example:changed" in canonical(await cellar.result(items("notes/a")))
    cellar.store.release("ids_written_since")
    await cellar.settled()
    await is_right(cellar, service)


async def test_a_service_that_refuses_to_subscribe_us_has_all_fetched(
    cellar: Cellar, service: Service
) -> None:
    await held(cellar, service, moves=True)
    await lose_the_stream(cellar)
    service.nodes["notes/a"].refuses_subscriptions = True
    service.publish("notes/a", "i4", CHANGED)
    await cellar.reconnect()
    record = await cellar.record("notes/a")
    assert (record.state, record.subscription) == ("live", "none")
    assert cellar.counted(Happened.SYNCHRONISED) == 2
    assert "urn:example:changed" in canonical(await cellar.result(items("notes/a")))


class Letters(Analyser):
    """Notes its version in every item."""

    name = "letters"
    type = "letter"
    node = "letters/"
    to_sync = True

    def __init__(self, version: str) -> None:
        self.version = version

    async def parse(self, item: Item, key: NodeKey) -> dict[str, Any]:
        return {"version": self.version}


async def test_items_parsed_by_an_older_version_are_fetched_and_parsed(
    cellar: Cellar, service: Service
) -> None:
    cellar.analysers = [Letters("1")]
    await cellar.restart()
    await cellar.holds(service, "letters/a", ["i1", "i2"])
    cellar.analysers = [Letters("2")]
    await cellar.restart()
    await cellar.advance(2)
    key = NodeKey(BareJID(service.jid), "letters/a")
    assert await cellar.store.parsers(key) == {"letters/2"}
    assert await cellar.state("letters/a") == "live"
