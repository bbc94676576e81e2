"""Users who subscribe at the proxy's address, and are notified from there, on both servers."""

import pytest
from harness import Client, ErrorReply, ProxyProcess, ThrowAwayServer
from harness.following import post
from harness.stanzas import Event, Reply, pubsub

pytestmark = [pytest.mark.servers, pytest.mark.shares_proxy]

CONFIGURATION = {"pubsub#notify_delete": "true", "pubsub#notify_retract": "true"}


async def asks(client: Client, verb: str, to: str, node: str, jid: str) -> Reply:
    """Ask for something of a subscription of that address (XEP-0060 sections 6.1 and 6.2)."""
    outer, action = pubsub(verb, node)
    action.set("jid", jid)
    return (await client.request("set", to, outer)).or_raise()


async def told(client: Client, node: str, kind: str, *ids: str) -> Event:
    """Return the notification of that kind, about these items, when it comes."""

    def is_meant(event: Event) -> bool:
        about = event.item_ids or event.retracted_ids
        return event.node == node and event.kind == kind and about == list(ids)

    return await client.wait_for_event(is_meant, f"{kind} {ids}")


async def test_notifications_come_from_the_address_that_was_asked(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(server.service, node_name, CONFIGURATION)
    await owner.publish(server.service, node_name, "first", post("First"))
    answer = await reader.subscribe(proxy.jid, node_name)
    assert answer.payload is not None
    (subscription,) = answer.payload
    assert subscription.get("jid") == reader.bare_jid

    await owner.publish(server.service, node_name, "second", post("Second"))
    published = await told(reader, node_name, "items", "second")
    assert published.sender == proxy.jid
    assert published.xml.get("type") == "headline"
    assert len(published.action[0]) == 1
    await owner.retract(server.service, node_name, "second")
    await told(reader, node_name, "items", "second")
    await owner.purge(server.service, node_name)
    await told(reader, node_name, "purge")
    await owner.delete(server.service, node_name)
    await told(reader, node_name, "delete")
    assert {event.sender for event in reader.events} == {proxy.jid}


async def test_who_unsubscribes_is_told_nothing_more(
    server: ThrowAwayServer,
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    node_name: str,
) -> None:
    await owner.create(server.service, node_name, {})
    await owner.publish(server.service, node_name, "first", post("First"))
    await owner.subscribe(proxy.jid, node_name)
    await reader.subscribe(proxy.jid, node_name)
    await asks(reader, "unsubscribe", proxy.jid, node_name, reader.bare_jid)
    await owner.publish(server.service, node_name, "second", post("Second"))
    await told(owner, node_name, "items", "second")
    assert "second" not in [one for event in reader.events for one in event.item_ids]
    with pytest.raises(ErrorReply, match="unexpected-request"):
        await asks(reader, "unsubscribe", proxy.jid, node_name, reader.bare_jid)


async def test_each_resource_that_subscribed_is_notified(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(server.service, node_name, {})
    await owner.publish(server.service, node_name, "first", post("First"))
    await asks(reader, "subscribe", proxy.jid, node_name, reader.jid)
    await owner.publish(server.service, node_name, "second", post("Second"))
    event = await told(reader, node_name, "items", "second")
    assert event.xml.get("to") == reader.jid


async def test_nobody_makes_a_node_by_subscribing_to_it(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    """ejabberd does, for who asks it."""
    with pytest.raises(ErrorReply, match="item-not-found"):
        await reader.subscribe(proxy.jid, node_name)
    assert node_name not in await owner.nodes(server.service)


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_restart_of_the_proxy_keeps_subscriptions(
    server: ThrowAwayServer,
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    node_name: str,
    how: str,
) -> None:
    await owner.create(server.service, node_name, {})
    await owner.publish(server.service, node_name, "first", post("First"))
    await reader.subscribe(proxy.jid, node_name)
    if how == "kill":
        proxy.kill()
        await proxy.start()
    else:
        await proxy.restart()
    await owner.publish(server.service, node_name, "second", post("Second"))
    assert (await told(reader, node_name, "items", "second")).sender == proxy.jid
