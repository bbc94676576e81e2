"""The database's URL: accepted by its form, made absolute, and shown without its password."""

import re
from pathlib import Path

URL_FORM = "such as sqlite:///cache.db or postgresql://user@host/name"
SQLITE = "sqlite:///"

_HOST_AND_PORT = re.compile(r"[^:/@]*(?::[0-9]+)?(?:/.*)?", re.DOTALL)
_POSTGRESQL = re.compile(r"postgresql://(?:[^/?#]*)/[^/?#]+(?:\?.*)?")


def database_url(text: str, directory: Path | None) -> str:
    """Return the URL, with a relative SQLite path made absolute from `directory`.

    Raises:
        ValueError: it is none that we know; says what is wrong, never with the password.
    """
    if text.startswith(SQLITE):
        return SQLITE + _sqlite_path(text.removeprefix(SQLITE), directory)
    if text.startswith("postgresql://"):
        if not _POSTGRESQL.fullmatch(text):
            raise ValueError("lacks the database's name: write postgresql://user@host/name")
        return text
    scheme = text.partition(":")[0]
    if scheme in ("postgres", "postgresql") or scheme.startswith("postgresql+"):
        raise ValueError("write postgresql://user@host/name: the driver is chosen by this program")
    if scheme == "sqlite" or scheme.startswith("sqlite+"):
        raise ValueError(
            "write sqlite:///cache.db, with three slashes, or sqlite:////var/lib/cache.db, with "
            "four, for an absolute path: the driver is chosen by this program"
        )
    raise ValueError(f"must be the URL of a database, {URL_FORM}")


def without_password(url: str) -> str:
    """Return the URL as it may be shown: no password, and no parameters, which can hold one.

    It may be malformed; then rather too much is left out.
    """
    scheme, separator, rest = url.rpartition("://")
    if scheme.startswith("sqlite"):
        return url
    rest, question_mark, _ = rest.partition("?")
    credentials, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = credentials.partition(":")
        rest = f"{user}:***@{place}" if colon else rest
    elif not _HOST_AND_PORT.fullmatch(rest):
        rest = f"{rest.partition(':')[0]}:***"
    return scheme + separator + rest + ("?***" if question_mark else "")


def _sqlite_path(path: str, directory: Path | None) -> str:
    if path in ("", ":memory:"):
        raise ValueError("must name a file: a cache in memory alone would be empty at every start")
    absolute = path if directory is None else str(directory / path)
    # SQLAlchemy reads these two differently from one version to the next.
    if "?" in absolute or "%" in absolute:
        raise ValueError(f"its path must hold no '?' and no '%', and is {absolute!r}")
    return absolute
