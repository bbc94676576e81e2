"""What a client does with a pubsub service, done at the proxy's address (XEP-0060).

In front of Prosody, which lets the proxy act for its users, they are themselves; in front of
ejabberd they are their aliases, whom the server lets create nodes. Nothing here asks the service
itself, but to see what has become of something.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import SubElement

import combinations
import pytest
from harness import Client, ProxyProcess
from harness.following import post
from harness.stanzas import NS_PUBSUB, NS_PUBSUB_OWNER, element, form_fields, pubsub, with_items

pytestmark = pytest.mark.servers

Waits = Callable[[Coroutine[Any, Any, Any]], Any]

NODE = "urn:xmpp:microblog:0:comments/princely_musings"

ACTING = {"prosody": {"privileges": True}, "ejabberd": {"aliases_may_create": True}}
"""How a server is started so that whoever owns nodes can own them through the proxy."""


@dataclass
class Stage:
    """A server, the proxy, and those who ask it.

    Attributes:
        proxy: before the service.
        real: the service behind it.
        owner: may create nodes.
        reader, other: may not, on Prosody.
        is_alias: whether they are aliases to the service.
    """

    proxy: ProxyProcess
    real: str
    owner: Client
    reader: Client
    other: Client
    is_alias: bool

    @property
    def service(self) -> str:
        """The address that all of them ask: the proxy's."""
        return self.proxy.jid

    def named(self, who: Client) -> str:
        """Return the address that stands for somebody else in what an owner says of them."""
        if not self.is_alias:
            return who.bare_jid
        return who.bare_jid.replace("@", "\\40") + f"@{self.service}"


@pytest.fixture(scope="module")
def kept_stage(server_kind: str, database_kind: str, wait_for_coroutine: Waits) -> Iterator[Stage]:
    """A stage that the tests of this module have in common: to set one up takes long."""
    program = server_kind.partition("-")[0]
    server = combinations.SERVERS[server_kind](**ACTING[program])
    clients = {
        name: Client(f"{name}@{server.host}", server.users[name], server.client_port)
        for name in ("owner", "reader", "other")
    }
    proxy = ProxyProcess(server.component_port, server.component_secret, allow=(server.service,))

    async def begin() -> None:
        await server.start()
        await proxy.start()
        await asyncio.gather(*(client.connect() for client in clients.values()))

    async def end() -> None:
        for client in clients.values():
            await client.disconnect()

    try:
        wait_for_coroutine(begin())
        yield Stage(proxy, server.service, is_alias=program == "ejabberd", **clients)
        wait_for_coroutine(end())
    finally:
        proxy.remove()
        server.remove()


@pytest.fixture
def stage(
    kept_stage: Stage, request: pytest.FixtureRequest, wait_for_coroutine: Waits
) -> Iterator[Stage]:
    """The stage, without the node, and with nobody notified of anything."""
    for client in (kept_stage.owner, kept_stage.reader, kept_stage.other):
        client.events.clear()
    yield kept_stage
    payload, _ = pubsub("delete", NODE, owner=True)
    wait_for_coroutine(kept_stage.owner.request("set", kept_stage.service, payload))


async def affiliations(stage: Stage, who: Client) -> dict[str, str]:
    """Return the affiliations with the node by address (section 8.9.1)."""
    payload, _ = pubsub("affiliations", NODE, owner=True)
    reply = (await who.request("get", stage.service, payload)).or_raise()
    assert reply.payload is not None
    rows = reply.payload.iter(f"{{{NS_PUBSUB_OWNER}}}affiliation")
    return {row.get("jid", ""): row.get("affiliation", "") for row in rows}


