"""Nodes that the cache before this one, inside a client, fetched, followed or gave up wrongly.

What else of it is tested stands in test_ancestor_defects.py. That it never found what its service
did not notify of is the subject of test_silent_changes.py.
"""

import asyncio
import logging
from datetime import timedelta

import pytest
from playbook import Cellar, Service, item_ids, items
from playbook.analysers import Parsing
from playbook.cellar import CACHE, JULIET, ROMEO
from playbook.stanzas import Element

from pubcellar.core.counters import Happened

IDS = [f"i{number}" for number in range(1, 8)]
OUTAGE = ("wait", "remote-server-timeout")
HOUR = 3600


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


async def read(cellar: Cellar, service: Service, node: str = "notes/a") -> list[str]:
    """Return what a reader finds, the service not having been asked for it."""
    # The access model may be due to be asked for.
    await cellar.result(items(node))
    await cellar.settled()
    service.asked.clear()
    found = item_ids(await cellar.result(items(node)))
    assert service.asked == []
    return found


def ours(service: Service, word: str = "") -> list[str]:
    """Return what the service was asked on the component's own account."""
    return [one for one in service.asked if " for " not in one and one.startswith(word)]


class DeafToUs(Service):
    """Answers everybody but the component itself, for as long as it `is_deaf`."""

    is_deaf = True

    def reply(self, request: Element) -> list[str]:
        replies = super().reply(request)
        return [] if self.is_deaf and request.get("from") == CACHE else replies


class Repeating(Service):
    """Gives its first item on every page, for as long as it `repeats`."""

    repeats = True

    def _page(self, ids: list[str], page: Element) -> tuple[list[str], str]:
        part, paged = super()._page(ids, page)
        return ([ids[0], *part] if self.repeats and part else part), paged


class TestLargeNodes:
    async def test_a_node_of_more_than_five_thousand_items_is_held(
        self, cellar: Cellar, either: Service
    ) -> None:
        """At 5000 the ancestor failed on its own limit, threw all away and never tried again."""
        ids = [f"item-{number}" for number in range(5_100)]
        await cellar.holds(either, "notes/a", ids)
        assert (await cellar.record("notes/a")).item_count == 5_100
        newest = await cellar.result(items("notes/a", max_items=2))
        assert item_ids(newest) == ids[-2:]
        assert either.asked == []

    async def test_a_node_beyond_our_own_limit_is_the_service_s_to_answer(
        self, start, service: Service
    ) -> None:
        """It was an error of which nobody was told."""
        cellar = await start("[cache]\nmax_items_per_node = 5\n")
        cellar.stands_behind(service).has("notes/a", IDS)
        for _ in range(3):
            assert item_ids(await cellar.result(items("notes/a"))) == IDS
            await cellar.settled()
        record = await cellar.record("notes/a")
        assert record.state == "no_sync"
        assert "max_items_per_node" in record.reason

    async def test_a_service_that_repeats_an_item_is_not_given_up(self, cellar: Cellar) -> None:
        """The same failure on its own limit, at the second sight of an id."""
        service = Repeating(pages=True)
        cellar.stands_behind(service).has("notes/a", [f"i{number}" for number in range(30)])
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert await cellar.state("notes/a") == "failed"
        service.repeats = False
        await cellar.advance(31)
        assert await cellar.state("notes/a") == "live"
        assert len(await read(cellar, service)) == 30


class TestDeletion:
    async def test_a_node_that_was_deleted_is_not_given_any_more(
        self, cellar: Cellar, either: Service
    ) -> None:
        """The event that told of it failed, and the node was given for ever."""
        await cellar.holds(either, "notes/a", IDS)
        cellar.receives(either.delete("notes/a"))
        answer = await cellar.answer(items("notes/a"))
        assert answer.condition == "cancel/item-not-found"
        await cellar.settled()
        assert await cellar.record("notes/a") is None


