"""A held node follows the service's events: each kind, at the server's and the counting service."""

from xml.etree.ElementTree import Element

import pytest
from harness import Client, CountingService, Items, Kind, ProxyProcess, ThrowAwayServer
from harness.comparing import answers, canonical
from harness.following import fill, post, until_cached, until_held
from harness.payloads import everything
from harness.stanzas import NS_PUBSUB_EVENT, element
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.shares_proxy]


NOTIFIED = {"pubsub#notify_delete": "1"}
"""ejabberd tells nobody of a deleted node unless it is configured to."""


class TestServer:
    async def test_publish_republish_retract_purge_and_delete_show_at_once(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """XEP-0060 sections 7.1, 7.2, 8.5 and 8.4; whoever answers, it is never the old state."""
        service = server.service
        await fill(owner, service, node_name, 4, **NOTIFIED)
        await until_held(reader, proxy, node_name)

        async def check() -> list[str]:
            ours, theirs = await answers(reader, proxy.jid, service, everything(node_name))
            assert ours == theirs
            return (await until_cached(reader, proxy, node_name)).ids

        def republished(item_id: str, ids: list[str]) -> list[str]:
            if not server.facts.republish_moves:
                return ids
            return [*(one for one in ids if one != item_id), item_id]

        await owner.publish(service, node_name, "new", post("New"))
        ids = ["post-1", "post-2", "post-3", "post-4", "new"]
        assert await check() == ids
        await owner.publish(service, node_name, "post-2", post("Post 2, again"))
        ids = republished("post-2", ids)
        assert await check() == ids
        await owner.publish(service, node_name, "post-1", post("Post 1, again"))
        ids = republished("post-1", ids)
        assert await check() == ids
        await owner.retract(service, node_name, "post-4")
        ids.remove("post-4")
        assert await check() == ids
        await owner.purge(service, node_name)
        assert await check() == []
        await owner.publish(service, node_name, "after", post("After the purge"))
        assert await check() == ["after"]
        await owner.delete(service, node_name)
        ours, theirs = await answers(reader, proxy.jid, service, everything(node_name))
        assert ours == theirs == "cancel/item-not-found/None"

    async def test_eviction_from_a_full_node_shows_with_the_next_event(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """Prosody never tells that `max_items` pushed an item out; ejabberd sends a retract."""
        await fill(owner, server.service, node_name, 3, **{"pubsub#max_items": "3"})
        await until_held(reader, proxy, node_name)

        await owner.publish(server.service, node_name, "post-4", post("Post 4"))

        async def is_evicted() -> bool:
            return (await reader.items(proxy.jid, node_name)).ids == ["post-2", "post-3", "post-4"]

        await wait_until(is_evicted, "the oldest item to be gone")
        cached = await until_cached(reader, proxy, node_name)
        assert cached.ids == ["post-2", "post-3", "post-4"]

    async def test_node_deleted_and_created_again_is_followed_anew(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        await fill(owner, server.service, node_name, 2, **NOTIFIED)
        await until_held(reader, proxy, node_name)
        await owner.delete(server.service, node_name)

        await fill(owner, server.service, node_name, 1, **NOTIFIED)

        assert (await reader.items(proxy.jid, node_name)).ids == ["post-1"]
        await until_held(reader, proxy, node_name)
        await owner.publish(server.service, node_name, "second", post("Second life"))
        assert (await reader.items(proxy.jid, node_name)).ids == ["post-1", "second"]


class TestWhatTheServiceNeverTells:
    """Found by verification, here with short clocks."""

    async def test_silent_retract_is_found(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """Prosody is silent where the request does not ask for a notification, ejabberd never."""
        proxy.configure({"cache": {"verify_every": "2s"}})
        await proxy.restart()
        await fill(owner, server.service, node_name, 3, **{"pubsub#notify_retract": "0"})
        await until_held(reader, proxy, node_name)

        await owner.retract(server.service, node_name, "post-2", notify=False)

        await until_ids(reader, proxy.jid, node_name, ["post-1", "post-3"])
        await until_cached(reader, proxy, node_name)
        assert "the service changed silently" in proxy.log()

    async def test_node_deleted_silently_and_created_again_is_found(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """The new node has no subscription of ours: without a new one nothing would be told.

        Prosody 0.12 goes on saying that we have one, and tells nothing: there each change of the
        new node is found by verification alone.
        """
        proxy.configure({"cache": {"verify_every": "2s"}})
        await proxy.restart()
        silent = {"pubsub#notify_delete": "0"}
        await fill(owner, server.service, node_name, 2, **silent)
        await until_held(reader, proxy, node_name)
        await owner.delete(server.service, node_name)
        await fill(owner, server.service, node_name, 3, **silent)

        await until_ids(reader, proxy.jid, node_name, ["post-1", "post-2", "post-3"])
        await until_cached(reader, proxy, node_name)
        await owner.publish(server.service, node_name, "second", post("Second life"))

        await until_ids(reader, proxy.jid, node_name, ["post-1", "post-2", "post-3", "second"])

    async def test_node_closed_silently_is_not_answered_beyond_the_bound(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """Promise 2: nobody reads what the service would refuse, beyond `access_verify_every`."""
        proxy.configure({"cache": {"access_verify_every": "1s"}})
        await proxy.restart()
        await fill(owner, server.service, node_name, 3)
        await until_held(reader, proxy, node_name)

        await owner.configure(server.service, node_name, {"pubsub#access_model": "whitelist"})

        async def is_refused() -> bool:
            reply = await reader.request("get", proxy.jid, everything(node_name))
            return canonical(reply) == server.facts.closed_answer

        await wait_until(is_refused, "the stranger to be refused")
        for _ in range(5):
            assert await is_refused()
        owned = await owner.request("get", proxy.jid, everything(node_name))
        assert canonical(owned) == server.facts.closed_answer, "by an alias, a stranger too"


@pytest.mark.parametrize("pages", [False, True], ids=["without paging", "with paging"])
class TestCountingService:
    """A service of our own does at will what real ones do not."""

    async def held(
        self, service: CountingService, proxy: ProxyProcess, reader: Client, pages: bool
    ) -> str:
        service.pages = service.advertises_paging = pages
        service.create("urn:xmpp:microblog:0", items=30)
        to = f"{service.jid}@{proxy.jid}"
        await until_held(reader, proxy, "urn:xmpp:microblog:0", to)
        service.forget()
        return to

    async def test_held_node_is_answered_without_asking_the_service(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client, pages: bool
    ) -> None:
        to = await self.held(counting_service, proxy, reader, pages)

        node = "urn:xmpp:microblog:0"
        plain = await reader.items(to, node)
        newest = await reader.items(to, node, max_items=5)
        some = await reader.items(to, node, ids=plain.ids[3:9])
        listed = await reader.disco_items(to, node)
        await reader.disco_info(to, node)

        assert len(plain.ids) == 30
        assert newest.ids == plain.ids[-5:]
        assert some.ids == plain.ids[3:9]
        assert set(listed.ids) == set(plain.ids)
        assert counting_service.received == []

    async def test_events_of_each_kind(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client, pages: bool
    ) -> None:
        node = "urn:xmpp:microblog:0"
        to = await self.held(counting_service, proxy, reader, pages)
        before = (await reader.items(to, node)).ids

        counting_service.publish(node, "with-payload", post("With payload"))
        assert (await until_ids(reader, to, node, [*before, "with-payload"])).ids

        counting_service.publish(node, "without", post("Without payload"), with_payload=False)
        answer = await until_ids(reader, to, node, [*before, "with-payload", "without"])
        assert answer.payloads[-1] is not None, "the payload must have been fetched"

        counting_service.retract(node, before[0], before[1], "without")
        await until_ids(reader, to, node, [*before[2:], "with-payload"])

        counting_service.purge(node)
        await until_ids(reader, to, node, [])

        counting_service.publish(node, "again", post("Again"))
        await until_ids(reader, to, node, ["again"])
        await until_cached(reader, proxy, node, to)

        counting_service.configure(node, "whitelist")
        await counting_service.wait_for(Kind.NODE_INFO, node)
        refused = await reader.request("get", to, everything(node))
        assert refused.is_error, "a node that was closed is not answered from the cache"

        counting_service.delete(node)

        async def is_gone() -> bool:
            # The refusal is given again for some seconds: nobody tells us of a closed node.
            reply = await reader.request("get", to, everything(node))
            return reply.condition == "item-not-found"

        await wait_until(is_gone, "the node to be gone")

    async def test_retract_of_an_unknown_item_means_verify(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client, pages: bool
    ) -> None:
        """ejabberd runs the ids of several evicted items together."""
        node = "urn:xmpp:microblog:0"
        to = await self.held(counting_service, proxy, reader, pages)
        ids = (await reader.items(to, node)).ids
        counting_service.retract(node, ids[0], ids[1], notify=False)

        counting_service.notify(node, retract_event(node, ids[1] + ids[0]))

        await until_ids(reader, to, node, ids[2:])
        await until_cached(reader, proxy, node, to)

    async def test_threat_2_forged_events_change_nothing(
        self,
        counting_service: CountingService,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        pages: bool,
    ) -> None:
        """threat 2: an event counts only from the service of a node that is followed."""
        node = "urn:xmpp:microblog:0"
        to = await self.held(counting_service, proxy, reader, pages)
        ids = (await reader.items(to, node)).ids

        purge = f"<event xmlns='{NS_PUBSUB_EVENT}'><purge node='{node}'/></event>"
        message = owner.stream.make_message(mto=proxy.jid, mtype="headline")
        message.xml.append(element(purge))
        message.send()
        for recipient in (f"other\\40localhost@{proxy.jid}", f"{proxy.jid}/resource"):
            counting_service.send_event(recipient, element(purge)[0])
        counting_service.send_event(
            proxy.jid, element(purge)[0], sender=f"somebody@{counting_service.jid}"
        )
        # An honest event after the forged ones: when it shows, they have been dealt with.
        counting_service.publish(node, "honest", post("Honest"))

        await until_ids(reader, to, node, [*ids, "honest"])


def retract_event(node: str, item_id: str) -> Element:
    return element(
        f"<items xmlns='{NS_PUBSUB_EVENT}' node='{node}'><retract id='{item_id}'/></items>"
    )


async def until_ids(reader: Client, to: str, node: str, ids: list[str]) -> Items:
    found: list[Items] = []

    async def are_there() -> bool:
        found.append(await reader.items(to, node))
        return found[-1].ids == ids

    await wait_until(are_there, f"{node} to have {ids}")
    return found[-1]
