"""The package that the guide for authors of analysers shows: built, installed, found and used."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "analysers.md").read_text(encoding="utf-8")

LISTED = "  recipes: recipe, held (package pubcellar-recipes 1.0, entry point 'recipes')"
CONFIGURATION = """
[component]
jid = "cache.example.org"
server = "tcp:127.0.0.1:5347"
[upstream]
allow = ["pubsub.example.org"]
"""
PARSE = """
import asyncio, json
from pubcellar import BareJID, Item, NodeKey, PubsubCache
from pubcellar.analysers import register_installed

cache = PubsubCache()
assert register_installed(cache) == ()
item = Item("i1", "<item><recipe xmlns='urn:example:recipe' title='Flan'><step/></recipe></item>")
key = NodeKey(BareJID("pubsub.example.org"), "desserts")
[parsed] = asyncio.run(cache.parse("recipes", key, [item]))
print(json.dumps([parsed.parsed, parsed.parsed_by]))
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    [found] = [one for one in blocks if containing in one]
    return str(found)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory into which pip has installed the package of the guide."""
    source, out, target = (tmp_path_factory.mktemp(name) for name in ("source", "dist", "target"))
    (source / "pyproject.toml").write_text(block("toml", "[project.entry-points"))
    (source / "pubcellar_recipes.py").write_text(block("python", "class Recipes"))
    _done([sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(source)])
    [wheel] = out.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # Of what it depends on, Pubcellar is here, and in no index.
    _done([*pip, "--no-deps", "--no-index", "--target", str(target), str(wheel)])
    return target


def _done(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{argv} failed:\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def run(tmp_path: Path, installed: Path) -> Run:
    """Return a function that runs Python where the package, and more paths, are installed."""

    def run(*arguments: str, paths: tuple[Path, ...] = ()) -> "subprocess.CompletedProcess[str]":
        found = os.pathsep.join(str(path) for path in (installed, *paths))
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": found, "PUBCELLAR_COMPONENT_SECRET": "x"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "pubcellar.toml"
    path.write_text(CONFIGURATION)
    return path


def another_package(directory: Path, code: str) -> Path:
    information = directory / "another-3.1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 3.1\n")
    (information / "entry_points.txt").write_text("[pubcellar.analysers]\nit = another:register\n")
    (directory / "another.py").write_text(code)
    return directory


def test_check_lists_it_as_the_guide_says(run: Run, configuration: Path) -> None:
    checked = run("-m", "pubcellar", "check", "--config", str(configuration))
    assert (checked.returncode, checked.stderr) == (0, "")
    lines = checked.stdout.splitlines()
    assert LISTED in lines and LISTED in GUIDE.splitlines()
    bookmarks, recipes, blog = (
        next(number for number, line in enumerate(lines) if line.startswith(f"  {name}: "))
        for name in ("bookmarks", "recipes", "blog")
    )
    assert bookmarks < recipes < blog


def test_its_parser_is_used(run: Run) -> None:
    done = run("-W", "error", "-c", PARSE)
    assert done.returncode == 0, done.stderr
    flan = {"title": "Flan", "steps": 1, "node": "desserts"}
    assert json.loads(done.stdout) == [flan, "recipes/1"]


def test_a_broken_package_is_a_warning_beside_it(
    run: Run, configuration: Path, tmp_path: Path
) -> None:
    broken = another_package(tmp_path / "more", "import nothing_of_that_name")
    checked = run("-m", "pubcellar", "check", "--config", str(configuration), paths=(broken,))
    assert checked.returncode == 0
    assert LISTED in checked.stdout.splitlines()
    [warning] = [line for line in checked.stdout.splitlines() if "another" in line]
    assert warning.startswith("warning: package another 3.1, entry point 'it' (another:register)")
    assert "No module named 'nothing_of_that_name'" in warning
    assert "repair, upgrade or uninstall another" in warning
    assert "Traceback" not in checked.stderr


def test_a_dictionary_with_callables_passes_the_check(
    run: Run, configuration: Path, tmp_path: Path
) -> None:
    paths = (another_package(tmp_path / "more", block("python", "def match_cb")),)
    checked = run("-m", "pubcellar", "check", "--config", str(configuration), paths=paths)
    listed = "  events: event, held (package another 3.1, entry point 'it')"
    assert listed in checked.stdout.splitlines()
    assert "warning: package" not in checked.stdout


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_name_that_is_taken_refuses_the_start_and_names_both(
    run: Run, configuration: Path, command: str
) -> None:
    table = "[[analyser]]\nname = 'Recipes'\ntype = 'a'\nnode = 'b'\n"
    configuration.write_text(f"{CONFIGURATION}{table}")
    refused = run("-m", "pubcellar", command, "--config", str(configuration))
    assert refused.returncode == 2, refused.stderr
    assert "an analyser named 'recipes' is registered already" in refused.stderr
    assert "[[analyser]] 1 and package pubcellar-recipes 1.0" in refused.stderr
    assert "give yours another name" in refused.stderr
    assert "Traceback" not in refused.stderr
