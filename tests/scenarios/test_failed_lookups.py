"""What has just been asked in vain is not asked again (docs/protocol.md, "Errors")."""

import pytest
from playbook import Cellar, Service, info, item_ids, items, listing
from playbook.cellar import JULIET, ROMEO
from playbook.stanzas import PUBSUB, STANZAS

from pubcellar.core.counters import Happened

IDS = ["i1", "i2"]
QUESTIONS = [items("x"), items("x", ids=["i1"]), items("x", max_items=3), info("x"), listing("x")]


async def asks_and_is_asked(cellar: Cellar, payload: str, sender: str = JULIET) -> str:
    """Ask, and see that the service is asked; nobody answers."""
    id_ = cellar.asks(payload, sender=sender)
    assert (await cellar.next()).recipient == "pubsub.example.org"
    return id_


class TestItemNotFound:
    @pytest.mark.parametrize("question", QUESTIONS)
    async def test_it_is_remembered_for_a_short_while(
        self, cellar: Cellar, service: Service, question: str
    ) -> None:
        cellar.stands_behind(service)
        for _ in range(4):
            assert (await cellar.answer(question)).condition == "cancel/item-not-found"
            await cellar.advance(1.2)
        assert len(service.asked) == 1
        assert cellar.counted(Happened.FAILURE_REMEMBERED) == 3
        service.has("x", IDS)
        await cellar.advance(0.2)
        await cellar.result(question)

    async def test_it_is_given_as_it_was(self, cellar: Cellar) -> None:
        """Type, condition, text and application condition: all that the service said."""
        id_ = cellar.asks(items("x"))
        asked = await cellar.next()
        error = (
            f"<error type='cancel' by='pubsub.example.org'><item-not-found xmlns='{STANZAS}'/>"
            f"<text xmlns='{STANZAS}' xml:lang='en'>Node not found</text>"
            "<odd xmlns='urn:odd'/></error>"
        )
        cellar.receives(
            f"<iq type='error' id='{asked.id}' from='{asked.recipient}' to='{asked.sender}'>"
            f"{items('x')}{error}</iq>"
        )
        for number in range(3):
            await cellar.sends(
                f"<iq type='error' id='{id_}' from='cache.example.org' to='{JULIET}'>{error}</iq>"
            )
            if number < 2:
                id_ = cellar.asks(items("x"))
        await cellar.idle()

    async def test_it_is_each_requester_s_own(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service)
        for sender in (JULIET, ROMEO, JULIET, ROMEO, "juliet@capulet.lit/chamber"):
            await cellar.answer(items("x"), sender=sender)
        assert len(service.asked) == 2

    async def test_another_s_read_shows_that_the_node_is_there(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service)
        await cellar.answer(items("x"))
        await cellar.answer(info("x"))
        service.has("x", IDS)
        await cellar.result(items("x"), sender=ROMEO)
        assert item_ids(await cellar.result(items("x"))) == IDS
        await cellar.result(info("x"))

    async def test_the_list_of_nodes_shows_it_too(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service)
        await cellar.answer(items("x"))
        service.has("x", IDS)
        await cellar.result(listing(), sender=ROMEO)
        assert item_ids(await cellar.result(items("x"))) == IDS

    async def test_our_own_reads_show_it_too(self, cellar: Cellar, service: Service) -> None:
        """The service answered the synchronisation, having refused a reader just before."""
        cellar.stands_behind(service).has("notes/a", IDS)
        service.refusals["info notes/a for"] = ("cancel", "item-not-found")
        service.refusals["info notes/a"] = ("cancel", "item-not-found")
        await cellar.answer(info("notes/a"), sender=ROMEO)
        service.refusals.clear()
        await cellar.result(items("notes/a"))
        await cellar.settled()
        await cellar.result(info("notes/a"), sender=ROMEO)


