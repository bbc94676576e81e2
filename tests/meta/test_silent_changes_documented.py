"""docs/servers.md and tests/silent_changes.py hold the same silent changes."""

import re
from collections.abc import Iterator
from pathlib import Path

from silent_changes import CHANGES, NOT_CHANGES

DOCUMENT = Path(__file__).parents[2] / "docs" / "servers.md"

ROW = re.compile(r"^\| `((?:event|subscription|personal)-\d+)` \| [^|]* \|(.*)\|$")
SILENT = re.compile(r"\b(nothing|alone|none|gone|lost|run together)\b|`<item id[^>]*/>`|, empty")
"""What is written in the cell of a server that does not tell, or not all."""


def rows() -> Iterator[tuple[str, bool]]:
    """Yield each row about what is told to subscribers, and whether a server is silent."""
    for line in DOCUMENT.read_text().splitlines():
        found = ROW.match(line)
        if found:
            yield found[1], bool(SILENT.search(found[2]))


CITED = {row for change in CHANGES for row in change.rows}


def test_every_silent_row_is_among_the_changes() -> None:
    silent = {row for row, is_silent in rows() if is_silent}
    assert len(silent) > 20
    assert sorted(silent - CITED - NOT_CHANGES.keys()) == []


def test_every_row_of_a_change_is_there() -> None:
    known = {row for row, _ in rows()}
    assert sorted((CITED | NOT_CHANGES.keys()) - known) == []


def test_what_is_left_out_is_silent_and_in_no_change() -> None:
    silent = {row for row, is_silent in rows() if is_silent}
    assert sorted(NOT_CHANGES.keys() - silent) == []
    assert sorted(NOT_CHANGES.keys() & CITED) == []


def test_changes_have_names_of_their_own() -> None:
    names = [change.name for change in CHANGES]
    assert len(set(names)) == len(names)