class TestFailure:
    @pytest.mark.parametrize("at", ["info", "items notes/a newest=1", "list", "items notes/a id="])
    async def test_a_failure_is_written_down_counted_and_logged(
        self, cellar: Cellar, service: Service, caplog: pytest.LogCaptureFixture, at: str
    ) -> None:
        """It was told as a success, and logged as `{service}` with a list of stack frames."""
        service.refusals[at] = ("wait", "resource-constraint")
        cellar.stands_behind(service).has("notes/a", IDS)
        await cellar.result(items("notes/a"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert record.state == "failed"
        assert "resource-constraint" in record.reason
        assert cellar.counted(Happened.SYNCHRONISATION_FAILED) == 1
        assert cellar.counted(Happened.SYNCHRONISED) == 0
        [said] = [one for one in caplog.records if "resource-constraint" in one.getMessage()]
        assert said.levelno == logging.WARNING
        assert "service=pubsub.example.org node='notes/a'" in said.getMessage()
        assert "{" not in said.getMessage()
        assert "Traceback" not in caplog.text

    async def test_what_failed_is_tried_again_later_and_later_until_it_is_held(
        self, cellar: Cellar, service: Service
    ) -> None:
        """A node that had failed once was in error for ever."""
        service.refusals["list"] = ("wait", "resource-constraint")
        cellar.stands_behind(service).has("notes/a", IDS)
        await cellar.result(items("notes/a"))
        for _ in range(60):
            await cellar.advance(60)
        assert 4 <= len(ours(service, "list")) <= 10
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        del service.refusals["list"]
        for _ in range(60):
            await cellar.advance(60)
        assert await read(cellar, service) == IDS

    async def test_a_node_fetched_anew_keeps_its_subtype(
        self, cellar: Cellar, service: Service
    ) -> None:
        """It was lost when somebody had the node fetched again."""
        node = "letters/a"
        cellar.component.proxy._parts.analysers.register_analyser(Parsing("letters"))
        await cellar.holds(service, node, IDS)
        before = await cellar.record(node)
        assert before.subtype == "letters subtype"
        ended = f"<subscription node='{node}' jid='{CACHE}' subscription='none'/>"
        cellar.receives(service.event(ended))
        await cellar.settled()
        after = await cellar.record(node)
        assert after.generation > before.generation
        assert (after.analyser, after.type, after.subtype) == (
            before.analyser,
            before.type,
            before.subtype,
        )


class TestSlowServices:
    async def test_a_node_whose_fetching_has_hung_for_hours_is_read_and_then_held(
        self, cellar: Cellar
    ) -> None:
        """After six hours every read failed, for ever, on ending what hung."""
        service = DeafToUs()
        cellar.stands_behind(service).has("notes/a", IDS)
        for _ in range(9):
            assert item_ids(await cellar.result(items("notes/a"))) == IDS
            await cellar.advance(HOUR)
        assert await cellar.state("notes/a") != "live"
        service.is_deaf = False
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        for _ in range(70):
            await cellar.advance(60)
        assert await read(cellar, service) == IDS

    async def test_who_asks_while_a_node_is_fetched_for_others_is_answered(
        self, cellar: Cellar, either: Service
    ) -> None:
        """A second profile's read got an internal error."""
        cellar.store.hold("publish_staged")
        cellar.stands_behind(either).has("notes/a", IDS)
        await cellar.result(items("notes/a"))
        await cellar.until(lambda: "publish_staged" in cellar.store.held)
        for reader in (ROMEO, JULIET, "tybalt@capulet.lit/street"):
            assert item_ids(await cellar.result(items("notes/a"), sender=reader)) == IDS
        cellar.store.release("publish_staged")
        assert await read(cellar, either) == IDS

    async def test_no_more_nodes_than_allowed_are_fetched_at_once(self, start) -> None:
        """There was no limit at all to it."""
        cellar = await start("[cache]\nmax_synchronisations = 2\n")
        service = cellar.stands_behind(DeafToUs())
        for number in range(6):
            service.has(f"notes/{number}", IDS)
            await cellar.result(items(f"notes/{number}"))
        await cellar.settled()
        assert len(set(ours(service, "info"))) == 2
        service.is_deaf = False
        for _ in range(70):
            await cellar.advance(60)
        states = [await cellar.state(f"notes/{number}") for number in range(6)]
        assert states == ["live"] * 6


class TestAtOnce:
    async def test_many_first_reads_make_one_record_and_are_all_answered(
        self, cellar: Cellar, either: Service
    ) -> None:
        """Two that came together made one of them fail on the record of the other."""
        cellar.stands_behind(either).has("notes/a", IDS)
        readers = [f"reader{number}@capulet.lit/home" for number in range(10)]
        asked = {cellar.asks(items("notes/a"), sender=reader) for reader in readers}
        answers = [await cellar.next() for _ in readers]
        assert {answer.id for answer in answers} == asked
        assert all(item_ids(answer.element) == IDS for answer in answers)
        assert await read(cellar, either) == IDS
        assert cellar.counted(Happened.SYNCHRONISED) == 1

    async def test_equal_reads_of_a_node_not_held_are_one_request(self, cellar: Cellar) -> None:
        """Each of them went to the service."""
        service = Service()
        service.has("unclaimed", IDS)
        for _ in range(20):
            cellar.asks(items("unclaimed"))
        question = await cellar.next()
        await cellar.idle()
        cellar.receives(service.reply(question.element)[0])
        answers = [await cellar.next() for _ in range(20)]
        assert all(item_ids(answer.element) == IDS for answer in answers)

    async def test_reads_of_a_node_that_is_not_held_cost_one_request_each(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Each cost three: whether to hold it was found out anew."""
        cellar.stands_behind(service).has("unclaimed", IDS)
        await cellar.result(items("unclaimed"))
        await cellar.settled()
        service.asked.clear()
        for _ in range(5):
            # An answer without items does not show what the node holds.
            await cellar.result(items("unclaimed", ids=["none"]))
            await cellar.settled()
        assert len(service.asked) == 5
        assert ours(service) == []


class TestTimes:
    async def test_nodes_that_changed_at_different_times_say_so(
        self, cellar: Cellar, service: Service
    ) -> None:
        """The time of all of them was that of the start of the process."""
        started_at = cellar.clock.now()
        await cellar.advance(HOUR)
        await cellar.holds(service, "notes/a", IDS)
        await cellar.advance(HOUR)
        await cellar.holds(service, "notes/b", IDS)
        first, second = [await cellar.record(node) for node in ("notes/a", "notes/b")]
        assert first.state_changed_at - started_at == timedelta(hours=1)
        assert second.state_changed_at - first.state_changed_at == timedelta(hours=1)


class TestLostEvents:
    @pytest.mark.parametrize("how", ["stream", "restart", "kill"])
    async def test_what_was_missed_is_there_afterwards(
        self, cellar: Cellar, either: Service, how: str
    ) -> None:
        """Nothing was looked at again, ever."""
        await cellar.holds(either, "notes/a", IDS)
        if how == "kill":
            await cellar.kill()
        elif how == "stream":
            cellar.disconnect()
        either.retract("notes/a", "i2")
        either.publish("notes/a", "i8")
        if how == "stream":
            await cellar.reconnect()
        else:
            await cellar.restart()
        expected = ["i1", *IDS[2:], "i8"]
        assert item_ids(await cellar.result(items("notes/a"))) == expected
        await cellar.advance(2)
        assert await read(cellar, either) == expected

    async def test_a_restart_fetches_nothing_that_has_not_changed(
        self, cellar: Cellar, either: Service
    ) -> None:
        """All was deleted, and fetched again."""
        await cellar.holds(either, "notes/a", [f"i{number}" for number in range(60)])
        items_before = (await cellar.record("notes/a")).item_count
        await cellar.restart()
        assert (await cellar.record("notes/a")).item_count == items_before
        assert len(item_ids(await cellar.result(items("notes/a")))) == items_before
        await cellar.advance(2)
        assert len(await read(cellar, either)) == items_before

    async def test_an_item_retracted_while_its_page_is_on_the_way_stays_away(
        self, cellar: Cellar, paging_service: Service
    ) -> None:
        """The page, which had left before the retract did, brought the item back."""
        ids = [f"i{number}" for number in range(40)]
        paging_service.has("notes/a", ids)
        cellar.asks(items("notes/a"))
        is_retracted = False
        while await cellar.state("notes/a") != "live":
            sent = await asyncio.wait_for(cellar.next(), 10)
            if sent.kind == "result":
                continue
            replies = paging_service.reply(sent.element)
            if "after=" in paging_service.asked[-1] and not is_retracted:
                is_retracted = True
                late = next(one for one in ids if f"id='{one}'" in replies[0].replace('"', "'"))
                cellar.receives(paging_service.retract("notes/a", late))
            for reply in replies:
                cellar.receives(reply)
            await cellar.settled()
        assert is_retracted
        cellar.stands_behind(paging_service)
        await cellar.advance(2)
        assert await read(cellar, paging_service) == [one for one in ids if one != late]

    async def test_what_was_written_is_read(self, cellar: Cellar, either: Service) -> None:
        """What a client had just published was not there until the event came."""
        await cellar.holds(either, "notes/a", IDS)
        cellar.receives(either.publish("notes/a", "i8"))
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "i8"]
