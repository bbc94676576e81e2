import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from pubcellar.analysers import Analyser, ConfiguredAnalyser, PubsubCache, register_builtin
from pubcellar.analysers.patience import FIRST_REST
from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import AnalyserError, Conflict
from pubcellar.core.ports import Analysers, Verdict
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import BareJID, Item, NodeKey

KEY = NodeKey(BareJID("pubsub.example.org"), "notes/a")
ITEM = Item("i1", "<item xmlns='http://jabber.org/protocol/pubsub' id='i1'/>")


def key(node: str) -> NodeKey:
    return NodeKey(BareJID("pubsub.example.org"), node)


class Notes(Analyser):
    name = "notes"
    type = "note"
    node = "notes/"
    to_sync = True
    version = "2"

    def __init__(self, parse: Callable[[Item, NodeKey], Any]) -> None:
        self._parse = parse

    def parse(self, item: Item, key: NodeKey) -> Any:
        return self._parse(item, key)


def cache_with(*analysers: Analyser, **settings: Any) -> PubsubCache:
    cache = PubsubCache(**settings)
    for analyser in analysers:
        cache.register_analyser(analyser)
    return cache


def configured(name: str, **fields: Any) -> ConfiguredAnalyser:
    return ConfiguredAnalyser(name=name, type=f"type of {name}", **fields)


class TestRegisterAnalyser:
    def test_the_cache_is_what_the_use_cases_ask_for(self) -> None:
        analysers: Analysers = PubsubCache()
        assert analysers.needs_namespace("a") is False

    def test_a_name_is_taken_in_whatever_case(self) -> None:
        cache = cache_with(configured("notes", node="a"))
        with pytest.raises(Conflict, match="'notes' is registered already"):
            cache.register_analyser({"name": " NOTES ", "type": "note", "node": "b"})
        assert cache.names == ("notes",)

    def test_a_wrong_analyser_is_not_registered(self) -> None:
        cache = PubsubCache()
        with pytest.raises(ValueError, match="'type' is required"):
            cache.register_analyser({"name": "a", "node": "b"})
        assert cache.names == ()

    def test_callables_of_a_dictionary_need_a_boundary(self) -> None:
        cache = PubsubCache()
        with pytest.raises(ValueError, match="made without a boundary"):
            cache.register_analyser({"name": "a", "type": "b", "node": "c", "parser": print})
        cache.register_analyser({"name": "a", "type": "b", "node": "c"})

    def test_built_in_ones_are_registered_once_by_the_same_door(self) -> None:
        cache = PubsubCache()
        register_builtin(cache)
        assert cache.names[:2] == ("story", "blog")
        assert {one.source for one in cache.registrations} == {"built in"}
        with pytest.raises(Conflict):
            register_builtin(cache)


