"""A comparison that is interrupted: what made it necessary must not be forgotten with it."""

import re
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
from playbook import Cellar, Service, items
from playbook.stanzas import RSM, Element
from test_revalidating import CHANGED, IDS, held, is_right, lose_the_stream

from pubcellar.core.counters import Happened

FIRST_BATCH = ("items notes/a id=i3 id=i4",)
SECOND_PAGE = "items notes/a max=100 after=t-0009"

Interruption = Callable[[Cellar], Awaitable[None]]


async def _time_out(cellar: Cellar) -> None:
    await cellar.advance(11)


async def _cut(cellar: Cellar) -> None:
    await lose_the_stream(cellar)
    await cellar.reconnect()


async def _kill(cellar: Cellar) -> None:
    await cellar.kill()
    await cellar.start()


interrupted = pytest.mark.parametrize("interrupt", [_time_out, _cut, _kill])


async def _goes_on(cellar: Cellar, service: Service, interrupt: Interruption) -> None:
    service.unanswered = ()
    await interrupt(cellar)
    if await cellar.state("notes/a") != "live":
        await cellar.advance(31)
    await cellar.advance(2)
    await is_right(cellar, service)


@interrupted
async def test_after_another_order_was_taken_over(
    cellar: Cellar, service: Service, interrupt: Interruption
) -> None:
    """The new order is there, but what moved was not looked at yet."""
    await held(cellar, service, moves=True)
    await lose_the_stream(cellar)
    service.publish("notes/a", "i7", CHANGED)
    service.publish("notes/a", "i8")
    service.unanswered = FIRST_BATCH
    await cellar.reconnect()
    assert service.asked[-1].startswith(FIRST_BATCH)

    await _goes_on(cellar, service, interrupt)


@interrupted
async def test_after_one_item_was_found_to_differ(
    cellar: Cellar, service: Service, interrupt: Interruption
) -> None:
    """One that was put right is no sign that the others are."""
    await held(cellar, service, moves=True)
    await lose_the_stream(cellar)
    for one, payload in (("i30", CHANGED), ("i1", None), ("i2", CHANGED)):
        service.publish("notes/a", one, payload)
    service.publish("notes/a", "new")
    service.unanswered = FIRST_BATCH
    await cellar.reconnect()
    assert service.asked[-1].startswith(FIRST_BATCH)

    await _goes_on(cellar, service, interrupt)


async def test_the_comparison_of_all_items_is_only_put_off_by_a_revalidation(
    cellar: Cellar, service: Service
) -> None:
    """A moment for it that came while we were away comes again once the node is answered."""
    await held(cellar, service, moves=True)
    await cellar.kill()
    there = service.nodes["notes/a"].items
    there["i10"] = there["i10"].replace(">i10<", ">changed<")
    cellar.clock.advance(7 * 3600)
    await cellar.start()
    await cellar.advance(2)

    await is_right(cellar, service)


class TestTokensOfItemsThatAreGone:
    """XEP-0059 section 2.2: a page behind what does not exist is `item-not-found`."""

    async def test_while_a_node_is_fetched(self, cellar: Cellar, paging_service: Service) -> None:
        cellar.stands_behind(paging_service).has("notes/a", IDS)
        paging_service.refusals[SECOND_PAGE] = "cancel", "item-not-found"
        await cellar.result(items("notes/a", max_items=1))
        await cellar.settled()

        assert SECOND_PAGE in paging_service.asked
        await is_right(cellar, paging_service)

    async def test_while_a_node_is_compared(self, cellar: Cellar, paging_service: Service) -> None:
        await held(cellar, paging_service, moves=False)
        await lose_the_stream(cellar)
        paging_service.refusals[SECOND_PAGE] = "cancel", "item-not-found"
        paging_service.publish("notes/a", "i20", CHANGED)
        await cellar.reconnect()

        assert SECOND_PAGE in paging_service.asked
        await is_right(cellar, paging_service)
        assert cellar.counted(Happened.DRIFT_DELETED) == 0


async def test_pages_that_do_not_go_on_are_not_asked_for_for_ever(
    cellar: Cellar, paging_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that ignores the token, and says each time that there is more."""
    await held(cellar, paging_service, moves=False)
    await lose_the_stream(cellar)
    number = count()
    page_of = paging_service._page

    def always_the_first(ids: list[str], page: Element) -> tuple[list[str], str]:
        for after in page.findall(f"{{{RSM}}}after"):
            page.remove(after)
        for most in page.findall(f"{{{RSM}}}max"):
            most.text = str(min(10, int(most.text or 0)))
        given, written = page_of(ids, page)
        return given, re.sub("<last>.*?</last>", f"<last>t{next(number)}</last>", written)

    monkeypatch.setattr(paging_service, "_page", always_the_first)
    paging_service.publish("notes/a", "i20", CHANGED)
    await cellar.reconnect()

    await is_right(cellar, paging_service)
