"""Personal eventing services (XEP-0163), which tell strangers nothing of themselves but open items.

Prosody and ejabberd answer the disco requests of who is no contact with an error, also about nodes
whose items they give to everybody.
"""

import pytest
from playbook import Cellar, Service, canonical, info, item_ids, items, listing

IDS = ["i1", "i2", "i3"]
ROMEO = "romeo@montague.lit"
ADDRESS = r"romeo\40montague.lit@cache.example.org"


def closed_to_strangers(*, pages: bool) -> Service:
    """Prosody answers disco with the one error, ejabberd (which pages) with the other."""
    service = Service(ROMEO, pages=pages)
    refusal = ("auth", "subscription-required") if pages else ("cancel", "service-unavailable")
    service.refusals = {"info": refusal, "list": refusal}
    return service


@pytest.fixture(params=["without paging", "with paging"])
def personal(request: pytest.FixtureRequest) -> Service:
    return closed_to_strangers(pages=request.param == "with paging")


async def ids_at(cellar: Cellar, **question: int) -> list[str]:
    return item_ids(await cellar.result(items("notes/a", **question), to=ADDRESS))


def strangers(service: Service) -> list[str]:
    """Who asked for the newest item, and is neither the component nor an alias."""
    askers = [asked.split(" for ") for asked in service.asked if " newest=1 for " in asked]
    return [asker for _, asker in askers if "\\40" not in asker]


async def test_open_node_is_held_and_answered_without_asking(
    cellar: Cellar, personal: Service
) -> None:
    await cellar.holds(personal, "notes/a", IDS)
    assert await ids_at(cellar) == IDS
    assert await ids_at(cellar, max_items=2) == IDS[1:]
    assert personal.asked == []


async def test_what_makes_it_open_is_an_address_that_nobody_can_know(
    cellar: Cellar, personal: Service
) -> None:
    cellar.stands_behind(personal).has("notes/a", IDS)
    await ids_at(cellar)
    await cellar.settled()
    [first] = strangers(personal)
    await cellar.advance(61)
    await ids_at(cellar)
    second = strangers(personal)[-1]
    local_parts = {one.removesuffix("@cache.example.org") for one in (first, second)}
    assert len(local_parts) == 2
    assert all(len(local_part) == 32 for local_part in local_parts)


async def test_node_shown_to_us_but_not_to_strangers_is_not_held(
    cellar: Cellar, personal: Service
) -> None:
    personal.refusals["items notes/a newest=1 for"] = ("auth", "forbidden")
    cellar.stands_behind(personal).has("notes/a", IDS)
    await ids_at(cellar)
    await cellar.settled()
    record = await cellar.record("notes/a", ROMEO)
    assert (record.state, record.item_count) == ("no_sync", 0)
    assert "strangers" in record.reason
    assert personal.nodes["notes/a"].subscribers == set()


async def test_node_closed_silently_is_not_answered_after_the_bound(
    cellar: Cellar, personal: Service
) -> None:
    """`access_verify_every`, 60 seconds."""
    await cellar.holds(personal, "notes/a", IDS)
    personal.nodes["notes/a"].access_model = "whitelist"
    await cellar.advance(61)
    answer = await cellar.answer(items("notes/a"), to=ADDRESS)
    assert answer.condition == "auth/forbidden"
    await cellar.settled()
    record = await cellar.record("notes/a", ROMEO)
    assert (record.state, record.item_count) == ("no_sync", 0)


async def test_its_disco_answers_are_the_service_s(cellar: Cellar, personal: Service) -> None:
    await cellar.holds(personal, "notes/a", IDS)
    for question in (info("notes/a"), info(None)):
        answer = await cellar.answer(question, to=ADDRESS)
        assert answer.condition == "/".join(personal.refusals["info"])


@pytest.mark.parametrize("personal", ["without paging"], indirect=True)
async def test_new_item_takes_the_place_of_the_only_one(cellar: Cellar, personal: Service) -> None:
    """The default `max_items` is 1 (XEP-0222), and eviction is silent."""
    await cellar.holds(personal, "notes/a", ["old"])
    event = personal.publish("notes/a", "new")
    del personal.nodes["notes/a"].items["old"]
    cellar.receives(event)
    assert await ids_at(cellar) == ["new"]
    await cellar.settled()
    personal.asked.clear()
    assert await ids_at(cellar) == ["new"]
    assert personal.asked == []


async def test_silent_changes_are_found(cellar: Cellar, personal: Service) -> None:
    """`verify_every`, 15 minutes."""
    await cellar.holds(personal, "notes/a", IDS)
    del personal.nodes["notes/a"].items["i2"]
    personal.publish("notes/a", "i4")
    personal.publish("notes/a", "i5")
    await cellar.advance(13 * 60)
    await cellar.settled()
    assert await cellar.state("notes/a", ROMEO) == "live"
    assert await ids_at(cellar) == ["i1", "i3", "i4", "i5"]


async def test_service_that_gives_a_part_to_who_names_no_number_is_not_held(
    cellar: Cellar,
) -> None:
    """XEP-0060 section 6.5.2; nothing else would tell us of the rest."""
    personal = closed_to_strangers(pages=False)
    node = cellar.stands_behind(personal).has("notes/a", IDS)
    node.plain_limit = 2
    await ids_at(cellar)
    await cellar.settled()
    assert await cellar.state("notes/a", ROMEO) == "failed"
    assert await ids_at(cellar, max_items=3) == IDS


