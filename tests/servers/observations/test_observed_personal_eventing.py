"""docs/servers.md, "Personal eventing": services at a user's own address, asked by strangers.

A stranger is somebody whom the user has given no presence subscription; a component always is one.
"""

from typing import Any
from xml.etree.ElementTree import SubElement

import pytest
from component_client import ComponentClient
from harness import Client
from harness.stanzas import NS_PUBSUB, form_fields, pubsub, read_page, submit_form
from hearing import Ear
from spelling import (
    entry,
    ids_or_error,
    info_request,
    item_ids,
    items_request,
    nodes_request,
    publish_request,
    said,
)

pytestmark = pytest.mark.servers

FORM_PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"
NOT_A_CONTACT = "auth/not-authorized/presence-subscription-required"
NO_DISCO = "cancel/service-unavailable"
NO_SUBSCRIPTION = "auth/subscription-required"


@pytest.fixture
def service(owner: Client) -> str:
    """The owner's own."""
    return owner.bare_jid


async def make(
    owner: Client, node: str, *ids: str, access_model: str = "open", max_items: str = "10"
) -> None:
    """Make a node of the owner's own service, with items."""
    config = {"pubsub#access_model": access_model, "pubsub#max_items": max_items}
    await owner.create(owner.bare_jid, node, config)
    for item_id in ids:
        await owner.publish(owner.bare_jid, node, item_id, entry(item_id))


async def read(client: Client, service: str, node: str) -> list[str] | str:
    return ids_or_error(await client.request("get", service, items_request(node)))


async def subscribed(client: Client, service: str, node: str) -> str:
    payload, action = pubsub("subscribe", node)
    action.set("jid", client.bare_jid)
    return said(await client.request("set", service, payload))


class TestDisco:
    @pytest.mark.observed("personal-1", prosody={NO_DISCO}, ejabberd={NO_SUBSCRIPTION})
    async def test_of_the_account_and_its_nodes(
        self,
        expected: Any,
        service: str,
        owner: Client,
        reader: Client,
        component: ComponentClient,
        node_name: str,
    ) -> None:
        await make(owner, node_name)
        replies = [
            await client.request("get", service, question(node))
            for client in (reader, component)
            for question in (info_request, nodes_request)
            for node in (None, node_name, "missing")
        ]
        assert set(map(said, replies)) == expected


class TestItems:
    @pytest.mark.observed("personal-2", everywhere=[["a", "b"], ["a", "b"]])
    async def test_open_node(
        self,
        expected: Any,
        service: str,
        owner: Client,
        reader: Client,
        component: ComponentClient,
        node_name: str,
    ) -> None:
        await make(owner, node_name, "a", "b")
        assert [await read(each, service, node_name) for each in (reader, component)] == expected

    @pytest.mark.observed("personal-3", everywhere=[])
    async def test_unknown_ids_of_an_open_node(
        self, expected: Any, service: str, owner: Client, component: ComponentClient, node_name: str
    ) -> None:
        await make(owner, node_name, "a")
        request = items_request(node_name, ids=["none", "no"])
        assert ids_or_error(await component.request("get", service, request)) == expected

    @pytest.mark.observed("personal-4", prosody="auth/forbidden", ejabberd=NOT_A_CONTACT)
    async def test_node_for_contacts(
        self, expected: Any, service: str, owner: Client, component: ComponentClient, node_name: str
    ) -> None:
        await make(owner, node_name, "a", access_model="presence")
        assert await read(component, service, node_name) == expected

    @pytest.mark.observed(
        "personal-5", prosody="auth/forbidden", ejabberd="cancel/not-allowed/closed-node"
    )
    async def test_node_for_a_whitelist(
        self, expected: Any, service: str, owner: Client, component: ComponentClient, node_name: str
    ) -> None:
        await make(owner, node_name, "a", access_model="whitelist")
        assert await read(component, service, node_name) == expected

    @pytest.mark.observed("personal-6", prosody="auth/forbidden", ejabberd="cancel/item-not-found")
    @pytest.mark.parametrize("user", ["owner", "other", "nobody"])
    async def test_missing_node_or_user(
        self, expected: Any, user: str, component: ComponentClient, node_name: str
    ) -> None:
        assert await read(component, f"{user}@localhost", node_name) == expected

    @pytest.mark.observed(
        "personal-7",
        prosody=(["a", "b", "c"], None),
        mnesia=(["a", "b", "c"], -1),
        sql=(["c", "b", "a"], 0),
    )
    async def test_newest_items_one_more_than_there_are(
        self, expected: Any, service: str, owner: Client, component: ComponentClient, node_name: str
    ) -> None:
        await make(owner, node_name, "a", "b", "c")
        reply = await component.request("get", service, items_request(node_name, max_items="4"))
        assert reply.payload is not None
        page = read_page(reply.payload)
        assert (item_ids(reply), page and page.index) == expected

    @pytest.mark.observed("personal-8", everywhere=None)
    async def test_publisher(
        self, expected: Any, service: str, owner: Client, component: ComponentClient, node_name: str
    ) -> None:
        await make(owner, node_name, "a")
        (item,) = (await component.items(service, node_name)).elements
        assert item.get("publisher") == expected


