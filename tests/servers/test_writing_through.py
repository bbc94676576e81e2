"""Writes through the proxy, by users whose aliases a node's owner has given rights there.

The node is open, so that what is read can be compared with what its service gives the same user.
"""

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from harness import Client, ProxyProcess, ThrowAwayServer
from harness.comparing import answers
from harness.following import fill, post, until_held
from harness.payloads import by_id, disco, everything, items_request
from harness.stanzas import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_PUBSUB,
    NS_PUBSUB_OWNER,
    Payload,
    element,
)

pytestmark = [pytest.mark.servers, pytest.mark.shares_proxy]

_VOLATILE = re.compile(r"<n\d:field [^>]*num_subscribers.*?</n\d:field>")
"""Our own subscription counts, and may be younger than what we were told of the node."""


def alias_of(client: Client, proxy: ProxyProcess) -> str:
    """Return the bare address that stands for a user at the services (XEP-0106)."""
    escaped = client.bare_jid.replace("@", "\\40")
    return f"{escaped}@{proxy.jid}"


class Reads:
    """What the reader is told of a node, by the proxy and by its service."""

    def __init__(
        self, server: ThrowAwayServer, proxy: ProxyProcess, reader: Client, node: str
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._reader = reader
        self._node = node

    async def agree(self) -> None:
        """Make sure that every form of question is answered as the service answers it."""
        node = self._node
        for question in (
            everything(node),
            items_request(node, attributes="max_items='1'"),
            items_request(node, attributes="max_items='2'"),
            by_id(node, "post-1"),
            by_id(node, "new"),
            disco(NS_DISCO_ITEMS, node),
            disco(NS_DISCO_INFO, node),
        ):
            await self.agree_on(question)

    async def agree_on(self, question: Payload) -> None:
        ours, theirs = await answers(
            self._reader, self._proxy.jid, self._server.service, question, without_page=True
        )
        if "publisher=" in theirs:
            # Who published an item; disco#info is passed on as it is.
            theirs = theirs.replace(alias_of(self._reader, self._proxy), self._reader.bare_jid)
        assert _VOLATILE.sub("", ours) == _VOLATILE.sub("", theirs), question


@pytest.fixture
def reads(
    server: ThrowAwayServer,
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    node_name: str,
    wait_for_coroutine: Callable[..., Any],
) -> Reads:
    """Return the reads of a held node of three posts, which the reader's alias owns too."""

    async def prepare() -> None:
        await fill(owner, server.service, node_name, 3)
        await owner.set_affiliation(server.service, node_name, alias_of(reader, proxy), "owner")
        await until_held(reader, proxy, node_name)

    wait_for_coroutine(prepare())
    return Reads(server, proxy, reader, node_name)


async def test_whatever_is_written_is_read_at_once_in_every_form(
    proxy: ProxyProcess, reader: Client, reads: Reads, node_name: str
) -> None:
    """XEP-0060 sections 7.1, 7.2, 8.2, 8.5 and 8.4."""
    await reader.publish(proxy.jid, node_name, "new", post("New"))
    await reads.agree()
    await reader.publish(proxy.jid, node_name, "newer", post("Newer"))
    await reads.agree()
    # ejabberd lets nobody publish what somebody else has published.
    await reader.publish(proxy.jid, node_name, "new", post("New, again"))
    await reads.agree()
    await reader.publish(proxy.jid, node_name, "new", post("New, and again"))
    await reads.agree()
    await reader.retract(proxy.jid, node_name, "post-2")
    await reads.agree()
    await reader.retract(proxy.jid, node_name, "post-3", notify=False)
    await reads.agree()
    await reader.configure(proxy.jid, node_name, {"pubsub#title": "Another title"})
    await reads.agree()
    await reader.purge(proxy.jid, node_name)
    await reads.agree()
    await reader.publish(proxy.jid, node_name, "after", post("After the purge"))
    await reads.agree()
    await reader.delete(proxy.jid, node_name)
    await reads.agree()
    assert node_name not in await reader.nodes(proxy.jid)


async def test_each_of_many_writes_is_read_before_the_next(
    proxy: ProxyProcess, reader: Client, reads: Reads, node_name: str
) -> None:
    """One question after each, so that most find the node in doubt in another way."""
    questions = [
        everything(node_name),
        by_id(node_name, "again"),
        items_request(node_name, attributes="max_items='1'"),
        disco(NS_DISCO_ITEMS, node_name),
    ]
    for number in range(24):
        item_id = "again" if number % 3 == 0 else f"n-{number // 2}"
        if number % 6 == 5:
            await reader.retract(proxy.jid, node_name, f"n-{number // 2}", notify=number > 12)
        else:
            await reader.publish(proxy.jid, node_name, item_id, post(f"Version {number}"))
        await reads.agree_on(questions[number % len(questions)])


async def test_what_the_alias_may_not_do_is_refused_by_the_service(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    """Like any stranger's; and the node is answered as before."""
    await fill(owner, server.service, node_name, 2)
    await until_held(reader, proxy, node_name)
    directly = await reader.request("set", server.service, _publish(node_name))
    through_us = await reader.request("set", proxy.jid, _publish(node_name))
    assert through_us.is_error
    assert (through_us.error_type, through_us.condition) == (
        directly.error_type,
        directly.condition,
    )
    await Reads(server, proxy, reader, node_name).agree()


async def test_addresses_in_payloads_are_the_readers_own(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    """XEP-0060 sections 6.1 and 8.9; others' rows pass as the service has them."""
    await fill(owner, server.service, node_name, 1)
    alias = alias_of(reader, proxy)
    await owner.set_affiliation(server.service, node_name, alias, "owner")
    subscribed = await reader.subscribe(proxy.jid, node_name)
    assert _jids(subscribed.payload, NS_PUBSUB, "subscription") == {reader.bare_jid}

    listed = element(
        f"<pubsub xmlns='{NS_PUBSUB_OWNER}'><affiliations node='{node_name}'/></pubsub>"
    )
    ours = (await reader.request("get", proxy.jid, listed)).or_raise()
    theirs = (await owner.request("get", server.service, listed)).or_raise()
    assert reader.bare_jid in _jids(ours.payload, NS_PUBSUB_OWNER, "affiliation")
    assert alias in _jids(theirs.payload, NS_PUBSUB_OWNER, "affiliation")
    assert owner.bare_jid in _jids(ours.payload, NS_PUBSUB_OWNER, "affiliation")

    await reader.set_affiliation(proxy.jid, node_name, reader.bare_jid, "none")
    refused = await reader.request("get", proxy.jid, listed)
    assert refused.is_error, "it was the alias that gave up being an owner"


def _publish(node: str) -> str:
    return (
        f"<pubsub xmlns='{NS_PUBSUB}'><publish node='{node}'><item id='x'>{post('X')}</item>"
        "</publish></pubsub>"
    )


def _jids(payload: Element | None, namespace: str, name: str) -> set[str]:
    assert payload is not None
    return {one.get("jid", "") for one in payload.iter(f"{{{namespace}}}{name}")}
