"""What becomes of nodes that are set aside: unsubscribed, taken back, or forgotten."""

import pytest
from playbook import Cellar, Service, item_ids, items
from playbook.analysers import (
    DIARY,
    IDS,
    NOBODY,
    NOTES,
    OUTAGE,
    RECIPES,
    asked_by_us,
    set_aside,
    set_aside_while_away,
    stored_items,
)

from pubcellar.core.counters import Happened

RECIPE = "<recipe xmlns='urn:example:recipe'/>"
DAY = 86400


class TestUnsubscribing:
    async def test_is_tried_again_while_the_service_is_away(
        self, cellar: Cellar, service: Service
    ) -> None:
        await set_aside_while_away(cellar, service)
        await cellar.advance(3600)
        await cellar.advance(120)
        assert "info" in service.asked, "the service is probed, not asked for each node"
        service.refusal = None
        await cellar.advance(3600)
        await cellar.advance(120)
        assert not service.nodes["notes/a"].subscribers
        assert (await cellar.record("notes/a")).subscription == "none"

    async def test_is_not_tried_again_all_the_time(self, cellar: Cellar, service: Service) -> None:
        service.refusals["unsubscribe"] = ("wait", "resource-constraint")
        await set_aside(cellar, service)
        for _ in range(10):
            await cellar.advance(2)
        assert len(asked_by_us(service, "unsubscribe")) == 1

    async def test_is_not_tried_for_every_node_of_a_service_that_is_away(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\nmax_synchronisations = 2\n")
        for one in "abcdefgh":
            await cellar.holds(service, f"notes/{one}", IDS)
        service.refusal = OUTAGE
        await cellar.restart(analysers=NOBODY)
        for _ in range(5):
            await cellar.advance(2)
        assert 0 < len(asked_by_us(service, "unsubscribe")) <= 2

    async def test_is_tried_again_after_a_restart(self, cellar: Cellar, service: Service) -> None:
        await set_aside_while_away(cellar, service)
        service.refusal = None
        await cellar.restart()
        await cellar.advance(60)
        assert not service.nodes["notes/a"].subscribers
        assert (await cellar.record("notes/a")).subscription == "none"

    async def test_a_read_meanwhile_does_not_put_it_off(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.restart(
            analysers=NOBODY, faults=lambda store: store.hold("nodes_to_unsubscribe")
        )
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert service.nodes["notes/a"].subscribers
        cellar.store.release("nodes_to_unsubscribe")
        await cellar.advance(2)
        assert not service.nodes["notes/a"].subscribers

    @pytest.mark.parametrize("condition", ["unexpected-request", "item-not-found", "forbidden"])
    async def test_is_done_with_when_the_service_refuses(
        self, cellar: Cellar, service: Service, condition: str
    ) -> None:
        """There is no subscription of ours, or nothing that we could do about it."""
        service.refusals["unsubscribe"] = ("cancel", condition)
        await set_aside(cellar, service)
        await cellar.advance(3600)
        await cellar.advance(2)
        assert asked_by_us(service, "unsubscribe") == ["unsubscribe notes/a"]
        assert (await cellar.record("notes/a")).subscription == "none"
        assert len(stored_items(cellar)) == 3

    async def test_a_bounded_number_at_a_time(self, start, service: Service) -> None:
        cellar = await start("[cache]\nmax_synchronisations = 2\n")
        for one in "abcde":
            await cellar.holds(service, f"notes/{one}", IDS)
        cellar.stands_aside(service)
        await cellar.restart(analysers=NOBODY)
        await cellar.advance(2)
        sent = [await cellar.next() for _ in range(2)]
        await cellar.idle()
        cellar.stands_behind(service)
        for one in sent:
            cellar.receives(service.reply(one.element)[0])
        for _ in range(3):
            await cellar.advance(2)
        assert not any(node.subscribers for node in service.nodes.values())

    async def test_of_a_node_that_is_withdrawn_is_tried_again_as_well(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusals["unsubscribe"] = ("wait", "resource-constraint")
        cellar.receives(service.configure("notes/a", "whitelist"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.subscription) == ("no_sync", "subscribed")
        assert stored_items(cellar) == []
        service.refusals.clear()
        await cellar.advance(DAY + 1)
        await cellar.advance(60)
        assert (await cellar.record("notes/a")).subscription == "none"


class TestBackAgain:
    async def test_it_is_revalidated_and_answered_from_the_cache(
        self, cellar: Cellar, service: Service
    ) -> None:
        await set_aside(cellar, service)
        service.publish("notes/a", "missed")
        await cellar.restart(analysers=NOTES)
        assert await cellar.state("notes/a") == "live"
        assert service.nodes["notes/a"].subscribers
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "missed"]
        assert service.asked == []

    async def test_nothing_was_lost_meanwhile(self, cellar: Cellar, service: Service) -> None:
        """Shown by an outage, in which there is nothing but what was kept."""
        await set_aside(cellar, service)
        service.refusal = OUTAGE
        await cellar.restart(analysers=NOTES)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert cellar.counted(Happened.ANSWERED_STALE) == 1

    async def test_another_may_take_it_as_well(self, cellar: Cellar, service: Service) -> None:
        await set_aside(cellar, service)
        await cellar.restart(analysers=DIARY)
        record = await cellar.record("notes/a")
        assert (record.state, record.analyser, record.type) == ("live", "diary", "entry")

    async def test_before_we_were_unsubscribed(self, cellar: Cellar, service: Service) -> None:
        await set_aside_while_away(cellar, service)
        service.refusal = None
        await cellar.restart(analysers=NOTES)
        await cellar.advance(60)
        assert await cellar.state("notes/a") == "live"
        assert service.nodes["notes/a"].subscribers
        assert not asked_by_us(service, "unsubscribe")[1:]


class TestForgetAfter:
    async def test_record_and_items_are_dropped(self, start, service: Service) -> None:
        cellar = await start("[cache]\nforget_after = '2h'\n")
        await set_aside(cellar, service)
        await cellar.advance(7100)
        await cellar.advance(62)
        assert len(stored_items(cellar)) == 3
        await cellar.advance(62)
        assert stored_items(cellar) == []
        assert await cellar.store.count_nodes() == 0

    async def test_starts_and_reads_in_between_do_not_begin_it_anew(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\nforget_after = '2h'\nreanalyse_after = '10m'\n")
        await set_aside(cellar, service)
        for _ in range(2):
            await cellar.advance(3590)
            await cellar.result(items("notes/a"))
            await cellar.restart()
        assert len(stored_items(cellar)) == 3
        await cellar.advance(62)
        assert stored_items(cellar) == []

    async def test_it_is_dropped_though_the_service_was_away_all_the_time(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\nforget_after = '2h'\n")
        await set_aside_while_away(cellar, service)
        await cellar.advance(7300)
        await cellar.advance(62)
        assert stored_items(cellar) == []
        # Only that a subscription is to be ended is remembered still.
        assert (await cellar.record("notes/a")).is_departing
        service.refusal = None
        await cellar.advance(3600)
        await cellar.advance(120)
        assert not service.nodes["notes/a"].subscribers
        assert await cellar.store.count_nodes() == 0

    async def test_one_that_is_wanted_again_meanwhile_is_not(self, start, service: Service) -> None:
        cellar = await start("[cache]\nforget_after = '2h'\n")
        await set_aside(cellar, service)
        await cellar.advance(7000)
        await cellar.restart(analysers=NOTES)
        await cellar.advance(7300)
        assert await cellar.state("notes/a") == "live"

    async def test_the_next_read_begins_from_nothing(self, start, service: Service) -> None:
        cellar = await start("[cache]\nforget_after = '2h'\n")
        await set_aside(cellar, service)
        await cellar.advance(7300)
        await cellar.result(items("notes/a"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.generation) == ("no_sync", 0)
        assert record.reason == "no analyser matches"


async def test_nodes_that_are_set_aside_count_and_make_room(start, service: Service) -> None:
    cellar = await start("[cache]\nmax_nodes = 2\n")
    await cellar.holds(service, "notes/a", IDS)
    await cellar.holds(service, "cooking", IDS, payload=RECIPE)
    await cellar.restart(analysers=RECIPES)
    await cellar.advance(10)
    await cellar.result(items("cooking"))
    await cellar.advance(2)
    await cellar.holds(service, "baking", IDS, payload=RECIPE)
    assert await cellar.record("notes/a") is None
    assert await cellar.state("cooking") == "live"
    assert len(stored_items(cellar)) == 6