class TestSubscription:
    """ejabberd accepts it, and then notifies only subscribers who are available to the user."""

    async def test_silence_is_not_believed(self, cellar: Cellar, personal: Service) -> None:
        """`max_age`, 5 minutes, as where there is no subscription."""
        await cellar.holds(personal, "notes/a", IDS)
        personal.publish("notes/a", "i2", "<changed xmlns='urn:c'/>")
        await cellar.advance(301)
        answer = await cellar.result(items("notes/a", ids=["i2"]), to=ADDRESS)
        assert "urn:c" in canonical(answer)
        await cellar.settled()
        personal.asked.clear()
        answer = await cellar.result(items("notes/a", ids=["i2"]), to=ADDRESS)
        assert "urn:c" in canonical(answer)
        assert personal.asked == []

    @pytest.mark.parametrize("is_delayed", [False, True])
    async def test_a_notification_that_came_is_unless_it_tells_of_the_past(
        self, cellar: Cellar, personal: Service, is_delayed: bool
    ) -> None:
        """`verify_every`, 15 minutes, from then on; the last item comes with the subscription."""
        await cellar.holds(personal, "notes/a", IDS)
        event = personal.publish("notes/a", "i3")
        delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-20T00:00:00Z'/></message>"
        cellar.receives(event.replace("</message>", delay) if is_delayed else event)
        await cellar.advance(301)
        personal.asked.clear()
        await ids_at(cellar)
        await cellar.settled()
        is_read_again = "items notes/a newest=1" in personal.asked
        assert is_read_again is is_delayed, personal.asked


@pytest.mark.parametrize("ids", [["i1"], IDS])
async def test_ids_that_the_service_does_not_list_are_not_listed(
    cellar: Cellar, personal: Service, ids: list[str]
) -> None:
    """Not even of one item, whose order needs no learning."""
    await cellar.holds(personal, "notes/a", ids)
    answer = await cellar.answer(listing("notes/a"), to=ADDRESS)
    assert answer.condition == "/".join(personal.refusals["list"])


async def test_what_it_says_of_itself_to_one_is_not_told_to_others(cellar: Cellar) -> None:
    personal = Service(ROMEO)
    personal.refusals = {"info for mallory": ("cancel", "service-unavailable")}
    cellar.stands_behind(personal)
    await cellar.result(info(None), to=ADDRESS)
    answer = await cellar.answer(info(None), to=ADDRESS, sender="mallory@evil.lit/x")
    assert answer.condition == "cancel/service-unavailable"


async def test_a_node_that_was_emptied_is_held_again_once_it_has_an_item(
    cellar: Cellar, personal: Service
) -> None:
    """An empty node does not show who may read it."""
    await cellar.holds(personal, "notes/a", ["i1"])
    cellar.receives(personal.retract("notes/a", "i1"))
    await cellar.advance(61)
    assert await ids_at(cellar) == []
    await cellar.settled()
    assert await cellar.state("notes/a", ROMEO) == "stale"
    personal.publish("notes/a", "i2")
    await cellar.advance(120)
    await ids_at(cellar)
    await cellar.settled()
    assert await cellar.state("notes/a", ROMEO) == "live"


class TestSilence:
    """What comes in the place of notifications, once they have stopped."""

    @pytest.mark.parametrize("ids", [["i2"], IDS])
    async def test_as_many_items_as_before_are_not_the_same_items(
        self, cellar: Cellar, personal: Service, ids: list[str]
    ) -> None:
        await cellar.holds(personal, "notes/a", ids)
        cellar.receives(personal.publish("notes/a", "i4"))
        await cellar.settled()
        del personal.nodes["notes/a"].items["i2"]
        personal.publish("notes/a", "i5")
        for _ in range(3):
            await cellar.advance(13 * 60)
            await ids_at(cellar)
        await cellar.settled()
        expected = [one for one in [*ids, "i4", "i5"] if one != "i2"]
        assert await ids_at(cellar) == expected

    async def test_nobody_reads_it_and_nobody_is_asked(
        self, cellar: Cellar, personal: Service
    ) -> None:
        await cellar.holds(personal, "notes/a", IDS)
        for _ in range(60):
            await cellar.advance(60)
        assert personal.asked == []

    @pytest.mark.parametrize("what", ["subscription", "greeting"])
    async def test_what_comes_with_the_subscription_is_no_sign(
        self, cellar: Cellar, personal: Service, what: str
    ) -> None:
        if what == "greeting":
            personal.greets_without_delay = True
            personal.has("notes/a", IDS).greeting = "i3"
            cellar.stands_behind(personal)
            await ids_at(cellar)
            await cellar.settled()
        else:
            await cellar.holds(personal, "notes/a", IDS)
            state = "<subscription node='notes/a' jid='{}' subscription='subscribed'/>"
            cellar.receives(personal.event(state.format("cache.example.org")))
        await cellar.advance(301)
        personal.asked.clear()
        await ids_at(cellar)
        await cellar.settled()
        assert "items notes/a newest=1" in personal.asked
