"""Faults between the proxy and its server: nothing wrong, nothing unanswered, and it converges.

FAULTS=number in the environment has so many strike in each place instead of a few, SEED=number
others than usual, and FIGURES=directory has what was counted written there.
"""

import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ProxyProcess, ThrowAwayServer
from harness.waiting import free_port

from faults.campaign import CACHE, UPSTREAM, Campaign
from faults.figures import NAME, Figures
from faults.planning import planned
from faults.relay import Relay
from faults.stanza import Addresses

pytestmark = pytest.mark.servers

FAULTS = int(os.environ.get("FAULTS", "8"))
SEED = int(os.environ.get("SEED", "1"))
DIRECTORY = os.environ.get("FIGURES")

NODES = [f"urn:xmpp:microblog:0:comments/faults-{number}" for number in range(3)]

LOG_TAIL = 40_000

Waits = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def relay(server: ThrowAwayServer, wait_for_coroutine: Waits) -> Iterator[Relay]:
    addresses = Addresses(proxy=server.cache, service=server.service)
    relay = Relay(free_port(), server.component_port, addresses)
    wait_for_coroutine(relay.start())
    yield relay
    wait_for_coroutine(relay.stop())


@pytest.fixture
def proxy(
    server: ThrowAwayServer, relay: Relay, database_url: str, wait_for_coroutine: Waits
) -> Iterator[ProxyProcess]:
    """Pubcellar behind the relay, connected."""
    process = ProxyProcess(
        relay.port,
        server.component_secret,
        allow=(server.service,),
        tables={"cache": CACHE, "upstream": {**UPSTREAM, "default": server.service}},
        database_url=database_url,
    )
    try:
        wait_for_coroutine(process.start())
        yield process
    finally:
        process.remove()


async def test_nothing_wrong_and_nothing_unanswered_whatever_strikes(
    server: ThrowAwayServer,
    proxy: ProxyProcess,
    relay: Relay,
    server_kind: str,
    database_kind: str,
    request: pytest.FixtureRequest,
) -> None:
    figures = Figures(f"{server_kind}, {database_kind}", SEED)
    campaign = Campaign(server, proxy, relay, NODES, figures)
    try:
        await campaign.run(planned(SEED, FAULTS))
    except BaseException:
        request.node.add_report_section("call", "Pubcellar", proxy.log()[-LOG_TAIL:])
        raise
    finally:
        request.node.user_properties.append((NAME, figures.as_json()))
        if DIRECTORY:
            figures.write(Path(DIRECTORY))
