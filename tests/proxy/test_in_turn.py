"""What is done in turn, and how much may wait for it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pubcellar.proxy.in_turn import Line, Turns


class TestTurns:
    async def test_who_waits_comes_in_as_they_came_and_nothing_is_left(self) -> None:
        turns, came = Turns(), list[int]()

        async def come(number: int) -> None:
            async with turns.turn("key"):
                await asyncio.sleep(0)
                came.append(number)

        await asyncio.gather(*(come(number) for number in range(5)))
        assert came == [0, 1, 2, 3, 4]
        assert len(turns) == 0

    async def test_who_gives_up_keeps_nobody_waiting(self) -> None:
        turns = Turns()

        async def come() -> None:
            async with turns.turn("key"):
                pass

        async with turns.turn("key"):
            waiting = asyncio.ensure_future(come())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await come()
        assert len(turns) == 0

    async def test_keys_do_not_wait_for_each_other(self) -> None:
        turns = Turns()
        async with turns.turn("one"), turns.turn("other"):
            assert len(turns) == 2


def held(until: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await until.wait()

    return work


async def turns_pass() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


class TestLine:
    @pytest.mark.parametrize(
        ("sizes", "taken"),
        [
            ([0] * 4, [True, True, False, False]),
            ([20, 6], [True, False]),
            ([26], [False]),
        ],
    )
    async def test_one_cause_takes_up_a_quarter_at_most(
        self, sizes: list[int], taken: list[bool]
    ) -> None:
        line, may_end = Line(8, 100), asyncio.Event()
        assert [line.takes(n, "it", size, held(may_end)) for n, size in enumerate(sizes)] == taken
        await line.stop()

    async def test_all_together_take_up_what_there_is(self) -> None:
        line, may_end = Line(8, 100), asyncio.Event()
        taken = [line.takes(number, number, 0, held(may_end)) for number in range(10)]
        assert taken == [True] * 8 + [False] * 2
        await line.stop()

    async def test_what_is_done_makes_room_though_it_failed(self) -> None:
        line = Line(4, 100)

        async def fail() -> None:
            raise RuntimeError("broken")

        for _ in range(3):
            assert line.takes("key", "it", 25, fail)
            await turns_pass()

    async def test_of_one_key_it_is_done_in_the_order_in_which_it_came(self) -> None:
        line, done = Line(100, 100), list[int]()

        def work(number: int) -> Callable[[], Awaitable[None]]:
            async def append() -> None:
                await asyncio.sleep(0)
                done.append(number)

            return append

        for number in range(5):
            line.takes("key", "it", 1, work(number))
        await turns_pass()
        assert done == [0, 1, 2, 3, 4]
