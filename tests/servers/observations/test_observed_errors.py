"""docs/servers.md, "Errors": what is refused, and with which words."""

import asyncio
from typing import Any

import pytest
from component_client import ComponentClient
from harness import Client, Reply
from harness.stanzas import element, pubsub, submit_form, with_items
from spelling import (
    entry,
    ids_or_error,
    info_request,
    items_request,
    local_name,
    publish_request,
    said,
)

pytestmark = pytest.mark.servers

FORBIDDEN = "auth/forbidden"
NOT_FOUND = "cancel/item-not-found"
CLOSED = "cancel/not-allowed/closed-node"


async def subscribed(client: Client, service: str, node: str) -> Reply:
    payload, action = pubsub("subscribe", node)
    action.set("jid", client.bare_jid)
    return await client.request("set", service, payload)


async def read(client: Client, service: str, node: str) -> Reply:
    return await client.request("get", service, items_request(node))


class TestShape:
    @pytest.mark.observed("error-1", prosody=["error"], ejabberd=["pubsub", "error"])
    async def test_request_is_repeated(
        self, expected: Any, service: str, reader: Client, node_name: str
    ) -> None:
        reply = await read(reader, service, node_name)
        assert [local_name(each) for each in reply.xml] == expected

    @pytest.mark.observed("error-2", prosody=None, ejabberd="Node not found")
    async def test_text(self, expected: Any, service: str, reader: Client, node_name: str) -> None:
        assert (await read(reader, service, node_name)).text == expected


