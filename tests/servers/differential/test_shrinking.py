"""Failing sequences become as short as they can, in a bounded number of runs."""

from differential.shrinking import shrunk

Steps = tuple[tuple[int, ...], ...]


class Failing:
    """Fails where all of the culprits are there, in their order."""

    def __init__(self, *culprits: int) -> None:
        self._culprits = culprits
        self.runs = 0

    async def __call__(self, sequence: Steps) -> str | None:
        self.runs += 1
        flat = iter(operation for step in sequence for operation in step)
        return f"run {self.runs}" if all(one in flat for one in self._culprits) else None


NINE: Steps = ((1, 2, 3), (4,), (5, 6), (7,), (8,), (9, 10, 11), (12,), (13,), (14, 15))


async def test_what_is_not_needed_is_left_out() -> None:
    least, _ = await shrunk(NINE, "first", Failing(2, 10), most_runs=100)
    assert least == ((2,), (10,))


async def test_one_step_is_found_quickly() -> None:
    fails = Failing(8)
    least, _ = await shrunk(NINE, "first", fails, most_runs=100)
    assert least == ((8,),)
    assert fails.runs < len(NINE)


async def test_operations_of_one_step_stay_together() -> None:
    least, _ = await shrunk(NINE, "first", Failing(9, 10, 11), most_runs=100)
    assert least == ((9, 10, 11),)


async def test_failure_told_is_that_of_the_shortest_sequence() -> None:
    fails = Failing(4)
    least, how = await shrunk(NINE, "first", fails, most_runs=100)
    assert least == ((4,),)
    assert how != "first"


async def test_runs_are_bounded_and_the_shortest_found_is_kept() -> None:
    fails = Failing(2, 10)
    least, _ = await shrunk(NINE, "first", fails, most_runs=3)
    assert fails.runs == 3
    assert await Failing(2, 10)(least)


async def test_sequence_that_fails_only_once_stays_whole() -> None:
    least, how = await shrunk(NINE, "first", Failing(99), most_runs=100)
    assert (least, how) == (NINE, "first")
