"""The order in which services give items is learnt, per node, and unlearnt.

Every answer is compared with what the service itself would say; that it comes from the database is
asserted beside it.
"""

from dataclasses import replace

import pytest
from playbook import Cellar, info, item_ids, items, listing
from playbook.comparing import told_ids
from playbook.habits import EJABBERD, EJABBERD_SQL, PROSODY, Habits, HabitualService

NODE = "notes/a"
IDS = [f"i{number}" for number in range(1, 7)]

QUESTIONS = {
    "plain": items(NODE),
    "newest 1": items(NODE, max_items=1),
    "newest 3": items(NODE, max_items=3),
    "newest of all": items(NODE, max_items=99),
    "one id": items(NODE, ids=["i3"]),
    "ids": items(NODE, ids=["i5", "none", "i2", "i5", "i3"]),
    "no such id": items(NODE, ids=["none", "neither"]),
    "disco": listing(NODE),
}
"""Answered from the cache wherever the orders are known."""

NOT_PAGING = [
    Habits(plain_newest_first=False, newest_newest_first=True, disco_newest_first=True),
    Habits(plain_newest_first=True, newest_newest_first=False, disco_newest_first=True),
    Habits(plain_newest_first=True, newest_newest_first=True, disco_newest_first=False),
    Habits(plain_newest_first=True, ids="stored", republish_moves=False),
    Habits(plain_newest_first=False, ids="stored", disco_newest_first=True),
]
PAGING = [
    replace(EJABBERD, sets=False, plain_newest_first=True, republish_moves=True),
    replace(EJABBERD, pages_newest_first=True, disco_newest_first=True),
    replace(EJABBERD_SQL, plain_newest_first=True, pages_newest_first=True, ids="requested"),
    replace(EJABBERD_SQL, disco_newest_first=True, republish_moves=True),
]
"""Any two habits are found together, and apart, in one of them or in those of real services."""


async def same(cellar: Cellar, service: HabitualService, *names: str) -> None:
    """Make sure that the questions are answered as the service would answer them."""
    for name in names or QUESTIONS:
        answer = await cellar.result(QUESTIONS[name])
        assert item_ids(answer) == told_ids(service, QUESTIONS[name]), name


async def same_from_the_cache(cellar: Cellar, service: HabitualService, *names: str) -> None:
    """Like `same`, and the service is not asked."""
    service.asked.clear()
    await same(cellar, service, *names)
    assert service.asked == []


async def happens(cellar: Cellar, service: HabitualService, event: str) -> None:
    cellar.receives(event)
    await cellar.settled()


@pytest.mark.parametrize("habits", [PROSODY, EJABBERD, EJABBERD_SQL, *NOT_PAGING, *PAGING], ids=str)
async def test_whatever_its_order_a_held_node_is_answered_in_it(
    cellar: Cellar, habits: Habits
) -> None:
    """Before and after something is published, published again, retracted and pushed out."""
    service = HabitualService(habits)
    await cellar.holds(service, NODE, IDS)
    await same_from_the_cache(cellar, service)
    for item_id in ("i2", "i4", "i1"):
        await happens(cellar, service, service.publish(NODE, item_id))
        await same_from_the_cache(cellar, service)
    await happens(cellar, service, service.publish(NODE, "i7"))
    await same_from_the_cache(cellar, service)
    await happens(cellar, service, service.retract(NODE, "i3"))
    await same_from_the_cache(cellar, service)
    pushing = service.publish(NODE, "i8")
    service.retract(NODE, service.ids(NODE)[0])
    await happens(cellar, service, pushing)
    await same_from_the_cache(cellar, service)


async def test_ids_that_come_once_but_as_requested_are_left_to_the_service(cellar: Cellar) -> None:
    """Neither of the two ways that are known; what is not understood is forwarded."""
    service = HabitualService(Habits(ids="requested once"))
    await cellar.holds(service, NODE, IDS)
    await same(cellar, service)
    assert "items notes/a id=i5 id=none id=i2 id=i5 id=i3" in " ".join(service.asked)
    await same_from_the_cache(cellar, service, "plain", "newest 3", "disco", "one id")


