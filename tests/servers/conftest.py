"""Fixtures of the server tests: one server for all of them, the rest new for each test."""

import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any

import combinations
import pytest
from harness import Client, CountingService, ProxyProcess, ThrowAwayServer
from harness.keeping import KeptProxies

from throw_away_postgresql import ThrowAwayPostgresql

Waits = Callable[[Coroutine[Any, Any, Any]], Any]
LOGS = pytest.StashKey[list[tuple[str, Callable[[], str]]]]()
LOG_TAIL = 40_000


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", combinations.MARKER)
    config.addinivalue_line("markers", "shares_proxy: any proxy will do that runs as configured")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    combinations.parametrize(metafunc)


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


# What a test runs with: see combinations.py.


@pytest.fixture(scope="session")
def server_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest) -> str:
    """Return the URL of a new, empty database for the proxy."""
    url: str = request.getfixturevalue(f"{database_kind}_url")
    return url


# The server


@pytest.fixture(scope="session")
def shared_server(server_kind: str, wait_for_coroutine: Waits) -> Iterator[ThrowAwayServer]:
    server = combinations.SERVERS[server_kind]()
    try:
        wait_for_coroutine(server.start())
        yield server
        wait_for_coroutine(server.stop())
    finally:
        server.remove()


@pytest.fixture
def server(
    shared_server: ThrowAwayServer, request: pytest.FixtureRequest, wait_for_coroutine: Waits
) -> Iterator[ThrowAwayServer]:
    """The server that all tests share; a test that stops it finds it running again next time."""
    _attach(request, shared_server.facts.name, shared_server.log)
    if not shared_server.process.is_running:
        wait_for_coroutine(shared_server.start())
    yield shared_server


OwnServer = Callable[..., Awaitable[ThrowAwayServer]]


@pytest.fixture
def own_server(server_kind: str, request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    """Start servers of the test's own, with further arguments of their class."""
    servers: list[ThrowAwayServer] = []

    async def start(**settings: Any) -> ThrowAwayServer:
        server = combinations.SERVERS[server_kind](**settings)
        servers.append(server)
        _attach(request, f"its own {server.facts.name}", server.log)
        await server.start()
        return server

    yield start
    for server in servers:
        server.remove()


@pytest.fixture
def service(server: ThrowAwayServer) -> str:
    """The address of the server's own pubsub service."""
    return server.service


_numbers = count(1)


@pytest.fixture
def node_name(service: str) -> str:
    """A name that no other test uses at the service, as of a microblog's comments node."""
    return f"urn:xmpp:microblog:0:comments/test-{next(_numbers)}"


# What connects to it


@pytest.fixture
def counting_service(
    server: ThrowAwayServer, wait_for_coroutine: Waits
) -> Iterator[CountingService]:
    """The counting service, connected, without nodes; `pages = True` makes it page."""
    service = CountingService(server.counting, server.component_secret, server.counting_port)
    wait_for_coroutine(service.connect())
    yield service
    wait_for_coroutine(service.disconnect())


@pytest.fixture(scope="module")
def kept_proxies() -> Iterator[KeptProxies]:
    kept = KeptProxies()
    yield kept
    kept.remove()


@pytest.fixture
def proxy(
    server: ThrowAwayServer,
    server_kind: str,
    database_kind: str,
    kept_proxies: KeptProxies,
    request: pytest.FixtureRequest,
    wait_for_coroutine: Waits,
) -> Iterator[ProxyProcess]:
    """Pubcellar in front of pubsub.localhost and counting.localhost, connected.

    It is the test's own, and new, unless the test is marked `shares_proxy`.
    """

    def make(database_url: str) -> ProxyProcess:
        return ProxyProcess(
            server.component_port,
            server.component_secret,
            allow=(server.service, server.counting),
            database_url=database_url,
        )

    key = server_kind, database_kind
    is_shared = _may_share(request)
    if is_shared:
        process = kept_proxies.take(key, _lasting_database(database_kind, request), make)
    else:
        # A server has room for one component of that name.
        kept_proxies.remove()
        process = make(request.getfixturevalue("database_url"))
    _attach(request, "Pubcellar", process.log)
    try:
        if not process.process.is_running:
            wait_for_coroutine(process.start())
        yield process
    finally:
        if is_shared:
            kept_proxies.give_back(key)
        else:
            process.remove()


def _may_share(request: pytest.FixtureRequest) -> bool:
    # The counting service is new for each test, and knows nothing of the nodes of the one before.
    is_marked = request.node.get_closest_marker("shares_proxy") is not None
    return is_marked and "counting_service" not in request.fixturenames


@contextmanager
def _lasting_database(database_kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Make a database that outlives the test."""
    if database_kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="pubcellar-") as directory:
            yield f"sqlite:///{directory}/cache.db"
    else:
        postgresql: ThrowAwayPostgresql = request.getfixturevalue("shared_postgresql")
        with postgresql.database() as name:
            yield postgresql.url(name)


@pytest.fixture
def database_failing(
    database_kind: str, proxy: ProxyProcess, request: pytest.FixtureRequest
) -> Callable[[], AbstractContextManager[None]]:
    """Return a context manager: while its block runs, the proxy's database cannot be used."""
    if database_kind == "sqlite":
        return proxy.without_database_file

    @contextmanager
    def without_server() -> Iterator[None]:
        postgresql = request.getfixturevalue("postgresql")
        postgresql.stop()
        try:
            yield
        finally:
            postgresql.start()

    return without_server


Connect = Callable[[str], Awaitable[Client]]


@pytest.fixture
def connect(server: ThrowAwayServer, wait_for_coroutine: Waits) -> Iterator[Connect]:
    """Connect clients by user name: owner (the administrator), reader or other."""
    clients: list[Client] = []

    async def connect_user(name: str) -> Client:
        jid = f"{name}@{server.host}"
        client = Client(jid, server.users[name], server.client_port)
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
