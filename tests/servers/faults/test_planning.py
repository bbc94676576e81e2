"""What a seed decides, and what is written down in the end."""

from collections import Counter
from itertools import pairwise

import pytest

from faults.faults import ALL_NAMES, SHOWING, SILENT
from faults.figures import Figures, tables
from faults.planning import planned

LIFE = len(ALL_NAMES) + 1
"""An event is dropped twice."""


@pytest.mark.parametrize("faults", [1, 12, LIFE, 3 * LIFE])
def test_plan_has_as_many_faults_as_asked_for(faults: int) -> None:
    names = [name for life in planned(1, faults) for episode in life for name in episode.names]
    assert len(names) == faults


def test_every_kind_of_fault_is_in_each_life() -> None:
    for life in planned(2, 2 * LIFE):
        counts = Counter(name for episode in life for name in episode.names)
        assert counts == {**dict.fromkeys(ALL_NAMES, 1), SILENT.name: 2}
        showing = {kind.name for kind in SHOWING}
        assert any(
            SILENT.name == one and other in showing
            for episode in life
            for one, other in pairwise(episode.names)
        )


def test_a_seed_decides_everything() -> None:
    assert planned(3, 2 * LIFE) == planned(3, 2 * LIFE)
    assert planned(3, 2 * LIFE) != planned(4, 2 * LIFE)


def test_figures_come_back_as_they_were_and_as_tables() -> None:
    figures = Figures("prosody, sqlite", 7, convergence_seconds=[1.0, 2.0, 6.0], changes=3)
    figures.faults["delayed"] += 4
    figures.verdicts["wrong"] += 1

    again = Figures.from_json(figures.as_json())

    assert again == figures
    lines = tables([again]).splitlines()
    assert "| fault | prosody, sqlite |" in lines
    assert "| delayed | 4 |" in lines
    assert "| wrong | 1 |" in lines
    assert "| seconds until it had, median | 2.0 |" in lines
