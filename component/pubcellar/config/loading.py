"""Reads a configuration file, and returns settings or everything that is wrong with it."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pubcellar.config.advice import advice
from pubcellar.config.between_tables import problems_between_tables
from pubcellar.config.database_url import has_password
from pubcellar.config.problems import problems_of, tables
from pubcellar.config.secret import OTHERS_MAY_READ, FoundSecret, find_secret, shown_to_others
from pubcellar.config.settings import Document, Settings
from pubcellar.core.errors import ConfigError


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings that the file and the environment give.

    Args:
        path: the TOML file; relative paths in it start from its directory.
        environ: the environment variables, of which those that `secret` names are read.

    Raises:
        ConfigError: the file cannot be read, or is wrong; lists everything that is.
    """
    raw = _parsed(path)
    table = raw.get("component", {})
    # A table that is no table has no secret either, and one problem is enough.
    found = find_secret(table, environ, path) if isinstance(table, dict) else FoundSecret()
    checked = _checked(raw, path, found)
    problems = checked if isinstance(checked, tuple) else ()
    problems = (*found.problems, *problems, *problems_between_tables(raw))
    # Raised here and not where pydantic's error was caught: that one holds the values.
    if problems or not isinstance(checked, Document):
        raise ConfigError(str(path), problems)
    return Settings.model_construct(
        **dict(checked),
        source=path.absolute(),
        secret_source=found.source,
        warnings=(*found.warnings, *_shown_password(path, checked), *advice(checked)),
    )


def _shown_password(path: Path, document: Document) -> Iterator[str]:
    """Yield a warning if the database's password is for everybody to read."""
    mode = path.stat().st_mode
    if has_password(document.database.url) and mode & OTHERS_MAY_READ:
        yield shown_to_others(path, mode, "the password of the database")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        # Some editors begin a file with a byte order mark.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = f"line {line} is not UTF-8: save the file as UTF-8"
    except FileNotFoundError:
        problem = "there is no such file: name the configuration with --config FILE"
    except IsADirectoryError:
        problem = "is a directory: name the file in it with --config FILE"
    except PermissionError:
        problem = "may not be read: give the user that runs this the right to"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    else:
        return _document(path, text)
    raise ConfigError(str(path), (problem,))


def _document(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problem = f"is not TOML: {error}; look there for a quote or a bracket too few"
    raise ConfigError(str(path), (problem,))


def _checked(raw: Mapping[str, Any], path: Path, found: FoundSecret) -> Document | tuple[str, ...]:
    """Return the file's settings, or all that pydantic finds wrong with them."""
    document: dict[str, Any] = {name: {} for name in tables() if name != "analyser"} | dict(raw)
    component = document["component"]
    if isinstance(component, dict) and isinstance(component.get("secret", ""), str):
        document["component"] = component | {"secret": found.value}
    try:
        return Document.model_validate(document, context={"directory": path.absolute().parent})
    except ValidationError as error:
        return tuple(problems_of(error))
