"""The bench: a server of each kind, the proxy with short clocks before it, an owner, a stranger."""

import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from harness import Client, ProxyProcess, ThrowAwayServer

from differential.operations import Configure, Create, Place, carry_out
from differential.running import Bench

Waits = Callable[[Coroutine[Any, Any, Any]], Any]

QUICK = {
    "access_verify_every": "1s",
    "verify_every": "2s",
    "max_age": "2s",
    "service_max_age": "1s",
    "reanalyse_after": "1s",
    "retry_after": "1s",
    "retry_at_most": "2s",
    "remember_item_not_found": "1s",
    "remember_forbidden": "1s",
    "max_new_nodes_per_requester": 1_000_000,
    "max_new_nodes_per_service": 1_000_000,
}
"""What nobody tells the proxy of is found within these."""

CLOSED = "urn:xmpp:microblog:0:comments/differential-closed"


WAYS = (("xep", False), ("service", True))
"""`[cache] paging`, and whether a part of what is done is done through the proxy."""
MORE_WAYS = (("xep", True), ("service", False))
"""With SEEDS of one's own."""


def _named(way: tuple[str, bool]) -> str:
    paging, writes = way
    return f"{paging}-through" if writes else paging


@pytest.fixture(params=[*WAYS, *(MORE_WAYS if "SEEDS" in os.environ else ())], ids=_named)
def way(request: pytest.FixtureRequest) -> tuple[str, bool]:
    how: tuple[str, bool] = request.param
    return how


Run = Callable[..., ProxyProcess]


@pytest.fixture
def run_quick_proxy(database_url: str, wait_for_coroutine: Waits) -> Iterator[Run]:
    """Start Pubcellar in front of a server's service, with short clocks."""
    processes: list[ProxyProcess] = []

    def run(server: ThrowAwayServer, paging: str) -> ProxyProcess:
        process = ProxyProcess(
            server.component_port,
            server.component_secret,
            allow=(server.service,),
            database_url=database_url,
            tables={
                "cache": {**QUICK, "paging": paging},
                "access": {"exempt": [server.host], "entitlement_max_age": "1s"},
            },
        )
        processes.append(process)
        wait_for_coroutine(process.start())
        return process

    yield run
    for process in processes:
        process.remove()


def _bench(
    server: ThrowAwayServer,
    server_kind: str,
    proxy: ProxyProcess,
    way: tuple[str, bool],
    owner: Client,
    reader: Client,
    *,
    is_privileged: bool = False,
) -> Bench:
    paging, writes = way
    alias = None
    if writes and not is_privileged:
        alias = owner.bare_jid.replace("@", "\\40") + f"@{proxy.jid}"
    return Bench(
        server=server_kind,
        pages=server.facts.pages,
        paging=paging,
        service=server.service,
        proxy=proxy,
        owner=owner,
        stranger=reader,
        closed=CLOSED,
        writes=writes,
        alias=alias,
    )


async def _make_closed_node(bench: Bench) -> None:
    closed = Place(bench.owner, bench.service, CLOSED)
    fields = (("access_model", "whitelist"),)
    for operation in (Create(fields), Configure(fields)):
        # The server is shared: the node may be there already.
        await carry_out(operation, closed)


@pytest.fixture
def bench(
    server: ThrowAwayServer,
    server_kind: str,
    service: str,
    way: tuple[str, bool],
    run_quick_proxy: Run,
    owner: Client,
    reader: Client,
    wait_for_coroutine: Waits,
) -> Bench:
    """Who asks and writes through the proxy is an alias to the service."""
    assert service == server.service
    proxy = run_quick_proxy(server, way[0])
    made = _bench(server, server_kind, proxy, way, owner, reader)
    wait_for_coroutine(_make_closed_node(made))
    return made


@pytest.fixture
def privileged_bench(
    own_server: Callable[..., Coroutine[Any, Any, ThrowAwayServer]],
    server_kind: str,
    run_quick_proxy: Run,
    wait_for_coroutine: Waits,
) -> Iterator[Bench]:
    """Who asks and writes through the proxy is themselves (XEP-0356)."""
    server = wait_for_coroutine(own_server(privileges=True))
    proxy = run_quick_proxy(server, "xep")
    owner, reader = (
        Client(f"{name}@{server.host}", server.users[name], server.client_port)
        for name in ("owner", "reader")
    )
    for client in (owner, reader):
        wait_for_coroutine(client.connect())
    made = _bench(server, server_kind, proxy, ("xep", True), owner, reader, is_privileged=True)
    wait_for_coroutine(_make_closed_node(made))
    yield made
    for client in (owner, reader):
        wait_for_coroutine(client.disconnect())
