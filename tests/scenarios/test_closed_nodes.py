"""Nodes that are not open are held where we are let in, and given to whom the service lets in.

Threat 5: zero leaks within the bound, and none at all once a change was seen.
"""

import pytest
from playbook import Cellar, Service, info, item_ids, items, listing
from playbook.cellar import JULIET, ROMEO
from playbook.closed import CACHE, IDS, REFUSED, alias, held, is_answered_from_the_cache

from pubcellar.core.counters import Happened

MALLORY = "mallory@evil.org/x"
MODELS = ["whitelist", "presence", "roster", "authorize"]
OUTAGE = ("wait", "remote-server-timeout")
FORMS = [
    items("notes/a"),
    items("notes/a", max_items=2),
    items("notes/a", ids=["i2"]),
    items("notes/a", page="<max>2</max>"),
    items("notes/a", page="<max>1</max><before/>"),
    items("notes/a", page="<max>1</max><after>i1</after>"),
    items("notes/a", page="<max>1</max><index>1</index>"),
    items("notes/a", page="<max>0</max>"),
    listing("notes/a"),
]


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


@pytest.mark.parametrize("model", MODELS)
async def test_a_member_is_answered_from_the_cache_after_a_read_of_their_own(
    cellar: Cellar, either: Service, model: str
) -> None:
    await held(cellar, either, model)
    assert not await is_answered_from_the_cache(cellar, either, items("notes/a"))
    for question in (items("notes/a"), items("notes/a", ids=["i2"]), info("notes/a")):
        assert await is_answered_from_the_cache(cellar, either, question)
    assert await is_answered_from_the_cache(
        cellar, either, items("notes/a"), "juliet@capulet.lit/chamber"
    )
    assert not await is_answered_from_the_cache(cellar, either, items("notes/a"), ROMEO)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("question", FORMS)
async def test_threat_5_a_stranger_is_told_what_the_service_tells_them(
    cellar: Cellar, either: Service, model: str, question: str
) -> None:
    await held(cellar, either, model)
    await cellar.result(items("notes/a"))
    assert await is_answered_from_the_cache(cellar, either, items("notes/a"))
    for _ in range(2):
        answer = await cellar.answer(question, sender=MALLORY)
        # ejabberd, as the service with paging, lists nothing rather than refuse.
        assert answer.condition == REFUSED or (
            question == listing("notes/a") and item_ids(answer.element) == []
        )


async def test_threat_6_disco_entitles_nobody(cellar: Cellar, either: Service) -> None:
    """Closed nodes answer disco#info to strangers, and ejabberd disco#items with an empty list."""
    await held(cellar, either)
    for _ in range(2):
        await cellar.result(info("notes/a"), sender=MALLORY)
        await cellar.answer(listing("notes/a"), sender=MALLORY)
        assert (await cellar.answer(items("notes/a"), sender=MALLORY)).condition == REFUSED


async def test_an_entitlement_ends_after_entitlement_max_age(
    cellar: Cellar, service: Service
) -> None:
    await held(cellar, service)
    await cellar.result(items("notes/a"))
    await cellar.advance(59)
    assert await is_answered_from_the_cache(cellar, service, items("notes/a"))
    await cellar.advance(2)
    assert not await is_answered_from_the_cache(cellar, service, items("notes/a"))
    assert await is_answered_from_the_cache(cellar, service, items("notes/a"))


@pytest.mark.parametrize("question", FORMS)
async def test_threat_5_a_person_who_was_removed_silently_reads_for_the_bound_and_no_longer(
    cellar: Cellar, service: Service, question: str
) -> None:
    await held(cellar, service)
    await cellar.result(items("notes/a"))
    service.nodes["notes/a"].members.discard(alias(JULIET))
    await cellar.advance(61)
    assert (await cellar.answer(question)).condition == REFUSED


async def test_threat_5_any_refusal_ends_an_entitlement_at_once(
    cellar: Cellar, service: Service
) -> None:
    await held(cellar, service)
    await cellar.result(items("notes/a"))
    await cellar.result(items("notes/a"), sender=ROMEO)
    service.nodes["notes/a"].members.discard(alias(JULIET))
    forwarded = items("notes/a", ids=["i1"], max_items=1)
    assert (await cellar.answer(forwarded)).condition == REFUSED
    assert (await cellar.answer(items("notes/a"))).condition == REFUSED
    assert await is_answered_from_the_cache(cellar, service, items("notes/a"), ROMEO)


@pytest.mark.parametrize(
    "change",
    [
        "<configuration node='notes/a'/>",
        "<something-new node='notes/a'/>",
        f"<subscription node='notes/a' jid='{CACHE}' subscription='none'/>",
    ],
)
@pytest.mark.parametrize("is_dealt_with", [False, True])
async def test_threat_5_a_change_that_is_seen_ends_all_entitlements_at_once(
    cellar: Cellar, either: Service, change: str, is_dealt_with: bool
) -> None:
    await held(cellar, either)
    await cellar.result(items("notes/a"))
    either.nodes["notes/a"].members.discard(alias(JULIET))
    cellar.receives(either.event(change))
    if is_dealt_with:
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"
    for question in FORMS[:-1]:
        assert (await cellar.answer(question)).condition == REFUSED
        await cellar.settled()


