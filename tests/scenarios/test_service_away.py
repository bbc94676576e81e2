"""Nobody waits for a service that is away."""

import logging

import pytest
from playbook import Cellar, Service, info, item_ids, items, listing
from playbook.cellar import JULIET, ROMEO
from playbook.stanzas import PUBSUB

from pubcellar.core.counters import Happened

IDS = ["i1", "i2", "i3"]
GONE = ("cancel", "remote-server-not-found")
SUBSCRIPTIONS = f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>"


async def times_out(cellar: Cellar, payload: str, sender: str = JULIET) -> None:
    """Ask, and be told after `[upstream] timeout` that the service did not answer."""
    id_ = cellar.asks(payload, sender=sender)
    await cellar.idle()
    await cellar.advance(10.1)
    answer = await cellar.next()
    assert (answer.id, answer.condition) == (id_, "wait/remote-server-timeout")


async def is_away(cellar: Cellar, service: Service) -> None:
    """Let a held node's service fall silent, and clients find that out."""
    service.is_silent = True
    for number in range(2):
        await times_out(cellar, items(f"unknown-{number}"))
    # The third was a probe.
    assert cellar.counted(Happened.SERVICE_AWAY) == 1
    service.asked.clear()


def asked_by_clients(service: Service) -> list[str]:
    return [question for question in service.asked if " for " in question]