class TestAnalyse:
    async def test_the_first_registered_that_matches_wins(self) -> None:
        by_namespace = configured("by namespace", namespace="urn:x")
        by_node = configured("by node", node="notes", to_sync=True)
        also_by_node = configured("also by node", node="notes/a")
        cache = cache_with(by_namespace, by_node, also_by_node)
        for namespace, expected in (("urn:x", "by namespace"), (None, "by node")):
            verdict = await cache.analyse(KEY, namespace)
            assert verdict is not None and verdict.analyser == expected

    async def test_either_node_or_namespace_is_enough(self) -> None:
        cache = cache_with(configured("both", node="notes", namespace="urn:x"))
        assert await cache.analyse(key("notes"), "urn:y")
        assert await cache.analyse(key("other"), "urn:x")
        assert await cache.analyse(key("other"), "urn:x:sub") is None
        assert await cache.analyse(key("other"), None) is None

    async def test_a_table_gives_the_verdict_it_holds(self) -> None:
        cache = cache_with(configured("notes", node="notes", to_sync=True, subtype="diary"))
        assert await cache.analyse(KEY, None) == Verdict("notes", "type of notes", "diary", True)

    def test_the_namespace_is_needed_only_where_it_may_decide(self) -> None:
        early, late = configured("early", node="early"), configured("late", node="late")
        between = configured("between", node="x", namespace="urn:x", to_sync=True)
        cache = cache_with(early, between, late)
        assert not cache.needs_namespace("early/a")
        assert not cache.needs_namespace("x")
        assert cache.needs_namespace("late")
        assert cache.needs_namespace("other")
        assert not cache_with(early, late).needs_namespace("other")

    @pytest.mark.parametrize(
        ("first_holds", "second_holds", "is_needed"),
        [(False, False, False), (False, True, True), (True, False, True), (True, True, True)],
    )
    def test_a_namespace_that_cannot_make_a_node_held_is_not_asked_for(
        self, first_holds: bool, second_holds: bool, is_needed: bool
    ) -> None:
        first = configured("first", namespace="urn:x", to_sync=first_holds)
        second = configured("second", node="notes", to_sync=second_holds)
        assert cache_with(first, second).needs_namespace("notes/a") == is_needed

    @pytest.mark.parametrize("subtype", [3, b"a", ["a"]])
    async def test_a_wrong_subtype_is_an_analyser_error_counted_and_logged(
        self, subtype: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Wrong(Notes):
            def subtype(self, key: NodeKey) -> Any:
                return subtype

        counters = Counters()
        cache = cache_with(Wrong(lambda item, key: {}), counters=counters)
        with pytest.raises(AnalyserError, match="analyser 'notes': ValueError: 'subtype' must be"):
            await cache.analyse(KEY, None)
        assert counters[Happened.ANALYSER_FAILED] == 1
        assert "analyser 'notes': could not decide on pubsub.example.org" in caplog.text

    async def test_an_analyser_that_hangs_is_an_analyser_error(self) -> None:
        class Hangs(Notes):
            async def subtype(self, key: NodeKey) -> str | None:
                await asyncio.Event().wait()
                return None

        cache = cache_with(Hangs(lambda item, key: {}), parser_timeout=timedelta(milliseconds=50))
        with pytest.raises(AnalyserError, match=r"took longer than 0\.05 s") as caught:
            await cache.analyse(KEY, None)
        assert caught.value.analyser == "notes"


async def coroutine(result: object) -> object:
    return result


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raising(error: BaseException) -> Callable[[Item, NodeKey], Any]:
    def parse(item: Item, key: NodeKey) -> Any:
        raise error

    return parse


class TestParse:
    async def test_items_come_back_parsed_in_order(self) -> None:
        cache = cache_with(Notes(lambda item, key: {"id": item.item_id, "node": key.node}))
        items = [Item(str(number), "<item/>") for number in range(5)]
        assert await cache.parse("notes", KEY, items) == [
            ParsedItem(item, {"id": item.item_id, "node": "notes/a"}, "notes/2") for item in items
        ]

    async def test_a_plain_parser_runs_off_the_loop_and_a_coroutine_on_it(self) -> None:
        seen: list[str] = []

        class Asynchronous(Notes):
            name = "asynchronous"

            async def parse(self, item: Item, key: NodeKey) -> dict[str, Any]:
                seen.append(threading.current_thread().name)
                return {}

        def parse(item: Item, key: NodeKey) -> dict[str, Any]:
            seen.append(threading.current_thread().name)
            return {}

        cache = cache_with(Notes(parse), Asynchronous(parse))
        await cache.parse("notes", KEY, [ITEM])
        await cache.parse("asynchronous", KEY, [ITEM])
        assert seen == ["analyser-notes", threading.current_thread().name]

    async def test_an_awaitable_from_a_plain_parser_is_awaited(self) -> None:
        cache = cache_with(Notes(lambda item, key: coroutine({"a": 1})))
        assert (await cache.parse("notes", KEY, [ITEM]))[0].parsed == {"a": 1}

    async def test_a_typed_parser_may_leave_an_item_raw(self) -> None:
        counters = Counters()
        cache = cache_with(Notes(lambda item, key: None), counters=counters)
        assert await cache.parse("notes", KEY, [ITEM]) == [ParsedItem(ITEM)]
        assert counters[Happened.PARSER_FAILED] == 0

    async def test_without_parser_or_analyser_items_stay_raw(self) -> None:
        cache = cache_with(configured("table", node="a"))
        for name in ("table", "unknown"):
            assert await cache.parse(name, KEY, [ITEM, ITEM]) == [ParsedItem(ITEM)] * 2

    @pytest.mark.parametrize(
        ("parse", "problem"),
        [
            (raising(KeyError("title")), "KeyError: 'title'"),
            (raising(StopIteration()), "StopIteration"),
            (raising(Unprintable()), "Unprintable"),
            (raising(SystemExit(1)), "it raised SystemExit"),
            (raising(asyncio.CancelledError()), "it raised CancelledError"),
            (raising(ValueError("two\nlines")), "ValueError: two lines"),
            (lambda item, key: ["a"], "the result must be a dict, not list"),
            (lambda item, key: {"a": float("nan")}, "nan at .a is not JSON"),
            (lambda item, key: {"a": item}, "Item at .a is not JSON"),
            (lambda item, key: {1: 2}, "key 1 at the top is not text"),
            (lambda item, key: {"a": "x" * 300_000}, "larger than 262144 bytes"),
        ],
    )
    async def test_a_failure_keeps_the_item_raw_and_is_counted_and_logged(
        self,
        parse: Callable[[Item, NodeKey], Any],
        problem: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        counters = Counters()
        cache = cache_with(Notes(parse), counters=counters)
        assert await cache.parse("notes", KEY, [ITEM]) == [ParsedItem(ITEM)]
        assert counters[Happened.PARSER_FAILED] == 1
        [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
        line = record.getMessage()
        assert line.startswith("analyser 'notes': could not parse item 'i1' of pubsub.example.org")
        assert problem in line and "\n" not in line

    async def test_a_failure_concerns_its_own_item_alone(self) -> None:
        def parse(item: Item, key: NodeKey) -> dict[str, Any]:
            return {"inverse": 1 / int(item.item_id)}

        items = [Item(item_id, "<item/>") for item_id in ("1", "0", "2")]
        parsed = await cache_with(Notes(parse)).parse("notes", KEY, items)
        assert [one.parsed for one in parsed] == [{"inverse": 1.0}, None, {"inverse": 0.5}]
        assert [one.parsed_by for one in parsed] == ["notes/2", None, "notes/2"]

    async def test_many_failures_are_all_counted_and_logged_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        counters = Counters()
        cache = cache_with(Notes(raising(KeyError("a"))), counters=counters, seconds=lambda: 0.0)
        await cache.parse("notes", KEY, [ITEM] * 200)
        assert counters[Happened.PARSER_FAILED] == 200
        assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1

    async def test_cancelling_us_is_no_failure_of_the_analyser(self) -> None:
        begun = threading.Event()

        def parse(item: Item, key: NodeKey) -> None:
            begun.set()
            while True:
                pass

        counters = Counters()
        cache = cache_with(Notes(parse), counters=counters)
        task = asyncio.ensure_future(cache.parse("notes", KEY, [ITEM]))
        assert await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert counters[Happened.PARSER_FAILED] == 0


async def hangs(item: Item, key: NodeKey) -> Any:
    await asyncio.Event().wait()


def loops_for_ever(item: Item, key: NodeKey) -> Any:
    while True:
        pass


class TestHangingParser:
    @pytest.mark.parametrize("parse", [hangs, loops_for_ever])
    async def test_it_is_given_up_and_after_three_items_not_called_any_more(
        self,
        parse: Callable[[Item, NodeKey], Awaitable[Any]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        now, calls = 1000.0, 0

        def counting(item: Item, key: NodeKey) -> Any:
            nonlocal calls
            calls += 1
            return parse(item, key)

        counters = Counters()
        cache = cache_with(
            Notes(counting),
            counters=counters,
            parser_timeout=timedelta(milliseconds=50),
            seconds=lambda: now,
        )
        assert await cache.parse("notes", KEY, [ITEM] * 20) == [ParsedItem(ITEM)] * 20
        assert calls == 3
        assert counters[Happened.PARSER_FAILED] == 20
        assert "took longer than 0.05 s" in caplog.text
        assert "is suspended for 0:05:00" in caplog.text

        assert await cache.analyse(KEY, None), "a hanging parser does not keep it from deciding"

        now += FIRST_REST.total_seconds()
        await cache.parse("notes", KEY, [ITEM] * 20)
        assert calls == 4
        assert "is suspended for 0:10:00" in caplog.text
