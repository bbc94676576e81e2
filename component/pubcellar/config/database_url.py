"""The database's URL: accepted by its form, made absolute, and shown without its password."""

import re
from pathlib import Path

URL_FORM = "such as sqlite:///cache.db or postgresql://user@host/name"
SQLITE = "sqlite:///"
HIDDEN = "***"

_HOST_AND_PORT = re.compile(r"[^:/@]*(?::[0-9]+)?(?:/.*)?", re.DOTALL)
_POSTGRESQL = re.compile(
    r"postgresql://"
    r"(?:[^:/?#@]*(?::[^/?#@]*)?@)?"
    r"(?P<host>\[[^\]/?#@]*\]|[^:/?#@]*)(?::(?P<port>[^/?#@]*))?"
    r"(?:/(?P<name>[^/?#@]*))?"
    r"(?:\?(?P<parameters>[^#]*))?"
)


def database_url(text: str, directory: Path | None) -> str:
    """Return the URL, with a relative SQLite path made absolute from `directory`.

    Raises:
        ValueError: it is none that we know; says what is wrong, never with the password.
    """
    if text.startswith(SQLITE):
        return SQLITE + _sqlite_path(text.removeprefix(SQLITE), directory)
    if text.startswith("postgresql://"):
        _require_postgresql(text)
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


def has_password(url: str) -> bool:
    """Tell whether the URL holds a password, before the host or among its parameters."""
    return f":{HIDDEN}" in without_password(url) or "password=" in url.partition("?")[2]


def without_password(url: str) -> str:
    """Return the URL as it may be shown: no password, and no parameters, which can hold one.

    It may be malformed; then rather too much is left out.
    """
    scheme, separator, rest = url.rpartition("://")
    if scheme.startswith("sqlite"):
        return url
    rest, question_mark, parameters = rest.partition("?")
    if "@" in parameters:
        # The question mark may belong to the password.
        return f"{scheme}{separator}{HIDDEN}"
    credentials, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = credentials.partition(":")
        rest = f"{user}:{HIDDEN}@{place}" if colon else rest
    elif not _HOST_AND_PORT.fullmatch(rest):
        rest = f"{rest.partition(':')[0]}:{HIDDEN}"
    return scheme + separator + rest + (f"?{HIDDEN}" if question_mark else "")


def _require_postgresql(text: str) -> None:
    """Raise ValueError unless SQLAlchemy will read the URL as its author meant it."""
    parts = _POSTGRESQL.fullmatch(text)
    if parts is None:
        raise ValueError(
            "cannot be read: write postgresql://user:password@host/name, and in the password %40 "
            "for '@', %2F for '/', %3A for ':', %3F for '?', %23 for '#' and %25 for '%'"
        )
    if parts["port"] and not (parts["port"].isascii() and parts["port"].isdigit()):
        # Without what stands there, which may be a password.
        raise ValueError(
            "its port must be a number: write postgresql://user@host:5432/name; several hosts are "
            "parameters, postgresql://user@/name?host=one:5432&host=other:5432"
        )
    names_a_service = "service=" in (parts["parameters"] or "")
    if not parts["name"] and not names_a_service:
        raise ValueError("lacks the database's name: write postgresql://user@host/name")


def _sqlite_path(path: str, directory: Path | None) -> str:
    if path in ("", ":memory:"):
        raise ValueError("must name a file: a cache in memory alone would be empty at every start")
    absolute = path if directory is None else str(directory / path)
    # SQLAlchemy reads these two differently from one version to the next.
    if "?" in absolute or "%" in absolute:
        raise ValueError(f"its path must hold no '?' and no '%', and is {absolute!r}")
    return absolute
