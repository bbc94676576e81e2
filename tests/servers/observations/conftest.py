"""Fixtures of the observations: what is expected of this server, a component, who hears what."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from component_client import ComponentClient
from filling import publish_six
from harness import Client, ThrowAwayServer
from hearing import MARKER_NODE, Ear

Waits = Callable[[Coroutine[Any, Any, Any]], Any]
Join = Callable[[], Awaitable[ComponentClient]]

MARKER = (
    "observed(row, everywhere=…, prosody=…, ejabberd=…, mnesia=…, sql=…): a row of docs/servers.md "
    "and what it comes down to on each server"
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def expected(request: pytest.FixtureRequest, server_kind: str) -> Any:
    """Return what the test's row of docs/servers.md says of this server."""
    marker = request.node.get_closest_marker("observed")
    program, _, storage = server_kind.partition("-")
    for name in (storage, program, "everywhere"):
        if name in marker.kwargs:
            return marker.kwargs[name]
    raise LookupError(f"{request.node.name} does not say what {server_kind} does")


@dataclass(frozen=True)
class Connected:
    """Who is connected during a module's tests; connecting anew for each takes most of the time.

    Attributes:
        full_nodes, marker_nodes: what they share at each service; see `six_items` and hearing.py.
    """

    owner: Client
    reader: Client
    component: ComponentClient
    full_nodes: dict[str, str] = field(default_factory=dict)
    marker_nodes: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def connected(shared_server: ThrowAwayServer, wait_for_coroutine: Waits) -> Iterator[Connected]:
    server = shared_server
    if not server.process.is_running:
        wait_for_coroutine(server.start())
    component = ComponentClient(server.cache, server.component_secret, server.component_port)
    owner, reader = (
        Client(f"{name}@{server.host}", server.users[name], server.client_port)
        for name in ("owner", "reader")
    )
    clients = (owner, reader, component)
    try:
        for client in clients:
            wait_for_coroutine(client.connect())
        yield Connected(owner, reader, component)
    finally:
        for client in clients:
            wait_for_coroutine(client.disconnect())


@pytest.fixture
def owner(server: ThrowAwayServer, connected: Connected) -> Client:
    """The administrator, who makes the nodes."""
    connected.owner.events.clear()
    return connected.owner


@pytest.fixture
def reader(server: ThrowAwayServer, connected: Connected) -> Client:
    """A user whom the nodes do not know."""
    connected.reader.events.clear()
    return connected.reader


@pytest.fixture
def other(connect: Callable[[str], Awaitable[Client]], wait_for_coroutine: Waits) -> Client:
    """One more of them, whom a test may bring into trouble: connected for it alone."""
    return wait_for_coroutine(connect("other"))


@pytest.fixture
def component(server: ThrowAwayServer, connected: Connected) -> ComponentClient:
    """A component at the place of the proxy's."""
    connected.component.forget()
    return connected.component


@pytest.fixture
def join(server: ThrowAwayServer, wait_for_coroutine: Waits) -> Iterator[Join]:
    """Connect components at the other place, which a test may lose or double."""
    clients: list[ComponentClient] = []

    async def connect() -> ComponentClient:
        client = ComponentClient(server.counting, server.component_secret, server.counting_port)
        clients.append(client)
        return await client.connect()

    yield connect
    for client in clients:
        wait_for_coroutine(client.disconnect())


@pytest.fixture
def six_items(
    service: str, node_name: str, connected: Connected, owner: Client, wait_for_coroutine: Waits
) -> str:
    """A node that holds i0, the oldest, to i5: the same for all tests, which only read it."""
    if service not in connected.full_nodes:
        connected.full_nodes[service] = node_name
        wait_for_coroutine(publish_six(owner, service, node_name))
    return connected.full_nodes[service]


@pytest.fixture
def ear(
    service: str,
    node_name: str,
    connected: Connected,
    owner: Client,
    component: ComponentClient,
    wait_for_coroutine: Waits,
) -> Ear:
    """Tell what the component hears of the test's node."""
    if service not in connected.marker_nodes:
        marker_node = connected.marker_nodes[service] = f"{node_name}/marker"
        wait_for_coroutine(owner.create(service, marker_node, MARKER_NODE))
        wait_for_coroutine(component.subscribe(service, marker_node))
    return Ear(service, node_name, connected.marker_nodes[service], owner, component)
