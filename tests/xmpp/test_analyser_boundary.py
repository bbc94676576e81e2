"""Analysers of the dictionary kind, called through the registry as they will be."""

import asyncio
import functools
import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.logger import globalLogPublisher
from twisted.words.protocols.jabber.jid import JID
from twisted.words.xish import domish

from pubcellar.analysers import PubsubCache
from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import AnalyserError, NotAllowed, UpstreamRefused
from pubcellar.core.ports import ItemsResult, NodeInfo, ServiceReader, Verdict
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import BareJID, Item, NodeKey, PageRequest, SubscriptionState
from pubcellar.xmpp.analyser_boundary import (
    MAX_ANSWER_BYTES,
    MAX_ITEMS,
    MAX_REQUESTS,
    AnalyserBoundary,
    is_asynchronous,
)

SERVICE = BareJID("pubsub.example.org")
KEY = NodeKey(SERVICE, "events/2026")
NS_EVENT = "urn:example:event"


def item(item_id: str, name: str = "Café & co") -> Item:
    payload = f"<event xmlns='{NS_EVENT}'><name>{name.replace('&', '&amp;')}</name></event>"
    xml = f"<item xmlns='http://jabber.org/protocol/pubsub' id='{item_id}'>{payload}</item>"
    return Item(item_id, xml, None, NS_EVENT)


@pytest.fixture
def unhandled() -> Iterator[list[Any]]:
    """Errors in Deferreds that nobody took, as Twisted logs them when they are collected."""
    events: list[Any] = []

    def observer(event: Any) -> None:
        if "log_failure" in event:
            events.append(event)

    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


class Reader:
    """A service with the same items in each node, that notes what it is asked."""

    def __init__(self, items: Sequence[Item] = (item("other"),)) -> None:
        self.asked: list[tuple[str, str, int | None]] = []
        self.cancelled = asyncio.Event()
        self.hangs = False
        self._items = items

    async def items(
        self,
        key: NodeKey,
        *,
        item_ids: Sequence[str] = (),
        max_items: int | None = None,
        page: PageRequest | None = None,
    ) -> ItemsResult:
        self.asked.append((key.service, key.node, max_items))
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        await asyncio.sleep(0)
        if key.node == "missing":
            raise UpstreamRefused("cancel", "item-not-found")
        return ItemsResult(tuple(self._items))

    async def node_info(self, key: NodeKey) -> NodeInfo:
        payload = (
            "<query xmlns='http://jabber.org/protocol/disco#info' node='n'>"
            "<identity category='pubsub' type='leaf'/><feature var='urn:x'/></query>"
        )
        return NodeInfo(payload, "open")

    async def item_ids(self, key: NodeKey) -> list[str]:
        raise NotImplementedError

    async def subscribe(self, key: NodeKey) -> SubscriptionState:
        raise NotImplementedError

    async def subscription(self, key: NodeKey) -> SubscriptionState:
        raise NotImplementedError

    async def unsubscribe(self, key: NodeKey) -> None:
        raise NotImplementedError


class Setting:
    """A registry with one dictionary analyser, `events`."""

    def __init__(self, **analyser: Any) -> None:
        self.reader = Reader()
        reader: ServiceReader = self.reader
        self.counters = Counters()
        self.cache = PubsubCache(
            boundary=AnalyserBoundary(BareJID("cache.example.org"), reader),
            counters=self.counters,
            parser_timeout=timedelta(seconds=20),
        )
        self.cache.register_analyser(
            {"name": "events", "type": "event", "node": "events", "to_sync": True, **analyser}
        )

    async def parse(self, one: Item | None = None) -> dict[str, Any] | None:
        [parsed] = await self.cache.parse("events", KEY, [one or item("i1")])
        assert parsed.parsed_by == ("events/1" if parsed.parsed is not None else None)
        return parsed.parsed


