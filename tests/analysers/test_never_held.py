"""What is private by nature, or computed, is recognised and never held, whoever wants it held.

docs/decisions/0005.
"""

from pathlib import Path
from typing import Any

import pytest
from builtin_parsing import builtin, item, key

from pubcellar import wiring
from pubcellar.analysers import PubsubCache
from pubcellar.analysers.never_held import NEVER_HELD
from pubcellar.config import load_settings
from pubcellar.core.counters import Counters
from pubcellar.core.ports import Verdict
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import BareJID
from pubcellar.xmpp.analyser_boundary import AnalyserBoundary

AXOLOTL = "eu.siacs.conversations.axolotl"
SUMMARY = "urn:xmpp:pubsub-attachments:summary"

NODES = [
    ("urn:xmpp:bookmarks:1", "bookmarks", "private"),
    ("storage:bookmarks", "bookmarks", "private"),
    ("urn:xmpp:mds:displayed:0", "displayed", "private"),
    ("urn:xmpp:contacts", "contacts", "private"),
    ("urn:xmpp:contacts-groups", "contacts", "private"),
    ("storage:rosternotes", "private-storage", "private"),
    ("storage:metacontacts", "private-storage", "private"),
    ("urn:xmpp:omemo:2:devices", "omemo", "keys"),
    ("urn:xmpp:omemo:2:bundles", "omemo", "keys"),
    (f"{AXOLOTL}.devicelist", "omemo", "keys"),
    (f"{AXOLOTL}.bundles:31415", "omemo", "keys"),
    ("urn:xmpp:openpgp:0:secret-key", "openpgp", "keys"),
    ("urn:xmpp:openpgp:0:public-keys", "openpgp", "keys"),
    ("urn:xmpp:openpgp:0:public-keys:1357B01865B2503C18453D208CAC2A9678548E35", "openpgp", "keys"),
    (f"{SUMMARY}:1/urn:xmpp:microblog:0", "attachment-summary", "computed"),
    (f"{SUMMARY}:1/urn:xmpp:calendar-events:0/picnics", "attachment-summary", "computed"),
]
PAYLOADS = [
    ("urn:xmpp:bookmarks:1", "bookmarks"),
    ("storage:bookmarks", "bookmarks"),
    ("urn:xmpp:mds:displayed:0", "displayed"),
    ("urn:xmpp:contacts:0", "contacts"),
    ("storage:rosternotes", "private-storage"),
    ("urn:xmpp:push:0", "push"),
    ("urn:xmpp:omemo:2", "omemo"),
    (AXOLOTL, "omemo"),
    ("urn:xmpp:openpgp:0", "openpgp"),
    (f"{SUMMARY}:1", "attachment-summary"),
]


class Greedy:
    """An operator's table for every prefix and payload, all to be held."""

    def __init__(self, directory: Path) -> None:
        tables = [f"node = '{node}'" for kind in NEVER_HELD for node in kind.node] + [
            f"namespace = '{namespace}'" for kind in NEVER_HELD for namespace in kind.namespace
        ]
        tables += ["node = 'urn:'", "node = 'notes/'", "node = 'eu.siacs.conversations.axolotl'"]
        text = (
            "[component]\njid = 'cache.example.org'\nserver = 'tcp:127.0.0.1:5347'\n"
            "[upstream]\nallow = ['pubsub.example.org']\n"
        )
        for number, table in enumerate(tables):
            text += (
                f"[[analyser]]\nname = 'mine {number}'\ntype = 'mine'\nto_sync = true\n{table}\n"
            )
        path = directory / "pubcellar.toml"
        path.write_text(text)
        settings = load_settings(path, {"PUBCELLAR_COMPONENT_SECRET": "x"})
        # Nothing asks the service here: the boundary needs no reader.
        reader: Any = None
        boundary = AnalyserBoundary(BareJID("cache.example.org"), reader)
        self.cache, self.problems = wiring.build_analysers(settings, Counters(), boundary)


@pytest.fixture
def greedy(tmp_path: Path) -> PubsubCache:
    return Greedy(tmp_path).cache


class TestByName:
    @pytest.mark.parametrize(("node", "name", "type_"), NODES)
    async def test_no_operator_can_have_it_held(
        self, greedy: PubsubCache, node: str, name: str, type_: str
    ) -> None:
        verdict = await greedy.analyse(key(node), None)
        assert verdict == Verdict(name, type_, None, False)

    @pytest.mark.parametrize(("node", "name", "type_"), NODES)
    async def test_its_name_is_enough_whatever_its_items_hold(
        self, greedy: PubsubCache, node: str, name: str, type_: str
    ) -> None:
        assert not builtin().needs_namespace(node), "nobody looks into it to find out"
        verdict = await builtin().analyse(key(node), "http://www.w3.org/2005/Atom")
        assert verdict is not None and not verdict.to_sync and verdict.type == type_

    @pytest.mark.parametrize("node", ["urn:xmpp:bookmarksellers", "storage", "urn:xmpp:contacts2"])
    async def test_a_name_that_only_begins_like_it_is_the_operator_s(
        self, greedy: PubsubCache, node: str
    ) -> None:
        verdict = await greedy.analyse(key(node), None)
        assert verdict is None or verdict.type == "mine"


class TestByPayload:
    @pytest.mark.parametrize(("namespace", "name"), PAYLOADS)
    @pytest.mark.parametrize("node", ["notes/a", "urn:example:a", "elsewhere"])
    async def test_no_operator_can_have_it_held_under_another_name(
        self, greedy: PubsubCache, node: str, namespace: str, name: str
    ) -> None:
        verdict = await greedy.analyse(key(node), namespace)
        assert verdict is not None and (verdict.analyser, verdict.to_sync) == (name, False)

    @pytest.mark.parametrize("node", ["notes/a", "urn:xmpp:microblog:0", "elsewhere"])
    def test_what_would_be_held_is_looked_into_first(self, greedy: PubsubCache, node: str) -> None:
        assert greedy.needs_namespace(node)


async def test_its_items_are_not_looked_into() -> None:
    bookmark = item("<conference xmlns='urn:xmpp:bookmarks:1' name='a'><nick>b</nick></conference>")
    assert await builtin().parse("bookmarks", key("urn:xmpp:bookmarks:1"), [bookmark]) == [
        ParsedItem(bookmark)
    ]


async def test_attachments_are_held_though_their_summaries_are_not() -> None:
    verdict = await builtin().analyse(key("urn:xmpp:pubsub-attachments:1/xmpp:a?;node=b"), None)
    assert verdict is not None and verdict.to_sync


async def test_a_node_held_before_for_somebody_else_is_taken_over(greedy: PubsubCache) -> None:
    """What an earlier version held for an operator's analyser is not held any more."""
    claim = greedy.claim("urn:xmpp:bookmarks:1", ["urn:xmpp:bookmarks:1"], "mine 0")
    assert claim is not None and (claim.analyser, claim.to_sync) == ("bookmarks", False)


def test_an_operator_is_told_of_tables_that_change_nothing(tmp_path: Path) -> None:
    greedy = Greedy(tmp_path)
    wanted = [wanted for kind in NEVER_HELD for wanted in (*kind.node, *kind.namespace)]
    told = " ".join(greedy.problems)
    assert all(f": {each} is never held (" in told for each in wanted)
    assert greedy.problems[0].startswith(
        "[[analyser]] 1 'mine 0': urn:xmpp:bookmarks is never held (bookmarks is private);"
    )
    for innocent in ("urn: is", "notes/ is", "microblog"):
        assert innocent not in told
