"""docs/servers.md and the observations of the servers hold the same rows."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "servers.md"
OBSERVATIONS = sorted((ROOT / "tests" / "servers" / "observations").glob("test_*.py"))

ROW = re.compile(r"^\| `([a-z-]+-\d+)` \|")
REASON = "why there is no test"


def documented() -> Iterator[tuple[str, bool]]:
    """Yield each row's identifier, and whether its table says that there is a test."""
    header = ""
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("| row |"):
            header = line
        found = ROW.match(line)
        if found:
            yield found[1], REASON not in header


def observations() -> Iterator[tuple[str, str | None]]:
    """Yield each test of the observations, and the row it cites."""
    for path in OBSERVATIONS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                if node.name.startswith("test_"):
                    yield f"{path.name}::{node.name}", cited(node)


def cited(function: ast.AsyncFunctionDef | ast.FunctionDef) -> str | None:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith(".observed"):
            row: str = ast.literal_eval(decorator.args[0])
            return row
    return None


CITED = Counter(row for _, row in observations() if row is not None)
DOCUMENTED = list(documented())


def test_there_are_rows_and_tests() -> None:
    assert len(DOCUMENTED) > 100
    assert len(CITED) > 100


def test_every_identifier_is_used_for_one_row_alone() -> None:
    times = Counter(row for row, _ in DOCUMENTED)
    assert [row for row, number in times.items() if number > 1] == []


@pytest.mark.parametrize("row", [row for row, is_tested in DOCUMENTED if is_tested])
def test_every_row_has_a_test(row: str) -> None:
    assert CITED[row] >= 1


@pytest.mark.parametrize("row", [row for row, is_tested in DOCUMENTED if not is_tested])
def test_no_row_that_is_said_to_have_no_test_has_one(row: str) -> None:
    assert CITED[row] == 0


def test_every_row_that_is_tested_is_documented() -> None:
    assert sorted(CITED.keys() - {row for row, _ in DOCUMENTED}) == []


def test_every_test_cites_a_row() -> None:
    assert [name for name, row in observations() if row is None] == []


def test_every_row_without_a_test_says_why() -> None:
    reasonless = [
        line
        for line in DOCUMENT.read_text().splitlines()
        if (found := ROW.match(line))
        and not dict(DOCUMENTED)[found[1]]
        and not line.rstrip(" |").rpartition("|")[2].strip()
    ]
    assert reasonless == []