def described(client: Any, item_elt: domish.Element, service: JID, node: str) -> dict[str, Any]:
    """What every parser below returns: all that it was given."""
    assert isinstance(item_elt, domish.Element) and isinstance(service, JID)
    event = next(item_elt.elements(NS_EVENT, "event"))
    return {
        "client": client.jid.full(),
        "id": item_elt["id"],
        "name": str(next(event.elements(NS_EVENT, "name"))),
        "service": service.full(),
        "node": node,
        "on_loop": threading.current_thread() is threading.main_thread(),
    }


DESCRIBED = {
    "client": "cache.example.org",
    "id": "i1",
    "name": "Café & co",
    "service": "pubsub.example.org",
    "node": "events/2026",
}


def plain(client: Any, item_elt: Any, service: Any, node: Any) -> dict[str, Any]:
    return described(client, item_elt, service, node)


async def coroutine(client: Any, item_elt: Any, service: Any, node: Any) -> dict[str, Any]:
    await asyncio.sleep(0)
    return described(client, item_elt, service, node)


def deferred(client: Any, item_elt: Any, service: Any, node: Any) -> "Deferred[dict[str, Any]]":
    return succeed(described(client, item_elt, service, node))


@inlineCallbacks
def generator(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
    yield client.disco(service, node)
    return described(client, item_elt, service, node)


class AsynchronousCallable:
    async def __call__(self, client: Any, item_elt: Any, service: Any, node: Any) -> Any:
        return described(client, item_elt, service, node)


def with_more(more: Any, *arguments: Any) -> Any:
    return described(*arguments)


class TestParser:
    @pytest.mark.parametrize(
        ("parser", "on_loop"),
        [
            (plain, False),
            (coroutine, True),
            (deferred, False),
            (generator, True),
            (AsynchronousCallable(), True),
            (functools.partial(with_more, "more"), False),
        ],
    )
    async def test_it_gets_the_ancestor_s_arguments_in_every_form(
        self, parser: Callable[..., Any], on_loop: bool
    ) -> None:
        assert is_asynchronous(parser) is on_loop
        assert await Setting(parser=parser).parse() == {**DESCRIBED, "on_loop": on_loop}

    async def test_arguments_can_be_taken_by_name(self) -> None:
        def parser(client: Any, item_elt: Any, service: Any, node: Any) -> dict[str, Any]:
            return {"node": node}

        assert await Setting(parser=parser).parse() == {"node": "events/2026"}

    @pytest.mark.parametrize(
        "parser",
        [
            lambda client, item_elt, service, node: 1 / 0,
            lambda client, item_elt, service, node: fail(KeyError("a")),
            lambda client, item_elt, service, node: succeed(["not a dict"]),
            lambda client, item_elt, service, node: {"element": item_elt},
            lambda client, item_elt, service, node: succeed({"a": float("nan")}),
            lambda client, item_elt, service, node: None,
            lambda client: {},
        ],
    )
    async def test_a_failure_in_any_form_keeps_the_item_raw(
        self, parser: Callable[..., Any]
    ) -> None:
        setting = Setting(parser=parser)
        assert await setting.parse() is None
        assert setting.counters[Happened.PARSER_FAILED] == 1

    async def test_an_item_that_is_no_xml_keeps_raw_and_is_counted(self) -> None:
        setting = Setting(parser=plain)
        for broken in ("", "<item>", "text", "<item/><item/>"):
            assert await setting.parse(Item("i1", broken)) is None
        assert setting.counters[Happened.PARSER_FAILED] == 4

    async def test_an_endless_loop_leaves_the_loop_running(self) -> None:
        def endless(client: Any, item_elt: Any, service: Any, node: Any) -> dict[str, Any]:
            while True:
                pass

        cache = PubsubCache(
            boundary=AnalyserBoundary(BareJID("cache.example.org"), Reader()),
            parser_timeout=timedelta(milliseconds=50),
        )
        cache.register_analyser({"name": "a", "type": "b", "node": "c", "parser": endless})
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        assert await cache.parse("a", KEY, [item("i1")]) == [ParsedItem(item("i1"))]
        ticking.cancel()
        assert ticks > 1


class TestMatchCallback:
    async def verdict(self, match_cb: Callable[..., Any], **more: Any) -> Verdict | None:
        return await Setting(match_cb=match_cb, **more).cache.analyse(KEY, NS_EVENT)

    async def test_it_sees_the_analyse_and_changes_it_in_place(self) -> None:
        seen: dict[str, Any] = {}

        def match_cb(client: Any, analyse: dict[str, Any]) -> None:
            seen.update(analyse, client=client.jid.full())
            analyse.update(subtype="concert", to_sync=False, type="music")

        verdict = await self.verdict(match_cb, parser=plain)
        assert verdict == Verdict("events", "music", "concert", False)
        assert isinstance(seen["service"], JID) and seen.pop("service").full() == SERVICE
        assert seen == {
            "client": "cache.example.org",
            "node": "events/2026",
            "name": "events",
            "type": "event",
            "to_sync": True,
            "parser": plain,
            "namespace": NS_EVENT,
        }

    async def test_the_namespace_is_there_only_where_it_is_known(self) -> None:
        seen: list[bool] = []
        setting = Setting(match_cb=lambda client, analyse: seen.append("namespace" in analyse))
        await setting.cache.analyse(KEY, None)
        assert seen == [False]

    async def test_a_coroutine_and_a_deferred_will_do(self) -> None:
        async def as_coroutine(client: Any, analyse: dict[str, Any]) -> None:
            [other] = await client.get_items(analyse["service"], "other")
            analyse["subtype"] = other["id"]

        def as_deferred(client: Any, analyse: dict[str, Any]) -> Any:
            def answered(items: list[domish.Element]) -> None:
                analyse["subtype"] = items[0]["id"]

            return client.get_items(analyse["service"], "other").addCallback(answered)

        @inlineCallbacks
        def as_generator(client: Any, analyse: dict[str, Any]) -> Any:
            [other] = yield client.get_items(analyse["service"], "other")
            analyse["subtype"] = other["id"]

        for match_cb in (as_coroutine, as_deferred, as_generator):
            assert await self.verdict(match_cb) == Verdict("events", "event", "other", True)

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"type": ""}, "'type' must be text"),
            ({"to_sync": "no"}, "'to_sync' must be True or False"),
            ({"subtype": 3}, "'subtype' must be text or None"),
        ],
    )
    async def test_what_it_may_not_say_is_an_analyser_error(
        self, change: dict[str, Any], problem: str
    ) -> None:
        with pytest.raises(AnalyserError, match=f"analyser 'events': ValueError: {problem}"):
            await self.verdict(lambda client, analyse: analyse.update(change))

    async def test_what_it_raises_is_an_analyser_error_and_counted(self) -> None:
        setting = Setting(match_cb=lambda client, analyse: fail(KeyError("a")))
        with pytest.raises(AnalyserError, match="KeyError: 'a'"):
            await setting.cache.analyse(KEY, None)
        assert setting.counters[Happened.ANALYSER_FAILED] == 1


