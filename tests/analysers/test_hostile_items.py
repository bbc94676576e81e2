"""No well-formed item makes a built-in parser fail, and no result is more than may be stored."""

import re
from itertools import chain

import pytest
from builtin_parsing import item, key
from hypothesis import given
from hypothesis import strategies as st
from published import PUBLISHED

from pubcellar.analysers import Analyser
from pubcellar.analysers.attachment import AttachmentAnalyser
from pubcellar.analysers.avatar import AvatarAnalyser
from pubcellar.analysers.blog import BlogAnalyser
from pubcellar.analysers.event import EventAnalyser
from pubcellar.analysers.json_object import json_object
from pubcellar.analysers.public_subscriptions import PublicSubscriptionsAnalyser
from pubcellar.analysers.server_info import ServerInfoAnalyser
from pubcellar.analysers.story import StoryAnalyser
from pubcellar.analysers.vcard import VCardAnalyser

ANALYSERS: list[Analyser] = [
    AttachmentAnalyser(),
    AvatarAnalyser(),
    BlogAnalyser(),
    EventAnalyser(),
    PublicSubscriptionsAnalyser(),
    ServerInfoAnalyser(),
    StoryAnalyser(),
    VCardAnalyser(),
]
EVERYTHING = "".join(payload for _, _, payload in chain.from_iterable(PUBLISHED.values()))
TAGS = sorted(set(re.findall(r"<([a-z][a-z-]*)", EVERYTHING)))
NAMESPACES = sorted(set(re.findall(r"xmlns='([^']+)'", EVERYTHING)))
ATTRIBUTES = sorted(set(re.findall(r" ([a-z]+)='", EVERYTHING)) - {"xmlns"})
TEXTS = [
    "", " ", "a", "-1", "9" * 30, "1e400", "NaN", "2026-02-30", "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59", "xmpp:?;node=", "xmpp:a?;node=%00", "xmpp:%ff?;node=%ff;item=%ff",
    "data:,", "AAAA", "text", "xhtml", "html", "FORM_TYPE", "🎉", "²", "\u0130", "x" * 2000,
]  # fmt: skip

texts = st.sampled_from(TEXTS)
namespaces = st.none() | st.sampled_from(NAMESPACES)
attributes = st.dictionaries(st.sampled_from(ATTRIBUTES), texts, max_size=4)


def element(tag: str, namespace: str | None, values: dict[str, str], inside: str) -> str:
    listed = "".join(f" {name}='{value}'" for name, value in values.items())
    declared = f" xmlns='{namespace}'" if namespace else ""
    return f"<{tag}{declared}{listed}>{inside}</{tag}>"


trees = st.recursive(
    texts,
    lambda inner: st.lists(
        st.builds(element, st.sampled_from(TAGS), namespaces, attributes, inner), max_size=4
    ).map("".join),
    max_leaves=12,
)
ROOTS = [
    ("attachments", "urn:xmpp:pubsub-attachments:1"),
    ("metadata", "urn:xmpp:avatar:metadata"),
    ("data", "urn:xmpp:avatar:data"),
    ("entry", "http://www.w3.org/2005/Atom"),
    ("event", "urn:xmpp:calendar-events:0"),
    ("subscription", "urn:xmpp:pps:0"),
    ("serverinfo", "urn:xmpp:serverinfo:0"),
    ("vcard", "urn:ietf:params:xml:ns:vcard-4.0"),
]


def test_all_that_parse_are_tried() -> None:
    assert {analyser.name for analyser in ANALYSERS} == set(PUBLISHED)


@given(st.sampled_from(ROOTS), attributes, trees, texts)
def test_no_well_formed_payload_makes_a_parser_fail(
    root: tuple[str, str], values: dict[str, str], inside: str, name: str
) -> None:
    payload = item(element(*root, values, inside), name)
    for analyser in ANALYSERS:
        result = analyser.parse(payload, key(name))
        assert json_object(result) == result


@pytest.mark.parametrize("analyser", ANALYSERS, ids=lambda analyser: analyser.name)
def test_each_payload_in_the_hands_of_each_parser(analyser: Analyser) -> None:
    """A node's first item may be of another kind than the rest."""
    for node, item_id, payload in chain.from_iterable(PUBLISHED.values()):
        result = analyser.parse(item(payload, item_id), key(node))
        assert json_object(result) == result