class TestConfiguration:
    @pytest.mark.observed("personal-9", everywhere={"access_model": "presence", "max_items": "1"})
    async def test_of_a_node_made_by_publishing(
        self, expected: Any, service: str, owner: Client, node_name: str
    ) -> None:
        await owner.publish(service, node_name, "a", entry("a"))
        payload, _ = pubsub("configure", node_name, owner=True)
        form = (await owner.request("get", service, payload)).or_raise()
        fields = form_fields(form.xml)
        assert {name: fields[f"pubsub#{name}"] for name in expected} == expected

    @pytest.mark.observed("personal-10", prosody="result", ejabberd="wait/resource-constraint")
    async def test_max_items_in_publish_options(
        self, expected: Any, service: str, owner: Client, node_name: str
    ) -> None:
        request = publish_request(node_name, "a")
        options = SubElement(request, f"{{{NS_PUBSUB}}}publish-options")
        options.append(submit_form({"pubsub#max_items": "10"}, FORM_PUBLISH_OPTIONS))
        assert said(await owner.request("set", service, request)) == expected

    @pytest.mark.observed("personal-11", everywhere="result")
    async def test_access_model_in_publish_options(
        self, expected: Any, service: str, owner: Client, node_name: str
    ) -> None:
        request = publish_request(node_name, "a")
        options = SubElement(request, f"{{{NS_PUBSUB}}}publish-options")
        options.append(submit_form({"pubsub#access_model": "open"}, FORM_PUBLISH_OPTIONS))
        assert said(await owner.request("set", service, request)) == expected


class TestSubscription:
    """The ear is a component: a subscriber without a presence subscription."""

    @pytest.mark.observed(
        "personal-12",
        prosody=["result", "auth/forbidden", "auth/forbidden"],
        ejabberd=["result", NOT_A_CONTACT, "cancel/item-not-found"],
    )
    async def test_to_an_open_node_one_for_contacts_and_a_missing_one(
        self, expected: Any, service: str, owner: Client, component: ComponentClient, node_name: str
    ) -> None:
        await make(owner, f"{node_name}/open")
        await make(owner, f"{node_name}/presence", access_model="presence")
        nodes = [f"{node_name}/{each}" for each in ("open", "presence", "missing")]
        assert [await subscribed(component, service, node) for node in nodes] == expected

    @pytest.mark.observed("personal-13", prosody=1, ejabberd=0)
    async def test_events_by_default(self, expected: Any, ear: Ear) -> None:
        await ear.listen(access_model="open")
        assert len(await ear.heard(ear.publish("a"))) == expected

    @pytest.mark.observed("personal-14", everywhere=1)
    async def test_events_not_bound_to_presence(self, expected: Any, ear: Ear) -> None:
        await ear.listen(access_model="open", presence_based_delivery="0")
        assert len(await ear.heard(ear.publish("a"))) == expected

    @pytest.mark.observed("personal-15", prosody=["owner@localhost"], ejabberd=[None])
    async def test_publisher_in_an_event(self, expected: Any, ear: Ear) -> None:
        await ear.listen(access_model="open", presence_based_delivery="0")
        events = await ear.events(ear.publish("a"))
        assert [event.action[0].get("publisher") for event in events] == expected

    @pytest.mark.observed("personal-16", everywhere=["items"])
    async def test_eviction_is_silent(self, expected: Any, ear: Ear) -> None:
        await ear.listen(access_model="open", presence_based_delivery="0")
        await ear.publish("a")
        events = await ear.events(ear.publish("b"))
        assert [event.kind for event in events] == expected
        assert [event.item_ids for event in events] == [["b"]]
        assert (await ear.owner.items(ear.service, ear.node)).ids == ["b"]

    @pytest.mark.observed("personal-17", everywhere=0)
    async def test_retract_without_a_word_on_notices(self, expected: Any, ear: Ear) -> None:
        await ear.listen(access_model="open", presence_based_delivery="0")
        await ear.publish("a")
        assert len(await ear.heard(ear.retract("a"))) == expected

    @pytest.mark.observed("personal-18", everywhere=1)
    async def test_retract_that_says_to_notify(self, expected: Any, ear: Ear) -> None:
        await ear.listen(access_model="open", presence_based_delivery="0")
        await ear.publish("a")
        assert len(await ear.heard(ear.retract("a", "true"))) == expected

    @pytest.mark.observed("personal-19", prosody=0, ejabberd=1)
    async def test_events_of_a_node_that_is_for_contacts_by_now(
        self, expected: Any, ear: Ear
    ) -> None:
        await ear.listen(access_model="open", presence_based_delivery="0")
        contacts = {"pubsub#access_model": "presence"}
        await ear.owner.configure(ear.service, ear.node, contacts)
        assert len(await ear.heard(ear.publish("a"))) == expected

    @pytest.mark.observed("personal-20", prosody=[["b"]], ejabberd=[])
    async def test_last_item_with_a_subscription(self, expected: Any, ear: Ear) -> None:
        await make(ear.owner, ear.node, "a", "b")
        events = await ear.events(ear.component.subscribe(ear.service, ear.node))
        assert [event.item_ids for event in events] == expected
