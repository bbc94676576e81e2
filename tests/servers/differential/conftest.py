"""The bench: a server of each kind, the proxy with short clocks before it, an owner, a stranger."""

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


@pytest.fixture(params=["xep", "service"])
def paging(request: pytest.FixtureRequest) -> str:
    how: str = request.param
    return how


@pytest.fixture
def quick_proxy(
    server: ThrowAwayServer, database_url: str, paging: str, wait_for_coroutine: Waits
) -> Iterator[ProxyProcess]:
    """Pubcellar in front of the server's service, with short clocks."""
    process = ProxyProcess(
        server.component_port,
        server.component_secret,
        allow=(server.service,),
        database_url=database_url,
        tables={"cache": {**QUICK, "paging": paging}},
    )
    try:
        wait_for_coroutine(process.start())
        yield process
    finally:
        process.remove()


@pytest.fixture
def bench(
    server: ThrowAwayServer,
    server_kind: str,
    service: str,
    paging: str,
    quick_proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    wait_for_coroutine: Waits,
) -> Bench:
    closed = Place(owner, service, CLOSED)
    fields = (("access_model", "whitelist"),)
    for operation in (Create(fields), Configure(fields)):
        # The server is shared: the node may be there already.
        wait_for_coroutine(carry_out(operation, closed))
    return Bench(
        server_kind, server.facts.pages, paging, service, quick_proxy, owner, reader, CLOSED
    )
