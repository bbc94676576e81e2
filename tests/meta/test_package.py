"""What holds for the package as a whole, and what others may build on."""

import ast
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import pubcellar

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "component" / "pubcellar"
FILES = sorted(PACKAGE.rglob("*.py"))

LONGEST_FILE = 400

EXPORTED = {
    "Analyser",
    "BareJID",
    "Conflict",
    "Item",
    "NodeKey",
    "PubsubCache",
    "__version__",
    "has_prefix",
}
"""What authors of analysers may import from `pubcellar`: adding is easy, removing breaks them."""


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def python(code: str) -> "subprocess.CompletedProcess[str]":
    """Run `code` in an interpreter of its own, whose warnings are errors too."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )


class TestImportableSurface:
    def test_it_is_one_list(self) -> None:
        assert set(pubcellar.__all__) == EXPORTED
        assert len(pubcellar.__all__) == len(EXPORTED)

    @pytest.mark.parametrize("exported", sorted(EXPORTED))
    def test_everything_on_it_can_be_imported(self, exported: str) -> None:
        result = python(f"from pubcellar import {exported}; print({exported})")
        assert result.returncode == 0, result.stderr

    def test_everything_on_it_is_the_same_as_where_it_lives(self) -> None:
        for exported, module in pubcellar._EXPORTS.items():
            assert getattr(pubcellar, exported) is getattr(import_module(module), exported)

    def test_a_star_import_gives_the_list(self) -> None:
        result = python(
            "before = set(globals())\nfrom pubcellar import *\n"
            "print(sorted(set(globals()) - before - {'before'}))"
        )
        assert ast.literal_eval(result.stdout) == sorted(EXPORTED), result.stderr

    def test_anything_else_is_an_attribute_error_that_names_it(self) -> None:
        with pytest.raises(AttributeError, match="nonsense"):
            pubcellar.nonsense  # noqa: B018

    @pytest.mark.parametrize("exported", sorted(EXPORTED - {"__version__"}))
    def test_the_guide_for_authors_of_analysers_names_it(self, exported: str) -> None:
        assert exported in (ROOT / "docs" / "analysers.md").read_text()

    def test_the_version_is_a_version(self) -> None:
        assert re.fullmatch(r"\d+\.\d+\.\d+", pubcellar.__version__)


class TestImports:
    @pytest.mark.parametrize(
        "module",
        ["pubcellar", "pubcellar.core", "pubcellar.analysers", "pubcellar.config", "pubcellar.cli"],
    )
    def test_importing_it_installs_no_reactor(self, module: str) -> None:
        result = python(
            f"import sys, {module}; import pubcellar; pubcellar.PubsubCache\n"
            "assert 'twisted.internet.reactor' not in sys.modules"
        )
        assert result.returncode == 0, result.stderr

    def test_importing_the_package_alone_loads_nothing_of_others(self) -> None:
        result = python(
            "import sys, pubcellar\n"
            "print([name for name in ('twisted', 'sqlalchemy', 'lxml', 'pydantic', 'wokkel') "
            "if name in sys.modules])"
        )
        assert result.stdout.strip() == "[]", result.stderr

    def test_importing_the_core_loads_the_standard_library_alone(self) -> None:
        result = python(
            "import sys; before = set(sys.modules)\n"
            "import pkgutil, importlib, pubcellar.core as core\n"
            "for each in pkgutil.iter_modules(core.__path__, 'pubcellar.core.'):\n"
            "    importlib.import_module(each.name)\n"
            "tops = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
            "print(sorted(tops - set(sys.stdlib_module_names)))"
        )
        assert result.stdout.strip() == "['pubcellar']", result.stderr

    def test_the_floors_are_kept(self) -> None:
        lint_imports = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
        assert lint_imports, "lint-imports is missing: pip install import-linter"
        result = subprocess.run(
            [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert result.returncode == 0, result.stdout
        assert " 0 broken" in result.stdout


class TestSource:
    @pytest.mark.parametrize("path", FILES, ids=name)
    def test_every_module_says_what_it_is_for(self, path: Path) -> None:
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        assert docstring
        assert docstring.splitlines()[0].endswith((".", ";", ",")), docstring.splitlines()[0]

    @pytest.mark.parametrize("path", FILES, ids=name)
    def test_no_module_is_longer_than_can_be_read_at_once(self, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= LONGEST_FILE

    @pytest.mark.parametrize("path", FILES, ids=name)
    def test_no_module_has_a_name_that_says_nothing(self, path: Path) -> None:
        assert path.stem not in {"utils", "util", "helpers", "helper", "manager", "base", "common"}

    def test_every_package_is_shipped(self) -> None:
        """setuptools takes the packages that pyproject.toml lists, and no other."""
        import tomllib

        listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
        found = {"pubcellar"} | {
            each.name for each in pkgutil.walk_packages([str(PACKAGE)], "pubcellar.") if each.ispkg
        }
        assert {each for each in listed["packages"] if ".migrations" not in each} == found

    @pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
    def test_ruff_finds_nothing_in_the_package(self, command: list[str]) -> None:
        """Among other things, that nothing prints outside the command line (T20)."""
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", str(PACKAGE)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stdout

    def test_only_the_command_line_may_print(self) -> None:
        """The rule that ruff holds is on, and only `cli` is exempt."""
        import tomllib

        lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
        assert "T20" in lint["select"]
        exempt = [path for path, rules in lint["per-file-ignores"].items() if "T20" in rules]
        assert [path for path in exempt if not path.startswith("tests")] == [
            "component/pubcellar/cli.py"
        ]


class TestSecret:
    @pytest.mark.parametrize("command", ["run", "check"])
    @pytest.mark.parametrize(
        "option",
        [
            ["--secret", "hunter2"],
            ["--secret=hunter2"],
            ["--password=hunter2"],
            ["-s", "hunter2"],
            ["--component-secret=hunter2"],
        ],
        ids=" ".join,
    )
    def test_it_cannot_be_given_on_the_command_line(self, command: str, option: list[str]) -> None:
        """A command line can be read by every user of the machine."""
        result = subprocess.run(
            [sys.executable, "-m", "pubcellar", command, "--config", "none.toml", *option],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 2
        assert "never from the command line" in result.stderr
        assert "hunter2" not in result.stderr + result.stdout

    @pytest.mark.parametrize("command", [[], ["run"], ["check"]], ids=["pubcellar", "run", "check"])
    def test_no_option_for_it_is_offered(self, command: list[str]) -> None:
        result = subprocess.run(
            [sys.executable, "-m", "pubcellar", *command, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0
        assert not re.search(r"^\s+-.*(secret|password)", result.stdout, re.MULTILINE)
