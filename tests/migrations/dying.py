"""Kills a migration at each of its steps in turn, and sees what is left; the last one must end.

Run as `python dying.py SCENARIO URL MIGRATIONS`, where the migrations are a later version's. Prints
the steps, one on each line; what is not as it must be is an AssertionError.

A step is a statement that changes something, a commit, or what is done to a file; each migration
is a process of its own, forked from this one, and ends by SIGKILL just before its step.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from places import ITEM, ROWS, Place
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

from pubcellar.storage import (
    Standing,
    database_state,
    downgrade_database,
    prepare_database,
    revisions,
    upgrade_database,
)

READING = ("SELECT", "PRAGMA", "SHOW")

FOREVER = 1_000_000

COPIED = {"create": None, "upgrade": "0003", "downgrade": "0005"}
"""The revision of which there is a copy."""


class Steps:
    """Counts the steps of this process, and kills it before one of them."""

    def __init__(self, fatal: int, report: int) -> None:
        self._left = fatal
        self._report = report

    def install(self) -> None:
        event.listen(Engine, "before_cursor_execute", self._statement)
        for owner, name in (
            (DefaultDialect, "do_commit"),
            (Path, "touch"),
            (os, "open"),
            (os, "fsync"),
            (os, "replace"),
            (Path, "unlink"),
        ):
            self._wrap(owner, name)

    def _wrap(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._step(name)
            result = original(*args, **kwargs)
            if name == "do_commit":
                self._step("after the commit")
            return result

        setattr(owner, name, wrapped)

    def _statement(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.lstrip().upper().startswith(READING) or "journal_mode" in statement:
            self._step(" ".join(statement.split())[:60])

    def _step(self, name: str) -> None:
        self._left -= 1
        if self._left == 0:
            os.write(self._report, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)


Migration = Callable[[], Coroutine[Any, Any, Any]]


def die(migration: Migration, fatal: int) -> str | None:
    """Run the migration in a process that dies before a step; return which, or None at the end."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            Steps(fatal, write).install()
            asyncio.run(migration())
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as pipe:
        step = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return step
    assert os.waitstatus_to_exitcode(status) == 0
    return None


def reset(place: Place) -> None:
    """Make the database one in which nothing has ever been."""
    if place.kind == "sqlite":
        for path in place.path.parent.glob("cache.db*"):
            path.unlink()
    else:
        place.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def set_up(scenario: str, place: Place) -> None:
    reset(place)
    if scenario == "create":
        return
    asyncio.run(upgrade_database(place.url, "0003"))
    place.execute(*ROWS, *(ITEM.format(number) for number in range(10, 30)))
    if scenario == "downgrade":
        asyncio.run(upgrade_database(place.url))


def state(place: Place) -> tuple[Standing, object]:
    standing = asyncio.run(database_state(place.url, read_all=True)).standing
    is_there = place.kind != "sqlite" or place.path.exists()
    return standing, place.contents() if is_there else {}


def main(scenario: str, url: str, migrations: str) -> None:
    revisions.migrations_directory = lambda: Path(migrations)
    place = Place(url)

    def migration() -> Coroutine[Any, Any, Any]:
        if scenario == "downgrade":
            return downgrade_database(url, "0003")
        return prepare_database(url)

    set_up(scenario, place)
    before = state(place)
    assert die(migration, FOREVER) is None
    after = state(place)
    assert before != after
    set_up(scenario, place)
    for fatal in range(1, FOREVER):
        # What the last one left is what this one begins with.
        step = die(migration, fatal)
        left = state(place)
        if step is None:
            assert left == after
            break
        print(step, flush=True)
        assert left in (before, after), f"killed before {step!r}: {left}"
        copy = Place(f"{url}.{COPIED[scenario]}.backup")
        if place.kind == "sqlite" and copy.path.exists():
            assert copy.contents() == before[1], f"half a copy, killed before {step!r}"
        if left == after:
            asyncio.run(migration())
            assert state(place) == after, f"killed before {step!r}, and could not go on"
            set_up(scenario, place)
    if place.kind == "sqlite":
        assert not list(place.path.parent.glob("*.part*"))


if __name__ == "__main__":
    main(*sys.argv[1:])
