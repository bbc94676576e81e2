"""Other contents under the same ids, in the same order, are found by comparing items whole."""

import logging

import pytest
from playbook import Cellar, Service, canonical, item_ids, items

from pubcellar.core.counters import Happened

IDS = [f"i{number}" for number in range(1, 31)]
CHANGED = "<changed xmlns='urn:example:changed'/>"
ALMOST_DUE, DUE = 8 * 60, 13 * 60
OWN = "cache.example.org"


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


def changed_in_place(service: Service, *ids: str) -> None:
    for one in ids:
        held = service.nodes["notes/a"].items[one]
        service.nodes["notes/a"].items[one] = held.replace(f">{one}<", ">Other<")


async def heard_of_republishing(cellar: Cellar, service: Service, *ids: str) -> None:
    for one in ids:
        cellar.receives(service.publish("notes/a", one))
        await cellar.settled()


def compared(service: Service) -> list[int]:
    """Return how many items were asked for at a time to be compared, in batches by id.

    Where the order of answers by id is looked at, the first of three is asked for twice.
    """
    batches = [one.split(" id=")[1:] for one in service.asked if " id=" in one]
    return [len(ids) for ids in batches if len(ids) == len(set(ids))]


async def read(cellar: Cellar) -> str:
    """Return the answer to a read, which asks the service for nothing but the access model."""
    return canonical(await cellar.result(items("notes/a")))


