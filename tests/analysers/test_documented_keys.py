"""The guide has the keys that the parsers return: all of them, and no others."""

import re
import types
import typing
from pathlib import Path
from typing import Any

import pytest
from builtin_parsing import builtin, parsed
from published import PUBLISHED

from pubcellar.analysers.atom import Entry
from pubcellar.analysers.attachment import Attachment
from pubcellar.analysers.avatar import Metadata, Picture
from pubcellar.analysers.event import Event
from pubcellar.analysers.never_held import NEVER_HELD
from pubcellar.analysers.public_subscriptions import Subscriber, Subscription
from pubcellar.analysers.server_info import ServerInfo
from pubcellar.analysers.vcard import VCard

GUIDE = (Path(__file__).parents[2] / "docs" / "analysers.md").read_text(encoding="utf-8")
DECLARED: dict[str, tuple[type, ...]] = {
    "attachment": (Attachment,),
    "avatar": (Metadata, Picture),
    "blog": (Entry,),
    "event": (Event,),
    "public-subscriptions": (Subscription, Subscriber),
    "serverinfo": (ServerInfo,),
    "story": (Entry,),
    "vcard": (VCard,),
}
"""What the type checker holds the parsers to."""


def rows(heading: str) -> list[list[str]]:
    [section] = re.findall(rf"^### {heading}\n(.*?)(?=^##|\Z)", GUIDE, re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\| (`.*)\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def documented(analyser: str) -> set[str]:
    paths = set()
    for keys, *_ in rows("blog" if analyser == "story" else analyser):
        prefix, colon, inside = keys.rpartition(": ")
        prefix = f"{prefix.strip('`')}." if colon else ""
        paths |= {f"{prefix}{key}" for key in re.findall(r"`([^`]+)`", inside)}
    return paths


def declared(type_: Any, prefix: str = "") -> set[str]:
    """Return the paths of all keys of a TypedDict, down to those that hold no other keys."""
    paths: set[str] = set()
    for key, hint in typing.get_type_hints(type_).items():
        parts = typing.get_args(hint) if typing.get_origin(hint) is types.UnionType else (hint,)
        for part in parts:
            inner, path = part, f"{prefix}{key}"
            if typing.get_origin(part) is list:
                [inner] = typing.get_args(part)
                path += "[]" if typing.is_typeddict(inner) else ""
            if typing.is_typeddict(inner):
                paths |= declared(inner, f"{path}.")
            elif part is not type(None):
                paths.add(path)
    return paths


def given(result: Any, keys: set[str], prefix: str = "") -> set[str]:
    """Return the paths of a result, in the same form; `keys` tells where an object ends."""
    paths: set[str] = set()
    for key, value in result.items():
        path = f"{prefix}{key}"
        if path in keys:
            paths.add(path)
        elif isinstance(value, list):
            for one in value:
                paths |= given(one, keys, f"{path}[].") if isinstance(one, dict) else {path}
        else:
            paths |= given(value, keys, f"{path}.") if isinstance(value, dict) else {path}
    return paths


def test_there_is_a_section_for_every_analyser_that_parses() -> None:
    cache = builtin()
    assert {one.name for one in cache.registrations if one.parses} == set(DECLARED)
    heading = re.findall(r"^### ([a-z-]+)$", GUIDE, re.MULTILINE)
    assert sorted(heading) == sorted(DECLARED)


@pytest.mark.parametrize("analyser", DECLARED)
def test_every_key_that_a_parser_may_return_is_documented_and_no_other(analyser: str) -> None:
    may_return = set().union(*(declared(type_) for type_ in DECLARED[analyser]))
    assert documented(analyser) == may_return


@pytest.mark.parametrize("analyser", DECLARED)
async def test_every_key_that_is_documented_is_returned_for_some_item(analyser: str) -> None:
    keys = set().union(*(declared(type_) for type_ in DECLARED[analyser]))
    returned: set[str] = set()
    for node, item_id, payload in PUBLISHED[analyser]:
        returned |= given(await parsed(analyser, node, payload, item_id), keys)
    assert returned == documented(analyser)


def test_every_built_in_analyser_is_in_the_table_of_those_that_hold() -> None:
    table = re.findall(r"^\| `([a-z-]+)` \| .* \| XEP-.* \|$", GUIDE, re.MULTILINE)
    assert table == [one.name for one in builtin().registrations if one.to_sync]


def test_what_is_never_held_is_in_its_table() -> None:
    table = re.findall(r"^\| `([a-z-]+)` \| `([a-z]+)` \| ", GUIDE, re.MULTILINE)
    assert table == [(kind.name, kind.type) for kind in NEVER_HELD]
