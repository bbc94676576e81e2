"""A crash costs nothing: killed at any moment, and started again, the proxy is right and current.

Each test has a seed, which decides all that the machine does not; its point is in the test's name.
KILLS=number in the environment takes the seeds up to that number instead of a few.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from harness import Client, CountingService, ThrowAwayServer
from harness.killing import KillPoint, MortalProxy, drawn_point
from harness.recovery import NODES, Recovery
from harness.scripted_life import CACHE, CLOSED, NOTES, SET_ASIDE, UNWANTED, ScriptedLife

pytestmark = [
    pytest.mark.servers,
    pytest.mark.only_server("prosody", reason="the proxy is killed, and its server only a router"),
]

MOST = os.environ.get("KILLS")
SEEDS = range(1, int(MOST) + 1) if MOST else (22, 53, 73)

LOG_TAIL = 40_000

IN_LIFE = {
    "select": 262,
    "other": 9,
    "insert-pubsub_service": 4,
    "insert-pubsub_node": 30,
    "insert-pubsub_item": 24,
    "update-pubsub_node": 22,
    "update-pubsub_item": 2,
    "delete-pubsub_service": 1,
    "delete-pubsub_node": 2,
    "delete-pubsub_item": 19,
    "commit-of-insert-pubsub_service": 4,
    "commit-of-insert-pubsub_node": 24,
    "commit-of-insert-pubsub_item": 16,
    "commit-of-update-pubsub_node": 19,
    "commit-of-delete-pubsub_service": 1,
    "commit-of-delete-pubsub_node": 2,
    "request-info": 6,
    "request-items": 52,
    "request-subscribe": 7,
    "request-subscriptions": 1,
    "request-unsubscribe": 3,
}
"""At least so many moments of each kind there are in the scripted life; see `harness.mortal`."""

IN_RECOVERY = {
    "select": 135,
    "insert-pubsub_node": 7,
    "update-pubsub_node": 9,
    "commit-of-insert-pubsub_node": 6,
    "commit-of-update-pubsub_node": 6,
    "request-info": 3,
    "request-items": 15,
    "request-subscribe": 1,
}
"""The same of a start after that."""


@dataclass(frozen=True)
class Plan:
    """What a seed decides at once."""

    seed: int
    first: KillPoint
    second: KillPoint | None
    pages: bool
    has_analyser: bool
    asks_at_once: bool

    def __str__(self) -> str:
        return f"{self.seed}-{self.first}" + (f"-then-{self.second}" if self.second else "")


def planned(seed: int) -> Plan:
    chance = random.Random(seed)
    first = drawn_point(chance, IN_LIFE)
    second = drawn_point(chance, IN_RECOVERY)
    return Plan(
        seed,
        first,
        second if chance.random() < 0.5 else None,
        pages=chance.random() < 0.5,
        has_analyser=chance.random() < 0.5,
        asks_at_once=chance.random() < 0.5,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a new, empty database: here every test runs with each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def proxy(server: ThrowAwayServer, database_url: str) -> Iterator[MortalProxy]:
    process = MortalProxy(
        server.component_port,
        server.component_secret,
        allow=(server.service, server.counting),
        tables={"cache": CACHE, "analyser": NOTES},
        database_url=database_url,
    )
    yield process
    process.remove()


@pytest.mark.parametrize("plan", list(map(planned, SEEDS)), ids=str)
async def test_killed_and_started_again_it_is_right_and_current(
    counting_service: CountingService,
    proxy: MortalProxy,
    reader: Client,
    plan: Plan,
    request: pytest.FixtureRequest,
) -> None:
    counting_service.pages = counting_service.advertises_paging = plan.pages
    life = ScriptedLife(counting_service, proxy, reader, random.Random(plan.seed))
    deaths: list[str | None] = []

    proxy.arm(plan.first)
    await proxy.until_death(life.run())
    deaths.append(proxy.death)
    proxy.kill()
    try:
        if plan.second is not None:
            life.change_silently()
            proxy.arm(plan.second)
            await proxy.until_death(recovered(life, plan))
            deaths.append(proxy.death)
            proxy.kill()
        life.change_silently()
        proxy.arm(None)
        await recovered(life, plan)
    except (AssertionError, TimeoutError) as error:
        request.node.add_report_section("call", "Pubcellar", proxy.log()[-LOG_TAIL:])
        raise AssertionError(f"{plan}: {deaths}: {error}") from error


async def recovered(life: ScriptedLife, plan: Plan) -> None:
    """Start the proxy again, and see that nothing is lost."""
    analysers = NOTES if plan.has_analyser else []
    life.proxy.configure({"analyser": analysers, "cache": {"max_nodes": 100}})
    held = set(NODES) - {UNWANTED}
    if not plan.has_analyser:
        held.remove(SET_ASIDE)
    if life.service.nodes[CLOSED].access_model != "open":
        held.remove(CLOSED)
    await life.proxy.start()
    await Recovery(life.service, life.proxy, life.reader, held).run(asks_at_once=plan.asks_at_once)


@pytest.mark.thorough
async def test_life_is_as_long_as_points_are_drawn_from(
    counting_service: CountingService, proxy: MortalProxy, reader: Client
) -> None:
    """Without a kill the script ends, and every point that a seed can draw is reached."""
    life = ScriptedLife(counting_service, proxy, reader, random.Random(0))
    await life.run()
    await proxy.terminate()
    assert out_of_reach(IN_LIFE, proxy.passed) == {}
    writing = {kind for kind in proxy.passed if "pubsub" in kind or "request" in kind}
    assert writing <= IN_LIFE.keys(), "no seed can kill at these"

    proxy.arm(None)
    await recovered(life, planned(1))
    await proxy.terminate()
    assert out_of_reach(IN_RECOVERY, proxy.passed) == {}


def out_of_reach(drawn: dict[str, int], passed: dict[str, int]) -> dict[str, int]:
    """Return how many there were of each kind of which points beyond that can be drawn."""
    return {kind: passed.get(kind, 0) for kind in drawn if drawn[kind] > passed.get(kind, 0)}