async def test_threat_5_metadata_that_differ_end_all_entitlements(
    cellar: Cellar, service: Service
) -> None:
    await held(cellar, service)
    await cellar.advance(50)
    await cellar.result(items("notes/a"))
    service.configure("notes/a", "whitelist", title="Silently")
    service.nodes["notes/a"].subscribers.add(CACHE)
    service.nodes["notes/a"].members.discard(alias(JULIET))
    await cellar.advance(11)
    assert (await cellar.answer(items("notes/a"))).condition == REFUSED


async def test_threat_5_what_was_asked_before_a_change_entitles_nobody_after_it(
    cellar: Cellar, service: Service
) -> None:
    await held(cellar, service)
    cellar.stands_aside(service)
    cellar.asks(items("notes/a"))
    asked = await cellar.next()
    answer = service.reply(asked.element)[0]
    cellar.stands_behind(service)
    service.nodes["notes/a"].members.discard(alias(JULIET))
    cellar.receives(service.event("<configuration node='notes/a'/>"))
    await cellar.settled()
    cellar.receives(answer)
    assert (await cellar.next()).kind == "result"
    assert (await cellar.answer(items("notes/a"))).condition == REFUSED


async def test_threat_5_what_was_asked_before_a_refusal_entitles_nobody_after_it(
    cellar: Cellar, service: Service
) -> None:
    await held(cellar, service)
    cellar.stands_aside(service)
    cellar.asks(items("notes/a"))
    asked = await cellar.next()
    answer = service.reply(asked.element)[0]
    cellar.asks(items("notes/a", max_items=1))
    cellar.refuses(await cellar.next(), "forbidden", "auth")
    assert (await cellar.next()).condition == REFUSED
    cellar.receives(answer)
    assert (await cellar.next()).kind == "result"
    service.nodes["notes/a"].members.discard(alias(JULIET))
    cellar.stands_behind(service)
    assert (await cellar.answer(items("notes/a"))).condition == REFUSED


async def test_reads_of_different_people_are_never_joined(cellar: Cellar, service: Service) -> None:
    await held(cellar, service)
    cellar.stands_aside(service)
    senders = set()
    for sender in (JULIET, ROMEO, MALLORY):
        cellar.asks(items("notes/a"), sender=sender)
        senders.add((await cellar.next()).sender.partition("/")[0])
    assert senders == {alias(one) for one in (JULIET, ROMEO, MALLORY)}


class TestWhatIsHeld:
    @pytest.mark.parametrize("what", ["reading", "subscribing"])
    async def test_a_node_that_does_not_let_us_in_is_not(
        self, cellar: Cellar, either: Service, what: str
    ) -> None:
        node = cellar.stands_behind(either).has("notes/a", IDS)
        node.access_model = "whitelist"
        node.members |= {alias(JULIET)} | ({CACHE} if what == "subscribing" else set())
        node.refuses_subscriptions = what == "subscribing"
        for _ in range(2):
            assert item_ids(await cellar.result(items("notes/a"))) == IDS
            await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.item_count) == ("no_sync", 0)
        assert "the service" in record.reason

    async def test_a_node_that_is_closed_is_held_on_for_the_entitled(
        self, cellar: Cellar, either: Service
    ) -> None:
        await cellar.holds(either, "notes/a", IDS)
        node = either.nodes["notes/a"]
        node.members |= {CACHE, alias(JULIET)}
        node.access_model = "whitelist"
        await cellar.advance(61)
        assert (await cellar.answer(items("notes/a"), sender=MALLORY)).condition == REFUSED
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.item_count) == ("live", len(IDS))
        await cellar.result(items("notes/a"))
        assert await is_answered_from_the_cache(cellar, either, items("notes/a"))
        assert cellar.counted(Happened.DRIFT_ACCESS) == 1

    async def test_a_node_that_is_opened_is_shared(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service)
        service.nodes["notes/a"].access_model = "open"
        await cellar.advance(61)
        await cellar.result(items("notes/a"), sender=MALLORY)
        await cellar.settled()
        assert await is_answered_from_the_cache(cellar, service, items("notes/a"), "new@lit/x")

    async def test_a_node_that_throws_us_out_is_given_up(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service)
        service.nodes["notes/a"].members.discard(CACHE)
        service.nodes["notes/a"].subscribers.clear()
        await cellar.advance(13 * 60)
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.item_count) == ("no_sync", 0)

    async def test_with_entitlement_max_age_of_zero_nothing_closed_is(
        self, start, service: Service
    ) -> None:
        cellar = await start("[access]\nentitlement_max_age = '0s'\n")
        node = cellar.stands_behind(service).has("notes/a", IDS)
        node.access_model, node.admits_everybody = "whitelist", True
        for _ in range(3):
            assert not await is_answered_from_the_cache(cellar, service, items("notes/a"))
            await cellar.settled()
        assert await cellar.state("notes/a") == "no_sync"


