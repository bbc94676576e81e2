"""Acting for users by their server's leave (XEP-0356), on Prosody with mod_privilege."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from harness import Client, ErrorReply, ProxyProcess, ThrowAwayProsody

pytestmark = pytest.mark.servers

Waits = Callable[[Coroutine[Any, Any, Any]], Any]
NODE = "members-only"


@pytest.fixture(scope="module")
def privileged_proxy(wait_for_coroutine: Waits) -> Iterator[tuple[ThrowAwayProsody, ProxyProcess]]:
    server = ThrowAwayProsody(privileges=True)
    wait_for_coroutine(server.start())
    proxy = ProxyProcess(server.component_port, server.component_secret)
    try:
        wait_for_coroutine(proxy.start())
        yield server, proxy
    finally:
        proxy.remove()
        server.remove()


def client(server: ThrowAwayProsody, name: str) -> Client:
    return Client(f"{name}@{server.host}", server.users[name], server.client_port)


async def test_member_reads_a_closed_node_a_stranger_does_not_and_no_grant_means_wait(
    privileged_proxy: tuple[ThrowAwayProsody, ProxyProcess],
) -> None:
    server, proxy = privileged_proxy
    async with (
        client(server, "owner") as owner,
        client(server, "reader") as reader,
        client(server, "other") as other,
    ):
        await owner.create(server.service, NODE, {"pubsub#access_model": "whitelist"})
        await owner.publish(server.service, NODE, "i1", "<n xmlns='urn:n'/>")
        await owner.set_affiliation(server.service, NODE, reader.bare_jid, "member")
        assert len((await reader.items(proxy.jid, NODE)).elements) == 1
        with pytest.raises(ErrorReply, match="forbidden"):
            await other.items(proxy.jid, NODE)
        await server.shell(f'module:unload("privilege", "{server.host}")')
        with pytest.raises(ErrorReply, match="service-unavailable"):
            await reader.items(proxy.jid, NODE)