class TestWhereAnItemMayStay:
    async def test_what_differs_is_replaced_and_nothing_else(
        self, cellar: Cellar, either: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        await cellar.holds(either, "notes/a", IDS)
        changed_in_place(either, "i3", "i8")
        before = await cellar.record("notes/a")
        with caplog.at_level(logging.INFO):
            await cellar.advance(DUE)
        assert cellar.counted(Happened.DRIFT_REPUBLISHED) == 2
        assert cellar.counted(Happened.DRIFT_REPAIRED) == 2
        assert "kind=republished number=2 remedy='replaced in their places'" in caplog.text
        after = await cellar.record("notes/a")
        assert after.generation == before.generation
        assert after.items_verified_at > before.items_verified_at
        either.asked.clear()
        answer = await cellar.result(items("notes/a"))
        assert item_ids(answer) == IDS
        assert canonical(answer).count("Other") == 2
        assert either.asked == ["info notes/a"]

    async def test_they_are_asked_for_page_by_page(
        self, cellar: Cellar, paging_service: Service
    ) -> None:
        await cellar.holds(paging_service, "notes/a", IDS)
        await cellar.advance(DUE)
        pages = [one for one in paging_service.asked if "max=" in one and "max=1 " not in f"{one} "]
        assert pages == ["items notes/a max=10", "items notes/a max=100 after=t-0009"]

    async def test_where_the_service_does_not_page_in_batches(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.advance(DUE)
        assert compared(service) == [10, 20]

    async def test_readers_are_answered_meanwhile(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        cellar.store.hold("ids_written_since")
        while "ids_written_since" not in cellar.store.held:
            await cellar.advance(29)
            assert item_ids(await cellar.result(items("notes/a"))) == IDS
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert service.asked == []
        cellar.store.release("ids_written_since")

    @pytest.mark.parametrize("is_in_answer", [True, False])
    async def test_a_notification_meanwhile_is_applied_and_the_rest_compared(
        self, cellar: Cellar, service: Service, is_in_answer: bool
    ) -> None:
        """What is notified between question and answer is no drift, whatever the answer shows."""
        await cellar.holds(service, "notes/a", IDS)
        changed_in_place(service, "i1", "i30")
        cellar.stands_aside(service)
        cellar.clock.advance(DUE)
        reply = ""
        while not compared(service):
            cellar.receives(reply)
            question = (await cellar.next()).element
            reply = service.reply(question)[0]
        event = service.publish("notes/a", "i2", CHANGED)
        cellar.receives(event)
        cellar.stands_behind(service)
        cellar.receives(service.reply(question)[0] if is_in_answer else reply)
        await cellar.settled()
        answer = await read(cellar)
        assert (answer.count("Other"), answer.count("urn:example:changed")) == (2, 1)
        assert cellar.counted(Happened.DRIFT_REPUBLISHED) == 2

    async def test_what_is_gone_when_it_is_compared_is_dropped(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        cellar.store.hold("ids_written_since")
        cellar.clock.advance(DUE)
        await cellar.until(lambda: "ids_written_since" in cellar.store.held)
        service.retract("notes/a", "i4")
        cellar.store.release("ids_written_since")
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS[:3], *IDS[4:]]
        assert await cellar.state("notes/a") == "live"

    async def test_nothing_is_compared_when_only_the_ids_are_in_doubt(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        cellar.receives(service.event("<items node='notes/a'><retract id='i2i1'/></items>"))
        await cellar.settled()
        assert compared(service) == []
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert service.asked == []

    async def test_the_clock_of_the_contents_is_not_set_by_a_look_at_the_ids(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        before = await cellar.record("notes/a")
        changed_in_place(service, "i3")
        await cellar.advance(5 * 60)
        cellar.receives(service.event("<items node='notes/a'><retract id='i2i1'/></items>"))
        await cellar.settled()
        assert (await cellar.record("notes/a")).items_verified_at == before.items_verified_at
        await cellar.advance(8 * 60)
        assert "Other" in await read(cellar)


class TestWhereAnItemMoves:
    """Its place shows that it was published again, unless what is newer came after it."""

    async def test_only_the_newest_is_compared(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await heard_of_republishing(cellar, service, "i1", "i2")
        await cellar.advance(DUE)
        service.asked.clear()
        await cellar.advance(DUE)
        assert compared(service) == []

    @pytest.mark.parametrize("heard", [("new",), ("new", "newer"), ("i9", "new", "i9")])
    async def test_a_republish_hidden_by_what_we_heard_of_is_found(
        self, cellar: Cellar, service: Service, heard: tuple[str, ...]
    ) -> None:
        """The newest item is published again, unheard; then others come, and are heard of."""
        await cellar.holds(service, "notes/a", IDS)
        await heard_of_republishing(cellar, service, "i1", "i2")
        await cellar.advance(DUE)
        service.publish("notes/a", "i2", CHANGED)
        await cellar.advance(1)
        await heard_of_republishing(cellar, service, *heard)
        service.asked.clear()
        await cellar.advance(DUE)
        assert "urn:example:changed" in await read(cellar)
        assert compared(service)[0] == len(set(heard)) + 1
        # One that differs has all compared.
        assert sum(compared(service)[1:]) == len(service.nodes["notes/a"].items)

    async def test_so_it_is_after_a_crash(self, cellar: Cellar, service: Service) -> None:
        """What was heard of before it is not forgotten with the process."""
        await cellar.holds(service, "notes/a", IDS)
        await heard_of_republishing(cellar, service, "i1", "i2")
        await cellar.advance(DUE)
        service.publish("notes/a", "i2", CHANGED)
        await cellar.advance(1)
        await heard_of_republishing(cellar, service, "new")
        await cellar.kill()
        await cellar.start()
        await cellar.advance(2)
        assert "urn:example:changed" in await read(cellar)

    async def test_a_newest_item_that_differs_has_all_compared(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1", "i2", "i3"])
        await heard_of_republishing(cellar, service, "i1", "i2")
        await cellar.advance(DUE)
        service.publish("notes/a", "i1", CHANGED)
        service.publish("notes/a", "i2", CHANGED)
        await cellar.advance(DUE)
        assert (await read(cellar)).count("urn:example:changed") == 2
        assert service.nodes["notes/a"].subscribers == {OWN}


@pytest.mark.parametrize("hints", [{}, {"{urn:xmpp:pubsub-caching:0}stable-items": "true"}])
async def test_what_is_against_the_rule_is_found_within_a_day(
    cellar: Cellar, service: Service, hints: dict[str, str]
) -> None:
    """A database restored, where items move; and a service that is wrong about itself."""
    service.has("notes/a", IDS).meta_data = hints
    cellar.stands_behind(service)
    await cellar.result(items("notes/a"))
    await cellar.settled()
    await heard_of_republishing(cellar, service, *(() if hints else ("i1", "i2")))
    await cellar.advance(DUE)
    changed_in_place(service, "i5")
    service.asked.clear()
    for _ in range(24 * 60 * 60 // DUE + 1):
        await cellar.advance(DUE)
        await cellar.result(items("notes/a"))
    assert "Other" in await read(cellar)
    # Begun again after the first batch, since for that we subscribe anew.
    assert [number for number in compared(service) if number > 3][:3] == [10, 10, 20]


async def test_nodes_fetched_together_are_not_verified_together(
    cellar: Cellar, service: Service
) -> None:
    for number in range(12):
        await cellar.holds(service, f"notes/{number}", ["i1", "i2"])
    moments = []
    for _ in range(24):
        await cellar.advance(30)
        moments.append(sum(one.startswith("list") for one in service.asked))
        service.asked.clear()
    assert sum(moments) == 12
    assert max(moments) <= 6
    assert sum(moments[: ALMOST_DUE // 30]) == 0
