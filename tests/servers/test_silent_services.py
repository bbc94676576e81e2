"""What the servers change silently is gone from the answers within a bound, here a short one.

All changes of tests/silent_changes.py that a real server can be brought to happen at once, each to
a node of its own. How long the bounds are is for the scenarios to say.
"""

import asyncio
from xml.etree.ElementTree import Element

import pytest
from harness import Client, ProxyProcess, ThrowAwayServer
from harness.comparing import canonical
from harness.payloads import disco, everything
from harness.silence import SILENCES, Place
from harness.stanzas import NS_DISCO_INFO, NS_DISCO_ITEMS, element
from harness.waiting import wait_until

from silent_changes import CHANGES

pytestmark = pytest.mark.servers

CLOCKS = {"access_verify_every": "1s", "verify_every": "2s", "max_synchronisations": 8}
DEADLINE_SECONDS = 90

HELD = """
    SELECT node.name, item.item_id, item.xml FROM pubsub_item item
    JOIN pubsub_node node ON node.id = item.node_id AND node.generation = item.generation
    WHERE node.state = 'live' ORDER BY node.name, item.position
"""
LIVE = "SELECT name FROM pubsub_node WHERE state = 'live'"

GONE = {"delete", "delete, notify_delete=0", "another access model", "our own affiliation"}
"""After these the node is gone, or closed to us: it is not held any more."""


def test_every_change_is_made_that_is_not_only_imitated() -> None:
    assert sorted(SILENCES) == sorted(one.name for one in CHANGES if not one.only_imitated)


async def test_every_silent_change_is_found(
    server: ThrowAwayServer,
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    connect,
    node_name: str,
) -> None:
    """The right answer is what the service gives to a stranger, which an alias is to it."""
    stranger = await connect("other")
    proxy.configure({"cache": CLOCKS})
    await proxy.restart()
    places = {
        name: Place(server, owner, f"{node_name}/{number}", proxy.jid)
        for number, name in enumerate(SILENCES)
    }
    await asyncio.gather(*(places[name].make(**SILENCES[name].config) for name in SILENCES))
    await until_all_are_held(reader, proxy, [place.node for place in places.values()])

    await asyncio.gather(*(SILENCES[name].change(place) for name, place in places.items()))

    # Whoever answers; and what is held is right too, unless the node is not held any more.
    left = dict(places)

    async def are_found() -> bool:
        held = held_items(proxy)
        for name, place in list(left.items()):
            ours, theirs = await told(reader, stranger, place)
            is_held = name in GONE or held.get(place.node, []) == await items_of(stranger, place)
            if ours == theirs and is_held:
                del left[name]
        return not left

    try:
        await wait_until(are_found, "silent changes to be found", DEADLINE_SECONDS)
    except TimeoutError as error:
        found = {name: await told(reader, stranger, place) for name, place in left.items()}
        raise AssertionError(found) from error
    for name, place in places.items():
        ours, theirs = await told(reader, stranger, place)
        assert ours == theirs, name


async def until_all_are_held(reader: Client, proxy: ProxyProcess, nodes: list[str]) -> None:
    for node in nodes:
        await reader.items(proxy.jid, node)

    def are_live() -> bool:
        return {name for (name,) in proxy.query(LIVE)} >= set(nodes)

    await wait_until(are_live, "all nodes to be held", DEADLINE_SECONDS)


async def told(reader: Client, stranger: Client, place: Place) -> tuple[list[str], list[str]]:
    """Return what a reader is told by the proxy, and what a stranger by the service."""
    questions = [
        everything(place.node),
        disco(NS_DISCO_INFO, place.node),
        disco(NS_DISCO_ITEMS, place.node),
    ]
    ours = [await reader.request("get", place.subscriber, question) for question in questions]
    theirs = [await stranger.request("get", place.service, question) for question in questions]
    return [canonical(reply) for reply in ours], [canonical(reply) for reply in theirs]


def held_items(proxy: ProxyProcess) -> dict[str, list[tuple[str, str]]]:
    """Return ids and titles of what the proxy holds, in its order, by node."""
    held: dict[str, list[tuple[str, str]]] = {}
    for node, item_id, xml in proxy.query(HELD):
        held.setdefault(node, []).append((item_id, title_of(element(xml))))
    return held


async def items_of(stranger: Client, place: Place) -> list[tuple[str, str]]:
    """Return ids and titles of what the service gives to a stranger."""
    found = await stranger.items(place.service, place.node)
    return [(one.get("id", ""), title_of(one)) for one in found.elements]


def title_of(item: Element) -> str:
    return item.findtext(".//{http://www.w3.org/2005/Atom}title") or ""
