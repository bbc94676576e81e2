"""Prints what the runs have counted, as docs/reliability.md shows it, wherever they have run."""

import pytest

from faults.figures import NAME, Figures, tables


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    runs = [
        Figures.from_json(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == NAME
    ]
    if runs:
        terminalreporter.section("faults injected, and what came of them")
        terminalreporter.write_line(tables(runs))
