"""A held node follows its service's events (XEP-0060 7 and 8)."""

import pytest
from playbook import Cellar, Service, canonical, info, item_ids, items

IDS = ["i1", "i2", "i3"]
CHANGED = "<changed xmlns='urn:c'/>"


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


async def read(cellar: Cellar, service: Service) -> list[str]:
    """Return what a reader finds, having made sure that the service was not asked for it."""
    await cellar.settled()
    service.asked.clear()
    found = item_ids(await cellar.result(items("notes/a")))
    assert service.asked == []
    return found


async def test_a_published_item_is_there(cellar: Cellar, either: Service) -> None:
    """Section 7.1.2.1."""
    await cellar.holds(either, "notes/a", IDS)
    cellar.receives(either.publish("notes/a", "i4"))
    assert await read(cellar, either) == [*IDS, "i4"]


async def test_a_read_right_behind_an_event_sees_it(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    cellar.receives(service.publish("notes/a", "i4"))
    assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i4"]


async def test_an_item_without_payload_is_fetched(cellar: Cellar, either: Service) -> None:
    """Section 7.1.2.2."""
    await cellar.holds(either, "notes/a", IDS)
    cellar.receives(either.announce("notes/a", "i4"))
    await cellar.settled()
    assert either.asked[0] == "items notes/a id=i4"
    assert await read(cellar, either) == [*IDS, "i4"]


async def test_an_item_that_names_its_publisher_in_notifications_alone_is_fetched(
    cellar: Cellar, service: Service
) -> None:
    """As Prosody's personal eventing does: an answer from the cache must not name it either."""
    await cellar.holds(service, "notes/a", IDS)
    event = service.publish("notes/a", "i4")
    cellar.receives(event.replace("<item ", "<item publisher='romeo@montague.lit' "))
    await cellar.settled()
    assert service.asked[0] == "items notes/a id=i4"
    answer = await cellar.result(items("notes/a"))
    assert item_ids(answer) == [*IDS, "i4"]
    assert "romeo" not in canonical(answer)


async def test_nobody_sees_more_items_than_a_full_node_has(
    cellar: Cellar, service: Service
) -> None:
    """Whether a new item pushed out the oldest is known only when that has been asked for."""
    await cellar.holds(service, "notes/a", IDS)
    event = service.publish("notes/a", "i4")
    del service.nodes["notes/a"].items["i1"]
    cellar.receives(event)
    assert item_ids(await cellar.result(items("notes/a"))) == ["i2", "i3", "i4"]


async def test_while_that_is_asked_readers_are_forwarded(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    # The first new item shows at which end of the list the newest is.
    cellar.receives(service.publish("notes/a", "i0"))
    await cellar.settled()
    event = service.publish("notes/a", "i4")
    del service.nodes["notes/a"].items["i1"]
    cellar.stands_aside(service)
    cellar.receives(event)
    question = await cellar.next()
    assert question.sender == "cache.example.org"
    cellar.asks(items("notes/a"))
    forwarded = await cellar.next()
    assert forwarded.sender.startswith("juliet")
    cellar.receives(service.reply(question.element)[0])


async def test_several_items_are_retracted_at_once(cellar: Cellar, either: Service) -> None:
    """Section 7.2.2.1."""
    await cellar.holds(either, "notes/a", IDS)
    cellar.receives(either.retract("notes/a", "i1", "i3"))
    assert await read(cellar, either) == ["i2"]


async def test_a_purge_empties_the_node(cellar: Cellar, either: Service) -> None:
    """Section 8.5.2."""
    await cellar.holds(either, "notes/a", IDS)
    cellar.receives(either.purge("notes/a"))
    assert await read(cellar, either) == []


async def test_a_deletion_forgets_the_node(cellar: Cellar, either: Service) -> None:
    """Section 8.4.2; the next read is the service's to answer."""
    await cellar.holds(either, "notes/a", IDS)
    cellar.receives(either.delete("notes/a"))
    await cellar.settled()
    assert await cellar.record("notes/a") is None
    answer = await cellar.answer(items("notes/a"))
    assert answer.condition == "cancel/item-not-found"


async def test_a_node_made_again_is_held_anew(cellar: Cellar, either: Service) -> None:
    await cellar.holds(either, "notes/a", IDS)
    cellar.receives(either.delete("notes/a"))
    await cellar.settled()
    await cellar.holds(either, "notes/a", ["j1", "j2"])
    cellar.receives(either.publish("notes/a", "j3"))
    assert await read(cellar, either) == ["j1", "j2", "j3"]


async def test_a_new_configuration_is_looked_at(cellar: Cellar, either: Service) -> None:
    """Section 8.2.5.5."""
    await cellar.holds(either, "notes/a", IDS)
    cellar.receives(either.configure("notes/a", title="Renamed"))
    await cellar.settled()
    assert "info notes/a" in either.asked
    either.asked.clear()
    answer = await cellar.result(info("notes/a"))
    assert "Renamed" in [one.text for one in answer.iter()]
    assert either.asked == []


@pytest.mark.parametrize("model", ["whitelist", "future", None])
async def test_a_node_that_is_closed_to_us_is_given_up(
    cellar: Cellar, either: Service, model: str | None
) -> None:
    await cellar.holds(either, "notes/a", IDS)
    either.nodes["notes/a"].outcasts.add("cache.example.org")
    cellar.receives(either.configure("notes/a", model))
    await cellar.settled()
    record = await cellar.record("notes/a")
    assert (record.state, record.item_count) == ("no_sync", 0)
    assert either.nodes["notes/a"].subscribers == set()
    either.asked.clear()
    await cellar.answer(items("notes/a"))
    assert len(either.asked) == 1


async def test_until_a_new_configuration_is_known_readers_are_forwarded(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", IDS)
    cellar.stands_aside(service)
    cellar.receives(service.configure("notes/a", "whitelist"))
    asked = await cellar.next()
    cellar.asks(items("notes/a"))
    forwarded = await cellar.next()
    assert forwarded.sender.startswith("juliet")
    cellar.receives(service.reply(forwarded.element)[0])
    assert (await cellar.next()).condition == "auth/forbidden"
    assert asked.sender == "cache.example.org"


async def test_a_subscription_that_ended_is_made_again(cellar: Cellar, either: Service) -> None:
    """Section 8.8.4."""
    await cellar.holds(either, "notes/a", IDS)
    either.nodes["notes/a"].subscribers.clear()
    either.publish("notes/a", "silently")
    cellar.receives(
        either.event("<subscription node='notes/a' jid='cache.example.org' subscription='none'/>")
    )
    await cellar.settled()
    assert either.nodes["notes/a"].subscribers == {"cache.example.org"}
    assert await read(cellar, either) == [*IDS, "silently"]


@pytest.mark.parametrize(
    "action",
    [
        "<items node='notes/a'><retract id='i3i2i1'/></items>",
        "<items node='notes/a'><retract/></items>",
        "<items node='notes/a'><item/></items>",
        "<items node='notes/a'><future xmlns='urn:f'/></items>",
        "<items node='notes/a'/>",
        "<future node='notes/a'/>",
        "<subscription node='notes/a' subscription='odd'/>",
        "<items node='notes/a'><item id='gone'/></items>",
    ],
)
async def test_what_makes_no_sense_means_verify(
    cellar: Cellar, either: Service, action: str
) -> None:
    """ejabberd runs ids of evicted items together."""
    await cellar.holds(either, "notes/a", IDS)
    either.retract("notes/a", "i1", "i2")
    cellar.receives(either.event(action))
    await cellar.settled()
    assert "list notes/a" in either.asked
    assert await read(cellar, either) == ["i3"]


async def test_an_evicted_item_goes_with_the_one_that_pushed_it_out(
    cellar: Cellar, service: Service
) -> None:
    """Services drop the oldest item of a full node silently."""
    await cellar.holds(service, "notes/a", IDS)
    event = service.publish("notes/a", "i4")
    service.retract("notes/a", "i1")
    cellar.receives(event)
    assert await read(cellar, service) == ["i2", "i3", "i4"]


async def test_an_item_too_large_to_hold_gives_the_node_up(start, service: Service) -> None:
    cellar = await start("[cache]\nmax_item_bytes = '1KiB'\n")
    await cellar.holds(service, "notes/a", IDS)
    cellar.receives(service.publish("notes/a", "i4", f"<n xmlns='urn:n'>{'x' * 2000}</n>"))
    await cellar.settled()
    assert await cellar.state("notes/a") == "no_sync"
    assert service.nodes["notes/a"].subscribers == set()


class TestRepublished:
    """Where a republished item goes is learnt."""

    async def republish(self, cellar: Cellar, service: Service, item_id: str) -> list[str]:
        service.asked.clear()
        cellar.receives(service.publish("notes/a", item_id, CHANGED))
        await cellar.settled()
        return list(service.asked)

    async def test_two_sightings_make_a_rule(self, cellar: Cellar, either: Service) -> None:
        await cellar.holds(either, "notes/a", IDS)
        assert "list notes/a" in await self.republish(cellar, either, "i1")
        oldest = next(iter(either.nodes["notes/a"].items))
        assert "list notes/a" in await self.republish(cellar, either, oldest)
        for _ in range(2):
            oldest = next(iter(either.nodes["notes/a"].items))
            assert await self.republish(cellar, either, oldest) == []
            expected = list(either.nodes["notes/a"].items)
            assert await read(cellar, either) == expected

    async def test_until_then_the_node_is_forwarded(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        cellar.stands_aside(service)
        cellar.receives(service.publish("notes/a", "i1", CHANGED))
        verifying = await cellar.next()
        cellar.asks(items("notes/a"))
        assert (await cellar.next()).sender.startswith("juliet")
        assert verifying.sender == "cache.example.org"

    async def test_the_newest_item_has_no_place_to_move_to(
        self, cellar: Cellar, either: Service
    ) -> None:
        await cellar.holds(either, "notes/a", IDS)
        assert await self.republish(cellar, either, "i3") == []
        answer = await cellar.result(items("notes/a", ids=["i3"]))
        assert answer.find(".//{urn:c}changed") is not None
