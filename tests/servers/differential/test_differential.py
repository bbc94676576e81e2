"""What the proxy answers is what the service would have answered, whatever happened there."""

import os
import re
from collections.abc import Iterator

import pytest

from differential.generating import generated, through_the_proxy, ways_of
from differential.operations import Sequence, written
from differential.running import Bench, Different, run
from differential.shrinking import shrunk

pytestmark = pytest.mark.servers

SEEDS = {"xep": "75", "service": "2003"}
"""What `make test` runs, by `[cache] paging`: short seeds with every kind of change in them."""
FEW_STEPS = 7
MANY_STEPS = 10
MOST_RUNS = int(os.environ.get("SHRINKING_RUNS", "25"))
SHRINKING_SETTLE_SECONDS = 8.0


def seeds(paging: str) -> Iterator[int]:
    """Return the seeds: `SEEDS` of the environment, such as 1-20,33, else the fixed ones."""
    for part in os.environ.get("SEEDS", SEEDS[paging]).split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        assert found, f"SEEDS is to be like 1-20,33: {part!r}"
        yield from range(int(found[1]), int(found[2] or found[1]) + 1)


async def test_proxy_answers_as_the_service_does(bench: Bench) -> None:
    await compare(bench)


@pytest.mark.only_server("prosody", reason="no other one lets a component act for its users")
async def test_who_acts_as_themselves_is_answered_as_by_the_service(
    privileged_bench: Bench,
) -> None:
    await compare(privileged_bench)


async def compare(bench: Bench) -> None:
    thorough = "SEEDS" in os.environ
    steps = MANY_STEPS if thorough else FEW_STEPS
    failures = []
    for seed in seeds(bench.paging):
        sequence = generated(seed, steps, ways_of(bench.server))
        if bench.writes:
            sequence = through_the_proxy(sequence, seed)
        try:
            found = await run(bench, sequence, seed, thorough=thorough)
        except Different as different:
            failures.append(await report(bench, seed, sequence, different))
            print(failures[-1])
            continue
        print(f"seed {seed}: {found}")
        if not found.are_enough:
            failures.append(f"seed {seed}: {found}")
    assert not failures, "\n\n".join(failures)


async def report(bench: Bench, seed: int, sequence: Sequence, different: Different) -> str:
    print(f"seed {seed} differs {different}, looking for the least sequence")

    async def fails(candidate: Sequence) -> Different | None:
        try:
            await run(
                bench, candidate, seed, thorough=True, settle_seconds=SHRINKING_SETTLE_SECONDS
            )
        except Different as found:
            # Another difference would only lead astray.
            return found if found.forms & different.forms else None
        return None

    least, how = await shrunk(sequence, different, fails, MOST_RUNS)
    return (
        f"seed {seed}, {bench.server}, paging={bench.paging!r}: {different}\n"
        f"least sequence found, {len(least)} of {len(sequence)} steps: {how}\n{written(least)}"
    )
