"""Whoever reads after their own write sees it: at every node, in every form, at once.

What the component answers is compared with what the service itself would answer at that moment.
"""

import pytest
from playbook import (
    Cellar,
    Service,
    configuration,
    create,
    item_ids,
    items,
    listing,
    owned,
    publish,
    retract,
)
from playbook.cellar import JULIET, ROMEO
from playbook.habits import EJABBERD, EJABBERD_SQL, HabitualService
from playbook.writing import (
    CHANGED,
    IDS,
    NODE,
    WRITES,
    asked_by_readers,
    is_read_as_it_is,
    writes,
)

from pubcellar.core.counters import Happened

OUTAGE = ("wait", "remote-server-timeout")
EVENTS = ["before", "after", "late"]


@pytest.fixture(params=["Prosody", "ejabberd", "ejabberd in SQL"])
def any_service(request: pytest.FixtureRequest) -> Service:
    habits = {"ejabberd": EJABBERD, "ejabberd in SQL": EJABBERD_SQL}.get(request.param)
    return Service() if habits is None else HabitualService(habits)


@pytest.mark.parametrize("notifies", EVENTS)
@pytest.mark.parametrize("payload", WRITES.values(), ids=WRITES)
async def test_what_was_written_is_read_at_once(
    cellar: Cellar, any_service: Service, payload: str, notifies: str
) -> None:
    """With the notification before the result, after it, and much later; then and ever after."""
    service = any_service
    await cellar.holds(service, NODE, IDS)
    await cellar.result(listing())
    service.notifies = notifies
    await writes(cellar, payload)
    await is_read_as_it_is(cellar, service)
    await cellar.settled()
    await is_read_as_it_is(cellar, service)
    await cellar.advance(1.5)
    await is_read_as_it_is(cellar, service)
    for event in service.late:
        cellar.receives(event)
    await is_read_as_it_is(cellar, service)
    await cellar.settled()
    await is_read_as_it_is(cellar, service)
    # Stale is what is still in doubt: where ejabberd lists nothing to us who are shut out.
    assert await cellar.state(NODE) in ("live", "no_sync", "stale", "")


@pytest.mark.parametrize("notifies", ["before", "after"])
@pytest.mark.parametrize(
    "name", ["a new item", "an item again, changed", "an item without id", "a retract"]
)
async def test_what_the_service_notifies_of_is_answered_from_the_database_at_once(
    cellar: Cellar, service: Service, name: str, notifies: str
) -> None:
    """The doubt ends with the notification, and the service is not asked for it."""
    await cellar.holds(service, NODE, IDS)
    # Where it puts what is published again is known.
    for _ in range(2):
        cellar.receives(service.publish(NODE, "i1"))
        await cellar.settled()
    service.notifies = notifies
    await writes(cellar, WRITES[name])
    await cellar.settled()
    service.asked.clear()
    await cellar.result(items(NODE))
    assert asked_by_readers(service) == []
    record = await cellar.record(NODE)
    assert (record.state, record.written_at) == ("live", None)
    assert cellar.counted(Happened.DRIFT_REPAIRED) == 0


@pytest.mark.parametrize("payload", WRITES.values(), ids=WRITES)
async def test_what_the_service_does_not_notify_of_is_looked_for(
    cellar: Cellar, service: Service, payload: str
) -> None:
    """And then the node is answered from the database again, if it may be."""
    await cellar.holds(service, NODE, IDS)
    service.notifies = "late"
    await writes(cellar, payload)
    await cellar.advance(1.5)
    await is_read_as_it_is(cellar, service)
    await cellar.settled()
    service.asked.clear()
    if await cellar.state(NODE) == "live":
        await cellar.result(items(NODE))
        assert asked_by_readers(service) == []
        assert (await cellar.record(NODE)).written_at is None
    assert cellar.counted(Happened.DRIFT_REPAIRED) == 0, "what we wrote is no drift"


async def test_until_the_notification_has_come_everybody_is_forwarded(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, NODE, IDS)
    service.notifies = "late"
    await writes(cellar, publish(NODE, "i4"))
    for sender in (JULIET, ROMEO):
        service.asked.clear()
        assert item_ids(await cellar.result(items(NODE), sender=sender)) == [*IDS, "i4"]
        assert len(asked_by_readers(service)) == 1
    cellar.receives(service.late.pop())
    await cellar.settled()
    service.asked.clear()
    assert item_ids(await cellar.result(items(NODE))) == [*IDS, "i4"]
    assert service.asked == []


