"""Services that do not do all that the XEPs say; nothing of it may be guessed."""

import pytest
from playbook import PUBSUB, Cellar, Service, info, item, item_ids, items, listing

IDS = ["i1", "i2", "i3"]


async def test_a_paging_service_that_lists_no_ids_is_held_by_its_count(
    cellar: Cellar, paging_service: Service
) -> None:
    """ "the number of items and the pages agree" stands in for the listing."""
    paging_service.refusals["list notes/a"] = ("cancel", "feature-not-implemented")
    await cellar.holds(paging_service, "notes/a", IDS)
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    assert paging_service.asked == []


async def test_and_its_contents_are_verified_without_a_list_too(
    cellar: Cellar, paging_service: Service
) -> None:
    paging_service.refusals["list notes/a"] = ("cancel", "feature-not-implemented")
    await cellar.holds(paging_service, "notes/a", IDS)
    paging_service.publish("notes/a", "silently")
    await cellar.advance(13 * 60)
    await cellar.settled()
    assert await cellar.state("notes/a") == "live"
    assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "silently"]


async def test_a_service_that_lists_neither_pages_nor_ids_is_read_at_once(
    cellar: Cellar, service: Service
) -> None:
    service.refusals["list notes/a"] = ("cancel", "feature-not-implemented")
    await cellar.holds(service, "notes/a", IDS)
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    assert service.asked == []