async def test_advanced_affiliations(stage: Stage) -> None:
    """Sections 8.1.3, 8.9, 7.1: who is made a publisher publishes."""
    await stage.owner.create(stage.service, NODE)
    payload, _ = pubsub("create", NODE)
    again = await stage.owner.request("set", stage.service, payload)
    assert (again.error_type, again.condition) == ("cancel", "conflict")
    assert await affiliations(stage, stage.owner) == {stage.owner.bare_jid: "owner"}
    outer, action = pubsub("publish", NODE)
    with_items(action, ["forbidden"])
    action[0].append(element(post("Forbidden")))
    refused = await stage.other.request("set", stage.service, outer)
    assert (refused.error_type, refused.condition) == ("auth", "forbidden")
    await stage.owner.set_affiliation(stage.service, NODE, stage.named(stage.other), "publisher")
    assert await affiliations(stage, stage.owner) == {
        stage.owner.bare_jid: "owner",
        stage.named(stage.other): "publisher",
    }
    await stage.other.publish(stage.service, NODE, "current", post("Soliloquy"))
    assert (await stage.owner.items(stage.service, NODE)).ids == ["current"]
    await stage.owner.delete(stage.service, NODE)


async def test_creating_and_deleting(stage: Stage) -> None:
    """Sections 8.1 and 8.4: a node is there as soon as it is made, and gone as soon as deleted."""
    for _ in range(2):
        await stage.owner.create(stage.service, NODE)
        assert NODE in await stage.owner.nodes(stage.service)
        await stage.owner.publish(stage.service, NODE, "one", post("One"))
        assert (await stage.owner.items(stage.service, NODE)).ids == ["one"]
        await stage.owner.delete(stage.service, NODE)
        assert NODE not in await stage.owner.nodes(stage.service)
        payload, _ = pubsub("items", NODE)
        missing = await stage.owner.request("get", stage.service, payload)
        assert (missing.error_type, missing.condition) == ("cancel", "item-not-found")


async def test_instant_node(stage: Stage) -> None:
    """Section 8.1.2: the service makes the name up, and says it."""
    payload, _ = pubsub("create")
    created = await stage.owner.request("set", stage.service, payload)
    if created.is_error:
        direct = await stage.owner.request("set", stage.real, payload)
        assert (direct.error_type, direct.condition) == (created.error_type, created.condition)
        return
    assert created.payload is not None
    named = created.payload.find(f"{{{NS_PUBSUB}}}create")
    assert named is not None
    node = named.get("node", "")
    assert node in await stage.owner.nodes(stage.service)
    await stage.owner.delete(stage.service, node)


async def test_configuring(stage: Stage) -> None:
    """Sections 8.2 and 8.3: the form comes through, and what was changed shows at once."""
    await stage.owner.create(stage.service, NODE)
    payload, _ = pubsub("configure", NODE, owner=True)
    form = (await stage.owner.request("get", stage.service, payload)).or_raise()
    assert form.payload is not None
    fields = form_fields(form.payload)
    assert fields["pubsub#access_model"] == "open"
    await stage.owner.configure(
        stage.service, NODE, {"pubsub#title": "Musings", "pubsub#max_items": "2"}
    )
    info = await stage.owner.disco_info(stage.service, NODE)
    assert info.payload is not None
    assert form_fields(info.payload)["pubsub#title"] == "Musings"
    refused = await stage.reader.request("get", stage.service, payload)
    assert (refused.error_type, refused.condition) == ("auth", "forbidden")


async def test_newest_items(stage: Stage) -> None:
    """Section 6.5.7."""
    await stage.owner.create(stage.service, NODE)
    for item_id in ("one", "two"):
        reply = await stage.owner.publish(stage.service, NODE, item_id, post(item_id))
        assert reply.payload is None or item_id in {
            item.get("id") for item in reply.payload.iter(f"{{{NS_PUBSUB}}}item")
        }
    assert (await stage.owner.items(stage.service, NODE, max_items=1)).ids == ["two"]
    assert (await stage.owner.items(stage.service, NODE)).ids == ["one", "two"]


async def test_several_items_by_id(stage: Stage) -> None:
    """Section 6.5.6."""
    await stage.owner.create(stage.service, NODE)
    for item_id in ("one", "two", "three"):
        await stage.owner.publish(stage.service, NODE, item_id, post(item_id))
    found = await stage.owner.items(stage.service, NODE, ids=["one", "three"])
    assert found.ids == ["one", "three"]
    assert (await stage.owner.items(stage.service, NODE)).ids == ["one", "two", "three"]


