"""Whoever is in the middle of paging goes on correctly, or is told that they cannot (XEP-0059 2.2).

In between, a node comes to be held, is in doubt, or is not held any more, and items come and go.
Tokens change hands: the service has its own, and we have ours.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from playbook import Cellar, Service, item_ids, items, listing, page_of
from playbook.cellar import JULIET, ROMEO
from playbook.habits import EJABBERD, EJABBERD_SQL, PROSODY, TIME, Habits, HabitualService

NODE = "notes/a"
IDS = [f"i{number}" for number in range(1, 10)]
OURS = "pubcellar:"
REVERSED = replace(EJABBERD, pages_newest_first=True, disco_newest_first=True)
PAGING = [EJABBERD, EJABBERD_SQL, REVERSED]


def page(token: str = "", where: str = "after", size: int = 2) -> str:
    place = f"<{where}>{token}</{where}>" if token else ""
    return items(NODE, page=f"<max>{size}</max>{place}")


async def turned(cellar: Cellar, question: str) -> tuple[list[str], str, str]:
    """Return ids, first and last of a page."""
    answer = await cellar.result(question)
    first, _, last, _ = page_of(answer) or ("", "", "", "")
    return item_ids(answer), first or "", last or ""


async def walked(cellar: Cellar, token: str, size: int = 2) -> list[str]:
    """Return all ids that follow the token, page by page."""
    found: list[str] = []
    while token:
        ids, _, token = await turned(cellar, page(token, size=size))
        found += ids
    return found


async def begins(cellar: Cellar, habits: Habits, *, held: bool) -> tuple[HabitualService, str]:
    """Get the first page, of a node that is held or not yet; return its service and the token."""
    service = HabitualService(habits)
    if held:
        await cellar.holds(service, NODE, IDS)
    else:
        cellar.stands_behind(service).has(NODE, IDS)
    ids, _, token = await turned(cellar, page())
    assert ids == service.ids(NODE, newest_first=habits.pages_newest_first)[:2]
    assert token.startswith(OURS) is (held and habits.pages)
    await cellar.settled()
    return service, token


def doubts(cellar: Cellar, service: Service) -> None:
    """Put the node in doubt for as long as the service is not allowed to answer us."""
    service.refusals[f"list {NODE}"] = service.refusals["info"] = ("wait", "resource-constraint")
    cellar.receives(service.event(f"<configuration node='{NODE}'/>"))


class TestBegunBeforeTheNodeWasHeld:
    @pytest.mark.parametrize("habits", [PROSODY, *PAGING], ids=str)
    async def test_all_that_follows_comes_once(self, cellar: Cellar, habits: Habits) -> None:
        service, token = await begins(cellar, habits, held=False)
        assert await cellar.state(NODE) == "live"
        expected = service.ids(NODE, newest_first=habits.pages_newest_first)[2:]
        assert await walked(cellar, token) == expected

    @pytest.mark.parametrize("habits", [PROSODY, *PAGING], ids=str)
    async def test_backwards_too(self, cellar: Cellar, habits: Habits) -> None:
        service = HabitualService(habits)
        cellar.stands_behind(service).has(NODE, IDS)
        _, first, last = await turned(cellar, page(where="before", token="", size=9))
        await cellar.settled()
        ids, *_ = await turned(cellar, page(last, "before", size=8))
        expected = service.ids(NODE, newest_first=habits.pages_newest_first)[:8]
        assert ids == (expected[::-1] if habits.turns_pages else expected)
        assert (await turned(cellar, page(first, "before")))[0] == []

    @pytest.mark.parametrize("habits", PAGING, ids=str)
    async def test_the_service_s_token_outlives_its_item(
        self, cellar: Cellar, habits: Habits
    ) -> None:
        """A time is one whether or not an item has it."""
        service, token = await begins(cellar, habits, held=False)
        gone = service.ids(NODE, newest_first=habits.pages_newest_first)[1]
        cellar.receives(service.retract(NODE, gone))
        await cellar.settled()
        expected = service.ids(NODE, newest_first=habits.pages_newest_first)[1:]
        assert await walked(cellar, token) == expected

    async def test_an_id_that_is_gone_is_not_found(self, cellar: Cellar) -> None:
        """Prosody knows no tokens; ours are ids there, held or not."""
        service, token = await begins(cellar, PROSODY, held=False)
        assert token == "i2"
        service.retract(NODE, "i2")
        for _ in range(2):
            # Held and not yet told, and then told.
            cellar.disconnect()
            await cellar.reconnect()
            answer = await cellar.answer(page(token))
            assert answer.condition == "cancel/item-not-found"
            await cellar.settled()

    async def test_what_is_no_token_of_ours_is_for_the_service_to_read(
        self, cellar: Cellar
    ) -> None:
        """Even the id of an item: that is what this service has another way to say."""
        service = HabitualService(EJABBERD)
        await cellar.holds(service, NODE, IDS)
        for token in ("i2", f"{TIME}4", "anything"):
            service.asked.clear()
            await cellar.result(page(token))
            assert service.asked == [f"items {NODE} max=2 after={token} for {alias()}"]
            await cellar.settled()


def alias() -> str:
    return "juliet\\40capulet.lit@cache.example.org/balcony"


class TestBegunWhileTheNodeWasHeld:
    """Our token must not reach a service that answers what it cannot read with an empty page."""

    @pytest.mark.parametrize("habits", [PROSODY, *PAGING], ids=str)
    async def test_it_goes_on_while_the_node_is_in_doubt(
        self, cellar: Cellar, habits: Habits
    ) -> None:
        service, token = await begins(cellar, habits, held=True)
        doubts(cellar, service)
        await cellar.settled()
        expected = service.ids(NODE, newest_first=habits.pages_newest_first)[2:]
        assert await walked(cellar, token) == expected
        asked = [one for one in service.asked if " for " in one]
        assert asked, "it was answered from the cache"
        assert not any(OURS in one for one in asked)

    @pytest.mark.parametrize("habits", PAGING, ids=str)
    async def test_backwards_too(self, cellar: Cellar, habits: Habits) -> None:
        service = HabitualService(habits)
        await cellar.holds(service, NODE, IDS)
        order = service.ids(NODE, newest_first=habits.pages_newest_first)
        ids, first, _ = await turned(cellar, items(NODE, page="<max>2</max><before/>"))
        assert ids == order[-2:]
        doubts(cellar, service)
        await cellar.settled()
        ids, *_ = await turned(cellar, page(first, "before"))
        assert ids == (order[-4:-2][::-1] if habits.turns_pages else order[-4:-2])

    @pytest.mark.parametrize("held", [False, True], ids=["unheard", "heard"])
    @pytest.mark.parametrize("habits", PAGING, ids=str)
    async def test_items_before_it_that_are_gone_do_no_harm(
        self, cellar: Cellar, habits: Habits, held: bool
    ) -> None:
        """The item stands at another place then, which we know once we have heard of it."""
        service = HabitualService(habits)
        await cellar.holds(service, NODE, IDS)
        order = service.ids(NODE, newest_first=habits.pages_newest_first)
        token = (await turned(cellar, page(size=5)))[2]
        event = service.retract(NODE, *order[:2])
        if held:
            cellar.receives(event)
            await cellar.settled()
        doubts(cellar, service)
        await cellar.settled()
        if held:
            assert await walked(cellar, token) == order[5:]
        else:
            assert (await cellar.answer(page(token))).condition == "cancel/item-not-found"

    @pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
    @pytest.mark.parametrize("habits", [PROSODY, *PAGING], ids=str)
    async def test_the_item_that_it_stood_at_is_gone(
        self, cellar: Cellar, habits: Habits, heard: bool
    ) -> None:
        service, token = await begins(cellar, habits, held=True)
        gone = service.ids(NODE, newest_first=habits.pages_newest_first)[1]
        event = service.retract(NODE, gone)
        if heard:
            cellar.receives(event)
            await cellar.settled()
            assert (await cellar.answer(page(token))).condition == "cancel/item-not-found"
        doubts(cellar, service)
        await cellar.settled()
        assert (await cellar.answer(page(token))).condition == "cancel/item-not-found"

    @pytest.mark.parametrize("habits", PAGING, ids=str)
    async def test_when_everything_of_the_node_is_forgotten(
        self, cellar: Cellar, habits: Habits
    ) -> None:
        """The token itself says where the item was."""
        service, token = await begins(cellar, habits, held=True)
        order = service.ids(NODE, newest_first=habits.pages_newest_first)
        nodes = cellar.component.proxy._nodes
        await cellar.store.forget_node((await cellar.record(NODE)).key)
        nodes.distrust()
        nodes.trust(None, set())
        service.refusals[f"info {NODE}"] = ("auth", "forbidden")
        assert await walked(cellar, token) == order[2:]

    @pytest.mark.parametrize("habits", PAGING, ids=str)
    async def test_without_a_database(self, cellar: Cellar, habits: Habits) -> None:
        service, token = await begins(cellar, habits, held=True)
        cellar.store.is_broken = True
        expected = service.ids(NODE, newest_first=habits.pages_newest_first)[2:4]
        assert (await turned(cellar, page(token)))[0] == expected

    async def test_where_the_service_has_no_such_place_it_is_not_found(
        self, cellar: Cellar
    ) -> None:
        """ejabberd on Mnesia answers an index beyond the end with an internal-server-error."""
        service, token = await begins(cellar, EJABBERD, held=True)
        await cellar.settled()
        service.refusals[f"items {NODE} max=1 index"] = ("wait", "internal-server-error")
        doubts(cellar, service)
        await cellar.settled()
        assert (await cellar.answer(page(token))).condition == "cancel/item-not-found"

    async def test_who_may_not_read_the_node_is_told_that(self, cellar: Cellar) -> None:
        service, token = await begins(cellar, EJABBERD, held=True)
        service.refusals[f"items {NODE}"] = ("auth", "forbidden")
        doubts(cellar, service)
        await cellar.settled()
        assert (await cellar.answer(page(token))).condition == "auth/forbidden"

    async def test_in_an_outage_it_is_the_copy_that_is_paged(self, cellar: Cellar) -> None:
        service, token = await begins(cellar, EJABBERD, held=True)
        service.refusal = ("cancel", "remote-server-not-found")
        await cellar.advance(61)
        assert await walked(cellar, token) == IDS[2:]

    async def test_a_walk_changes_hands_and_back(self, cellar: Cellar) -> None:
        service, token = await begins(cellar, EJABBERD, held=True)
        doubts(cellar, service)
        await cellar.settled()
        ids, _, token = await turned(cellar, page(token))
        assert token.startswith(TIME)
        service.refusals.clear()
        for _ in range(3):
            await cellar.advance(61)
        assert await cellar.state(NODE) == "live"
        await cellar.result(items(NODE))
        assert [*ids, *await walked(cellar, token)] == IDS[2:]


class TestNewestWithSet:
    """ejabberd describes `max_items` answers by a `<set/>` that nobody asked for."""

    @pytest.mark.parametrize(
        ("habits", "number", "first", "last", "index"),
        [
            (EJABBERD, 3, "6:i7", "8:i9", "6"),
            (EJABBERD, 9, "0:i1", "8:i9", "0"),
            pytest.param(EJABBERD, 99, "0:i1", "8:i9", "0", id="no negative index"),
            (EJABBERD_SQL, 3, "8:i9", "6:i7", "0"),
            (EJABBERD_SQL, 99, "8:i9", "0:i1", "0"),
        ],
    )
    async def test_so_do_we(
        self, cellar: Cellar, habits: Habits, number: int, first: str, last: str, index: str
    ) -> None:
        service = HabitualService(habits)
        await cellar.holds(service, NODE, IDS)
        answer = await cellar.result(items(NODE, max_items=number))
        assert page_of(answer) == (f"{OURS}{first}", index, f"{OURS}{last}", "9")
        assert service.asked == []

    @pytest.mark.parametrize("habits", [PROSODY, replace(EJABBERD, sets=False)], ids=str)
    async def test_not_where_the_service_does_not(self, cellar: Cellar, habits: Habits) -> None:
        service = HabitualService(habits)
        await cellar.holds(service, NODE, IDS)
        assert page_of(await cellar.result(items(NODE, max_items=3))) is None
        assert service.asked == []

    @pytest.mark.parametrize("number", [0, 1])
    async def test_of_a_node_with_hardly_an_item(self, cellar: Cellar, number: int) -> None:
        service = HabitualService(EJABBERD)
        await cellar.holds(service, NODE, IDS[:number])
        answer = await cellar.result(items(NODE, max_items=3))
        assert (page_of(answer) or ())[3] == str(number)
        assert service.asked == []

    @pytest.mark.parametrize("habits", [EJABBERD, EJABBERD_SQL], ids=str)
    @pytest.mark.parametrize("in_doubt", [False, True])
    async def test_its_tokens_lead_on(self, cellar: Cellar, habits: Habits, in_doubt: bool) -> None:
        service = HabitualService(habits)
        await cellar.holds(service, NODE, IDS)
        _, first, last = await turned(cellar, items(NODE, max_items=3))
        oldest = last if habits.newest_newest_first else first
        if in_doubt:
            doubts(cellar, service)
            await cellar.settled()
        ids, *_ = await turned(cellar, page(oldest, "before", size=9))
        assert sorted(ids) == IDS[:6]


LARGE = "<note xmlns='urn:example:note'>" + "x" * 15_000 + "</note>"


class TestListsThatWereCut:
    """What is larger than a stanza may be leads on by its `<set/>` (XEP-0060 section 6.5.4)."""

    @pytest.fixture
    def small(self, start, wait_for_coroutine) -> Cellar:
        return wait_for_coroutine(
            start("[cache]\nmax_stanza_bytes = '64KiB'\nmax_item_bytes = '32KiB'\n")
        )

    @pytest.mark.parametrize("held", [False, True], ids=["forwarded", "held"])
    @pytest.mark.parametrize("habits", [PROSODY, *PAGING], ids=str)
    async def test_all_items_come(self, small: Cellar, habits: Habits, held: bool) -> None:
        service = HabitualService(habits)
        node = NODE if held else "other"
        if held:
            await small.holds(service, NODE, IDS, LARGE)
        else:
            small.stands_behind(service).has(node, IDS, payload=LARGE)
        found, _, token = await turned(small, items(node))
        assert 0 < len(found) < 9
        while token:
            more = items(node, page=f"<after>{token}</after>")
            ids, _, token = await turned(small, more)
            found += ids
        assert sorted(found) == IDS

    @pytest.mark.parametrize("habits", [PROSODY, *PAGING], ids=str)
    async def test_of_the_newest_the_newest_are_kept(self, small: Cellar, habits: Habits) -> None:
        service = HabitualService(habits)
        small.stands_behind(service).has("other", IDS, payload=LARGE)
        for _ in range(2):
            ids = item_ids(await small.result(items("other", max_items=8)))
            assert sorted(ids) == IDS[-len(ids) :]
            # Once more with a service whose ways are known.
            await small.holds(service, NODE, IDS[:2])

    @pytest.mark.parametrize("how", ["forwarded", "held", "held, then in doubt"])
    @pytest.mark.parametrize(
        "habits", [PROSODY, EJABBERD, replace(EJABBERD, pages_ids=False)], ids=str
    )
    async def test_lists_of_ids_too(self, small: Cellar, habits: Habits, how: str) -> None:
        """The service pages them as well, or pages nothing but items, or never pages."""
        long_ids = [f"{'x' * 400}-{number:03}" for number in range(200)]
        is_held = how != "forwarded"
        service = HabitualService(habits)
        await small.holds(service, NODE, long_ids if is_held else IDS)
        node = NODE if is_held else "other"
        if not is_held:
            service.has(node, long_ids)
        answer = await small.result(listing(node))
        found = item_ids(answer)
        assert 0 < len(found) < 200
        if how == "held, then in doubt":
            service.refusals[f"items {NODE}"] = ("wait", "resource-constraint")
            small.receives(service.event(f"<configuration node='{NODE}'/>"))
            await small.settled()
        for _ in range(3):
            token = (page_of(answer) or ("",) * 4)[2]
            if not token:
                break
            answer = await small.result(listing(node, f"<after>{token}</after>"))
            found += item_ids(answer)
        expected = long_ids if habits.pages else long_ids[::-1]
        assert found == expected


async def test_different_people_have_different_tokens_of_one_list(cellar: Cellar) -> None:
    """One began before the node was held, the other since; both go on while it is in doubt."""
    service, theirs = await begins(cellar, EJABBERD, held=False)
    answer = await cellar.result(page(), sender=ROMEO)
    ours = (page_of(answer) or ("",) * 4)[2] or ""
    assert ours.startswith(OURS)
    assert theirs.startswith(TIME)
    doubts(cellar, service)
    await cellar.settled()
    pages: list[Sequence[str]] = []
    for token, sender in ((theirs, JULIET), (ours, ROMEO)):
        pages.append(item_ids(await cellar.result(page(token), sender=sender)))
    assert pages == [IDS[2:4], IDS[2:4]]
