"""Killed while a write is under way, the next proxy answers nothing from before it."""

from collections.abc import Iterator

import pytest
from harness import Client, ThrowAwayServer
from harness.comparing import answers
from harness.following import fill, post, until_cached, until_held
from harness.killing import KillPoint, MortalProxy
from harness.payloads import everything, items_request

pytestmark = pytest.mark.servers

ALIAS = "reader\\40localhost@cache.localhost"

POINTS = [
    KillPoint("before", "write-publish", 1),
    KillPoint("after", "write-publish", 1),
    KillPoint("after", "write-publish", 2),
    KillPoint("after", "write-retract", 1),
    KillPoint("before", "write-purge", 1),
    KillPoint("after", "write-purge", 1),
]


@pytest.fixture
def proxy(server: ThrowAwayServer) -> Iterator[MortalProxy]:
    process = MortalProxy(server.component_port, server.component_secret, allow=(server.service,))
    yield process
    process.remove()


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_killed_between_sending_and_result_it_shows_what_became_of_the_write(
    server: ThrowAwayServer,
    proxy: MortalProxy,
    owner: Client,
    reader: Client,
    node_name: str,
    point: KillPoint,
) -> None:
    """Whether it was carried out or not, the service and the proxy say the same of it."""
    await fill(owner, server.service, node_name, 3)
    await owner.set_affiliation(server.service, node_name, ALIAS, "owner")
    proxy.arm(point)
    await proxy.start()
    await until_held(reader, proxy, node_name)

    async def write() -> None:
        await reader.publish(proxy.jid, node_name, "new", post("New"))
        await reader.publish(proxy.jid, node_name, "new", post("New, again"))
        await reader.retract(proxy.jid, node_name, "post-2", notify=False)
        await reader.purge(proxy.jid, node_name)

    assert await proxy.until_death(write())
    proxy.kill()
    proxy.arm(None)
    await proxy.start()
    for question in (everything(node_name), items_request(node_name, attributes="max_items='1'")):
        ours, theirs = await answers(reader, proxy.jid, server.service, question, without_page=True)
        assert ours == theirs.replace(ALIAS, reader.bare_jid)
    await until_cached(reader, proxy, node_name)
    ours, theirs = await answers(
        reader, proxy.jid, server.service, everything(node_name), without_page=True
    )
    assert ours == theirs.replace(ALIAS, reader.bare_jid)