class TestServiceAway:
    async def test_who_is_entitled_is_answered(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service)
        await cellar.result(items("notes/a"))
        service.refusal = OUTAGE
        await cellar.answer(items("unknown"))
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert cellar.counted(Happened.ANSWERED_STALE) == 1
        for sender in (ROMEO, MALLORY):
            answer = await cellar.answer(items("notes/a"), sender=sender)
            assert answer.condition == "/".join(OUTAGE)
        await cellar.advance(61)
        assert (await cellar.answer(items("notes/a"))).condition == "/".join(OUTAGE)

    async def test_threat_5_who_was_refused_is_not(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service)
        await cellar.result(items("notes/a"))
        service.nodes["notes/a"].members.discard(alias(JULIET))
        await cellar.answer(items("notes/a", ids=["i1"], max_items=1))
        service.refusal = OUTAGE
        await cellar.advance(6)
        assert (await cellar.answer(items("notes/a"))).condition == "/".join(OUTAGE)

    async def test_threat_5_after_a_restart_nobody_is(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service)
        await cellar.result(items("notes/a"))
        service.refusal = OUTAGE
        await cellar.restart()
        await cellar.settled()
        assert (await cellar.answer(items("notes/a"))).condition == "/".join(OUTAGE)


class TestItemsForSome:
    """A service that lets people in to a part of a node (threat 5, "item-acl")."""

    HIDDEN = "i2"

    async def hidden_from_romeo(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service)
        service.nodes["notes/a"].hidden[alias(ROMEO)] = {self.HIDDEN}
        await cellar.result(items("notes/a"))
        assert await is_answered_from_the_cache(cellar, service, items("notes/a"))

    @pytest.mark.parametrize(
        "question",
        [items("notes/a"), items("notes/a", max_items=2), items("notes/a", ids=["i2", "i3"])],
    )
    async def test_threat_5_who_is_given_less_is_entitled_to_nothing_and_it_is_not_held_any_more(
        self, cellar: Cellar, either: Service, question: str
    ) -> None:
        await self.hidden_from_romeo(cellar, either)
        assert self.HIDDEN not in item_ids(await cellar.result(question, sender=ROMEO))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.item_count) == ("no_sync", 0)
        assert "same items" in record.reason
        for form in FORMS:
            answer = await cellar.answer(form, sender=ROMEO)
            assert self.HIDDEN not in item_ids(answer.element), form

    @pytest.mark.parametrize(
        "narrow",
        [
            items("notes/a", max_items=1),
            items("notes/a", ids=["i3"]),
            items("notes/a", page="<max>1</max><before/>"),
            items("notes/a", page="<max>1</max>"),
        ],
    )
    async def test_threat_5_who_was_shown_a_part_is_given_no_more(
        self, cellar: Cellar, either: Service, narrow: str
    ) -> None:
        """An answer that does not differ entitles to what it shows, not to the whole node."""
        await self.hidden_from_romeo(cellar, either)
        await cellar.result(narrow, sender=ROMEO)
        for form in [*FORMS, items("notes/a", ids=[self.HIDDEN])]:
            answer = await cellar.answer(form, sender=ROMEO)
            assert self.HIDDEN not in item_ids(answer.element), form

    async def test_who_was_shown_a_part_is_given_that_from_the_cache(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service)
        await cellar.result(items("notes/a", max_items=1))
        assert await is_answered_from_the_cache(cellar, service, items("notes/a", max_items=1))
        assert not await is_answered_from_the_cache(cellar, service, items("notes/a", max_items=2))
        cellar.receives(service.publish("notes/a", "i4"))
        await cellar.settled()
        assert not await is_answered_from_the_cache(cellar, service, items("notes/a", max_items=1))

    async def test_an_item_that_is_not_there_any_more_is_nobody_s_secret(
        self, cellar: Cellar, service: Service
    ) -> None:
        """What was removed silently is repaired; the node is held on."""
        await held(cellar, service)
        del service.nodes["notes/a"].items["i2"]
        await cellar.result(items("notes/a"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.item_count) == ("live", 2)
        await cellar.result(items("notes/a"))
        assert await is_answered_from_the_cache(cellar, service, items("notes/a"))


class TestCheckOpen:
    async def test_outcasts_of_open_nodes_are_refused(self, start, service: Service) -> None:
        cellar = await start("[access]\ncheck_open = true\n")
        await cellar.holds(service, "notes/a", IDS)
        service.nodes["notes/a"].outcasts.add(alias(ROMEO))
        await cellar.result(items("notes/a"))
        assert await is_answered_from_the_cache(cellar, service, items("notes/a"))
        for _ in range(2):
            assert (await cellar.answer(items("notes/a"), sender=ROMEO)).condition == REFUSED
            await cellar.settled()

    async def test_without_it_open_nodes_are_everybody_s(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        assert await is_answered_from_the_cache(cellar, service, items("notes/a"), ROMEO)
