"""Configurations to load: `load` takes what differs from the smallest one that is right."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pubcellar.config import SECRET_VARIABLE, Settings, load_settings
from pubcellar.core.errors import ConfigError

SECRET = "correct-horse-battery"

COMPONENT = 'jid = "cache.example.org"\nserver = "tcp:127.0.0.1:5347"\n'
UPSTREAM = 'allow = ["pubsub.example.org"]\n'

Load = Callable[..., Settings]
Problems = Callable[..., tuple[str, ...]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a configuration, and returns its path.

    `component` and `upstream` replace those tables; `more` is added to them after their tables.
    """

    def write(more: str = "", *, component: str = COMPONENT, upstream: str = UPSTREAM) -> Path:
        path = tmp_path / "pubcellar.toml"
        path.write_text(f"[component]\n{component}\n[upstream]\n{upstream}\n{more}\n")
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def load(write: Callable[..., Path]) -> Load:
    """Return a function that loads such a configuration, with a secret in the environment."""

    def load(
        more: str = "", *, environ: Mapping[str, str] | None = None, **tables: str
    ) -> Settings:
        environ = {SECRET_VARIABLE: SECRET} if environ is None else environ
        return load_settings(write(more, **tables), environ)

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """Return a function that loads a configuration that is wrong, and returns its problems."""

    def problems(*arguments: str, **keywords: object) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            load(*arguments, **keywords)
        assert caught.value.__context__ is None, "pydantic's error, which holds the values, is kept"
        return caught.value.problems

    return problems
