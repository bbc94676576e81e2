"""Analysers of installed packages: in which order, and what a broken one costs."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from twisted.internet.testing import MemoryReactorClock

from pubcellar import wiring
from pubcellar.analysers import (
    ConfiguredAnalyser,
    PubsubCache,
    register_builtin,
    register_installed,
    register_never_held,
)
from pubcellar.config import load_settings
from pubcellar.core.errors import Conflict

GOOD = """
def register(cache):
    cache.register_analyser({{"name": "{name}", "type": "t", "node": "{name}/", "to_sync": True}})
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that puts a package where Python finds it, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(
        package: str, code: str, *, entry_points: str | None = None, version: str = "1.0"
    ) -> None:
        module = package.replace("-", "_").lower()
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code)
        information = tmp_path / f"{module}-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
        listed = entry_points or f"[pubcellar.analysers]\n{module} = {module}:register\n"
        (information / "entry_points.txt").write_text(listed)

    return install


def test_they_are_tried_in_the_order_of_their_names(install: Install) -> None:
    install("Zebra", GOOD.format(name="zebra"))
    both = "[pubcellar.analysers]\nb = m_two:second\na = m_two:first\n"
    install("m-two", GOOD.format(name="first").replace("register(", "first(", 1)
            + GOOD.format(name="second").replace("register(", "second(", 1),
            entry_points=both)  # fmt: skip
    install("aardvark", GOOD.format(name="aardvark"))
    cache = PubsubCache()
    assert register_installed(cache) == ()
    assert cache.names == ("aardvark", "first", "second", "zebra")
    assert [one.source for one in cache.registrations] == [
        "package aardvark 1.0, entry point 'aardvark'",
        "package m-two 1.0, entry point 'a'",
        "package m-two 1.0, entry point 'b'",
        "package Zebra 1.0, entry point 'zebra'",
    ]


async def test_what_is_installed_comes_before_what_is_built_in(install: Install) -> None:
    install("better-blogs", GOOD.format(name="mine").replace("mine/", "urn:xmpp:microblog:0"))
    cache = PubsubCache()
    register_never_held(cache)
    register_installed(cache)
    register_builtin(cache)
    assert cache.names.index("bookmarks") < cache.names.index("mine") < cache.names.index("blog")


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise RuntimeError('no\\n such library')", "RuntimeError: no such library"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def register(", "SyntaxError"),
        ("", "AttributeError"),
        ("def register(cache): raise KeyError('a')", "KeyError: 'a'"),
        ("def register(cache): raise SystemExit", "SystemExit"),
        ("def register(): pass", "TypeError"),
        ("register = {'name': 'a', 'type': 'b', 'node': 'c'}", "is not a function register(cache)"),
        ("class register:\n    def __init__(self, cache): pass", "is not a function"),
        ("async def register(cache): pass", "must not be an async def"),
        (
            "def register(cache): cache.register_analyser({'name': 'a'})",
            "ValueError: analyser 'a': 'type' is required",
        ),
        (GOOD.format(name="a") + "    register(cache)", "RecursionError|Conflict: an analyser"),
    ],
)
def test_a_broken_package_costs_itself_alone(install: Install, code: str, problem: str) -> None:
    install("broken", code, version="2.3")
    install("works", GOOD.format(name="works"))
    cache = PubsubCache()
    [line] = register_installed(cache)
    assert cache.names == ("works",)
    assert line.startswith("package broken 2.3, entry point 'broken' (broken:register) is left out")
    assert any(each in line for each in problem.split("|"))
    assert line.endswith("; repair, upgrade or uninstall broken") and "\n" not in line


def test_of_a_package_that_fails_half_way_nothing_stays(install: Install) -> None:
    install("half", GOOD.format(name="one") + "    raise RuntimeError('and then')\n")
    cache = PubsubCache()
    [line] = register_installed(cache)
    assert "RuntimeError: and then" in line
    assert cache.names == ()


def test_a_package_cannot_register_anything_later(install: Install) -> None:
    """What it keeps is not the registry that is asked."""
    install("late", GOOD.format(name="now") + "    global kept\n    kept = cache\n")
    cache = PubsubCache()
    register_installed(cache)
    import late  # type: ignore[import-not-found]

    late.kept.register_analyser({"name": "later", "type": "t", "node": "later/"})
    assert cache.names == ("now",)


def test_a_package_that_registers_nothing_is_told(install: Install) -> None:
    install("empty", "def register(cache): pass")
    assert register_installed(PubsubCache()) == (
        "package empty 1.0, entry point 'empty' has registered no analyser",
    )


def test_entry_points_that_cannot_be_read_cost_that_package_alone(install: Install) -> None:
    install("mangled", "", entry_points="[pubcellar.analysers]\nno equals sign\n")
    install("works", GOOD.format(name="works"))
    cache = PubsubCache()
    [line] = register_installed(cache)
    assert "entry points of an installed package cannot be read" in line
    assert "mangled-1.0.dist-info" in line
    assert cache.names == ("works",)


def test_of_a_package_that_is_installed_twice_the_first_counts(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("twice", GOOD.format(name="old"), version="1.0")
    newer = tmp_path / "newer"
    newer.mkdir()
    for path in list(tmp_path.glob("twice*")):
        path.rename(newer / path.name)
    install("twice", GOOD.format(name="new"), version="2.0")
    monkeypatch.syspath_prepend(str(newer))
    monkeypatch.syspath_prepend(str(tmp_path))
    cache = PubsubCache()
    assert register_installed(cache) == ()
    assert [one.source for one in cache.registrations] == ["package twice 2.0, entry point 'twice'"]


def test_a_name_that_is_taken_is_a_conflict_that_names_both(install: Install) -> None:
    install("recipes", GOOD.format(name="mine"))
    cache = PubsubCache()
    mine = ConfiguredAnalyser(name="Mine", type="t", node="mine/")
    cache.register_analyser(mine, source="[[analyser]] 1")
    with pytest.raises(Conflict) as refused:
        register_installed(cache)
    assert "'mine'" in str(refused.value)
    assert "[[analyser]] 1 and package recipes 1.0, entry point 'recipes'" in str(refused.value)


def test_two_packages_may_not_use_one_name(install: Install) -> None:
    install("one", GOOD.format(name="same"))
    install("two", GOOD.format(name="same"))
    with pytest.raises(Conflict, match=r"package one 1\.0.* and package two 1\.0"):
        register_installed(PubsubCache())


def test_nor_that_of_a_built_in_one(install: Install) -> None:
    install("one", GOOD.format(name="blog"))
    cache = PubsubCache()
    register_installed(cache)
    with pytest.raises(Conflict, match=r"package one 1\.0, entry point 'one' and built in"):
        register_builtin(cache)


async def test_the_start_goes_on_without_a_broken_package_and_says_so_once(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("broken", "import nothing_of_that_name", version="2.3")
    path = tmp_path / "pubcellar.toml"
    path.write_text(
        "[component]\njid = 'cache.example.org'\nserver = 'tcp:127.0.0.1:5347'\n"
        "[upstream]\nallow = ['pubsub.example.org']\n"
    )
    settings = load_settings(path, {"PUBCELLAR_COMPONENT_SECRET": "x"})
    # It is built and not started: nothing asks the database.
    store: Any = Mock()
    wiring.Component(settings, store, MemoryReactorClock())
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    line = record.getMessage()
    assert record.levelname == "ERROR" and record.exc_info is None
    assert "package broken 2.3, entry point 'broken' (broken:register) is left out" in line
    assert "uninstall broken" in line and "\n" not in line
