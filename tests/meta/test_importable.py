"""docs/api.md lists what may be imported, and its script runs."""

import importlib
import inspect
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import pubcellar
from pubcellar.core.records import NodeRecord, ParsedItem
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, Item, NodeKey
from pubcellar.storage import open_store, prepare_database

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
SERVICE = BareJID("pubsub.example.org")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def listed(package: str) -> list[str]:
    [section] = re.findall(
        rf"^## [^`\n]*`{re.escape(package)}`\n(.*?)(?=^## |\Z)", DOCUMENT, re.DOTALL | re.MULTILINE
    )
    return re.findall(r"^\| `([A-Za-z_]+)` \|", section, re.MULTILINE)


PACKAGES = re.findall(r"^## [^`\n]*`([a-z.]+)`$", DOCUMENT, re.MULTILINE)
NAMES = [(package, name) for package in PACKAGES for name in listed(package)]


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run an interpreter of its own, whose warnings are errors too."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, timeout=60
    )


def test_all_that_the_package_exports_is_listed_and_nothing_else() -> None:
    assert PACKAGES == ["pubcellar", "pubcellar.storage"]
    assert sorted(listed("pubcellar")) == sorted(pubcellar.__all__)


def test_all_that_is_listed_of_the_storage_is_exported() -> None:
    storage = importlib.import_module("pubcellar.storage")
    assert len(listed("pubcellar.storage")) == 5
    assert set(listed("pubcellar.storage")) <= set(storage.__all__)


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_it_can_be_imported_and_that_installs_no_reactor(package: str, name: str) -> None:
    result = python(
        "-c",
        f"import sys; from {package} import {name}\n"
        "assert 'twisted.internet.reactor' not in sys.modules",
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_it_says_what_it_is(package: str, name: str) -> None:
    value: Any = getattr(importlib.import_module(package), name)
    if name == "BareJID":
        # A NewType can have no docstring of its own: it stands below it in the source.
        source = inspect.getsource(importlib.import_module(value.__module__))
        assert f'{name} = NewType("{name}", str)\n"""A bare JID' in source
    elif not name.startswith("__"):
        assert inspect.getdoc(value) and vars(value).get("__doc__", value.__doc__)


@pytest.mark.parametrize(
    ("package", "name", "members"),
    [
        ("pubcellar", "PubsubCache", ["register_analyser", "names", "analyse", "parse"]),
        ("pubcellar.storage", "SqlStore", ["session", "close"]),
        ("pubcellar.storage", "PubsubNode", ["items"]),
        ("pubcellar.storage", "PubsubItem", ["parsed"]),
    ],
)
def test_the_members_it_names_are_there(package: str, name: str, members: list[str]) -> None:
    value = getattr(importlib.import_module(package), name)
    for member in members:
        assert hasattr(value, member)
        assert re.search(rf"`({name}\.)?{member}(\(\))?`", DOCUMENT)


async def fill(url: str) -> None:
    """Hold a blog with two posts, and comments."""
    await prepare_database(url)
    store = await open_store(url)
    for name, subtype, posts in (
        ("blog", None, {"old": "2026-01-01T00:00:00Z", "new": "2026-02-01T00:00:00Z"}),
        ("comments", "comment", {"comment": "2026-02-02T00:00:00Z"}),
    ):
        key = NodeKey(SERVICE, name)
        record = NodeRecord(key, NodeState.SYNCING, NOW, NOW, type="blog", subtype=subtype)
        await store.save_node(record)
        items = [
            ParsedItem(Item(post, "<item/>"), {"title": f"A {post} one", "published": at}, "blog/1")
            for post, at in posts.items()
        ]
        await store.stage(key, items)
        await store.publish_staged(replace(record, state=NodeState.LIVE), list(posts))
    await store.close()


async def test_the_script_prints_the_newest_posts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cache.db"
    await fill(url)
    [script] = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    path = tmp_path / "posts.py"
    path.write_text(script)
    result = python(str(path), url)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "2026-02-01T00:00:00Z | A new one | pubsub.example.org | blog",
        "2026-01-01T00:00:00Z | A old one | pubsub.example.org | blog",
    ]
