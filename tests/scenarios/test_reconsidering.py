"""Held nodes whose analyser is gone, matches no more or changed its mind."""

import sqlite3
from contextlib import closing

import pytest
from playbook import Cellar, Service, info, item, item_ids, items, listing
from playbook.analysers import (
    DIARY,
    DIARY_NOT_HELD,
    IDS,
    NOBODY,
    NOTE_PAYLOADS_NOT_HELD,
    NOTES,
    NOTES_ELSEWHERE,
    NOTES_NOT_HELD,
    OUTAGE,
    RECIPES,
    RECIPES_ELSEWHERE,
    Deciding,
    Parsing,
    asked_by_us,
    set_aside,
    set_aside_while_away,
    stored_items,
)

from pubcellar.core.counters import Happened

RECIPE = "<recipe xmlns='urn:example:recipe'/>"
DAY = 86400


class TestNobodyWantsIt:
    @pytest.mark.parametrize(
        ("analysers", "reason"),
        [
            (NOBODY, "analyser 'notes' is not registered any more"),
            (NOTES_NOT_HELD, "analyser 'notes' is not to synchronise it"),
            (NOTES_ELSEWHERE, "analyser 'notes' does not match it any more"),
            (
                DIARY_NOT_HELD,
                "analyser 'notes' is not registered any more, "
                "analyser 'diary' is not to synchronise it",
            ),
            (
                DIARY_NOT_HELD + NOTES,
                "analyser 'notes' does not match it any more, "
                "analyser 'diary' is not to synchronise it",
            ),
        ],
    )
    async def test_it_is_forwarded_unsubscribed_and_kept_with_the_reason(
        self, cellar: Cellar, service: Service, analysers: str, reason: str
    ) -> None:
        await set_aside(cellar, service, analysers)
        record = await cellar.record("notes/a")
        assert record.reason == reason
        assert record.subscription == "none"
        assert asked_by_us(service) == ["unsubscribe notes/a"]
        assert not service.nodes["notes/a"].subscribers
        assert [item_id for item_id, _ in stored_items(cellar)] == IDS
        service.asked.clear()
        for question in (items("notes/a"), info("notes/a"), listing("notes/a")):
            await cellar.result(question)
        await cellar.settled()
        assert len(service.asked) == 3
        assert not asked_by_us(service)
        assert (await cellar.record("notes/a")).reason == reason

    async def test_payloads_that_match_no_more_count_too(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "cooking", IDS, payload=RECIPE)
        await cellar.restart(analysers=RECIPES_ELSEWHERE)
        assert await cellar.state("cooking") == "no_sync"
        assert "does not match" in (await cellar.record("cooking")).reason

    async def test_it_is_not_even_answered_in_an_outage(
        self, cellar: Cellar, service: Service
    ) -> None:
        await set_aside(cellar, service)
        service.refusal = OUTAGE
        answer = await cellar.answer(items("notes/a"))
        assert answer.condition == "wait/remote-server-timeout"

    async def test_notifications_that_still_come_change_nothing(
        self, cellar: Cellar, service: Service
    ) -> None:
        await set_aside(cellar, service)
        cellar.receives(service.publish("notes/a", "i4"))
        await cellar.settled()
        assert cellar.counted(Happened.EVENT_IGNORED) == 1
        assert len(stored_items(cellar)) == 3

    async def test_a_node_that_was_never_complete_is_unsubscribed_too(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).has("notes/a", IDS)
        service.refusals["list"] = ("wait", "resource-constraint")
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert await cellar.state("notes/a") == "failed"
        assert service.nodes["notes/a"].subscribers
        await cellar.restart(analysers=NOBODY)
        assert await cellar.state("notes/a") == "no_sync"
        assert not service.nodes["notes/a"].subscribers
        assert stored_items(cellar) == []

    async def test_other_nodes_stay_held(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "cooking", IDS, payload=RECIPE)
        await cellar.holds(service, "notes/a", IDS)
        await cellar.restart(analysers=RECIPES)
        assert await cellar.state("cooking") == "live"
        assert await cellar.state("notes/a") == "no_sync"

    async def test_hundreds_are_set_aside_in_one_start(
        self, cellar: Cellar, service: Service
    ) -> None:
        """More than one page of them, of which half are somebody else's now."""
        await cellar.holds(service, "notes/a", IDS)
        with closing(sqlite3.connect(cellar.database_file)) as database, database:
            columns = [row[1] for row in database.execute("pragma table_info(pubsub_node)")][3:]
            names = ", ".join(columns)
            for number in range(1200):
                database.execute(
                    f"insert into pubsub_node (service, name, {names}) "
                    f"select service, ?, {names} from pubsub_node where name = 'notes/a'",
                    (f"{'notes' if number % 2 else 'jottings'}/{number:04}",),
                )
        service.refusal = OUTAGE
        await cellar.restart(analysers=NOTES_ELSEWHERE)
        with closing(sqlite3.connect(cellar.database_file)) as database:
            found = database.execute(
                "select state, substr(name, 1, 5), count(*) from pubsub_node group by 1, 2"
            ).fetchall()
        assert sorted(found) == [("no_sync", "notes", 601), ("stale", "jotti", 600)]

    @pytest.mark.parametrize("seconds", [62, 8 * DAY])
    async def test_no_stanza_leaves_for_a_service_that_is_not_allowed_any_more(
        self, start, service: Service, seconds: int
    ) -> None:
        cellar = await start()
        await set_aside_while_away(cellar, service)
        cellar.settings = cellar.settings.model_copy(
            update={
                "upstream": cellar.settings.upstream.model_copy(
                    update={"allow": ("other.example.org",), "default": None}
                )
            }
        )
        service.refusal = None
        service.asked.clear()
        cellar.clock.advance(seconds)
        await cellar.restart()
        await cellar.settled()
        assert service.asked == []
        assert await cellar.store.count_nodes() == 0


