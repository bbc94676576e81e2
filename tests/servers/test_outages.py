"""Restarts, kills and outages: the cache converges, and until then it forwards."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

import pytest
from harness import Client, CountingService, Kind, ProxyProcess, StanzaError, ThrowAwayServer
from harness.comparing import answers
from harness.following import answered_by, fill, post, until_cached, until_held
from harness.payloads import everything
from harness.waiting import wait_until

pytestmark = pytest.mark.servers

NODE = "urn:xmpp:microblog:0"


async def change_unseen(owner: Client, service: str, node: str) -> list[str]:
    """Do what a proxy that is away does not hear of; return the ids there are then."""
    await owner.publish(service, node, "meanwhile", post("Meanwhile"))
    await owner.publish(service, node, "post-1", post("Post 1, changed meanwhile"))
    await owner.retract(service, node, "post-2")
    ids = (await owner.items(service, node)).ids
    assert set(ids) == {"post-1", "post-3", "meanwhile"}
    return ids


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
async def test_proxy_that_was_away_answers_what_happened_meanwhile(
    server: ThrowAwayServer,
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    node_name: str,
    end: str,
) -> None:
    """At start every held node is stale until revalidated: forwarded, never answered wrongly."""
    await fill(owner, server.service, node_name, 3)
    await until_held(reader, proxy, node_name)
    if end == "SIGTERM":
        assert await proxy.terminate() == 0
    else:
        proxy.kill()
    ids = await change_unseen(owner, server.service, node_name)
    await proxy.start()

    for _ in range(10):
        ours, theirs = await answers(reader, proxy.jid, server.service, everything(node_name))
        assert ours == theirs
    held = await until_cached(reader, proxy, node_name)

    assert held.ids == ids
    ours, theirs = await answers(reader, proxy.jid, server.service, everything(node_name))
    assert ours == theirs


async def test_proxy_killed_while_it_synchronises_starts_again(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    await fill(owner, server.service, node_name, 150)
    await reader.items(proxy.jid, node_name, max_items=1)
    proxy.kill()
    await proxy.start()

    held = await until_cached(reader, proxy, node_name)

    assert len(held.ids) == 150


async def test_restart_of_the_server_is_survived_and_made_up_for(
    own_server: Callable[..., Awaitable[ThrowAwayServer]], database_url: str, node_name: str
) -> None:
    """A killed server ends our stream; what is published before we are back was not notified.

    What it had not written down yet, ejabberd on Mnesia has lost: then that is what it holds.
    """
    server = await own_server()
    proxy = ProxyProcess(server.component_port, server.component_secret, database_url=database_url)
    try:
        await proxy.start()
        async with clients(server) as (owner, reader):
            await fill(owner, server.service, node_name, 3)
            await until_held(reader, proxy, node_name)
        server.kill()
        await server.start()
        async with clients(server) as (owner, reader):
            await owner.publish(server.service, node_name, "meanwhile", post("Meanwhile"))
            await proxy.wait_until_connected_again(2)
            held = await until_cached(reader, proxy, node_name)
            assert held.ids[-1] == "meanwhile"
            ours, theirs = await answers(reader, proxy.jid, server.service, everything(node_name))
            assert ours == theirs
    finally:
        proxy.remove()


class clients:  # noqa: N801  # reads as a function
    """An owner and a reader at a server, connected while the block runs."""

    def __init__(self, server: ThrowAwayServer) -> None:
        self.both = [
            Client(f"{name}@{server.host}", server.users[name], server.client_port)
            for name in ("owner", "reader")
        ]

    async def __aenter__(self) -> list[Client]:
        return [await client.connect() for client in self.both]

    async def __aexit__(self, *_: object) -> None:
        for client in self.both:
            await client.disconnect()


async def test_service_gone_is_answered_for_and_made_up_for(
    server: ThrowAwayServer, counting_service: CountingService, proxy: ProxyProcess, reader: Client
) -> None:
    counting_service.create(NODE, items=5)
    to = f"{counting_service.jid}@{proxy.jid}"
    await until_held(reader, proxy, NODE, to)
    ids = (await reader.items(to, NODE)).ids

    await counting_service.disconnect()
    unknown = await reader.request("get", to, everything("urn:xmpp:microblog:0:comments/x"))
    said = (unknown.error_type, unknown.condition)
    assert said == server.facts.absent, "relayed as the server said it"

    async def is_stale() -> bool:
        assert (await reader.items(to, NODE)).ids == ids
        return answered_by(proxy, NODE)[-1] == "stale"

    await wait_until(is_stale, "the proxy has seen that the service is away")
    counting_service.publish(NODE, "unheard", post("Nobody was there to be told"), notify=False)
    await counting_service.connect()

    # Until a probe finds it back it is answered stale.
    held = await until_cached(reader, proxy, NODE, to)
    assert held.ids == [*ids, "unheard"]


async def test_nobody_waits_for_a_service_that_has_fallen_silent(
    counting_service: CountingService, proxy: ProxyProcess, reader: Client
) -> None:
    """Once it is known to be away nothing but probes is sent to it, until one is answered."""
    proxy.configure({"upstream": {"timeout": "1s", "probe_at_most": "1s"}})
    await proxy.restart()
    counting_service.create(NODE, items=5)
    to = f"{counting_service.jid}@{proxy.jid}"
    await until_held(reader, proxy, NODE, to)
    ids = (await reader.items(to, NODE)).ids
    silent = (Kind.ITEMS, Kind.NODE_INFO, Kind.NODE_ITEMS, Kind.SERVICE_INFO, Kind.OTHER_GET)
    unknown = [("get", to, everything(f"{NODE}:comments/{one}")) for one in range(20)]
    with counting_service.withholding(*silent, for_ever=True):
        await reader.in_parallel(unknown[:3])
        await wait_until(lambda: "is away: " in proxy.log(), "the log to say so")
        counting_service.forget()
        replies = await reader.in_parallel(unknown)
        stale = [(await reader.items(to, NODE)).ids for _ in range(20)]
        assert counting_service.count(Kind.ITEMS) == 0
    assert {(one.error_type, one.condition) for one in replies} == {
        ("wait", "remote-server-timeout")
    }
    assert stale == [ids] * 20
    assert set(answered_by(proxy, NODE)[-20:]) == {"stale"}

    assert (await until_cached(reader, proxy, NODE, to)).ids == ids
    assert (await reader.request(*unknown[-1])).condition == "item-not-found"


async def test_every_request_is_answered_while_the_service_is_silent(
    counting_service: CountingService,
    proxy: ProxyProcess,
    server: ThrowAwayServer,
    reader: Client,
) -> None:
    """A service that never answers: each get gets one error, after `[upstream] timeout`."""
    proxy.configure({"upstream": {"timeout": "1s"}})
    await proxy.restart()
    counting_service.create(NODE, items=2)
    to = f"{counting_service.jid}@{proxy.jid}"
    with counting_service.withholding(Kind.ITEMS, for_ever=True):
        replies = await reader.in_parallel(
            [("get", to, everything(f"{NODE}:comments/{number}")) for number in range(20)]
        )

    assert {reply.condition for reply in replies} == {"remote-server-timeout"}
    assert {reply.error_type for reply in replies} == {"wait"}


async def test_service_errors_are_relayed_whole(
    counting_service: CountingService, proxy: ProxyProcess, reader: Client
) -> None:
    counting_service.create(NODE, items=2)
    to = f"{counting_service.jid}@{proxy.jid}"
    counting_service.refuse(
        Kind.ITEMS,
        StanzaError("auth", "not-authorized", "presence-subscription-required", "Subscribe first"),
    )

    reply = await reader.request("get", to, everything(NODE))

    assert reply.error_type == "auth"
    assert reply.condition == "not-authorized"
    assert reply.application_condition == "presence-subscription-required"
    assert reply.text == "Subscribe first"


async def test_broken_database_makes_a_pure_forwarder(
    server: ThrowAwayServer,
    proxy: ProxyProcess,
    database_failing: Callable[[], AbstractContextManager[None]],
    owner: Client,
    reader: Client,
    node_name: str,
) -> None:
    await fill(owner, server.service, node_name, 3)
    await until_held(reader, proxy, node_name)
    with database_failing():
        answer = await reader.items(proxy.jid, node_name)
        assert answer.ids == ["post-1", "post-2", "post-3"]
        assert answered_by(proxy, node_name)[-1] == "service"
        await owner.publish(server.service, node_name, "new", post("New"))
        assert (await reader.items(proxy.jid, node_name)).ids[-1] == "new"
        await wait_until(lambda: "the database failed" in proxy.log(), "the log to say so")

    held = await until_cached(reader, proxy, node_name)
    assert proxy.log().count("every request is forwarded") == 1
    assert proxy.log().count("the database works again") == 1

    assert held.ids == ["post-1", "post-2", "post-3", "new"]
