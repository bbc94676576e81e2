"""What conf/ejabberd.yml does, and lets operators do, for those who come through the proxy."""

from collections.abc import Awaitable, Callable
from xml.etree.ElementTree import Element

import pytest
from harness import Client, CountingService, Kind, Reply, ThrowAwayEjabberd
from harness.following import post
from harness.stanzas import element, pubsub, with_items

pytestmark = [
    pytest.mark.servers,
    pytest.mark.only_server("ejabberd", reason="it is about ejabberd's configuration"),
]

ALIAS = r"juliet\40capulet.lit@cache.localhost"

OwnServer = Callable[..., Awaitable[ThrowAwayEjabberd]]


class Component:
    """Somebody at the cache's address, connected while the block runs, who asks as they like."""

    def __init__(self, server: ThrowAwayEjabberd) -> None:
        self.service = server.service
        self.stream = CountingService(server.cache, server.component_secret, server.component_port)

    async def __aenter__(self) -> "Component":
        await self.stream.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stream.disconnect()

    async def set(self, sender: str, payload: Element) -> Reply:
        """Send an iq of type set to the service; return the reply."""
        before = self.stream.count(Kind.REPLY)
        names = {"from": sender, "to": self.service, "type": "set", "id": f"set-{before}"}
        iq = Element("{jabber:component:accept}iq", names)
        iq.append(payload)
        self.stream.send(iq)
        return Reply((await self.stream.wait_for(Kind.REPLY, times=before + 1)).xml)

    async def create(self, sender: str, node: str) -> Reply:
        return await self.set(sender, pubsub("create", node)[0])

    async def subscribe(self, sender: str, node: str) -> Reply:
        payload, action = pubsub("subscribe", node)
        action.set("jid", sender)
        return await self.set(sender, payload)

    async def publish(self, sender: str, node: str) -> Reply:
        payload, action = pubsub("publish", node)
        with_items(action, ["one"])
        action[0].append(element(post("One")))
        return await self.set(sender, payload)


async def nodes_seen_by(server: ThrowAwayEjabberd, user: str) -> set[str]:
    client = Client(f"{user}@{server.host}", server.users[user], server.client_port)
    async with client:
        return set(await client.nodes(server.service))


class TestWhoMayCreateNodes:
    async def test_users_of_the_server_may(
        self, service: str, reader: Client, node_name: str
    ) -> None:
        await reader.create(service, node_name)

        assert node_name in await reader.nodes(service)

    @pytest.mark.parametrize("sender", [ALIAS, "cache.localhost"])
    async def test_nobody_else_may_as_the_file_stands(
        self, own_server: OwnServer, sender: str
    ) -> None:
        """Not even by accident: publishing to a node that is missing would create it."""
        server = await own_server()
        async with Component(server) as component:
            created = await component.create(sender, "created")
            subscribed = await component.subscribe(sender, "subscribed")
            published = await component.publish(sender, "published")

        assert (created.error_type, created.condition) == ("auth", "forbidden")
        assert (subscribed.error_type, subscribed.condition) == ("cancel", "item-not-found")
        assert (published.error_type, published.condition) == ("cancel", "item-not-found")
        assert await nodes_seen_by(server, "owner") == set()

    async def test_aliases_may_where_the_last_line_says_so_but_not_the_proxy_itself(
        self, own_server: OwnServer
    ) -> None:
        server = await own_server(aliases_may_create=True)
        async with Component(server) as component:
            for sender in (ALIAS, "cache.localhost"):
                await component.create(sender, f"created by {sender}")
                await component.subscribe(sender, f"subscribed by {sender}")
                await component.publish(sender, f"published by {sender}")

        assert await nodes_seen_by(server, "owner") == {
            f"created by {ALIAS}",
            f"published by {ALIAS}",
        }


async def test_a_refused_command_is_an_error(server: ThrowAwayEjabberd) -> None:
    with pytest.raises(RuntimeError, match="403"):
        await server.call("status")