class TestSilentService:
    @pytest.mark.parametrize(
        "question", [items("notes/a"), items("notes/a", ids=["i2"]), info("notes/a")]
    )
    async def test_what_is_held_is_answered_stale_at_once(
        self, cellar: Cellar, service: Service, question: str
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await is_away(cellar, service)
        for _ in range(3):
            await cellar.result(question)
        assert cellar.counted(Happened.ANSWERED_STALE) == 3
        assert asked_by_clients(service) == []

    @pytest.mark.parametrize(
        "question",
        [items("other"), info("other"), listing("other"), SUBSCRIPTIONS, listing()],
    )
    async def test_all_else_gets_the_error_of_the_last_outage_at_once(
        self, cellar: Cellar, service: Service, question: str
    ) -> None:
        """A time-out stays one: nobody is told that something does not exist."""
        await cellar.holds(service, "notes/a", IDS)
        await is_away(cellar, service)
        refused = await cellar.answer(question, sender=ROMEO)
        assert refused.condition == "wait/remote-server-timeout"
        assert asked_by_clients(service) == []
        assert cellar.counted(Happened.NOT_FORWARDED) == 1

    async def test_what_is_held_of_the_service_itself_is_answered(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        first = await cellar.result(info())
        nodes = await cellar.result(listing())
        await cellar.advance(400)
        await is_away(cellar, service)
        assert len(first[0]) == len((await cellar.result(info()))[0])
        assert len(nodes[0]) == len((await cellar.result(listing()))[0])
        assert cellar.counted(Happened.ANSWERED_STALE) == 2

    async def test_it_is_probed_and_asked_again_once_it_answers(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await is_away(cellar, service)
        service.publish("notes/a", "missed")
        service.is_silent = False
        await cellar.until(lambda: cellar.counted(Happened.SERVICE_BACK) == 1, advancing=1)
        await cellar.settled()
        assert service.asked[0] == "info"
        assert await cellar.state("notes/a") == "live"
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "missed"]
        assert service.asked == []

    async def test_it_is_not_asked_for_its_nodes_meanwhile(
        self, cellar: Cellar, service: Service
    ) -> None:
        """One probe at a time, less and less often, whatever is read and whatever is held."""
        for one in "abcdef":
            await cellar.holds(service, f"notes/{one}", IDS)
        await is_away(cellar, service)
        for number in range(100):
            await cellar.result(items(f"notes/{'abcdef'[number % 6]}"))
            await cellar.advance(3)
        assert set(service.asked) == {"info"}
        # 300 seconds: each probe takes ten, and the pauses are 15 to 30 after the first few.
        assert 300 / 40 <= len(service.asked) <= 300 / 25 + 6

    async def test_a_notification_ends_it(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await is_away(cellar, service)
        service.is_silent = False
        cellar.receives(service.publish("notes/a", "new"))
        await cellar.settled()
        assert cellar.counted(Happened.SERVICE_BACK) == 1
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "new"]

    async def test_beyond_max_stale_the_outage_s_error_is_given(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\nmax_stale = '1h'\n")
        await cellar.holds(service, "notes/a", IDS)
        await is_away(cellar, service)
        await cellar.advance(3500)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        await cellar.advance(100)
        refused = await cellar.answer(items("notes/a"))
        assert refused.condition == "wait/remote-server-timeout"

    async def test_our_own_stream_makes_a_new_start(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await is_away(cellar, service)
        service.is_silent = False
        cellar.disconnect()
        await cellar.settled()
        await cellar.reconnect()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert item_ids(await cellar.result(items("notes/a"), sender=ROMEO)) == IDS

    async def test_the_log_says_when_and_what_to_do(
        self, cellar: Cellar, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        await cellar.holds(service, "notes/a", IDS)
        await is_away(cellar, service)
        for _ in range(5):
            await cellar.result(items("notes/a"))
        service.is_silent = False
        for _ in range(20):
            await cellar.advance(2)
        said = [record.getMessage() for record in caplog.records]
        (opened,) = [line for line in said if "is away: " in line]
        assert "pubsub.example.org" in opened
        assert "did not answer in time" in opened
        assert "See that it runs, and that the XMPP server can reach it" in opened
        (closed,) = [line for line in said if "answers again" in line]
        assert said.index(opened) < said.index(closed)
        stale = [line for line in said if line.startswith("answered stale")]
        assert len(stale) == 1, "one line a minute, however much is read"
        assert "node='notes/a'" in stale[0]


class TestRefusingServers:
    """A server on the way says at once that the service is not there."""

    async def test_the_error_stays_what_the_server_said(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).refusal = GONE
        for number in range(3):
            refused = await cellar.answer(items(f"unknown-{number}"))
            assert refused.condition == "cancel/remote-server-not-found"
        assert cellar.counted(Happened.SERVICE_AWAY) == 1
        service.asked.clear()
        refused = await cellar.answer(items("unknown-3"), sender=ROMEO)
        assert refused.condition == "cancel/remote-server-not-found"
        assert service.asked == []

    async def test_the_first_read_after_the_pause_finds_it_back(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Of a service of which nothing is held nobody sees but who asks."""
        cellar.stands_behind(service).refusal = GONE
        for number in range(3):
            await cellar.answer(items(f"unknown-{number}"))
        service.refusal = None
        service.has("other", IDS)
        service.asked.clear()
        await cellar.advance(30)
        assert service.asked == []
        assert item_ids(await cellar.result(items("other"))) == IDS
        assert service.asked[0] == "info"

    async def test_enumerating_dead_addresses_costs_no_probe_each(self, cellar: Cellar) -> None:
        for number in range(20):
            cellar.asks(items("n"), to=rf"r{number}\40montague.lit@cache.example.org")
            cellar.refuses(await cellar.next(), "remote-server-not-found")
            assert (await cellar.next()).kind == "error"
        await cellar.advance(60)
        await cellar.idle()
        assert cellar.counted(Happened.PROBED) == 0

    async def test_one_is_enough_to_doubt_what_is_held(
        self, cellar: Cellar, service: Service
    ) -> None:
        """The service may have been restarted within a second, and its notifications are lost."""
        await cellar.holds(service, "notes/a", IDS)
        service.refusals["items other"] = GONE
        service.publish("notes/a", "missed")
        await cellar.answer(items("other"))
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "missed"]
        assert cellar.counted(Happened.SERVICE_AWAY) == 0


class TestSlowOnly:
    """One slow node, or one kind of request that is never answered, is no outage."""

    async def test_a_node_that_is_never_answered_leaves_the_others_alone(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\nremember_timeout = '0s'\n")
        await cellar.holds(service, "notes/a", IDS)
        service.has("other", IDS)
        service.unanswered = ("items slow",)
        for _ in range(12):
            await times_out(cellar, items("slow"))
        assert cellar.counted(Happened.SERVICE_AWAY) == 0
        assert await cellar.state("notes/a") == "live", "nothing was lost"
        assert item_ids(await cellar.result(items("other"))) == IDS

    async def test_a_request_that_is_never_answered_leaves_the_others_alone(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Prosody never answers <subscriptions/> once a node one was subscribed to was deleted."""
        await cellar.holds(service, "notes/a", IDS)
        service.unanswered = ("subscriptions",)
        for number in range(5):
            ids = [cellar.asks(SUBSCRIPTIONS, sender=f"r{one}@montague.lit/x") for one in range(9)]
            await cellar.idle()
            await cellar.answer(items(f"other-{number}"))
            await cellar.advance(10.1)
            answered = [await cellar.next() for _ in ids]
            assert {one.condition for one in answered} == {"wait/remote-server-timeout"}
        assert cellar.counted(Happened.SERVICE_AWAY) == 0
        assert await cellar.state("notes/a") == "live"
        assert cellar.counted(Happened.ANSWERED_STALE) == 0

    async def test_refusals_count_even_where_probes_are_never_answered(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).unanswered = ("items slow", "info")
        for number in range(6):
            await times_out(cellar, items(f"slow-{number}"))
            refused = await cellar.answer(items(f"other-{number}"))
            assert refused.condition == "cancel/item-not-found"
        assert cellar.counted(Happened.SERVICE_AWAY) == 0

    async def test_any_answer_counts_even_an_error(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.unanswered = ("items slow",)
        service.refusals["info"] = ("cancel", "service-unavailable")
        for number in range(6):
            await times_out(cellar, items(f"slow-{number}"))
        assert cellar.counted(Happened.SERVICE_AWAY) == 0
        assert cellar.counted(Happened.PROBED) == 6


class TestRefusalsAreNoOutage:
    @pytest.mark.parametrize(
        "refusal",
        [
            ("auth", "forbidden"),
            ("cancel", "item-not-found"),
            ("cancel", "service-unavailable"),
            ("cancel", "internal-server-error"),
            ("wait", "resource-constraint"),
        ],
    )
    async def test_no_number_of_them_closes_a_service_or_brings_a_stale_answer(
        self, cellar: Cellar, service: Service, refusal: tuple[str, str]
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = refusal
        cellar.receives(service.event("<items node='notes/a'><retract id='odd'/></items>"))
        for number in range(10):
            refused = await cellar.answer(items(f"other-{number}"))
            assert refused.condition == "/".join(refusal)
        refused = await cellar.answer(items("notes/a"))
        assert refused.condition == "/".join(refusal)
        assert cellar.counted(Happened.SERVICE_AWAY) == 0
        assert cellar.counted(Happened.ANSWERED_STALE) == 0


async def test_a_node_whose_access_cannot_be_verified_in_time_is_answered_stale(
    cellar: Cellar, service: Service
) -> None:
    """The first reader after a service fell silent waits for it, and is answered all the same."""
    await cellar.holds(service, "notes/a", IDS)
    cellar.stands_aside(service)
    await cellar.advance(61)
    id_ = cellar.asks(items("notes/a"))
    assert (await cellar.next()).sender == "cache.example.org"
    # The read waits two seconds for that, and is forwarded then.
    assert (await cellar.next()).sender.startswith("juliet")
    await cellar.advance(10.1)
    sent = [await cellar.next(), await cellar.next()]
    (answer,) = [one for one in sent if one.kind == "result"]
    assert (answer.id, item_ids(answer.element)) == (id_, IDS)
