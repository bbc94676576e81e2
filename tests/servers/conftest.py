"""Fixtures of the server tests: one Prosody for all of them, the rest new for each test."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from itertools import count
from typing import Any

import pytest
from harness import Client, CountingService, ProxyProcess, ThrowAwayProsody

Waits = Callable[[Coroutine[Any, Any, Any]], Any]
LOGS = pytest.StashKey[list[tuple[str, Callable[[], str]]]]()
LOG_TAIL = 40_000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Attach what the servers said during a failing test to its report."""
    report = yield
    if report.failed:
        for name, log in item.stash.get(LOGS, []):
            report.sections.append((name, log()[-LOG_TAIL:]))
    return report


def _attach(request: pytest.FixtureRequest, name: str, log: Callable[[], str]) -> None:
    """Have a log attached to the test's report, from what it says from now on."""
    start = len(log())
    request.node.stash.setdefault(LOGS, []).append((name, lambda: log()[start:]))


@pytest.fixture(scope="session")
def shared_prosody(wait_for_coroutine: Waits) -> Iterator[ThrowAwayProsody]:
    server = ThrowAwayProsody()
    try:
        wait_for_coroutine(server.start())
        yield server
        wait_for_coroutine(server.stop())
    finally:
        server.remove()


@pytest.fixture
def prosody(
    shared_prosody: ThrowAwayProsody, request: pytest.FixtureRequest, wait_for_coroutine: Waits
) -> Iterator[ThrowAwayProsody]:
    """The server that all tests share; a test that stops it finds it running again next time."""
    _attach(request, "Prosody", shared_prosody.log)
    if not shared_prosody.process.is_running:
        wait_for_coroutine(shared_prosody.start())
    yield shared_prosody


@pytest.fixture
def own_prosody(
    request: pytest.FixtureRequest, wait_for_coroutine: Waits
) -> Iterator[Callable[..., ThrowAwayProsody]]:
    """Start servers of the test's own, with the arguments of ThrowAwayProsody."""
    servers: list[ThrowAwayProsody] = []

    def start(**settings: Any) -> ThrowAwayProsody:
        server = ThrowAwayProsody(**settings)
        servers.append(server)
        _attach(request, "its own Prosody", server.log)
        wait_for_coroutine(server.start())
        return server

    yield start
    for server in servers:
        server.remove()


@pytest.fixture
def counting_service(
    prosody: ThrowAwayProsody, wait_for_coroutine: Waits
) -> Iterator[CountingService]:
    """The counting service, connected, without nodes; `pages = True` makes it page."""
    service = CountingService(prosody.counting, prosody.component_secret, prosody.component_port)
    wait_for_coroutine(service.connect())
    yield service
    wait_for_coroutine(service.disconnect())


@pytest.fixture
def proxy(
    prosody: ThrowAwayProsody, request: pytest.FixtureRequest, wait_for_coroutine: Waits
) -> Iterator[ProxyProcess]:
    """Pubcellar in front of pubsub.localhost and counting.localhost, connected."""
    process = ProxyProcess(
        prosody.component_port,
        prosody.component_secret,
        allow=(prosody.service, prosody.counting),
    )
    _attach(request, "Pubcellar", process.log)
    try:
        wait_for_coroutine(process.start())
        yield process
    finally:
        process.remove()


Connect = Callable[[str], Awaitable[Client]]


@pytest.fixture
def connect(prosody: ThrowAwayProsody, wait_for_coroutine: Waits) -> Iterator[Connect]:
    """Connect clients by user name: owner (the administrator), reader or other."""
    clients: list[Client] = []

    async def connect_user(name: str) -> Client:
        jid = f"{name}@{prosody.host}"
        client = Client(jid, prosody.users[name], prosody.client_port)
        clients.append(await client.connect())
        return client

    yield connect_user
    for client in clients:
        wait_for_coroutine(client.disconnect())


@pytest.fixture
def owner(connect: Connect, wait_for_coroutine: Waits) -> Client:
    return wait_for_coroutine(connect("owner"))


@pytest.fixture
def reader(connect: Connect, wait_for_coroutine: Waits) -> Client:
    return wait_for_coroutine(connect("reader"))


_numbers = count(1)


@pytest.fixture
def node_name() -> str:
    """A name that no other test uses, as of a microblog's comments node."""
    return f"urn:xmpp:microblog:0:comments/test-{next(_numbers)}"
