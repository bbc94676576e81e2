"""A node is forwarded first, and answered from the database once it is held."""

import pytest
from harness import Client, ProxyProcess, ThrowAwayProsody
from harness.following import answered_by, fill, until_held

pytestmark = pytest.mark.servers


async def test_first_read_is_forwarded_and_later_ones_come_from_the_database(
    prosody: ThrowAwayProsody, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    await fill(owner, prosody.service, node_name, 5)

    first = await reader.items(proxy.jid, node_name)

    assert first.ids == ["post-1", "post-2", "post-3", "post-4", "post-5"]
    assert first.reply.sender == proxy.jid
    assert answered_by(proxy, node_name) == ["service"]
    await until_held(reader, proxy, node_name)
    await prosody.take_service_away()
    try:
        held = await reader.items(proxy.jid, node_name)
    finally:
        await prosody.bring_service_back()
    assert held.ids == first.ids
    assert answered_by(proxy, node_name)[-1] == "cache"
