"""docs/servers.md, "disco#items": the nodes of a service, the items of a node.

ejabberd lists only so many nodes, and the tests of one session make more of them than that on the
server they share. So those about the list of nodes have a server with a short list.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import combinations
import pytest
from harness import Client
from harness.stanzas import NS_PUBSUB
from spelling import entry, nodes_request, said, spelled

pytestmark = pytest.mark.servers

Waits = Callable[[Coroutine[Any, Any, Any]], Any]

WAYS = {"prosody": {"storage": "internal"}}
"""Quicker to fill with nodes than SQL, and where it keeps its items makes no difference here."""


@pytest.fixture(scope="module")
def clients(server_kind: str, wait_for_coroutine: Waits) -> Iterator[dict[str, Client]]:
    """The users of a server of this module's own."""
    server = combinations.SERVERS[server_kind](**WAYS.get(server_kind, {}))
    try:
        wait_for_coroutine(server.start())
        clients = {
            name: Client(f"{name}@{server.host}", password, server.client_port)
            for name, password in server.users.items()
        }
        for client in clients.values():
            wait_for_coroutine(client.connect())
        yield clients
        for client in clients.values():
            wait_for_coroutine(client.disconnect())
    finally:
        server.remove()


@pytest.fixture
def maker(clients: dict[str, Client]) -> Client:
    """Who makes the nodes of that server."""
    return clients["owner"]


@pytest.fixture
def lister(clients: dict[str, Client]) -> Client:
    """A stranger to them."""
    return clients["reader"]


class TestNodesOfAService:
    """In this order: the last one makes the list long."""

    @pytest.mark.observed(
        "nodes-1",
        everywhere=[
            "<item jid='pubsub.localhost' name='A title' node='titled'/>",
            "<item jid='pubsub.localhost' node='untitled'/>",
        ],
    )
    async def test_what_is_told_of_a_node(
        self, expected: Any, service: str, maker: Client, lister: Client
    ) -> None:
        await maker.create(service, "titled", {"pubsub#title": "A title"})
        await maker.create(service, "untitled")
        listed = await lister.disco_items(service)
        assert sorted(spelled(each) for each in listed.elements) == expected

    @pytest.mark.observed("nodes-2", prosody="any", mnesia="any", sql="by name")
    async def test_order(self, expected: Any, service: str, maker: Client, lister: Client) -> None:
        for name in ("zebra", "apple", "mango", "kiwi"):
            await maker.create(service, name)
        listed = await lister.nodes(service)
        assert {"zebra", "apple", "mango", "kiwi"} <= set(listed)
        assert expected == "any" or listed == sorted(listed)

    @pytest.mark.observed("nodes-3", everywhere=True)
    async def test_closed_node_asked_for_by_a_stranger(
        self, expected: Any, service: str, maker: Client, lister: Client
    ) -> None:
        await maker.create(service, "closed", {"pubsub#access_model": "whitelist"})
        assert ("closed" in await lister.nodes(service)) is expected

    @pytest.mark.observed("nodes-4", prosody=None, ejabberd=100)
    async def test_length(self, expected: Any, service: str, maker: Client, lister: Client) -> None:
        create = f"<pubsub xmlns='{NS_PUBSUB}'><create node='node-{{}}'/></pubsub>"
        requests: Any = [("set", service, create.format(number)) for number in range(110)]
        for reply in await maker.in_parallel(requests):
            reply.or_raise()
        listed = await lister.nodes(service)
        if expected is None:
            assert len(listed) > len(requests)
        else:
            assert len(listed) == expected


class TestItemsOfANode:
    @pytest.mark.observed(
        "nodes-5",
        prosody=["i2", "i1", "i0"],
        ejabberd=["i0", "i1", "i2"],
    )
    async def test_order(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name)
        for item_id in ("i0", "i1", "i2"):
            await owner.publish(service, node_name, item_id, entry(item_id))
        assert (await reader.disco_items(service, node_name)).ids == expected

    @pytest.mark.observed("nodes-6", everywhere="<item jid='pubsub.localhost' name='i0'/>")
    async def test_what_is_told_of_an_item(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name, {"pubsub#title": "A title"})
        await owner.publish(service, node_name, "i0", entry("i0"))
        (item,) = (await reader.disco_items(service, node_name)).elements
        assert spelled(item) == expected

    @pytest.mark.observed("nodes-7", prosody=("auth/forbidden", 0), ejabberd=("result", 0))
    async def test_closed_node_asked_for_by_a_stranger(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name, {"pubsub#access_model": "whitelist"})
        await owner.publish(service, node_name, "i0", entry("i0"))
        reply = await reader.request("get", service, nodes_request(node_name))
        assert (said(reply), 0 if reply.payload is None else len(reply.payload)) == expected

    @pytest.mark.observed("nodes-8", everywhere="cancel/item-not-found")
    async def test_missing_node(
        self, expected: Any, service: str, reader: Client, node_name: str
    ) -> None:
        reply = await reader.request("get", service, nodes_request(node_name))
        assert said(reply) == expected
