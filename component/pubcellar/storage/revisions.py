"""The revisions that this version knows, in their order, with what they say of themselves."""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.errors import NoSuchRevision, StoreUnavailable

MIGRATIONS_PACKAGE = "pubcellar.migrations"

BASE = "base"
HEAD = "head"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision.

    Attributes:
        number: its name, such as `0001`.
        below: the one that it builds on, or None for the first.
        what: the first line of its docstring.
        duration: what it says of locks and duration; empty where it says nothing.
    """

    number: str
    below: str | None
    what: str
    duration: str

    def __str__(self) -> str:
        return f"{self.number} ({self.what.removesuffix('.')})"


class Revisions:
    """All revisions of the migrations in a directory, which is read once.

    Raises:
        ValueError: they do not form one line.
    """

    def __init__(self, directory: Path) -> None:
        scripts = list(ScriptDirectory(str(directory)).walk_revisions())
        self.all = tuple(_revision(script) for script in reversed(scripts))
        """From the first to the head."""
        below = (None, *(revision.number for revision in self.all[:-1]))
        if not self.all or tuple(revision.below for revision in self.all) != below:
            raise ValueError(f"the migrations in {directory} must follow one another in one line")

    @property
    def head(self) -> str:
        """The newest revision."""
        return self.all[-1].number

    def is_known(self, number: str) -> bool:
        """Tell whether this version has that revision."""
        return any(revision.number == number for revision in self.all)

    def above(self, number: str | None, target: str = HEAD) -> tuple[Revision, ...]:
        """Return what leads from a revision, None for an empty database, up to `target`.

        Raises:
            NoSuchRevision: `target` is no revision, or lies below.
        """
        start, end = self._place(number), self._end(target)
        if end < start:
            raise NoSuchRevision(
                f"{target} lies below {number}, where the database is: use 'pubcellar db downgrade'"
            )
        return self.all[start:end]

    def below(self, number: str | None, target: str) -> tuple[Revision, ...]:
        """Return what is to be taken back to come down to `target`, in the order to do so.

        Args:
            number: where the database is; None is empty.
            target: a revision, `base`, or `-1` for the one below, `-2` for the next, and so on.

        Raises:
            NoSuchRevision: `target` is none of these, or lies above.
        """
        start = self._place(number)
        if re.fullmatch(r"-[0-9]+", target):
            end = start + int(target)
            if end < 0:
                raise NoSuchRevision(f"{target}: there are only {start} revisions below")
        else:
            end = self._end(target)
        if end > start:
            raise NoSuchRevision(
                f"{target} lies above {number or BASE}, where the database is: use 'pubcellar db"
                " upgrade'"
            )
        return self.all[end:start][::-1]

    def _place(self, number: str | None) -> int:
        """Return how many revisions there are up to one."""
        if number is None:
            return 0
        return [revision.number for revision in self.all].index(number) + 1

    def _end(self, target: str) -> int:
        if target in (BASE, HEAD):
            return 0 if target == BASE else len(self.all)
        if not self.is_known(target):
            known = ", ".join(revision.number for revision in self.all)
            raise NoSuchRevision(f"there is no revision {target}: this version knows {known}")
        return self._place(target)


def migrations_directory() -> Path:
    """Return where the migrations are, in a checkout or in an installed wheel."""
    return Path(str(resources.files(MIGRATIONS_PACKAGE)))


def known_revisions() -> Revisions:
    """Return the revisions that this version is shipped with."""
    return Revisions(migrations_directory())


@cache
def head_shipped() -> str:
    """Return the revision that this version works with."""
    return known_revisions().head


def not_at_head(found: str) -> StoreUnavailable:
    """Return what to raise where a database in use is not at that revision any more."""
    return StoreUnavailable(
        f"the cache's database is at revision {found} now, and this version of Pubcellar works with"
        f" {head_shipped()}; stop it, and start the version that the database is for"
    )


async def schema_at_head(connection: AsyncConnection) -> str:
    """Return what changes whenever somebody migrates the database, if only down and up again.

    Raises:
        StoreUnavailable: it is not at the revision that this version works with.
        DBAPIError: likewise, so that there is no table of versions.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    stamp = "''" if is_sqlite else "xmin::text"
    query = f"SELECT version_num, {stamp} AS stamp FROM alembic_version"
    rows = (await connection.exec_driver_sql(query)).all()
    found = ", ".join(row.version_num for row in rows)
    if found != head_shipped():
        raise not_at_head(found or BASE)
    if is_sqlite:
        return str((await connection.exec_driver_sql("PRAGMA schema_version")).scalar_one())
    return str(rows[0].stamp)


def _revision(script: Script) -> Revision:
    text = script.longdoc or ""
    found = re.search(r"^Locks and duration:(.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)
    below = script.down_revision
    assert below is None or isinstance(below, str), f"{script.path} merges"
    return Revision(
        number=script.revision,
        below=below,
        what=text.partition("\n")[0].strip(),
        duration=" ".join(found[1].split()) if found else "",
    )
