"""The guide for authors of analysers says what is true: its examples run, its numbers are ours."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pubcellar.analysers import (
    ConfiguredAnalyser,
    PubsubCache,
    has_prefix,
    patience,
    register_builtin,
)
from pubcellar.analysers.attachment import MAX_EMOJI_CHARACTERS
from pubcellar.analysers.avatar import MAX_VARIANTS
from pubcellar.analysers.event import MAX_LOCATIONS
from pubcellar.analysers.json_object import MAX_BYTES, MAX_DEPTH
from pubcellar.analysers.places import MAX_ONLINE
from pubcellar.analysers.plain_text import MAX_LINE_CHARACTERS, MAX_TEXT_CHARACTERS
from pubcellar.analysers.registration import DICTIONARY_KEYS
from pubcellar.analysers.registry import PARSER_TIMEOUT
from pubcellar.analysers.results import MAX_VALUES
from pubcellar.analysers.server_info import MAX_REMOTE_DOMAINS
from pubcellar.analysers.vcard import MAX_PROPERTIES
from pubcellar.core.ports import Verdict
from pubcellar.core.values import BareJID, Item, NodeKey
from pubcellar.xmpp.analyser_boundary import (
    MAX_ANSWER_BYTES,
    MAX_ITEMS,
    MAX_REQUESTS,
    AnalyserBoundary,
)

GUIDE = (Path(__file__).parents[2] / "docs" / "analysers.md").read_text(encoding="utf-8")
SERVICE = BareJID("pubsub.example.org")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    [found] = [one for one in blocks if containing in one]
    return str(found)


def cache_from(code: str) -> PubsubCache:
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    # No example asks the service: the boundary needs no reader.
    reader: Any = None
    cache = PubsubCache(boundary=AnalyserBoundary(BareJID("cache.example.org"), reader))
    names["register"](cache)
    return cache


def item(payload: str) -> Item:
    return Item("i1", f"<item xmlns='http://jabber.org/protocol/pubsub' id='i1'>{payload}</item>")


async def test_the_dictionary_works() -> None:
    cache = cache_from(block("python", "def match_cb"))
    key = NodeKey(SERVICE, "events/concerts")
    assert await cache.analyse(key, None) == Verdict("events", "event", "concert", True)
    event = item("<event xmlns='urn:example:event' day='2026-05-01'><name>A &amp; B</name></event>")
    [parsed] = await cache.parse("events", key, [event])
    assert parsed.parsed == {"name": "A & B", "day": "2026-05-01", "from": SERVICE}
    assert parsed.parsed_by == "events/1"


async def test_the_typed_analyser_works() -> None:
    cache = cache_from(block("python", "class Recipes"))
    key = NodeKey(SERVICE, "desserts")
    verdict = await cache.analyse(key, "urn:example:recipe")
    assert verdict == Verdict("recipes", "recipe", "dessert", True)
    recipe = item("<recipe xmlns='urn:example:recipe' title='Flan'><step/><step/></recipe>")
    parsed = await cache.parse("recipes", key, [recipe, item("")])
    assert parsed[0].parsed == {"title": "Flan", "steps": 2, "node": "desserts"}
    assert [one.parsed_by for one in parsed] == ["recipes/1", None]


async def test_the_table_works() -> None:
    [table] = tomllib.loads(block("toml", 'name = "notes"'))["analyser"]
    cache = PubsubCache()
    cache.register_analyser(ConfiguredAnalyser(**table))
    key = NodeKey(SERVICE, "notes/a")
    assert await cache.analyse(key, None) == Verdict("notes", "note", None, True)


@pytest.mark.parametrize("node", ["urn:xmpp:microblog:0", "urn:xmpp:microblog:0:comments/a", "b"])
async def test_the_table_that_switches_an_analyser_off_works(node: str) -> None:
    [table] = tomllib.loads(block("toml", 'name = "no blogs"'))["analyser"]
    cache = PubsubCache()
    cache.register_analyser(ConfiguredAnalyser(**table))
    register_builtin(cache)
    key = NodeKey(SERVICE, node)
    verdict = await cache.analyse(key, "http://www.w3.org/2005/Atom")
    assert verdict == Verdict("no blogs", "blog", None, False)


def test_the_table_of_prefixes_is_true() -> None:
    rows = re.findall(r"^   \| (`.*)\| (`.*)\| (`.*)\|$", GUIDE, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        [prefix], claimed, unclaimed = (re.findall("`(.*?)`", cell) for cell in row)
        assert all(has_prefix(node, prefix) for node in claimed), row
        assert not any(has_prefix(node, prefix) for node in unclaimed), row


@pytest.mark.parametrize("key", DICTIONARY_KEYS)
def test_every_key_is_explained(key: str) -> None:
    assert re.search(rf"^\| [^|]*`{key}`", GUIDE, re.MULTILINE)


def test_the_limits_are_those_in_force() -> None:
    limits = (PARSER_TIMEOUT, patience.FIRST_REST, patience.LONGEST_REST, patience.LOG_EVERY)
    assert limits == tuple(timedelta(**unit) for unit in (
        {"seconds": 2}, {"minutes": 5}, {"days": 1}, {"minutes": 1}
    ))  # fmt: skip
    text = " ".join(GUIDE.split())
    for said in (
        "parser_timeout`, 2 seconds",
        f"too long {patience.TIMEOUTS_IN_A_ROW} times in a row",
        "not called for 5 minutes",
        "up to a day",
        "one line a minute",
        f"nesting deeper than {MAX_DEPTH}",
        f"more than {MAX_BYTES // 1024} KiB",
        f"at most {MAX_TEXT_CHARACTERS:,} characters",
        f"A line has at most {MAX_LINE_CHARACTERS:,} characters",
        f"have at most {MAX_VALUES} values",
        f"where it is, at most {MAX_LOCATIONS};",
        f"meet online, at most {MAX_ONLINE};",
        f"pictures there are, at most {MAX_VARIANTS};",
        f"other lists at most {MAX_PROPERTIES} |",
        f"at most {MAX_REMOTE_DOMAINS:,} in all",
        f"each once, of at most {MAX_EMOJI_CHARACTERS} characters",
        f"at most {MAX_ITEMS} |",
        f"can make {MAX_REQUESTS} requests, with {MAX_ANSWER_BYTES // 1024} KiB",
    ):
        assert said in text, said
