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
        ("postgresql:///name?host=/run/postgresql", "postgresql:///name?host=/run/postgresql"),
        ("postgresql://user:p%40ss@[::1]:5432/name", "postgresql://user:p%40ss@[::1]:5432/name"),
        ("postgresql://user@/name?host=a:1&host=b:2", "postgresql://user@/name?host=a:1&host=b:2"),
        ("postgresql://?service=cache", "postgresql://?service=cache"),
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
        ("postgresql:///?host=/run/postgresql", "lacks the database's name"),
        ("postgresql://user:a@b@host/name", "%40 for '@'"),
        ("postgresql://user:a/b@host/name", "%2F for '/'"),
        ("postgresql://user:a#b@host/name", "%23 for '#'"),
        ("postgresql://user@host:port/name", "port must be a number"),
        ("postgresql://user@one:1,other:2/name", "host=one:5432&host=other:5432"),
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
        ("postgresql://user@host/name?host=/run/p@q", "postgresql://***"),
        ("postgresql://user:12?hunter2@host/name", "postgresql://***"),
        ("postgresql://user:hunter2", "postgresql://user:***"),
        ("user:hunter2@host/name", "user:***@host/name"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize("password", ["hunter2@x", "hunter2/x", "hunter2#x", "hunter2?x", "x:y"])
def test_a_complaint_does_not_repeat_the_password(password: str) -> None:
    with pytest.raises(ValueError, match="write postgresql://") as caught:
        database_url(f"postgresql://user:{password}@host", ETC)
    assert password not in str(caught.value)
    assert "hunter2" not in str(caught.value)