class TestRefused:
    @pytest.mark.parametrize(
        "refusal", [("auth", "forbidden"), ("cancel", "not-allowed"), ("auth", "not-authorized")]
    )
    async def test_a_refusal_is_its_requester_s_and_no_other_s(
        self, cellar: Cellar, service: Service, refusal: tuple[str, str]
    ) -> None:
        cellar.stands_behind(service).has("x", IDS)
        service.refusals["items x for juliet"] = refusal
        for _ in range(3):
            assert (await cellar.answer(items("x"))).condition == "/".join(refusal)
            await cellar.result(items("x"), sender=ROMEO)
        asked = [question for question in service.asked if "juliet" in question]
        assert len(asked) == 1, "that Romeo may read it does not let Juliet in"
        await cellar.advance(5)
        service.refusals.clear()
        await cellar.result(items("x"))

    async def test_who_was_let_in_since_is_not_refused(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).has("x", IDS)
        service.refusals["items x for juliet"] = ("auth", "forbidden")
        await cellar.answer(items("x"))
        service.refusals.clear()
        await cellar.result(items("x", max_items=1))
        await cellar.result(items("x"))

    async def test_it_comes_before_an_outage(self, cellar: Cellar, service: Service) -> None:
        """A held node whose service goes away is not answered stale to who was just refused."""
        await cellar.holds(service, "notes/a", IDS)
        await cellar.advance(61)
        service.refusals["info notes/a"] = ("wait", "resource-constraint")
        service.refusals["items notes/a for juliet"] = ("auth", "forbidden")
        assert (await cellar.answer(items("notes/a"))).condition == "auth/forbidden"
        service.refusals.clear()
        service.refusal = ("wait", "remote-server-timeout")
        assert item_ids(await cellar.result(items("notes/a"), sender=ROMEO)) == IDS
        assert (await cellar.answer(items("notes/a"))).condition == "auth/forbidden"


class TestTimeout:
    async def test_it_stays_a_time_out_and_costs_no_second_wait(self, cellar: Cellar) -> None:
        id_ = await asks_and_is_asked(cellar, items("x"))
        await cellar.advance(10.1)
        refused = await cellar.next()
        assert (refused.id, refused.condition) == (id_, "wait/remote-server-timeout")
        again = await cellar.answer(items("x"))
        assert again.condition == "wait/remote-server-timeout"
        await asks_and_is_asked(cellar, items("x"), ROMEO)
        await cellar.advance(9.8)
        again = await cellar.answer(items("x"))
        assert again.condition == "wait/remote-server-timeout"
        await cellar.advance(0.2)
        await asks_and_is_asked(cellar, items("x"))

    async def test_a_held_node_is_answered_stale_at_once_then(
        self, cellar: Cellar, service: Service
    ) -> None:
        """One node that is never answered: the service is not away, yet no reader waits again."""
        await cellar.holds(service, "notes/a", IDS)
        cellar.receives(service.event("<items node='notes/a'><retract id='odd'/></items>"))
        service.unanswered = ("items notes/a", "list notes/a")
        id_ = cellar.asks(items("notes/a"))
        await cellar.until(lambda: any("juliet" in question for question in service.asked))
        await cellar.advance(10.1)
        answer = await cellar.next()
        assert (answer.id, item_ids(answer.element)) == (id_, IDS)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert cellar.counted(Happened.SERVICE_AWAY) == 0


class TestUnreachable:
    async def test_it_is_everybody_s(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).refusal = ("cancel", "remote-server-not-found")
        for sender in (JULIET, ROMEO, JULIET):
            refused = await cellar.answer(items("x"), sender=sender)
            assert refused.condition == "cancel/remote-server-not-found"
        assert len(service.asked) == 1
        service.refusal = None
        service.has("x", IDS)
        await cellar.advance(5)
        await cellar.result(items("x"))

    async def test_any_answer_of_the_service_ends_it(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).refusal = ("cancel", "remote-server-not-found")
        await cellar.answer(items("x"))
        service.refusal = None
        service.has("x", IDS)
        await cellar.answer(items("y"))
        await cellar.result(items("x"))