async def test_somebody_elses_publish_of_the_same_item_does_not_pass_for_ones_own(
    cellar: Cellar, service: Service
) -> None:
    """The notification of theirs comes between ours being sent and its result."""
    await cellar.holds(service, NODE, IDS)
    cellar.receives(service.publish(NODE, "i2"))
    await cellar.settled()
    cellar.stands_aside(service)
    cellar.asks(publish(NODE, "i2", payload=CHANGED), type_="set")
    sent = await cellar.next()
    cellar.receives(service.publish(NODE, "i2", "<note xmlns='urn:example:note'>theirs</note>"))
    await cellar.settled()
    service.notifies = "late"
    cellar.receives(service.reply(sent.element)[0])
    cellar.stands_behind(service)
    assert (await cellar.next()).kind == "result"
    await is_read_as_it_is(cellar, service)
    await cellar.advance(1.5)
    await is_read_as_it_is(cellar, service)


async def test_a_write_that_was_overwritten_by_somebody_else_does_not_leave_the_node_in_doubt(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, NODE, IDS)
    service.notifies = "late"
    cellar.asks(publish(NODE, "i2", payload=CHANGED), type_="set")
    await cellar.next()
    cellar.receives(service.late.pop())
    cellar.receives(service.publish(NODE, "i2", "<note xmlns='urn:example:note'>theirs</note>"))
    await is_read_as_it_is(cellar, service)
    await cellar.settled()
    await is_read_as_it_is(cellar, service)
    service.asked.clear()
    await cellar.result(items(NODE))
    assert service.asked == []