async def test_publishing_with_preconditions(stage: Stage) -> None:
    """Section 7.1.5: publish-options that do not hold are a conflict."""
    await stage.owner.create(stage.service, NODE)

    def publish(access_model: str) -> Any:
        outer, action = pubsub("publish", NODE)
        with_items(action, ["one"])
        SubElement(action[0], "{urn:example:x}x")
        options = SubElement(outer, f"{{{NS_PUBSUB}}}publish-options")
        form = SubElement(options, "{jabber:x:data}x", {"type": "submit"})
        for name, value in (
            ("FORM_TYPE", "http://jabber.org/protocol/pubsub#publish-options"),
            ("pubsub#access_model", access_model),
        ):
            field = SubElement(form, "{jabber:x:data}field", {"var": name})
            SubElement(field, "{jabber:x:data}value").text = value
        return outer

    refused = await stage.owner.request("set", stage.service, publish("whitelist"))
    assert (refused.condition, refused.application_condition) == (
        "conflict",
        "precondition-not-met",
    )
    (await stage.owner.request("set", stage.service, publish("open"))).or_raise()
    assert (await stage.owner.items(stage.service, NODE)).ids == ["one"]


async def test_retracting_and_purging(stage: Stage) -> None:
    """Sections 7.2 and 8.5: gone at once, whether or not anybody was told."""
    await stage.owner.create(stage.service, NODE)
    for item_id in ("one", "two", "three"):
        await stage.owner.publish(stage.service, NODE, item_id, post(item_id))
    await stage.owner.retract(stage.service, NODE, "two", notify=False)
    assert (await stage.owner.items(stage.service, NODE)).ids == ["one", "three"]
    await stage.owner.purge(stage.service, NODE)
    assert (await stage.owner.items(stage.service, NODE)).ids == []


async def test_subscribing(stage: Stage) -> None:
    """Section 6.1: whoever is asked for it is notified from the address that they asked."""
    await stage.owner.create(stage.service, NODE)
    await stage.owner.publish(stage.service, NODE, "first", post("Prologue"))
    payload, action = pubsub("subscribe", NODE)
    action.set("jid", stage.reader.jid)
    (await stage.reader.request("set", stage.service, payload)).or_raise()
    await stage.owner.publish(stage.service, NODE, "current", post("Soliloquy"))
    event = await stage.reader.wait_for_event(lambda event: "current" in event.item_ids)
    assert (event.sender, event.xml.get("to")) == (stage.service, stage.reader.jid)


async def test_subscribing_to_a_node_that_is_closed_to_the_alias(stage: Stage) -> None:
    """Who is let in as themselves, and not as their alias, is notified by the service itself."""
    if stage.is_alias:
        return
    await stage.owner.create(stage.service, NODE, {"pubsub#access_model": "whitelist"})
    await stage.owner.set_affiliation(stage.service, NODE, stage.reader.bare_jid, "member")
    await stage.reader.subscribe(stage.service, NODE)
    await stage.owner.publish(stage.service, NODE, "current", post("Soliloquy"))
    event = await stage.reader.wait_for_event(lambda event: "current" in event.item_ids)
    assert event.sender == stage.real


async def test_own_affiliations(stage: Stage) -> None:
    """Section 5.7."""
    await stage.owner.create(stage.service, NODE)
    payload, _ = pubsub("affiliations")
    ours = await stage.owner.request("get", stage.service, payload)
    theirs = await stage.owner.request("get", stage.real, payload)
    if stage.is_alias:
        assert ours.payload is not None
        found = {
            (row.get("node"), row.get("affiliation"))
            for row in ours.payload.iter(f"{{{NS_PUBSUB}}}affiliation")
        }
        assert (NODE, "owner") in found
    else:
        assert (ours.is_error, ours.condition) == (theirs.is_error, theirs.condition)


async def test_default_configuration(stage: Stage) -> None:
    """Section 8.3: whatever the service says to that, be it that it has none."""
    payload, _ = pubsub("default", owner=True)
    ours = await stage.owner.request("get", stage.service, payload)
    theirs = await stage.owner.request("get", stage.real, payload)
    assert (ours.is_error, ours.error_type, ours.condition) == (
        theirs.is_error,
        theirs.error_type,
        theirs.condition,
    )
