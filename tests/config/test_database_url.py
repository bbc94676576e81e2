from pathlib import Path

import pytest

from pubcellar.config.database_url import database_url, without_password

ETC = Path("/etc/pubcellar")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("sqlite:///cache.db", "sqlite:////etc/pubcellar/cache.db"),
        ("sqlite:///../cache.db", "sqlite:////etc/pubcellar/../cache.db"),
        ("sqlite:////var/lib/cache.db", "sqlite:////var/lib/cache.db"),
        ("postgresql://user@host/name", "postgresql://user@host/name"),
        ("postgresql:///name", "postgresql:///name"),
    ],
)
def test_a_relative_path_starts_from_the_directory_of_the_file(text: str, url: str) -> None:
    assert database_url(text, ETC) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be the URL of a database"),
        ("cache.db", "must be the URL of a database"),
        ("mysql://user@host/name", "must be the URL of a database"),
        ("sqlite://cache.db", "with three slashes"),
        ("sqlite+aiosqlite:///cache.db", "the driver is chosen"),
        ("postgres://user@host/name", "write postgresql://"),
        ("postgresql+asyncpg://user@host/name", "the driver is chosen"),
        ("postgresql://user@host", "lacks the database's name"),
        ("postgresql://user@host/", "lacks the database's name"),
        ("sqlite:///", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///cache.db?mode=ro", r"no '\?'"),
        ("sqlite:///100%.db", "no '%'"),
    ],
)
def test_what_is_no_database_of_ours_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        database_url(text, ETC)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/lib/cache.db", "sqlite:////var/lib/cache.db"),
        ("postgresql://user@host/name", "postgresql://user@host/name"),
        ("postgresql://host:5432/name", "postgresql://host:5432/name"),
        ("postgresql://user:hunter2@host/name", "postgresql://user:***@host/name"),
        ("postgresql://user:hunter2@@:/x@host/name", "postgresql://user:***@host/name"),
        ("postgresql://user@host/name?password=hunter2", "postgresql://user@host/name?***"),
        ("postgresql://user:hunter2", "postgresql://user:***"),
        ("user:hunter2@host/name", "user:***@host/name"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
