"""docs/coherence.md, which operators rely on, names settings as they are, with their defaults."""

import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "coherence.md"
SAMPLE = Path(__file__).parents[2] / "conf" / "pubcellar.toml"

WITH_DEFAULT = re.compile(r"`(?:\[\w+\] )?(\w+)`((?:,\s+`\w+`)*) \((\w+)\)")
"""Settings, perhaps several of the same default, and that default in parentheses."""


def documented() -> list[tuple[str, str]]:
    """Return settings and their defaults, as the document has them."""
    found = []
    for first, others, default in WITH_DEFAULT.findall(DOCUMENT.read_text()):
        found += [(name, default) for name in (first, *re.findall(r"`(\w+)`", others))]
    return found


def shown(name: str) -> str:
    """Return what stands in the sample, whose defaults another test holds."""
    lines = re.findall(rf"(?m)^#?{name} = (.+)$", SAMPLE.read_text())
    return str(lines[0]).strip('"') if lines else "not there"


def test_it_names_the_settings_that_bound_something() -> None:
    assert {name for name, _ in documented()} >= {
        "access_verify_every",
        "max_age",
        "max_stale",
        "remember_forbidden",
        "service_max_age",
        "suspend_after",
        "timeout",
        "verify_every",
    }


@pytest.mark.parametrize(("name", "default"), sorted(set(documented())))
def test_defaults_are_those_of_the_settings(name: str, default: str) -> None:
    assert shown(name) == default


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(max_\w+)`", DOCUMENT.read_text()))))
def test_every_limit_is_a_setting(name: str) -> None:
    assert shown(name) != "not there"
