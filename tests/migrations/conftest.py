"""Databases in every standing, for the tests of the migrations."""

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"
