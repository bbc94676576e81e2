"""docs/security.md and the tests of threats name each other."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "security.md"
ROW = re.compile(r"(?m)^\| (\d+) \|.*\| ([^|]+) \|$")
NAMED = re.compile(r"def test_threats?_(\d+(?:_(?:and_)?\d+)*)_")

DOCUMENTED = {
    int(number): re.findall(r"`([^`]+)`", files)
    for number, files in ROW.findall(DOCUMENT.read_text())
}


def numbers_in(path: Path) -> set[int]:
    """Return the numbers in the names of a file's tests."""
    return {
        int(one) for found in NAMED.findall(path.read_text()) for one in re.findall(r"\d+", found)
    }


def test_every_threat_has_a_row() -> None:
    assert sorted(DOCUMENTED) == list(range(1, 19))


@pytest.mark.parametrize(
    ("number", "file"), [(number, file) for number, files in DOCUMENTED.items() for file in files]
)
def test_every_file_of_a_row_has_a_test_of_that_threat(number: int, file: str) -> None:
    assert number in numbers_in(TESTS / file)


@pytest.mark.parametrize("number", DOCUMENTED)
def test_every_row_has_a_test(number: int) -> None:
    assert DOCUMENTED[number]


def test_every_file_with_a_test_of_a_threat_is_named() -> None:
    missing = {
        (number, str(path.relative_to(TESTS)))
        for path in TESTS.rglob("test_*.py")
        for number in numbers_in(path)
        if str(path.relative_to(TESTS)) not in DOCUMENTED[number]
    }
    assert not missing
