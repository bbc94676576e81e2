"""What a run has counted, as JSON and as tables for docs/reliability.md."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Any

from faults.faults import ALL_NAMES
from faults.judging import Verdict

NAME = "faults"
"""Under which a test hands its figures on."""


@dataclass
class Figures:
    """The counts of one run.

    Attributes:
        place: the server and the database.
        seed: what the plan was drawn from.
        faults: how many there were of each kind.
        verdicts: what the reads have come to.
        changes: how often the nodes were changed meanwhile.
        convergence_seconds: how long after the last fault of each episode, and the proxy being
            connected again, the cache answered every question about every node, and rightly.
    """

    place: str
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    convergence_seconds: list[float] = field(default_factory=list)

    def write(self, directory: Path) -> None:
        """Write them to a file named after the place."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.place}.json").write_text(self.as_json() + "\n")

    def as_json(self) -> str:
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> "Figures":
        known: dict[str, Any] = json.loads(text)
        known["faults"] = Counter(known["faults"])
        known["verdicts"] = Counter(known["verdicts"])
        return cls(**known)


def tables(runs: Iterable[Figures]) -> str:
    """Return the figures as tables in Markdown."""
    columns = sorted(runs, key=lambda run: run.place)
    heads = [run.place for run in columns]
    faults = [(name, [str(run.faults[name]) for run in columns]) for name in ALL_NAMES]
    faults.append(("all", [str(run.faults.total()) for run in columns]))
    reads = [(str(each), [str(run.verdicts[each]) for run in columns]) for each in Verdict]
    reads.append(("all", [str(run.verdicts.total()) for run in columns]))
    rest = [
        ("seed", [str(run.seed) for run in columns]),
        ("changes at the service", [str(run.changes) for run in columns]),
        ("times the cache had to converge", [_number(run) for run in columns]),
        ("seconds until it had, median", [_seconds(run, median) for run in columns]),
        ("seconds until it had, longest", [_seconds(run, max) for run in columns]),
    ]
    return "\n\n".join(
        (
            _table("fault", heads, faults),
            _table("reads", heads, reads),
            _table("convergence", heads, rest),
        )
    )


def _number(run: Figures) -> str:
    return str(len(run.convergence_seconds))


def _seconds(run: Figures, measure: Any) -> str:
    return f"{measure(run.convergence_seconds):.1f}" if run.convergence_seconds else "-"


def _table(head: str, heads: list[str], rows: list[tuple[str, list[str]]]) -> str:
    lines = [f"| {head} | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join(lines)