async def test_what_cannot_be_learnt_is_not_looked_at_with_every_read(cellar: Cellar) -> None:
    service = HabitualService(Habits(ids="requested once"))
    await cellar.holds(service, NODE, IDS)
    await same(cellar, service, "ids")
    await cellar.settled()
    service.asked.clear()
    for _ in range(5):
        await same(cellar, service, "ids")
        await cellar.settled()
    assert len(service.asked) == 5
    assert all(" for juliet" in asked for asked in service.asked), "our own questions"


class TestNodesOfOneServiceDiffer:
    """A trait of the service says nothing of a node that shows another one."""

    OTHER = "notes/b"

    @pytest.mark.parametrize(
        ("usual", "odd"),
        [
            (PROSODY, Habits(plain_newest_first=True, newest_newest_first=True, ids="stored")),
            (PROSODY, Habits()),
            (EJABBERD, EJABBERD_SQL),
            (
                EJABBERD,
                Habits(pages=True, pages_newest_first=True, disco_newest_first=True, sets=False),
            ),
        ],
        ids=str,
    )
    async def test_each_is_answered_in_its_own_order(
        self, cellar: Cellar, usual: Habits, odd: Habits
    ) -> None:
        service = HabitualService(usual)
        service.of_node[self.OTHER] = odd
        await cellar.holds(service, NODE, IDS)
        await cellar.holds(service, self.OTHER, IDS)
        for node in (self.OTHER, NODE, self.OTHER):
            await self.same_of(cellar, service, node)

    async def test_also_after_a_restart(self, cellar: Cellar) -> None:
        service = HabitualService(PROSODY)
        service.of_node[self.OTHER] = Habits(plain_newest_first=True)
        await cellar.holds(service, NODE, IDS)
        await cellar.holds(service, self.OTHER, IDS)
        await cellar.restart()
        await cellar.settled()
        assert await cellar.state(NODE) == await cellar.state(self.OTHER) == "live"
        for node in (self.OTHER, NODE):
            await self.same_of(cellar, service, node)

    async def same_of(self, cellar: Cellar, service: HabitualService, node: str) -> None:
        service.asked.clear()
        for name, question in QUESTIONS.items():
            of_node = question.replace(f"'{NODE}'", f"'{node}'").replace(NODE, node)
            answer = await cellar.result(of_node)
            assert item_ids(answer) == told_ids(service, of_node), (node, name)
        assert service.asked == []


class TestTheServiceIsChanged:
    """A new version has other habits; what was learnt of the old one is unlearnt."""

    CHANGED = (
        (PROSODY, Habits(plain_newest_first=True, newest_newest_first=True)),
        (PROSODY, Habits(ids="stored")),
        (EJABBERD, EJABBERD_SQL),
        (
            EJABBERD,
            Habits(pages=True, plain_newest_first=True, pages_newest_first=True, ids="stored"),
        ),
    )

    @pytest.mark.parametrize(("before", "after"), CHANGED, ids=str)
    async def test_what_it_has_become_is_learnt_when_it_is_back(
        self, cellar: Cellar, before: Habits, after: Habits
    ) -> None:
        service = HabitualService(before)
        await cellar.holds(service, NODE, IDS)
        await cellar.holds(service, "notes/b", IDS)
        cellar.disconnect()
        service.habits = after
        await cellar.reconnect()
        for _ in range(3):
            await same(cellar, service)
            await cellar.settled()
        await same_from_the_cache(cellar, service)

    @pytest.mark.parametrize(
        "after", [Habits(), replace(PROSODY, plain_newest_first=True)], ids=["disco", "plain"]
    )
    async def test_a_change_that_nobody_notices_is_seen_by_verification(
        self, cellar: Cellar, after: Habits
    ) -> None:
        """At one node, which is enough to doubt the others."""
        service = HabitualService(PROSODY)
        await cellar.holds(service, NODE, IDS)
        await cellar.holds(service, "notes/b", IDS)
        service.habits = after
        await cellar.advance(15 * 60)
        for node in (NODE, "notes/b"):
            for question in (items(node), items(node, max_items=3), listing(node)):
                answer = await cellar.result(question)
                assert item_ids(answer) == told_ids(service, question)
                await cellar.settled()
        await same_from_the_cache(cellar, service)

    async def test_republished_items_that_stay_are_believed_after_two_agree_again(
        self, cellar: Cellar
    ) -> None:
        service = HabitualService(PROSODY)
        await cellar.holds(service, NODE, IDS)
        for item_id in ("i1", "i2"):
            await cellar.advance(1)
            await happens(cellar, service, service.publish(NODE, item_id))
        service.habits = Habits(disco_newest_first=True, republish_moves=False)
        await happens(cellar, service, service.publish(NODE, "i3"))
        await cellar.advance(15 * 60)
        for item_id in ("i4", "i5", "i3", "i1"):
            await happens(cellar, service, service.publish(NODE, item_id))
            await cellar.result(info(NODE))
            await same_from_the_cache(cellar, service)