async def test_a_service_that_does_not_tell_subscriptions_is_subscribed_to_again(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", IDS)
    service.refusals["subscriptions"] = ("cancel", "feature-not-implemented")
    await cellar.advance(13 * 60)
    assert service.asked[:4] == [
        "items notes/a newest=1",
        "subscriptions notes/a",
        "subscribe notes/a",
        "list notes/a",
    ]
    assert await cellar.state("notes/a") == "live"


@pytest.mark.parametrize("lists", [True, False])
async def test_an_item_sent_to_who_subscribes_keeps_its_place(
    cellar: Cellar, paging_service: Service, lists: bool
) -> None:
    """ejabberd sends what was published last, and leaves it where it was published first."""
    if not lists:
        paging_service.refusals["list notes/a"] = ("cancel", "feature-not-implemented")
    cellar.stands_behind(paging_service).has("notes/a", IDS).greeting = "i2"
    await cellar.result(items("notes/a"))
    await cellar.settled()
    paging_service.asked.clear()
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    page = await cellar.result(items("notes/a", page="<max>2</max>"))
    assert item_ids(page) == IDS[:2]
    assert paging_service.asked == []


async def test_an_item_sent_at_every_subscription_does_no_harm(
    cellar: Cellar, paging_service: Service
) -> None:
    """ejabberd sends the last item with a delay (XEP-0060 section 6.1.7)."""
    await cellar.holds(paging_service, "notes/a", IDS)
    last = paging_service.nodes["notes/a"].items["i3"]
    event = paging_service.event(f"<items node='notes/a'>{last}</items>")
    delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-20T00:00:00Z'/></message>"
    cellar.receives(event.replace("</message>", delay))
    await cellar.settled()
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    assert paging_service.asked == []


async def test_one_message_may_tell_of_several_nodes(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    await cellar.holds(service, "notes/b", IDS)
    service.retract("notes/a", "i1")
    service.retract("notes/b", "i2")
    retract = "<items node='notes/{}'><retract id='i{}'/></items>"
    cellar.receives(service.event(retract.format("a", 1) + retract.format("b", 2)))
    await cellar.settled()
    assert item_ids(await cellar.result(items("notes/a"))) == ["i2", "i3"]
    assert item_ids(await cellar.result(items("notes/b"))) == ["i1", "i3"]
    assert service.asked == []


async def test_one_contradiction_clears_a_rule(cellar: Cellar, service: Service) -> None:
    """A service that moved republished items leaves them in place from one day on."""
    await cellar.holds(service, "notes/a", IDS)
    for item_id in ("i1", "i2"):
        await cellar.advance(1)
        cellar.receives(service.publish("notes/a", item_id))
        await cellar.settled()
    service.pages = True
    cellar.receives(service.publish("notes/a", "i3"))
    service.pages = False
    await cellar.settled()
    await cellar.advance(13 * 60)
    expected = list(service.nodes["notes/a"].items)
    assert item_ids(await cellar.result(items("notes/a"))) == expected
    service.asked.clear()
    cellar.receives(service.publish("notes/a", "i3"))
    await cellar.settled()
    assert "list notes/a" in service.asked


async def test_a_bounded_number_of_nodes_is_fetched_at_once(start, service: Service) -> None:
    cellar = await start("[cache]\nmax_synchronisations = 1\n")
    for node in ("notes/a", "notes/b", "notes/c"):
        service.has(node, IDS)
        cellar.asks(items(node))
    for asked in [await cellar.next() for _ in range(3)]:
        cellar.receives(service.reply(asked.element)[0])
    sent = [await cellar.next() for _ in range(4)]
    assert [one.kind for one in sent].count("result") == 3
    await cellar.idle()
    cellar.stands_behind(service)
    cellar.receives(service.reply(next(one for one in sent if one.kind == "get").element)[0])
    await cellar.settled()
    assert [await cellar.state(f"notes/{one}") for one in "abc"] == ["live"] * 3


async def test_readers_that_come_together_wait_for_one_verification(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", IDS)
    await cellar.advance(61)
    cellar.stands_aside(service)
    for question in (items("notes/a"), info("notes/a"), listing("notes/a")):
        cellar.asks(question)
    asked = await cellar.next()
    await cellar.idle()
    cellar.receives(service.reply(asked.element)[0])
    assert [(await cellar.next()).kind for _ in range(3)] == ["result"] * 3
    await cellar.idle()


async def test_stopping_answers_what_is_in_flight_and_takes_no_more(cellar: Cellar) -> None:
    first = cellar.asks(items("other"))
    asked = await cellar.next()
    cellar.begin_to_stop()
    await cellar.settled()
    late = cellar.asks(items("other"))
    answer = await cellar.next()
    assert (answer.id, answer.condition) == (late, "wait/service-unavailable")
    cellar.answers(
        asked, f"<pubsub xmlns='{PUBSUB}'><items node='other'>{item('i')}</items></pubsub>"
    )
    answer = await cellar.next()
    assert (answer.id, answer.kind) == (first, "result")


async def test_as_many_items_as_before_are_not_the_same_items(
    cellar: Cellar, paging_service: Service
) -> None:
    """Where no ids are listed, their number alone says too little."""
    paging_service.refusals["list notes/a"] = ("cancel", "feature-not-implemented")
    await cellar.holds(paging_service, "notes/a", IDS)
    del paging_service.nodes["notes/a"].items["i2"]
    paging_service.publish("notes/a", "i5")
    await cellar.advance(13 * 60)
    await cellar.settled()
    assert item_ids(await cellar.result(items("notes/a"))) == ["i1", "i3", "i5"]


async def test_the_ids_of_one_item_are_not_listed_where_the_service_lists_none(
    cellar: Cellar, service: Service
) -> None:
    service.refusals["list notes/a"] = ("cancel", "feature-not-implemented")
    await cellar.holds(service, "notes/a", ["i1"])
    answer = await cellar.answer(listing("notes/a"))
    assert answer.condition == "cancel/feature-not-implemented"


async def test_item_not_found_for_an_item_is_not_for_the_node(
    cellar: Cellar, service: Service
) -> None:
    """XEP-0060 section 6.5.9.11 has it for nodes; some services say it of items."""
    await cellar.holds(service, "notes/a", IDS)
    service.refusals["items notes/a id=i1"] = ("cancel", "item-not-found")
    event = service.publish("notes/a", "i4")
    del service.nodes["notes/a"].items["i1"]
    cellar.receives(event)
    await cellar.settled()
    assert item_ids(await cellar.result(items("notes/a"))) == ["i2", "i3", "i4"]
    assert await cellar.state("notes/a") == "live"


@pytest.mark.parametrize("condition", ["service-unavailable", "internal-server-error"])
async def test_a_service_that_is_ill_for_a_moment_costs_no_items(
    cellar: Cellar, service: Service, condition: str
) -> None:
    """As one that is being reloaded; the type of the error is `cancel` all the same."""
    await cellar.holds(service, "notes/a", IDS)
    service.refusals["info notes/a"] = ("cancel", condition)
    await cellar.advance(61)
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    await cellar.settled()
    service.refusals.clear()
    await cellar.advance(60)
    await cellar.settled()
    assert await cellar.state("notes/a") == "live"


@pytest.mark.parametrize(
    "error", [("wait", "resource-constraint"), ("cancel", "internal-server-error")]
)
async def test_a_subscription_that_could_not_be_ended_is_ended_soon(
    cellar: Cellar, service: Service, error: tuple[str, str]
) -> None:
    await cellar.holds(service, "notes/a", IDS)
    service.refusals["unsubscribe"] = error
    service.nodes["notes/a"].access_model = "whitelist"
    await cellar.advance(61)
    await cellar.answer(items("notes/a"))
    await cellar.settled()
    assert service.nodes["notes/a"].subscribers
    service.refusals.clear()
    for _ in range(4):
        await cellar.advance(61)
    assert not service.nodes["notes/a"].subscribers
