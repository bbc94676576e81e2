"""docs/servers.md, "Subscriptions": what becomes of them when node or subscriber change."""

from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree.ElementTree import SubElement

import pytest
from component_client import ComponentClient
from harness import Client, Reply
from harness.stanzas import NS_PUBSUB, NS_PUBSUB_OWNER, pubsub
from hearing import Ear
from spelling import entry, ids_or_error, items_request, said

pytestmark = pytest.mark.servers

Join = Callable[[], Awaitable[ComponentClient]]
SUBSCRIPTION = "subscription"


async def own_subscriptions(client: Client, service: str, node: str) -> list[str | None]:
    """Return the states that a client is told of its subscriptions to a node."""
    reply = (await client.request("get", service, pubsub("subscriptions", node)[0])).or_raise()
    return [each.get(SUBSCRIPTION) for each in reply.xml.iter(f"{{{NS_PUBSUB}}}{SUBSCRIPTION}")]


async def read(ear: Ear) -> list[str] | str:
    request = items_request(ear.node)
    return ids_or_error(await ear.component.request("get", ear.service, request))


class TestNodeThatWasDeletedAndCreatedAgain:
    async def renew(self, ear: Ear) -> None:
        await ear.listen()
        await ear.owner.delete(ear.service, ear.node)
        await ear.owner.create(ear.service, ear.node)

    @pytest.mark.observed("subscription-1", everywhere=[])
    async def test_events(self, expected: Any, ear: Ear) -> None:
        await self.renew(ear)
        assert await ear.heard(ear.publish("i0")) == expected

    @pytest.mark.observed("subscription-2", prosody=["subscribed"], ejabberd=[])
    async def test_subscription(self, expected: Any, ear: Ear) -> None:
        await self.renew(ear)
        assert await own_subscriptions(ear.component, ear.service, ear.node) == expected

    @pytest.mark.observed("subscription-11", everywhere=1)
    async def test_events_once_subscribed_anew(self, expected: Any, ear: Ear) -> None:
        await self.renew(ear)
        await ear.component.subscribe(ear.service, ear.node)
        assert len(await ear.heard(ear.publish("i0"))) == expected


@pytest.mark.observed("subscription-3", everywhere=[["kept"]])
async def test_component_that_was_away(
    expected: Any, service: str, owner: Client, join: Join, node_name: str
) -> None:
    """What happened meanwhile is lost; the subscription is not."""
    await owner.create(service, node_name)
    before = await join()
    await before.subscribe(service, node_name)
    await before.disconnect()
    await owner.publish(service, node_name, "lost", entry("lost"))
    after = await join()
    await owner.publish(service, node_name, "kept", entry("kept"))
    await after.wait_for_event(lambda event: event.item_ids == ["kept"])
    assert [event.item_ids for event in after.events] == expected


class TestNodeThatWasClosed:
    """A node with a subscriber is configured to be for a whitelist that they are not on."""

    async def close(self, ear: Ear) -> None:
        await ear.listen()
        await ear.publish("i0")
        closed = {"pubsub#access_model": "whitelist"}
        await ear.owner.configure(ear.service, ear.node, closed)

    @pytest.mark.observed("subscription-4", prosody=[], ejabberd=["subscribed"])
    async def test_subscription(self, expected: Any, ear: Ear) -> None:
        await self.close(ear)
        assert await own_subscriptions(ear.component, ear.service, ear.node) == expected

    @pytest.mark.observed("subscription-5", prosody=0, ejabberd=1)
    async def test_events(self, expected: Any, ear: Ear) -> None:
        await self.close(ear)
        assert len(await ear.heard(ear.publish("i1"))) == expected

    @pytest.mark.observed("subscription-6", prosody="auth/forbidden", ejabberd=["i0"])
    async def test_items(self, expected: Any, ear: Ear) -> None:
        await self.close(ear)
        assert await read(ear) == expected

    @pytest.mark.observed("subscription-7", everywhere=(["subscribed"], 1))
    async def test_of_a_member(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        jid = ear.component.name
        await ear.owner.set_affiliation(ear.service, ear.node, jid, "member")
        closed = {"pubsub#access_model": "whitelist"}
        await ear.owner.configure(ear.service, ear.node, closed)
        heard = await ear.heard(ear.publish("i0"))
        states = await own_subscriptions(ear.component, ear.service, ear.node)
        assert (states, len(heard)) == expected


class TestOutcast:
    """A subscriber of an open node becomes an outcast."""

    async def cast_out(self, ear: Ear) -> Reply:
        await ear.listen()
        await ear.publish("i0")
        payload, action = pubsub("affiliations", ear.node, owner=True)
        who = {"jid": ear.component.name, "affiliation": "outcast"}
        SubElement(action, f"{{{NS_PUBSUB_OWNER}}}affiliation", who)
        return await ear.owner.request("set", ear.service, payload)

    @pytest.mark.observed("subscription-8", prosody="auth/forbidden", ejabberd="result")
    async def test_answer_to_the_owner(self, expected: Any, ear: Ear) -> None:
        assert said(await self.cast_out(ear)) == expected

    @pytest.mark.observed("subscription-9", everywhere=1)
    async def test_events(self, expected: Any, ear: Ear) -> None:
        await self.cast_out(ear)
        assert len(await ear.heard(ear.publish("i1"))) == expected

    @pytest.mark.observed("subscription-10", everywhere="auth/forbidden")
    async def test_items(self, expected: Any, ear: Ear) -> None:
        await self.cast_out(ear)
        assert await read(ear) == expected