class TestClient:
    async def test_a_plain_function_may_return_the_deferred_of_a_request(self) -> None:
        def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            answer = client.get_items(service, "events/2026/comments", max_items=3)
            return answer.addCallback(lambda items: {"comments": [one["id"] for one in items]})

        setting = Setting(parser=parser)
        assert await setting.parse() == {"comments": ["other"]}
        assert setting.reader.asked == [(SERVICE, "events/2026/comments", 3)]

    async def test_what_a_plain_function_asks_for_begins_once_it_has_returned(self) -> None:
        """Else two threads could run the callbacks of one Deferred."""
        setting = Setting()
        seen: list[tuple[int, bool]] = []

        def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            answer = client.get_items(service, node)
            turned = threading.Event()
            loop.call_soon_threadsafe(loop.call_soon, turned.set)
            assert turned.wait(20)
            seen.append((len(setting.reader.asked), bool(answer.called)))
            return answer.addCallback(lambda items: {"on": threading.current_thread().name})

        loop = asyncio.get_running_loop()
        setting.cache.register_analyser(
            {"name": "threaded", "type": "a", "node": "b", "parser": parser}
        )
        [parsed] = await setting.cache.parse("threaded", KEY, [item("i1")])
        assert seen == [(0, False)]
        assert parsed.parsed == {"on": threading.main_thread().name}

    async def test_a_coroutine_may_await_requests(self) -> None:
        async def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            info = await client.disco(service, node)
            [other] = await client.get_items(service.full(), node)
            return {"features": sorted(info.features), "id": other["id"]}

        assert await Setting(parser=parser).parse() == {"features": ["urn:x"], "id": "other"}

    async def test_a_refusal_can_be_caught(self) -> None:
        async def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            try:
                await client.get_items(service, "missing")
            except UpstreamRefused as refused:
                return {"refused": refused.condition}

        assert await Setting(parser=parser).parse() == {"refused": "item-not-found"}

    async def test_only_the_service_of_the_item_can_be_asked(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            return await client.get_items(JID("victim.example.net"), node)

        setting = Setting(parser=parser)
        assert await setting.parse() is None
        assert setting.reader.asked == []
        assert "only the item's own service" in caplog.text

    async def test_the_number_of_requests_is_bounded(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            for _ in range(100):
                await client.get_items(service, node)

        setting = Setting(parser=parser)
        assert await setting.parse() is None
        assert len(setting.reader.asked) == MAX_REQUESTS
        assert "TooManyRequests" in caplog.text

    async def test_the_number_of_items_asked_for_is_bounded(self) -> None:
        async def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            for number in (-1, 0, 7, 10_000):
                await client.get_items(service, node, max_items=number)
            return {}

        setting = Setting(parser=parser)
        assert await setting.parse() == {}
        assert [asked for *_, asked in setting.reader.asked] == [1, 1, 7, MAX_ITEMS]

    async def test_the_size_of_all_answers_together_is_bounded(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            await client.get_items(service, node)
            await client.get_items(service, node)
            return {}

        setting = Setting(parser=parser)
        setting.reader._items = [item("big", "x" * (MAX_ANSWER_BYTES * 2 // 3))]
        assert await setting.parse() is None
        assert "UpstreamAnswerTooLarge" in caplog.text

    @pytest.mark.parametrize("in_thread", [True, False])
    async def test_what_nobody_waits_for_ends_with_the_call(
        self, in_thread: bool, unhandled: list[Any]
    ) -> None:
        clients: list[Any] = []

        def plain(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            clients.append(client)
            client.get_items(service, node)
            return client.disco(service, node).addCallback(lambda info: {})

        async def coroutine(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            await plain(client, item_elt, service, node)
            return {}

        setting = Setting(parser=plain if in_thread else coroutine)
        setting.reader.hangs = True
        assert await setting.parse() == {}
        await asyncio.wait_for(setting.reader.cancelled.wait(), 20)
        with pytest.raises(NotAllowed, match="is over"):
            clients[0].get_items(SERVICE, "a")
        clients.clear()
        gc.collect()
        assert unhandled == []

    async def test_an_error_nobody_looks_at_is_not_logged_as_unhandled(
        self, unhandled: list[Any]
    ) -> None:
        async def parser(client: Any, item_elt: Any, service: Any, node: Any) -> Any:
            refused = asyncio.Event()
            client.get_items(service, "missing").addBoth(
                lambda failure: (refused.set(), failure)[1]
            )
            await refused.wait()
            return {}

        assert await Setting(parser=parser).parse() == {}
        gc.collect()
        assert unhandled == []
