"""conf/pubcellar.toml and the settings hold the same keys with the same defaults."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from pubcellar.config import SECRET_VARIABLE, Settings, load_settings
from pubcellar.config.problems import tables

SAMPLE = Path(__file__).parents[2] / "conf" / "pubcellar.toml"

SWITCHED_OFF = re.compile(r"^#(?=[a-z_]+ = |\[)", re.MULTILINE)
"""What stands before a key, or a table, that the sample shows without setting it."""

KEYS = [(table, key) for table, model in tables().items() for key in model.model_fields]


def switched_on() -> str:
    return SWITCHED_OFF.sub("", SAMPLE.read_text())


def shown(table: str, key: str) -> Any:
    content = tomllib.loads(switched_on())[table]
    return (content[0] if isinstance(content, list) else content)[key]


def load(directory: Path, text: str) -> Settings:
    path = directory / "pubcellar.toml"
    path.write_text(text)
    return load_settings(path, {SECRET_VARIABLE: "x"})


def test_the_sample_is_right_once_there_is_a_secret() -> None:
    settings = load_settings(SAMPLE, {SECRET_VARIABLE: "x"})
    assert settings.component.jid == "cache.example.org"
    assert settings.warnings == ()


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_is_in_the_sample(table: str, key: str) -> None:
    shown(table, key)


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_in_the_sample_has_a_comment_above_it(table: str, key: str) -> None:
    lines = switched_on().splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(rf"\[+{table}\]+$", line)]
    (start,) = starts
    place = next(n for n, line in enumerate(lines[start:], start) if line.startswith(f"{key} = "))
    while not lines[place].startswith("# "):
        assert lines[place], f"{key} stands in a paragraph without a comment"
        place -= 1


def test_every_key_in_the_sample_is_known_and_has_a_value_that_is_right(tmp_path: Path) -> None:
    # Only one of the two may stand in a file.
    text = re.sub(r"(?m)^secret = .*$", "", switched_on())
    settings = load(tmp_path, text)
    assert [analyser.name for analyser in settings.analyser] == ["notes"]


def test_defaults_in_the_sample_are_those_of_the_settings(tmp_path: Path) -> None:
    everything = load(tmp_path, re.sub(r"(?m)^secret = .*$", "", switched_on()))
    compared = 0
    for table, key in KEYS:
        field = tables()[table].model_fields[key]
        if field.default in (PydanticUndefined, None):
            continue
        values = getattr(everything, table)
        value = getattr(values[0] if table == "analyser" else values, key)
        expected = (
            f"sqlite:///{tmp_path}/cache.db"
            if (table, key) == ("database", "url")
            else field.default
        )
        assert value == expected, f"[{table}] {key}"
        compared += 1
    assert compared >= 25


def test_the_url_of_the_sample_is_the_default_as_written() -> None:
    assert shown("database", "url") == tables()["database"].model_fields["url"].default


def test_both_secrets_are_shown_switched_off() -> None:
    component = tomllib.loads(SAMPLE.read_text())["component"]
    assert not component.keys() & {"secret", "secret_file"}
    assert shown("component", "secret")
    assert shown("component", "secret_file")