class TestMissingNode:
    @pytest.mark.observed("error-3", everywhere=NOT_FOUND)
    async def test_items(self, expected: Any, service: str, reader: Client, node_name: str) -> None:
        assert said(await read(reader, service, node_name)) == expected

    @pytest.mark.observed("error-4", everywhere=NOT_FOUND)
    async def test_information(
        self, expected: Any, service: str, reader: Client, node_name: str
    ) -> None:
        reply = await reader.request("get", service, info_request(node_name))
        assert said(reply) == expected

    @pytest.mark.observed("error-5", prosody=(NOT_FOUND, FORBIDDEN), ejabberd=("result", "result"))
    async def test_publish_by_administrator_and_user(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        first = await owner.request("set", service, publish_request(f"{node_name}/1", "i0"))
        second = await reader.request("set", service, publish_request(f"{node_name}/2", "i0"))
        assert (said(first), said(second)) == expected

    @pytest.mark.observed("error-6", everywhere=(NOT_FOUND, NOT_FOUND))
    async def test_subscribe(
        self, expected: Any, service: str, reader: Client, node_name: str
    ) -> None:
        """The second time the node is missing still."""
        replies = [await subscribed(reader, service, node_name) for _ in range(2)]
        assert tuple(map(said, replies)) == expected

    @pytest.mark.observed("error-7", everywhere=NOT_FOUND)
    @pytest.mark.parametrize("action", ["configure", "purge", "delete"])
    async def test_what_owners_do(
        self, expected: Any, action: str, service: str, owner: Client, node_name: str
    ) -> None:
        payload, _ = pubsub(action, node_name, owner=True)
        kind: Any = "get" if action == "configure" else "set"
        assert said(await owner.request(kind, service, payload)) == expected

    @pytest.mark.observed("error-8", everywhere=NOT_FOUND)
    async def test_retract(
        self, expected: Any, service: str, owner: Client, node_name: str
    ) -> None:
        payload, action = pubsub("retract", node_name)
        with_items(action, ["i0"])
        assert said(await owner.request("set", service, payload)) == expected


class TestClosedNode:
    @pytest.mark.observed("error-9", prosody=(FORBIDDEN, FORBIDDEN), ejabberd=(CLOSED, CLOSED))
    async def test_stranger(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name, {"pubsub#access_model": "whitelist"})
        items = await read(reader, service, node_name)
        subscription = await subscribed(reader, service, node_name)
        assert (said(items), said(subscription)) == expected

    @pytest.mark.observed("error-10", everywhere=(FORBIDDEN, FORBIDDEN))
    async def test_outcast_of_an_open_node(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name)
        await owner.set_affiliation(service, node_name, reader.bare_jid, "outcast")
        items = await read(reader, service, node_name)
        subscription = await subscribed(reader, service, node_name)
        assert (said(items), said(subscription)) == expected

    @pytest.mark.observed("error-11", everywhere=FORBIDDEN)
    async def test_publish_by_a_stranger(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name)
        reply = await reader.request("set", service, publish_request(node_name, "i0"))
        assert said(reply) == expected


async def asked_of_a_node(
    access_model: str, service: str, owner: Client, reader: Client, node: str
) -> list[str]:
    """Create a node, then read and subscribe as a stranger; return the answers to it all."""
    payload, _ = pubsub("create", node)
    configure, action = pubsub("configure")
    action.append(submit_form({"pubsub#access_model": access_model}))
    payload.append(configure[0])
    created = await owner.request("set", service, payload)
    if created.is_error:
        return [said(created)]
    items = await read(reader, service, node)
    return [said(created), said(items), said(await subscribed(reader, service, node))]


class TestOtherAccessModels:
    PRESENCE = "auth/not-authorized/presence-subscription-required"
    ROSTER = "auth/not-authorized/not-in-roster-group"

    @pytest.mark.observed(
        "error-12", prosody=["modify/not-acceptable"], ejabberd=["result", PRESENCE, PRESENCE]
    )
    async def test_presence(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        answers = await asked_of_a_node("presence", service, owner, reader, node_name)
        assert answers == expected

    @pytest.mark.observed(
        "error-13", prosody=["modify/not-acceptable"], ejabberd=["result", ROSTER, ROSTER]
    )
    async def test_roster(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        answers = await asked_of_a_node("roster", service, owner, reader, node_name)
        assert answers == expected

    @pytest.mark.observed(
        "error-14", prosody=["modify/not-acceptable"], ejabberd=["result", FORBIDDEN, "result"]
    )
    async def test_authorize(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        """The subscription is a pending one."""
        answers = await asked_of_a_node("authorize", service, owner, reader, node_name)
        assert answers == expected


class TestItems:
    @pytest.mark.observed(
        "error-15",
        prosody="modify/unexpected-request/not-subscribed",
        ejabberd="wait/unexpected-request/not-subscribed",
    )
    async def test_unsubscribe_while_not_subscribed(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name)
        payload, action = pubsub("unsubscribe", node_name)
        action.set("jid", reader.bare_jid)
        assert said(await reader.request("set", service, payload)) == expected

    @pytest.mark.observed("error-16", everywhere=NOT_FOUND)
    async def test_retract_of_a_missing_item(
        self, expected: Any, service: str, owner: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name)
        payload, action = pubsub("retract", node_name)
        with_items(action, ["none"])
        assert said(await owner.request("set", service, payload)) == expected

    @pytest.mark.observed(
        "error-17", prosody="cancel/feature-not-implemented/persistent-items", ejabberd=["i1"]
    )
    async def test_items_of_a_node_that_keeps_none(
        self, expected: Any, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name, {"pubsub#persist_items": "0"})
        for item_id in ("i0", "i1"):
            await owner.publish(service, node_name, item_id, entry(item_id))
        assert ids_or_error(await read(reader, service, node_name)) == expected

    @pytest.mark.observed(
        "error-18",
        prosody=("result", ["i0"]),
        ejabberd=("modify/bad-request/invalid-payload", []),
    )
    async def test_publish_of_two_items(
        self, expected: Any, service: str, owner: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name)
        reply = await owner.request("set", service, publish_request(node_name, "i0", "i1"))
        assert (said(reply), (await owner.items(service, node_name)).ids) == expected

    @pytest.mark.observed(
        "error-19",
        prosody=("result", ["i1"]),
        ejabberd=("modify/bad-request/invalid-payload", ["i0", "i1"]),
    )
    async def test_retract_of_two_items(
        self, expected: Any, service: str, owner: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name)
        for item_id in ("i0", "i1"):
            await owner.publish(service, node_name, item_id, entry(item_id))
        payload, action = pubsub("retract", node_name)
        with_items(action, ["i0", "i1"])
        reply = await owner.request("set", service, payload)
        assert (said(reply), (await owner.items(service, node_name)).ids) == expected

    @pytest.mark.observed(
        "error-20", prosody="result", ejabberd="modify/not-acceptable/payload-too-big"
    )
    async def test_publish_of_a_large_item(
        self,
        expected: Any,
        service: str,
        owner: Client,
        component: ComponentClient,
        node_name: str,
    ) -> None:
        """By a component: Prosody closes the stream of a client that sends as much."""
        await owner.create(service, node_name, {"pubsub#publish_model": "open"})
        payload, action = pubsub("publish", node_name)
        with_items(action, ["i0"])
        action[0].append(element(entry("x" * 260_000)))
        assert said(await component.request("set", service, payload)) == expected


@pytest.mark.observed("error-21", prosody=False, ejabberd=True)
async def test_subscriptions_are_told_after_one_of_the_nodes_was_deleted(
    expected: Any, service: str, owner: Client, other: Client, node_name: str
) -> None:
    """Prosody answers in order: no answer before that to a later question means none at all."""
    await owner.create(service, node_name)
    await other.subscribe(service, node_name)
    await owner.delete(service, node_name)
    asked = asyncio.ensure_future(other.request("get", service, pubsub("subscriptions")[0]))
    await other.disco_info(service)
    if expected:
        assert said(await asked) == "result"
    else:
        assert not asked.done()
        asked.cancel()
