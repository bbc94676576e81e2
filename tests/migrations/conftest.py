"""Databases in every state, for the tests of the migrations."""

from pathlib import Path

import pytest
from places import Newer, Place

from pubcellar.storage import revisions


@pytest.fixture
def place(database_url: str) -> Place:
    """Return an empty database, of each kind that there is."""
    return Place(database_url)


@pytest.fixture
def file(sqlite_url: str) -> Place:
    """Return an SQLite database of which there is no file yet."""
    return Place(sqlite_url)


@pytest.fixture
def newer(tmp_path_factory: pytest.TempPathFactory) -> Newer:
    """Return migrations that a test can add to."""
    return Newer(tmp_path_factory.mktemp("newer") / "migrations")


@pytest.fixture
def upgraded(newer: Newer, monkeypatch: pytest.MonkeyPatch) -> Newer:
    """Return migrations that a test can add to, and that this version has from now on."""
    directory: Path = newer.directory
    monkeypatch.setattr(revisions, "migrations_directory", lambda: directory)
    return newer
