"""Somebody asks for 100,000 nodes; nothing grows with their number, and nobody else notices.

The names are asked for past the XML stream, of which another test sees that one requester cannot
fill it; otherwise this is the whole component.
"""

import asyncio
import gc
from collections import OrderedDict, deque
from types import FunctionType, ModuleType
from typing import Any

import pytest
from playbook import Cellar, Service, item_ids, items

from pubcellar.core.counters import Happened
from pubcellar.core.errors import UpstreamRefused
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.records import NodeRecord, ServiceRecord
from pubcellar.core.values import BareJID, FullJID, Item, ItemsQuestion, NodeKey, Request, Requester
from pubcellar.xmpp.upstream import AliasForwarder

NAMES = 100_000
AT_ONCE = 200
MALLORY = BareJID("mallory@evil.org")
ROMEO = "romeo@montague.lit/orchard"
SERVICE = BareJID("pubsub.example.org")
PREFIX = "enumerated/"
ITEM = Item("i1", "<item xmlns='http://jabber.org/protocol/pubsub' id='i1'><a xmlns='a'/></item>")
PAYLOAD = "<pubsub xmlns='http://jabber.org/protocol/pubsub'/>"
NEW_NODES = 600
"""Default of `[cache] max_new_nodes_per_requester`."""
MOST_IN_ONE_PLACE = 20_000
"""A fifth of the names: entries of nodes are the largest place there is."""


def answers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service answer the enumeration without XML: every other node is there."""
    forwarded = AliasForwarder.forward

    async def forward(self: Any, request: Request, page: Any = None) -> ForwardedAnswer:
        question = request.question
        if not isinstance(question, ItemsQuestion) or not question.node.startswith(PREFIX):
            return await forwarded(self, request, page)
        if int(question.node.removeprefix(PREFIX)) % 2:
            raise UpstreamRefused("cancel", "item-not-found")
        return ForwardedAnswer(PAYLOAD, len(PAYLOAD), items=(ITEM,))

    monkeypatch.setattr(AliasForwarder, "forward", forward)


def knows_what_was_never_saved(cellar: Cellar) -> None:
    """Spare the database what is only read of it, and is not there; what is written, it gets."""
    store: Any = cellar.store
    node, save_node, service = store.node, store.save_node, store.service
    saved: set[NodeKey] = set()
    services: dict[BareJID, ServiceRecord | None] = {}

    async def quick_node(key: NodeKey) -> NodeRecord | None:
        is_unknown = key.node.startswith(PREFIX) and key not in saved
        return None if is_unknown else await node(key)

    async def noted_save(record: NodeRecord) -> None:
        saved.add(record.key)
        await save_node(record)

    async def quick_service(jid: BareJID) -> ServiceRecord | None:
        if jid not in services:
            services[jid] = await service(jid)
        return services[jid]

    store.node, store.save_node, store.service = quick_node, noted_save, quick_service
    cellar_forgets = (store, ("node", "save_node", "service"))
    cellar.__dict__["forgets"] = cellar_forgets


def asks_the_database_again(cellar: Cellar) -> None:
    store, names = cellar.__dict__.pop("forgets")
    for name in names:
        del store.__dict__[name]


def request(number: int) -> Request:
    node = f"{PREFIX}{number}"
    payload = f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>"
    requester = Requester(FullJID(f"{MALLORY}/{number % 7}"), MALLORY)
    return Request(requester, SERVICE, BareJID("cache.example.org"), ItemsQuestion(node), payload)


async def enumerate_names(cellar: Cellar) -> None:
    proxy = cellar.component.proxy
    for start in range(0, NAMES, AT_ONCE):
        reads = (proxy.retrieve(request(number)) for number in range(start, start + AT_ONCE))
        answers = await asyncio.gather(*reads, return_exceptions=True)
        refused = [one for one in answers if isinstance(one, BaseException)]
        assert len(refused) == AT_ONCE // 2
        assert all(isinstance(one, UpstreamRefused) for one in refused)
        # The database is not to fail for want of a turn: that is another test.
        await cellar.until(lambda: cellar.store.running == 0)


def largest_places(root: object) -> list[tuple[int, str]]:
    """Return the sizes of what is reachable from an object and can hold any number of things."""
    seen: set[int] = set()
    found: list[tuple[int, str]] = []
    waiting = deque([root])
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, dict | set | list | deque | OrderedDict):
            found.append((len(one), f"{type(one).__name__} {str(one)[:80]}"))
        waiting.extend(gc.get_referents(one))
    return sorted(found, reverse=True)


async def test_threat_10_nothing_grows_with_the_number_of_names_and_others_do_not_notice(
    start, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quota of forwarded requests, which would end it early, is another test."""
    cellar: Cellar = await start("[access]\nexempt = ['evil.org']\n")
    await cellar.holds(service, "notes/held", ["i1", "i2"], sender=ROMEO)
    used_before = (await cellar.store.usage()).used_bytes
    answers_itself(monkeypatch)
    knows_what_was_never_saved(cellar)
    await enumerate_names(cellar)
    await cellar.settled()
    asks_the_database_again(cellar)

    usage = await cellar.store.usage()
    assert usage.nodes <= NEW_NODES + 1
    assert usage.used_bytes - used_before < NEW_NODES * 2048
    assert cellar.counted(Happened.LEFT_UNKNOWN) > 0
    places = largest_places(cellar.component)
    assert places[0][0] <= MOST_IN_ONE_PLACE, places[:3]

    # A second's worth of work in the background, and then somebody else.
    await cellar.advance(2)
    service.asked.clear()
    assert item_ids(await cellar.result(items("notes/held"), sender=ROMEO)) == ["i1", "i2"]
    assert service.asked == []
    await cellar.holds(service, "notes/new", ["i3"], sender=ROMEO)
    assert item_ids(await cellar.result(items("notes/new"), sender=ROMEO)) == ["i3"]
    assert service.asked == []
    # And what has been enumerated is still answered.
    assert len(item_ids(await cellar.result(items("notes/new"), sender=f"{MALLORY}/x"))) == 1


async def test_threat_10_one_requester_cannot_keep_the_others_out(start) -> None:
    """Of the requests that may be in flight, some are always for others."""
    cellar: Cellar = await start(upstream="max_requests = 5\nmax_requests_per_requester = 3\n")
    for number in range(3):
        cellar.asks(items(f"n{number}"), sender=f"{MALLORY}/{number}")
        await cellar.next()
    refused = await cellar.answer(items("n4"), sender=f"{MALLORY}/4")
    assert refused.condition == "wait/resource-constraint"
    cellar.asks(items("n5"), sender=ROMEO)
    asked = await cellar.next()
    assert asked.kind == "get"
    cellar.refuses(asked, "item-not-found")
    assert (await cellar.next()).recipient == ROMEO