class TestSomebodyElseTakesIt:
    async def test_its_type_and_what_is_parsed_become_the_new_one_s(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.analysers = [Parsing("first")]
        await cellar.restart(analysers=NOBODY)
        await cellar.holds(service, "letters/a", IDS)
        assert stored_items(cellar) == [(one, "first/1") for one in IDS]
        cellar.analysers = [Parsing("second")]
        await cellar.restart()
        record = await cellar.record("letters/a")
        assert (record.state, record.analyser) == ("live", "second")
        assert (record.type, record.subtype) == ("second type", "second subtype")
        assert stored_items(cellar) == [(one, "second/1") for one in IDS]

    async def test_it_is_still_answered_in_an_outage(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Raw items are the same, whoever parses them."""
        await cellar.holds(service, "notes/a", IDS)
        service.refusal = OUTAGE
        await cellar.restart(analysers=DIARY)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert cellar.counted(Happened.ANSWERED_STALE) == 1

    async def test_a_kill_before_the_new_one_was_asked_changes_nothing(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.restart(analysers=DIARY, faults=lambda store: store.hold("nodes_to_mend"))
        await cellar.kill()
        await cellar.restart()
        record = await cellar.record("notes/a")
        assert (record.state, record.analyser, record.type) == ("live", "diary", "entry")

    async def test_while_the_new_one_fails_the_node_is_in_doubt_but_not_gone(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        deciding = Deciding(RuntimeError("a bug of its author"))
        cellar.analysers = [deciding.dictionary]
        await cellar.restart(analysers=NOBODY)
        assert await cellar.state("notes/a") == "stale"
        assert len(stored_items(cellar)) == 3
        deciding.says = True
        await cellar.advance(60)
        record = await cellar.record("notes/a")
        assert (record.state, record.analyser) == ("live", "deciding")


class TestOnlyItsOwnCodeCanTell:
    """An analyser of the dictionary kind whose `match_cb` changes `to_sync`."""

    async def started(self, cellar: Cellar, service: Service) -> "Deciding":
        deciding = Deciding(True)
        cellar.analysers = [deciding.dictionary]
        await cellar.restart(analysers=NOBODY)
        await cellar.holds(service, "notes/a", IDS)
        return deciding

    async def test_it_is_asked_again_at_a_start(self, cellar: Cellar, service: Service) -> None:
        deciding = await self.started(cellar, service)
        await cellar.restart()
        assert await cellar.state("notes/a") == "live"
        assert deciding.calls == 2

    async def test_the_node_is_set_aside_when_it_says_no(
        self, cellar: Cellar, service: Service
    ) -> None:
        deciding = await self.started(cellar, service)
        deciding.says = False
        await cellar.restart()
        record = await cellar.record("notes/a")
        assert (record.state, record.subscription) == ("no_sync", "none")
        assert "deciding" in record.reason
        assert asked_by_us(service) == ["unsubscribe notes/a"]
        assert len(stored_items(cellar)) == 3

    async def test_then_a_read_asks_it_and_not_every_start(
        self, cellar: Cellar, service: Service
    ) -> None:
        deciding = await self.started(cellar, service)
        deciding.says = False
        await cellar.restart()
        await cellar.restart()
        await cellar.settled()
        assert deciding.calls == 2
        await cellar.result(items("notes/a"))
        await cellar.settled()
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert deciding.calls == 3
        deciding.says = True
        await cellar.advance(DAY + 1)
        await cellar.result(items("notes/a"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.analyser, record.reason) == ("live", "deciding", "")
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert service.asked == []

    async def test_what_it_said_stands_when_it_fails(
        self, cellar: Cellar, service: Service
    ) -> None:
        deciding = await self.started(cellar, service)
        deciding.says = RuntimeError("a bug of its author")
        await cellar.restart()
        assert await cellar.state("notes/a") == "live"

    async def test_it_is_not_asked_before_the_database_may_be_answered_from(
        self, cellar: Cellar, service: Service
    ) -> None:
        deciding = await self.started(cellar, service)
        await cellar.restart(faults=lambda store: store.hold("nodes_to_mend"))
        assert deciding.calls == 1
        assert await cellar.state("notes/a") == "stale"


class TestWhatIsNotKnown:
    async def test_an_empty_node_is_still_for_who_took_it_by_its_payloads(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "cooking", ["i1"], payload=RECIPE)
        cellar.receives(service.retract("cooking", "i1"))
        await cellar.settled()
        await cellar.restart(analysers=RECIPES)
        assert await cellar.state("cooking") == "live"

    async def test_an_empty_node_is_nobody_s_once_its_analyser_is_gone(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "cooking", ["i1"], payload=RECIPE)
        cellar.receives(service.retract("cooking", "i1"))
        await cellar.settled()
        await cellar.restart(analysers=NOTES)
        assert await cellar.state("cooking") == "no_sync"

    @pytest.mark.parametrize("other", ["newest", "oldest"])
    async def test_one_item_that_matches_is_enough(
        self, cellar: Cellar, service: Service, other: str
    ) -> None:
        await cellar.holds(service, "cooking", ["i1", "i2"], payload=RECIPE)
        note = "i3" if other == "newest" else "i0"
        node = service.nodes["cooking"]
        node.items = dict(sorted({**node.items, note: item(note)}.items()))
        await cellar.restart()
        assert len(stored_items(cellar)) == 3
        await cellar.restart(analysers=NOTE_PAYLOADS_NOT_HELD + RECIPES)
        assert await cellar.state("cooking") == "live"


class TestNewAnalyser:
    async def test_a_node_that_nobody_wanted_is_held_after_the_restart(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Its operator does not wait for `reanalyse_after`."""
        cellar.stands_behind(service).has("diary/a", IDS)
        await cellar.result(items("diary/a"))
        await cellar.settled()
        assert await cellar.state("diary/a") == "no_sync"
        await cellar.restart(analysers=DIARY.replace("notes/", "diary/"))
        await cellar.result(items("diary/a"))
        await cellar.settled()
        assert await cellar.state("diary/a") == "live"
