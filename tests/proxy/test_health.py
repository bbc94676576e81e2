"""What `Health` makes of requests, beyond what scenarios can show."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import UpstreamError, UpstreamRefused, UpstreamTimeout
from pubcellar.core.errors import UpstreamUnreachable as Unreachable
from pubcellar.core.values import BareJID
from pubcellar.proxy import health as health_module
from pubcellar.proxy.health import Health
from pubcellar.proxy.parts import Limits

SERVICE = BareJID("pubsub.example.org")
GONE = Unreachable("gone", UpstreamRefused("cancel", "remote-server-not-found"))
TIMED_OUT = UpstreamTimeout("too late")
NO_STREAM = Unreachable("there is no connection to our XMPP server")


class World:
    """The clock, the services and the listener of a `Health`."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, tzinfo=UTC)
        self.counters = Counters()
        self.heard: list[str] = []
        self.probed: list[BareJID] = []
        self.comes_of_a_probe: Callable[[], Any] = lambda: asyncio.Event().wait()
        self.is_held = False
        world: Any = self
        self.health = Health(
            Limits(), world, world, self.counters, lambda _: self.is_held, self, lambda: 1.0
        )

    def now(self) -> datetime:
        return self.time

    async def probe(self, service: BareJID) -> None:
        self.probed.append(service)
        result = self.comes_of_a_probe()
        if isinstance(result, UpstreamError):
            raise result
        await result

    def went_away(self, service: BareJID) -> None:
        self.heard.append("went away")

    def came_back(self, service: BareJID, *, was_away: bool, was_doubted: bool) -> None:
        self.heard.append(f"came back {was_away=} {was_doubted=}")

    async def fails(self, error: UpstreamError, service: BareJID = SERVICE) -> None:
        async def call() -> None:
            raise error

        with pytest.raises(type(error)):
            await self.health.watch(service, call())

    async def goes_away(self) -> None:
        self.comes_of_a_probe = lambda: GONE
        await self.fails(GONE)
        await self.fails(GONE)
        await asyncio.gather(*self.health._probes)
        assert self.counters[Happened.SERVICE_AWAY] == 1


@pytest.fixture
def world() -> World:
    return World()


async def test_who_must_not_wait_does_not_even_where_a_probe_is_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "PROBE_SECONDS", 3600.0)
    await world.goes_away()
    world.time += timedelta(minutes=1)
    world.comes_of_a_probe = lambda: asyncio.Event().wait()
    with pytest.raises(Unreachable):
        await world.health.admit(SERVICE, may_wait=False)
    await asyncio.sleep(0)
    assert len(world.probed) == 2, "and yet it set the probe off"
    with pytest.raises(Unreachable):
        await world.health.admit(SERVICE, may_wait=True)
    await world.health.stop()


async def test_who_may_wait_is_let_through_by_a_probe_that_is_answered(world: World) -> None:
    await world.goes_away()
    with pytest.raises(Unreachable):
        await world.health.admit(SERVICE, may_wait=True)
    world.time += timedelta(minutes=1)
    world.comes_of_a_probe = lambda: asyncio.sleep(0)
    await world.health.admit(SERVICE, may_wait=True)
    assert world.counters[Happened.SERVICE_BACK] == 1


async def test_our_own_stream_is_no_outage_of_any_service(world: World) -> None:
    world.is_held = True
    for _ in range(10):
        await world.fails(NO_STREAM)
    await world.health.admit(SERVICE, may_wait=False)
    assert (world.probed, world.heard) == ([], [])


async def test_only_what_is_held_is_doubted_and_made_up_for(world: World) -> None:
    await world.goes_away()
    world.health.heard_from(SERVICE)
    assert world.heard == ["came back was_away=True was_doubted=False"]
    world.is_held = True
    await world.fails(GONE)
    world.health.heard_from(SERVICE)
    assert world.heard[1:] == ["went away", "came back was_away=False was_doubted=True"]


async def test_a_single_time_out_doubts_nothing(world: World) -> None:
    world.is_held = True
    await world.fails(TIMED_OUT)
    assert world.heard == []
    await asyncio.sleep(0)
    assert world.probed == [SERVICE]
    await world.health.stop()


async def test_services_without_number_are_not_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "MOST_SERVICES", 10)
    await world.goes_away()
    for number in range(100):
        await world.fails(GONE, BareJID(f"r{number}@example.org"))
        assert len(world.health._entries) <= 10


async def test_probes_at_once_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "MOST_PROBES", 5)
    world.is_held = True
    for number in range(20):
        await world.fails(TIMED_OUT, BareJID(f"r{number}@example.org"))
    await asyncio.sleep(0)
    assert len(world.probed) == 5
    await world.health.stop()