class TestEvents:
    async def test_any_notification_of_the_service_ends_all(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.answer(items("x"))
        service.has("x", IDS)
        cellar.receives(service.publish("notes/a", "new"))
        await cellar.settled()
        await cellar.result(items("x"))

    async def test_so_does_one_of_a_service_of_which_nothing_is_held(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service)
        await cellar.answer(items("x"))
        service.has("x", IDS)
        cellar.receives(service.publish("x", "new"))
        await cellar.result(items("x"))

    async def test_one_of_another_service_does_not(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service)
        await cellar.answer(items("x"))
        other = Service("other.example.org")
        other.has("x")
        cellar.receives(other.publish("x", "new"))
        await cellar.answer(items("x"))
        assert len(service.asked) == 1

    async def test_a_failure_that_it_overtook_is_not_remembered(self, cellar: Cellar) -> None:
        """Reply and notification arrive together, and the notification is the newer of the two."""
        cellar.asks(items("x"))
        asked = await cellar.next()
        cellar.receives(
            f"<iq type='error' id='{asked.id}' from='{asked.recipient}' to='{asked.sender}'>"
            f"<error type='cancel'><item-not-found xmlns='{STANZAS}'/></error></iq>"
            + Service().event("<items node='x'><item id='i1'/></items>")
        )
        assert (await cellar.next()).condition == "cancel/item-not-found"
        await asks_and_is_asked(cellar, items("x"))


class TestWhatIsNotRemembered:
    @pytest.mark.parametrize(
        "payload",
        [
            items("x", max_items=0),
            f"<pubsub xmlns='{PUBSUB}'><subscriptions node='x'/></pubsub>",
            f"<pubsub xmlns='{PUBSUB}#owner'><configure node='x'/></pubsub>",
            info(),
            listing(),
        ],
    )
    async def test_what_is_no_plain_read_of_a_node(
        self, cellar: Cellar, service: Service, payload: str
    ) -> None:
        cellar.stands_behind(service).refusal = ("cancel", "item-not-found")
        for _ in range(3):
            await cellar.answer(payload)
        assert len(service.asked) == 3

    async def test_anything_where_it_is_switched_off(self, start, service: Service) -> None:
        kinds = ("item_not_found", "forbidden", "unreachable", "timeout")
        cellar = await start("[cache]\n" + "".join(f"remember_{one} = '0s'\n" for one in kinds))
        cellar.stands_behind(service)
        for refusal in (("cancel", "item-not-found"), ("auth", "forbidden")):
            service.refusal = refusal
            for _ in range(3):
                await cellar.answer(items("x"))
        assert len(service.asked) == 6
        service.has("x", IDS)
        service.refusal = None
        await cellar.result(items("x"))


async def test_reads_in_flight_are_joined_as_ever(cellar: Cellar) -> None:
    ids = {cellar.asks(items("x")), cellar.asks(items("x"), sender="juliet@capulet.lit/chamber")}
    asked = await cellar.next()
    await cellar.idle()
    cellar.refuses(asked, "item-not-found")
    assert {(await cellar.next()).id, (await cellar.next()).id} == ids
    assert cellar.counted(Happened.FAILURE_REMEMBERED) == 0
    assert cellar.counted(Happened.JOINED) == 1


async def test_names_without_number_cost_bounded_memory(cellar: Cellar, service: Service) -> None:
    """One requester cannot make the proxy remember more than it means to; others are unaffected."""
    cellar.stands_behind(service)
    failures = cellar.component.proxy._failures
    failures._most = 50
    for number in range(200):
        await cellar.answer(items(f"x{number}"))
        assert len(failures) <= 50
    service.has("y", IDS)
    await cellar.result(items("y"), sender=ROMEO)