async def test_nodes_that_were_held_before_need_not_all_show_their_orders_anew(start) -> None:
    """One of them does, for its service; the payload of the others is not transferred for that."""
    cellar = await start("[cache]\nmax_synchronisations = 1\n")
    service = HabitualService(PROSODY)
    nodes = ("notes/a", "notes/b", "notes/c")
    for node in nodes:
        await cellar.holds(service, node, IDS)
    cellar.disconnect()
    await cellar.reconnect()
    for _ in nodes:
        await cellar.advance(2)
    asked = [one for one in service.asked if one in {f"items {node}" for node in nodes}]
    assert len(asked) == 1
    for node in nodes:
        assert await cellar.state(node) == "live"
        assert item_ids(await cellar.result(items(node, max_items=3))) == IDS[-3:]


class TestNoOrderAtAll:
    """A service that shows another order each time is asked, not guessed at."""

    async def test_it_is_forwarded_and_tried_again_ever_more_rarely(self, cellar: Cellar) -> None:
        service = HabitualService(Habits(shuffles=True))
        cellar.stands_behind(service).has(NODE, [f"i{number}" for number in range(12)])
        await cellar.result(items(NODE))
        await cellar.settled()
        record = await cellar.record(NODE)
        assert record.state.value == "failed"
        assert "order" in record.reason
        tries = 0
        asked = len(service.asked)
        for _ in range(60):
            service.asked.clear()
            await cellar.advance(120)
            tries += bool(service.asked)
            assert len(service.asked) <= asked, "no longer than the first time"
            assert await cellar.state(NODE) in ("failed", "syncing")
        assert 0 < tries < 20, "two hours"
        await cellar.result(items(NODE))

    async def test_one_that_begins_to_is_given_up_with_a_reason(self, cellar: Cellar) -> None:
        service = HabitualService(PROSODY)
        await cellar.holds(service, NODE, IDS)
        service.habits = Habits(shuffles=True)
        states = []
        for _ in range(24):
            await cellar.advance(13 * 60)
            states.append(await cellar.state(NODE))
        record = await cellar.record(NODE)
        given_up = states.index("no_sync")
        assert set(states[given_up:]) == {"no_sync"}, states
        assert "order" in record.reason


async def test_max_items_that_takes_the_oldest_is_no_order_to_rely_on(cellar: Cellar) -> None:
    """XEP-0060 section 6.5.7: "the N most recent items"; everything learnt rests on that."""
    service = HabitualService(Habits(takes_oldest=True))
    await cellar.holds(service, NODE, IDS)
    await same_from_the_cache(cellar, service)
    await happens(cellar, service, service.publish(NODE, "i7"))
    record = await cellar.record(NODE)
    assert record.state.value == "no_sync"
    assert "max_items" in record.reason
    await same(cellar, service)
    assert not service.nodes[NODE].subscribers


async def test_a_long_list_is_not_fetched_for_its_order_but_a_forwarded_one_shows_it(
    cellar: Cellar,
) -> None:
    ids = [f"i{number:02}" for number in range(30)]
    service = HabitualService(Habits(plain_newest_first=True))
    cellar.stands_behind(service).has(NODE, ids)
    await cellar.result(items(NODE, max_items=3))
    await cellar.settled()
    assert "items notes/a" not in service.asked
    await same(cellar, service, "plain", "newest 3")
    await cellar.settled()
    await same_from_the_cache(cellar, service, "plain", "newest 3", "disco")
