"""Personal eventing services (XEP-0163) are services like any other, for nodes that are open."""

import pytest
from harness import Client, ProxyProcess, ThrowAwayServer
from harness.comparing import answers
from harness.following import answered_by, fill, post, until_cached, until_held
from harness.payloads import by_id, everything
from harness.stanzas import NS_DISCO_INFO, NS_DISCO_ITEMS
from harness.waiting import wait_until

pytestmark = pytest.mark.servers

OPEN = {"pubsub#access_model": "open", "pubsub#max_items": "100"}
FOR_CONTACTS = {"pubsub#access_model": "presence"}
SHORT_CLOCKS = {"access_verify_every": "1s", "verify_every": "2s", "max_age": "1s"}


async def personal(proxy: ProxyProcess, owner: Client, **clocks: str) -> str:
    """Let the proxy stand for the owner's own service, and return where (XEP-0106)."""
    proxy.configure({"upstream": {"allow": ["*@localhost"], "default": owner.bare_jid}})
    proxy.configure({"cache": clocks})
    await proxy.restart()
    escaped = owner.bare_jid.replace("@", "\\40")
    return f"{escaped}@{proxy.jid}"


async def test_open_node_is_held_and_answered_as_the_service_answers_strangers(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    service = owner.bare_jid
    to = await personal(proxy, owner)
    await fill(owner, service, node_name, 4, **OPEN)
    await until_held(reader, proxy, node_name, to)
    for question in (everything(node_name), by_id(node_name, "post-3", "none", "post-1")):
        ours, theirs = await answers(reader, to, service, question)
        assert ours == theirs
        assert answered_by(proxy, node_name)[-1] == "cache"
    for namespace in (NS_DISCO_INFO, NS_DISCO_ITEMS):
        for node in ("", f" node='{node_name}'"):
            ours, theirs = await answers(reader, to, service, f"<query xmlns='{namespace}'{node}/>")
            assert ours == theirs


async def follow(
    server: ThrowAwayServer, proxy: ProxyProcess, reader: Client, to: str, service: str, node: str
) -> list[str]:
    """Return the ids in a cached answer, once it is the service's: at once, or in `max_age`.

    ejabberd accepts our subscription, and then notifies only those who are available to it.
    """

    async def is_followed() -> bool:
        ours, theirs = await answers(reader, to, service, everything(node))
        return ours == theirs

    assert await is_followed() or not server.facts.notifies_the_absent
    await wait_until(is_followed, "the proxy to answer as the service does")
    return (await until_cached(reader, proxy, node, to)).ids


async def test_held_node_follows_its_user(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    service = owner.bare_jid
    clocks = {} if server.facts.notifies_the_absent else SHORT_CLOCKS
    to = await personal(proxy, owner, **clocks)
    await fill(owner, service, node_name, 3, **OPEN)
    await until_held(reader, proxy, node_name, to)
    where = (server, proxy, reader, to, service, node_name)
    await owner.publish(service, node_name, "new", post("New"))
    assert await follow(*where) == ["post-1", "post-2", "post-3", "new"]
    await owner.publish(service, node_name, "post-2", post("Post 2, again"))
    assert set(await follow(*where)) == {"post-1", "post-2", "post-3", "new"}
    await owner.retract(service, node_name, "post-1")
    assert "post-1" not in await follow(*where)


async def test_only_item_gives_way_to_the_next(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    """The default `max_items` is 1, and nobody is told what it pushes out."""
    service = owner.bare_jid
    clocks = {} if server.facts.notifies_the_absent else SHORT_CLOCKS
    to = await personal(proxy, owner, **clocks)
    await owner.create(service, node_name, {**OPEN, "pubsub#max_items": "1"})
    await owner.publish(service, node_name, "first", post("First"))
    await until_held(reader, proxy, node_name, to)
    for item_id in ("second", "third"):
        await owner.publish(service, node_name, item_id, post(item_id))
        assert await follow(server, proxy, reader, to, service, node_name) == [item_id]


async def test_node_for_contacts_is_refused_and_never_held(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    service = owner.bare_jid
    to = await personal(proxy, owner)
    await fill(owner, service, node_name, 2, **{**OPEN, **FOR_CONTACTS})
    for _ in range(3):
        ours, theirs = await answers(reader, to, service, everything(node_name))
        assert ours == theirs
        assert ours.startswith("auth/")
    assert "cache" not in answered_by(proxy, node_name)


async def test_node_closed_to_strangers_is_refused_within_the_bound(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    service = owner.bare_jid
    to = await personal(proxy, owner, **SHORT_CLOCKS)
    await fill(owner, service, node_name, 2, **OPEN)
    await until_held(reader, proxy, node_name, to)
    await owner.configure(service, node_name, FOR_CONTACTS)

    async def is_refused() -> bool:
        ours, _ = await answers(reader, to, service, everything(node_name))
        return ours.startswith("auth/")

    await wait_until(is_refused, "the proxy to notice that the node is closed", 10)
    ours, theirs = await answers(reader, to, service, everything(node_name))
    assert ours == theirs


async def test_silent_retract_is_found(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    service = owner.bare_jid
    to = await personal(proxy, owner, **SHORT_CLOCKS)
    await fill(owner, service, node_name, 3, **OPEN)
    await until_held(reader, proxy, node_name, to)
    await owner.retract(service, node_name, "post-2", notify=False)

    async def is_found() -> bool:
        return (await reader.items(to, node_name)).ids == ["post-1", "post-3"]

    await wait_until(is_found, "the proxy to notice the retract")
    await until_cached(reader, proxy, node_name, to)