class TestWithoutAResult:
    """It may have been carried out, or may still be."""

    async def test_a_write_that_timed_out_is_looked_for(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.is_deaf, service.notifies = True, "late"
        id_ = cellar.asks(publish(NODE, "i2", payload=CHANGED), type_="set")
        await cellar.advance(11)
        answer = await cellar.next()
        assert (answer.id, answer.condition) == (id_, "wait/remote-server-timeout")
        await is_read_as_it_is(cellar, service)
        await cellar.settled()
        await is_read_as_it_is(cellar, service)
        service.asked.clear()
        await cellar.result(items(NODE))
        assert service.asked == []

    async def test_while_it_is_under_way_the_node_is_forwarded(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.is_deaf, service.notifies = True, "late"
        cellar.asks(publish(NODE, "i4"), type_="set")
        await cellar.settled()
        await is_read_as_it_is(cellar, service)
        assert (await cellar.record(NODE)).written_at is not None

    async def test_a_stream_that_is_lost_leaves_the_write_to_be_looked_for(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.is_deaf, service.notifies = True, "late"
        cellar.asks(publish(NODE, "i4"), type_="set")
        await cellar.settled()
        cellar.disconnect()
        await cellar.settled()
        assert (await cellar.record(NODE)).written_at is not None
        await cellar.reconnect()
        await is_read_as_it_is(cellar, service)
        await cellar.settled()
        await is_read_as_it_is(cellar, service)
        assert await cellar.state(NODE) == "live"
        await cellar.until(lambda: True)
        assert (await cellar.record(NODE)).written_at is None

    async def test_what_is_refused_leaves_the_node_as_it_is_once_it_was_looked_at(
        self, cellar: Cellar, service: Service
    ) -> None:
        """To ask for what one must not do does not make us look again and again."""
        await cellar.holds(service, NODE, IDS)
        service.refusals["publish"] = ("auth", "forbidden")
        for _ in range(3):
            answer = await cellar.answer(publish(NODE, "i4"), type_="set")
            assert answer.condition == "auth/forbidden"
            await cellar.settled()
            await cellar.result(items(NODE))
        assert service.asked.count(f"list {NODE}") == 1
        assert (await cellar.record(NODE)).written_at is None


class TestOutages:
    """An answer from before a write is given to nobody, not even while the service is away."""

    @pytest.mark.parametrize("has_died", [True, False])
    async def test_after_a_write_without_result_nothing_stale_is_given(
        self, cellar: Cellar, service: Service, has_died: bool
    ) -> None:
        """Killed between sending and result, too: it was written down before it was sent."""
        await cellar.holds(service, NODE, IDS)
        service.is_deaf, service.notifies = True, "late"
        cellar.asks(publish(NODE, "i2", payload=CHANGED), type_="set")
        await cellar.settled()
        service.refusal = OUTAGE
        if has_died:
            await cellar.kill()
            await cellar.restart()
        else:
            await cellar.advance(11)
            await cellar.next()
        await cellar.settled()
        answer = await cellar.answer(items(NODE))
        assert answer.condition == "wait/remote-server-timeout"
        service.refusal, service.is_deaf = None, False
        await cellar.until(lambda: cellar.counted(Happened.SERVICE_BACK) > 0, advancing=1)
        await cellar.settled()
        await is_read_as_it_is(cellar, service)
        service.refusal = OUTAGE
        assert len(item_ids(await cellar.result(items(NODE)))) == 3, "it is known again"

    async def test_a_write_that_shows_lets_it_be_given(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        await writes(cellar, publish(NODE, "i4"))
        await cellar.settled()
        await cellar.kill()
        service.refusal = OUTAGE
        await cellar.restart()
        assert item_ids(await cellar.result(items(NODE))) == [*IDS, "i4"]

    async def test_nothing_is_put_in_doubt_for_a_write_that_is_not_even_sent(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.refusal = OUTAGE
        await cellar.answer(items("other"))
        await cellar.until(lambda: cellar.counted(Happened.SERVICE_AWAY) > 0, advancing=1)
        service.asked.clear()
        answer = await cellar.answer(publish(NODE, "i4"), type_="set")
        assert answer.condition == "wait/remote-server-timeout"
        assert [one for one in service.asked if "publish" in one] == []
        assert (await cellar.record(NODE)).written_at is None
        assert item_ids(await cellar.result(items(NODE))) == IDS


class TestTheDatabaseFails:
    async def test_the_write_is_forwarded_and_noted_once_it_works(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        cellar.store.broken = {"record_write"}
        service.is_deaf, service.notifies = True, "late"
        cellar.asks(publish(NODE, "i2", payload=CHANGED), type_="set")
        await cellar.settled()
        assert f"publish {NODE} id=i2" in " ".join(service.asked)
        service.refusal = OUTAGE
        await cellar.advance(11)
        await cellar.next()
        answer = await cellar.answer(items(NODE))
        assert answer.condition == "wait/remote-server-timeout", "it is known in memory"
        cellar.store.broken = set()
        await cellar.advance(10)
        await cellar.until(lambda: cellar.store.running == 0, advancing=1)
        await cellar.settled()
        assert (await cellar.record(NODE)).written_at is not None

    async def test_a_node_that_could_not_be_looked_up_is_noted_too(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        cellar.store.is_broken = True
        service.is_deaf, service.notifies = True, "late"
        cellar.asks(publish(NODE, "i4"), type_="set")
        await cellar.advance(2)
        assert f"publish {NODE} id=i4" in " ".join(service.asked)
        cellar.store.is_broken = False
        await cellar.advance(11)
        assert (await cellar.next()).condition == "wait/remote-server-timeout"
        await cellar.until(lambda: cellar.store.running == 0, advancing=1)
        await cellar.settled()
        await is_read_as_it_is(cellar, service)


class TestReadsUnderWay:
    async def test_a_read_after_the_write_is_not_joined_with_one_before_it(
        self, cellar: Cellar, service: Service
    ) -> None:
        service.has("other", ["i1"])
        cellar.asks(items("other"))
        before = await cellar.next()
        old = service.reply(before.element)[0]
        cellar.asks(publish("other", "i2"), type_="set")
        sent = await cellar.next()
        cellar.receives(service.reply(sent.element)[0])
        assert (await cellar.next()).kind == "result"
        id_ = cellar.asks(items("other"))
        after = await cellar.next()
        cellar.receives(service.reply(after.element)[0])
        answer = await cellar.next()
        assert (answer.id, item_ids(answer.element)) == (id_, ["i1", "i2"])
        cellar.receives(old)

    async def test_what_one_client_sends_without_waiting_arrives_in_its_order(
        self, cellar: Cellar, service: Service
    ) -> None:
        """RFC 6120 section 10.1; though each write waits for the database."""
        cellar.stands_behind(service).has("other", ["i1"])
        await cellar.holds(service, NODE, IDS)
        cellar.asks(publish(NODE, "a"), type_="set")
        cellar.asks(publish("other", "b"), type_="set")
        cellar.asks(publish(NODE, "c"), type_="set")
        cellar.asks(items("other"))
        for _ in range(4):
            await cellar.next()
        asked = [one.split(" for ")[0] for one in asked_by_readers(service)]
        assert asked == [
            f"publish {NODE} id=a",
            "publish other id=b",
            f"publish {NODE} id=c",
            "items other",
        ]

    async def test_a_failure_from_before_the_write_is_not_told_again(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service)
        answer = await cellar.answer(items("new"))
        assert answer.condition == "cancel/item-not-found"
        await writes(cellar, create("new"))
        assert item_ids(await cellar.result(items("new"))) == []

    async def test_a_failure_that_was_under_way_is_not_remembered(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.asks(items("new"))
        before = await cellar.next()
        refused = service.reply(before.element)[0]
        cellar.asks(create("new"), type_="set")
        sent = await cellar.next()
        cellar.receives(service.reply(sent.element)[0])
        assert (await cellar.next()).kind == "result"
        cellar.receives(refused)
        assert (await cellar.next()).kind == "error"
        cellar.stands_behind(service)
        assert item_ids(await cellar.result(items("new"))) == []


class TestNodeLists:
    @pytest.mark.parametrize("payload", [create("new"), create(), owned("delete", "old")])
    async def test_the_list_shows_what_was_made_and_deleted(
        self, cellar: Cellar, service: Service, payload: str
    ) -> None:
        cellar.stands_behind(service).has("old")
        await cellar.result(listing())
        await writes(cellar, payload)
        answer = await cellar.result(listing())
        assert [one.get("node") for one in answer[0]] == list(service.nodes)

    async def test_a_list_that_was_asked_for_meanwhile_is_not_kept(
        self, cellar: Cellar, service: Service
    ) -> None:
        service.has("old")
        cellar.asks(create("new"), type_="set")
        sent = await cellar.next()
        cellar.asks(listing())
        asked = await cellar.next()
        cellar.receives(service.reply(sent.element)[0].replace("'new'", "'new'"))
        assert (await cellar.next()).kind == "result"
        cellar.answers(
            asked,
            "<query xmlns='http://jabber.org/protocol/disco#items'>"
            "<item jid='pubsub.example.org' node='old'/></query>",
        )
        await cellar.next()
        cellar.stands_behind(service)
        answer = await cellar.result(listing())
        assert [one.get("node") for one in answer[0]] == ["old", "new"]


class TestSynchronising:
    async def test_a_node_that_is_fetched_meanwhile_is_not_answered_without_the_write(
        self, cellar: Cellar, service: Service
    ) -> None:
        """It was fetched before the write was carried out, and nothing is notified."""
        cellar.stands_behind(service).has(NODE, IDS)
        cellar.store.hold("publish_staged")
        await cellar.result(items(NODE))
        await cellar.until(lambda: "publish_staged" in cellar.store.held)
        service.notifies = "late"
        await writes(cellar, publish(NODE, "i2", payload=CHANGED))
        cellar.store.release("publish_staged")
        await cellar.settled()
        await is_read_as_it_is(cellar, service)
        await cellar.advance(1.5)
        await is_read_as_it_is(cellar, service)
        await cellar.settled()
        assert await cellar.state(NODE) == "live"

    async def test_what_was_fetched_before_the_write_is_compared_after_it(
        self, cellar: Cellar, service: Service
    ) -> None:
        """The ids are listed after it, and are the same."""
        cellar.stands_behind(service).has(NODE, IDS)
        cellar.store.hold("stage")
        await cellar.result(items(NODE))
        await cellar.until(lambda: "stage" in cellar.store.held)
        service.notifies = "late"
        unknown = publish(NODE, "i2", payload=CHANGED).replace("node=", "future='1' node=")
        await writes(cellar, unknown)
        cellar.store.release("stage")
        await cellar.settled()
        assert await cellar.state(NODE) == "live"
        await is_read_as_it_is(cellar, service)
        assert (await cellar.record(NODE)).written_at is None

    async def test_one_that_is_compared_meanwhile_is_compared_again(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.unanswered = (f"list {NODE}",)
        cellar.receives(service.event(f"<items node='{NODE}'><retract id='none'/></items>"))
        await cellar.settled()
        service.notifies = "late"
        service.unanswered = ()
        await writes(cellar, publish(NODE, "i1", payload=CHANGED))
        await cellar.advance(11)
        await is_read_as_it_is(cellar, service)
        await cellar.advance(60)
        await is_read_as_it_is(cellar, service)
        assert await cellar.state(NODE) == "live"


class TestWhatNodeItIsCannotBeTold:
    UNKNOWN = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><future node='notes/a'/></pubsub>"

    async def test_while_it_is_under_way_no_node_of_the_service_is_answered(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.unanswered = ("future",)
        id_ = cellar.asks(self.UNKNOWN, type_="set")
        await cellar.settled()
        service.nodes[NODE].items.clear()
        await is_read_as_it_is(cellar, service)
        assert (await cellar.record(NODE)).written_at is not None
        await cellar.advance(11)
        assert (await cellar.next()).id == id_
        await cellar.settled()
        await is_read_as_it_is(cellar, service)
        service.asked.clear()
        assert item_ids(await cellar.result(items(NODE))) == []
        assert service.asked == [], "it was revalidated"

    async def test_what_is_refused_leaves_the_nodes_as_they_are(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.refusals["future"] = ("cancel", "feature-not-implemented")
        for _ in range(2):
            answer = await cellar.answer(self.UNKNOWN, type_="set")
            assert answer.condition == "cancel/feature-not-implemented"
        await cellar.settled()
        assert (await cellar.record(NODE)).written_at is None
        service.asked.clear()
        assert item_ids(await cellar.result(items(NODE))) == IDS
        assert service.asked == []

    async def test_killed_meanwhile_nothing_stale_is_given(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        service.unanswered = ("future",)
        cellar.asks(self.UNKNOWN, type_="set")
        await cellar.settled()
        await cellar.kill()
        service.refusal = OUTAGE
        await cellar.restart()
        answer = await cellar.answer(items(NODE))
        assert answer.condition == "wait/remote-server-timeout"


@pytest.mark.parametrize("verb", ["retract", "purge"])
async def test_of_a_node_that_is_not_held_nothing_is_kept(
    cellar: Cellar, service: Service, verb: str
) -> None:
    """Whether it is unknown, or known not to be held."""
    cellar.stands_behind(service).has("drafts/a", IDS)
    service.has("unknown", IDS)
    await cellar.result(items("drafts/a"))
    await cellar.settled()
    assert await cellar.state("drafts/a") == "no_sync"
    for node in ("drafts/a", "unknown"):
        await writes(cellar, retract(node, "i1") if verb == "retract" else owned("purge", node))
        await cellar.settled()
        expected = ["i2", "i3"] if verb == "retract" else []
        assert item_ids(await cellar.result(items(node))) == expected
    proxy = cellar.component.proxy
    assert (len(proxy._doubts), proxy._writing._waiting) == (0, set())
    assert (await cellar.record("drafts/a")).written_at is None


async def test_many_writes_at_once_leave_nothing_behind(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, NODE, IDS)
    numbers = range(40)
    for number in numbers:
        cellar.asks(publish(NODE, f"n{number}"), type_="set")
    for _ in numbers:
        assert (await cellar.next()).kind == "result"
    await is_read_as_it_is(cellar, service)
    await cellar.advance(1.5)
    await is_read_as_it_is(cellar, service)
    proxy = cellar.component.proxy
    assert (len(proxy._doubts), proxy._writing._waiting) == (0, set())
    assert cellar.counted(Happened.WRITTEN) == 40


async def test_killed_between_result_and_notification_it_is_right(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, NODE, IDS)
    service.notifies = "late"
    await writes(cellar, retract(NODE, "i2"))
    await cellar.kill()
    await cellar.restart()
    await is_read_as_it_is(cellar, service)
    await cellar.settled()
    await is_read_as_it_is(cellar, service)
    assert (await cellar.record(NODE)).written_at is None
    assert await cellar.state(NODE) == "live"


async def test_a_configuration_that_closes_a_node_counts_at_once_for_everybody(
    cellar: Cellar, service: Service
) -> None:
    """Design: changes of access through the proxy take effect at once."""
    await cellar.holds(service, NODE, IDS)
    await writes(cellar, owned("configure", NODE, configuration(access_model="whitelist")))
    for _ in range(2):
        answer = await cellar.answer(items(NODE), sender=ROMEO)
        assert answer.condition == "auth/forbidden"
        await cellar.settled()
