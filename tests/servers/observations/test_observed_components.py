"""docs/servers.md, "Components": what an external component (XEP-0114) may do, and what ends it."""

from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from component_client import NS_COMPONENT, ComponentClient
from harness import Client, ThrowAwayServer
from harness.stanzas import NS_PUBSUB_OWNER, pubsub
from harness.waiting import wait_until
from hearing import Ear
from spelling import (
    entry,
    info_request,
    items_request,
    nodes_request,
    publish_request,
    said,
    spelled,
)

pytestmark = pytest.mark.servers

Join = Callable[[], Awaitable[ComponentClient]]
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def message(sender: str, to: str, body: str = "") -> Element:
    stanza = Element(f"{{{NS_COMPONENT}}}message", {"from": sender, "to": to})
    stanza.append(Element(f"{{{NS_COMPONENT}}}body"))
    stanza[0].text = body
    return stanza


class TestRights:
    @pytest.mark.observed("component-1", everywhere=[True, True, True])
    async def test_answers_are_those_to_users(
        self,
        expected: Any,
        service: str,
        owner: Client,
        reader: Client,
        component: ComponentClient,
        node_name: str,
    ) -> None:
        await owner.create(service, node_name)
        await owner.publish(service, node_name, "i0", entry("i0"))
        same = []
        for question in (items_request, info_request, nodes_request):
            answers = [
                (await each.request("get", service, question(node_name))).or_raise().payload
                for each in (reader, component)
            ]
            spellings = {spelled(each) for each in answers if each is not None}
            same.append(len(spellings) == 1)
        assert same == expected

    @pytest.mark.observed("component-2", prosody=(None, None), ejabberd=("en", None))
    async def test_language_of_an_answer(
        self,
        expected: Any,
        service: str,
        reader: Client,
        component: ComponentClient,
    ) -> None:
        answers = [await each.disco_info(service) for each in (reader, component)]
        assert tuple(answer.xml.get(LANGUAGE) for answer in answers) == expected

    @pytest.mark.observed(
        "component-3",
        prosody=("auth/forbidden", "result"),
        ejabberd=("cancel/not-allowed/closed-node", "result"),
    )
    async def test_closed_node_before_and_after_it_is_a_member(
        self,
        expected: Any,
        service: str,
        owner: Client,
        component: ComponentClient,
        node_name: str,
    ) -> None:
        await owner.create(service, node_name, {"pubsub#access_model": "whitelist"})
        before = await component.request("get", service, items_request(node_name))
        await owner.set_affiliation(service, node_name, component.name, "member")
        after = await component.request("get", service, items_request(node_name))
        assert (said(before), said(after)) == expected

    @pytest.mark.observed("component-4", everywhere="someone@cache.localhost/x")
    async def test_sender_below_its_name(
        self,
        expected: Any,
        service: str,
        owner: Client,
        component: ComponentClient,
        node_name: str,
    ) -> None:
        await owner.create(service, node_name)
        component.sender = "someone@cache.localhost/x"
        reply = await component.request("get", service, items_request(node_name))
        assert said(reply) == "result"
        assert reply.xml.get("to") == expected

    @pytest.mark.observed("component-5", everywhere="someone@cache.localhost")
    async def test_subscriber_below_its_name(self, expected: Any, ear: Ear) -> None:
        ear.component.sender = "someone@cache.localhost/x"
        await ear.listen()
        ear.component.sender = ear.component.name
        (event,) = await ear.events(ear.publish("i0"))
        assert event.xml.get("to") == expected

    @pytest.mark.observed("component-6", everywhere=["auth/forbidden", "auth/forbidden"])
    async def test_create_a_node(
        self, expected: Any, service: str, component: ComponentClient, node_name: str
    ) -> None:
        answers = []
        for sender in (component.name, "someone@cache.localhost/x"):
            component.sender = sender
            payload, _ = pubsub("create", node_name)
            answers.append(said(await component.request("set", service, payload)))
        assert answers == expected

    @pytest.mark.observed("component-7", prosody="auth/forbidden", ejabberd="cancel/item-not-found")
    async def test_publish_to_a_missing_node(
        self, expected: Any, service: str, component: ComponentClient, node_name: str
    ) -> None:
        request = publish_request(node_name, "i0")
        assert said(await component.request("set", service, request)) == expected

    @pytest.mark.observed("component-8", everywhere=["owner@localhost"])
    async def test_affiliations_after_it_published_to_a_node_open_for_that(
        self,
        expected: Any,
        service: str,
        owner: Client,
        component: ComponentClient,
        node_name: str,
    ) -> None:
        await owner.create(service, node_name, {"pubsub#publish_model": "open"})
        await component.publish(service, node_name, "i0", entry("i0"))
        payload, _ = pubsub("affiliations", node_name, owner=True)
        reply = (await owner.request("get", service, payload)).or_raise()
        affiliated = reply.xml.iter(f"{{{NS_PUBSUB_OWNER}}}affiliation")
        assert [each.get("jid") for each in affiliated] == expected


async def fate_of(size: int, receiver: ComponentClient, sender: ComponentClient) -> str:
    """Send so many bytes; return the error that closed the sender's stream, else `delivered`."""
    sender.send(message(sender.name, receiver.name, "x" * size))
    await wait_until(lambda: sender.is_closed or receiver.received, "an end or the stanza")
    return "delivered" if receiver.received else await sender.wait_until_closed()


class TestStream:
    @pytest.mark.observed("component-9", everywhere="invalid-from")
    async def test_foreign_sender(self, expected: Any, reader: Client, join: Join) -> None:
        client = await join()
        client.send(message(reader.bare_jid, "cache.localhost"))
        assert await client.wait_until_closed() == expected

    @pytest.mark.observed("component-10", prosody="not-well-formed", ejabberd="delivered")
    async def test_stanza_over_512_kib(
        self, expected: Any, component: ComponentClient, join: Join
    ) -> None:
        assert await fate_of(600_000, component, await join()) == expected

    @pytest.mark.observed("component-11", everywhere="delivered")
    async def test_stanza_below_512_kib(
        self, expected: Any, component: ComponentClient, join: Join
    ) -> None:
        assert await fate_of(500_000, component, await join()) == expected

    @pytest.mark.observed("component-12", prosody="conflict", ejabberd=None)
    async def test_second_connection_of_one_name(self, expected: Any, join: Join) -> None:
        first = await join()
        refused = None
        try:
            await join()
        except ConnectionRefusedError as error:
            refused = str(error)
        assert refused == expected
        assert not first.is_closed

    @pytest.mark.only_server("ejabberd", reason="Prosody lets no second one in")
    @pytest.mark.observed("component-13", ejabberd=[True, True])
    async def test_both_connections_of_one_name_get_something(
        self, expected: Any, component: ComponentClient, join: Join
    ) -> None:
        clients = [await join(), await join()]
        for number in range(100):
            component.send(message(f"sender-{number}@{component.name}", clients[0].name))
        await wait_until(
            lambda: sum(len(each.received) for each in clients) == 100, "all messages to arrive"
        )
        assert [bool(each.received) for each in clients] == expected

    @pytest.mark.observed(
        "component-14",
        prosody="wait/remote-server-timeout",
        ejabberd="cancel/remote-server-not-found",
    )
    async def test_absent_component(
        self, expected: Any, server: ThrowAwayServer, reader: Client
    ) -> None:
        reply = await reader.request("get", server.counting, items_request("n"))
        assert said(reply) == expected
