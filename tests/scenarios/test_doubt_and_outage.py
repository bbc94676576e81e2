"""What was once complete and is in doubt now."""

import pytest
from playbook import Cellar, Service, info, item_ids, items, listing

from pubcellar.core.counters import Happened

IDS = ["i1", "i2", "i3"]
OUTAGES = [("cancel", "remote-server-not-found"), ("wait", "remote-server-timeout")]


async def in_doubt(cellar: Cellar, service: Service) -> None:
    """Let a held node be STALE, with a service that can be reached but is not answering yet."""
    await cellar.holds(service, "notes/a", IDS)
    cellar.stands_aside(service)
    cellar.receives(service.event("<configuration node='notes/a'/>"))
    await cellar.next()


async def test_in_doubt_reads_are_forwarded(cellar: Cellar, service: Service) -> None:
    await in_doubt(cellar, service)
    for question in (items("notes/a"), info("notes/a"), listing("notes/a")):
        id_ = cellar.asks(question)
        asked = await cellar.next()
        assert asked.sender == r"juliet\40capulet.lit@cache.example.org/balcony"
        cellar.receives(service.reply(asked.element)[0])
        assert (await cellar.next()).id == id_
    await cellar.idle()


async def test_a_read_sets_revalidation_off(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    service.refusals["list"] = ("wait", "remote-server-timeout")
    cellar.receives(service.event("<items node='notes/a'><retract id='odd'/></items>"))
    await cellar.settled()
    assert await cellar.state("notes/a") == "stale"
    service.refusals.clear()
    await cellar.advance(40)
    await cellar.result(items("notes/a"))
    await cellar.settled()
    assert await cellar.state("notes/a") == "live"


class TestServiceAway:
    @pytest.mark.parametrize("outage", OUTAGES)
    @pytest.mark.parametrize(
        "question", [items("notes/a"), items("notes/a", ids=["i2"]), info("notes/a")]
    )
    async def test_a_stale_node_is_answered(
        self, cellar: Cellar, service: Service, outage: tuple[str, str], question: str
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = outage
        await cellar.advance(61)
        await cellar.result(question)
        await cellar.settled()
        assert cellar.counted(Happened.ANSWERED_STALE) == 1
        assert await cellar.state("notes/a") == "stale"
        await cellar.result(question)
        assert cellar.counted(Happened.ANSWERED_STALE) == 2

    async def test_a_stale_node_is_answered_after_a_time_out(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.is_silent = True
        await cellar.advance(61)
        id_ = cellar.asks(items("notes/a"))
        await cellar.advance(11)
        answer = await cellar.next()
        assert (answer.id, item_ids(answer.element)) == (id_, IDS)
        id_ = cellar.asks(items("notes/a"))
        await cellar.advance(11)
        answer = await cellar.next()
        assert (answer.id, item_ids(answer.element)) == (id_, IDS)

    async def test_a_node_whose_configuration_changed_is_not(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Promise 2: it may have been closed, and nobody is there to be asked."""
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = ("wait", "remote-server-timeout")
        cellar.receives(service.event("<configuration node='notes/a'/>"))
        answer = await cellar.answer(items("notes/a"))
        assert answer.condition == "wait/remote-server-timeout"

    async def test_beyond_max_stale_it_is_refused(self, start, service: Service) -> None:
        cellar = await start("[cache]\nmax_stale = '1h'\n")
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = ("wait", "remote-server-timeout")
        await cellar.advance(3000)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        await cellar.advance(601)
        answer = await cellar.answer(items("notes/a"))
        assert answer.condition == "wait/remote-server-timeout"

    async def test_a_refusal_is_no_outage(self, cellar: Cellar, service: Service) -> None:
        """A node that was closed is not answered stale."""
        await in_doubt(cellar, service)
        cellar.asks(items("notes/a"))
        cellar.refuses(await cellar.next(), "forbidden", "auth")
        assert (await cellar.next()).condition == "auth/forbidden"

    async def test_all_its_nodes_are_in_doubt_and_are_revalidated_when_it_is_back(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.holds(service, "notes/b", IDS)
        service.refusal = ("wait", "remote-server-timeout")
        await cellar.answer(items("unknown"))
        await cellar.settled()
        assert [await cellar.state(f"notes/{one}") for one in "ab"] == ["stale", "stale"]
        service.refusal = None
        service.publish("notes/b", "missed")
        await cellar.advance(2)
        assert [await cellar.state(f"notes/{one}") for one in "ab"] == ["live", "live"]
        assert item_ids(await cellar.result(items("notes/b"))) == [*IDS, "missed"]

    async def test_it_is_tried_again_by_itself(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = ("wait", "remote-server-timeout")
        await cellar.answer(items("unknown"))
        await cellar.settled()
        service.refusal = None
        await cellar.advance(120)
        await cellar.advance(2)
        assert await cellar.state("notes/a") == "live"

    async def test_other_services_are_not_in_doubt(self, cellar: Cellar, service: Service) -> None:
        other = Service("other.example.org")
        await cellar.holds(service, "notes/a", IDS)
        await cellar.holds(other, "notes/a", IDS)
        service.refusal = ("wait", "remote-server-timeout")
        await cellar.answer(items("unknown"))
        await cellar.settled()
        other.asked.clear()
        await cellar.result(items("notes/a"), to="other.example.org@cache.example.org")
        assert other.asked == []


class TestStreamLost:
    async def test_everything_is_revalidated_before_it_is_given(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.holds(service, "notes/b", IDS)
        cellar.disconnect()
        await cellar.settled()
        service.publish("notes/a", "missed")
        cellar.stands_aside(service)
        await cellar.reconnect()
        assert [await cellar.state(f"notes/{one}") for one in "ab"] == ["stale", "stale"]
        cellar.asks(items("notes/a"))
        sent = [await cellar.next() for _ in range(3)]
        assert sorted(one.sender for one in sent)[-1].startswith("juliet")
        cellar.stands_behind(service)
        for one in sent:
            cellar.receives(service.reply(one.element)[0])
        assert item_ids((await cellar.next()).element) == [*IDS, "missed"]
        await cellar.settled()
        assert [await cellar.state(f"notes/{one}") for one in "ab"] == ["live", "live"]

    async def test_requests_in_flight_go_nowhere_and_nothing_is_queued(
        self, cellar: Cellar
    ) -> None:
        cellar.asks(items("other"))
        await cellar.next()
        cellar.disconnect()
        await cellar.settled()
        await cellar.reconnect()
        await cellar.idle()


class TestRestart:
    async def test_every_held_node_is_revalidated(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.retract("notes/a", "i2")
        await cellar.restart()
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1", "i3"]
        assert service.asked == []

    async def test_until_then_it_is_stale(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = ("wait", "remote-server-timeout")
        await cellar.restart()
        await cellar.settled()
        assert await cellar.state("notes/a") == "stale"
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert cellar.counted(Happened.ANSWERED_STALE) == 1

    async def test_a_synchronisation_that_was_broken_off_is_begun_again(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).has("notes/a", IDS)
        cellar.store.hold("publish_staged")
        await cellar.result(items("notes/a"))
        await cellar.until(lambda: "publish_staged" in cellar.store.held)
        assert await cellar.state("notes/a") == "syncing"
        await cellar.restart()
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"

    async def test_verdicts_are_remembered(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).has("other", IDS)
        await cellar.result(items("other"))
        await cellar.settled()
        await cellar.restart()
        service.asked.clear()
        await cellar.result(items("other"))
        await cellar.settled()
        assert len(service.asked) == 1


async def test_readers_never_see_half_a_node(cellar: Cellar, service: Service) -> None:
    """Until the new items are swapped in, the old ones are there, all of them."""
    await cellar.holds(service, "notes/a", IDS)
    service.has("notes/a", ["j1", "j2", "j3", "j4"]).subscribers.add("cache.example.org")
    cellar.store.hold("publish_staged")
    cellar.receives(service.event("<subscription node='notes/a' subscription='none'/>"))
    await cellar.until(lambda: "publish_staged" in cellar.store.held)
    service.refusal = ("wait", "remote-server-timeout")
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    assert cellar.counted(Happened.ANSWERED_STALE) == 1
    service.refusal = None
    cellar.store.release("publish_staged")
    await cellar.advance(2)
    assert item_ids(await cellar.result(items("notes/a"))) == ["j1", "j2", "j3", "j4"]


async def test_services_of_which_nothing_is_held_cost_no_write_when_they_are_away(
    cellar: Cellar,
) -> None:
    """Whoever asks for many addresses of a domain that is down must not keep the database busy."""
    await cellar.settled()
    written: list[object] = []
    make_stale = cellar.store.make_stale

    async def counted(*arguments: object) -> int:
        written.append(arguments)
        return await make_stale(*arguments)

    cellar.store.make_stale = counted
    for number in range(5):
        cellar.asks(items("n"), to=rf"r{number}\40montague.lit@cache.example.org")
        cellar.refuses(await cellar.next(), "remote-server-not-found")
        await cellar.next()
    await cellar.advance(5)
    assert written == []
