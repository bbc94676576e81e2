"""Slots: slow services do not keep quick ones waiting, and what gets nowhere is given up."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.values import BareJID
from pubcellar.proxy.parts import Limits
from pubcellar.proxy.slots import TURN, Slots

SLOW = [BareJID(f"slow{number}.example.org") for number in range(4)]
QUICK = BareJID("quick.example.org")
PATIENCE = timedelta(minutes=5)


class FakeClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def slots(clock: FakeClock) -> Slots:
    limits = Limits(
        max_synchronisations=4,
        max_synchronisations_per_service=2,
        synchronisation_patience=PATIENCE,
    )
    return Slots(limits, clock)


async def quiet() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_service_has_its_bound_and_others_the_rest(slots: Slots) -> None:
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(slots.held(SLOW[0]))
        third = asyncio.ensure_future(slots.acquire(SLOW[0]))
        for _ in range(2):
            await held.enter_async_context(slots.held(QUICK))
        await quiet()
        assert not third.done()
    await third
    slots.release(SLOW[0])


async def test_four_slow_services_do_not_keep_a_quick_one_waiting(
    slots: Slots, clock: FakeClock
) -> None:
    """Each of them is still at work; one lets it have a turn after its next answer."""
    async with AsyncExitStack() as held:
        turns = [await held.enter_async_context(slots.held(service)) for service in SLOW]
        quick = asyncio.ensure_future(slots.acquire(QUICK))
        await quiet()
        assert not quick.done()
        await turns[0].step()
        assert not quick.done()
        clock.time += TURN
        stepping = asyncio.ensure_future(turns[0].step())
        await quick
        await quiet()
        assert not stepping.done()
        slots.release(QUICK)
        await stepping


async def test_nobody_stops_where_nobody_waits_who_could_go_on(
    slots: Slots, clock: FakeClock
) -> None:
    async with slots.held(SLOW[0]) as turn, slots.held(SLOW[1]), slots.held(SLOW[1]):
        third = asyncio.ensure_future(slots.acquire(SLOW[1]))
        await quiet()
        clock.time += TURN
        await asyncio.wait_for(turn.step(), 5)
        assert not third.done()
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)


async def test_what_brings_nothing_new_for_too_long_is_given_up(
    slots: Slots, clock: FakeClock
) -> None:
    async with slots.held(SLOW[0]) as turn:
        clock.time += PATIENCE
        await turn.step()
        turn.came_on()
        clock.time += PATIENCE
        await turn.step()
        clock.time += timedelta(seconds=1)
        with pytest.raises(UpstreamAnswerInvalid, match="nothing new has come for 300 seconds"):
            await turn.step()


async def test_waiting_for_others_does_not_count(slots: Slots, clock: FakeClock) -> None:
    async with AsyncExitStack() as held:
        turn = await held.enter_async_context(slots.held(SLOW[0]))
        for service in SLOW[1:]:
            await held.enter_async_context(slots.held(service))
        await_quick = asyncio.ensure_future(slots.acquire(QUICK))
        await quiet()
        clock.time += TURN
        stepping = asyncio.ensure_future(turn.step())
        await await_quick
        clock.time += 2 * PATIENCE
        slots.release(QUICK)
        await stepping
        await turn.step()


@pytest.mark.parametrize("is_given", [False, True])
async def test_who_is_cancelled_while_waiting_keeps_nothing(slots: Slots, is_given: bool) -> None:
    async with slots.held(QUICK), AsyncExitStack() as held:
        await held.enter_async_context(slots.held(QUICK))
        waiting = asyncio.ensure_future(slots.acquire(QUICK))
        await quiet()
        if is_given:
            await held.aclose()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    for _ in range(2):
        await asyncio.wait_for(slots.acquire(QUICK), 5)


async def test_who_is_cancelled_in_a_turn_gives_back_what_it_has(
    slots: Slots, clock: FakeClock
) -> None:
    async def work() -> None:
        async with slots.held(SLOW[0]) as turn:
            clock.time += TURN
            await turn.step()

    async with AsyncExitStack() as held:
        for service in SLOW[1:]:
            await held.enter_async_context(slots.held(service))
        working = asyncio.ensure_future(work())
        await working
        first = asyncio.ensure_future(slots.acquire(QUICK))
        await first
        working = asyncio.ensure_future(work())
        await quiet()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        slots.release(QUICK)
    for service in SLOW:
        await asyncio.wait_for(slots.acquire(service), 5)
