"""The database fails, or the proxy is killed, while nodes are set aside."""

import pytest
from playbook import Cellar, Service, item_ids, items
from playbook.analysers import (
    IDS,
    NOBODY,
    NOTES,
    OUTAGE,
    asked_by_us,
    set_aside,
    stored_items,
)


class TestDatabaseFailsAtStart:
    @pytest.mark.parametrize("method", ["make_stale", "held_nodes", "set_aside"])
    async def test_nothing_is_answered_until_it_was_gone_through(
        self, cellar: Cellar, service: Service, method: str
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = OUTAGE
        await cellar.restart(analysers=NOBODY, faults=lambda store: store.broken.add(method))
        answer = await cellar.answer(items("notes/a"))
        assert answer.condition == "wait/remote-server-timeout"
        service.refusal = None
        # So long the error is given again without asking.
        await cellar.advance(6)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        cellar.store.broken.clear()
        await cellar.advance(2)
        assert await cellar.state("notes/a") == "no_sync"
        await cellar.advance(62)
        assert not service.nodes["notes/a"].subscribers

    async def test_what_is_back_is_taken_back_as_soon_as_it_works(
        self, cellar: Cellar, service: Service
    ) -> None:
        await set_aside(cellar, service)
        await cellar.restart(analysers=NOTES, faults=lambda store: store.broken.add("take_back"))
        assert await cellar.state("notes/a") == "no_sync"
        cellar.store.broken.clear()
        await cellar.advance(2)
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"


class TestKilled:
    @pytest.mark.parametrize("analysers", [NOBODY, NOTES])
    @pytest.mark.parametrize(
        "method", ["held_nodes", "set_aside", "nodes_to_unsubscribe", "save_node"]
    )
    async def test_the_next_start_comes_to_the_same_end(
        self, cellar: Cellar, service: Service, method: str, analysers: str
    ) -> None:
        """Between the steps: found, set aside, asked to end the subscription, written down."""
        await cellar.holds(service, "notes/a", IDS)
        await cellar.restart(analysers=NOBODY, faults=lambda store: store.hold(method))
        await cellar.until(lambda: method in cellar.store.held)
        await cellar.kill()
        await cellar.restart(analysers=analysers)
        await cellar.settled()
        record = await cellar.record("notes/a")
        if analysers == NOBODY:
            assert (record.state, record.subscription) == ("no_sync", "none")
            assert not service.nodes["notes/a"].subscribers
            assert len(stored_items(cellar)) == 3
        else:
            assert record.state == "live"
            assert service.nodes["notes/a"].subscribers
            assert item_ids(await cellar.result(items("notes/a"))) == IDS

    async def test_while_we_subscribe_for_the_first_time(
        self, cellar: Cellar, service: Service
    ) -> None:
        """The service has heard us, and we have not heard it."""
        service.has("notes/a", IDS)
        cellar.asks(items("notes/a"))
        while not asked_by_us(service, "subscribe"):
            sent = await cellar.next()
            if sent.recipient == service.jid:
                replies = service.reply(sent.element)
                if "<subscribe" not in repr(sent):
                    cellar.receives(replies[0])
        await cellar.kill()
        cellar.stands_behind(service)
        assert service.nodes["notes/a"].subscribers
        await cellar.restart(analysers=NOBODY)
        await cellar.settled()
        assert await cellar.state("notes/a") == "no_sync"
        assert not service.nodes["notes/a"].subscribers

    async def test_between_the_request_and_its_answer(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        cellar.stands_aside(service)
        await cellar.restart(analysers=NOBODY)
        await cellar.next()
        await cellar.kill()
        cellar.stands_behind(service)
        await cellar.restart()
        assert (await cellar.record("notes/a")).subscription == "none"
