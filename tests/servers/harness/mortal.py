"""Pubcellar, as `python -m pubcellar`, but ended by SIGKILL at one moment of its life.

Run as `python -P mortal.py DIARY POINT ARGUMENTS`. What it passes is counted by kind: statements,
commits, and, as they are written to its stream, requests in its own name and writes in its users'.
POINT is such as `before-commit-of-update-pubsub_node-7`. Counting goes on where the last run, with
the same DIARY, ended orderly.
"""

import atexit
import json
import os
import re
import runpy
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
from twisted.internet.tcp import Connection

CHANGE = re.compile(r"(INSERT|UPDATE|DELETE)(?: INTO| FROM)? (\w+)")

OWN_REQUEST = re.compile(
    rb'<iq type="[gs]et" id="[^"]*" from="[^"@]*"[^>]*>'
    rb"(?:<pubsub[^>]*><|<query [^>]*disco#)(\w+)"
)

ALIAS_WRITE = re.compile(rb'<iq type="set" id="[^"]*" from="[^"@]*@[^"]*"[^>]*><pubsub[^>]*><(\w+)')

READ, BEGIN, OTHER = "select", "begin", "other"
"""Statements that change nothing of ours; the last are those of migrations and settings."""

SHOWN = 200
"""Characters of what was under way that are worth writing down."""


class Life:
    """Counts what is passed, and ends the process at its point."""

    def __init__(self, diary: Path, point: str) -> None:
        self._diary = diary
        self._point = point
        self._passed: Counter[str] = Counter()
        if diary.exists():
            self._passed.update(json.loads(diary.read_text())["passed"])
        self._statements: dict[int, int] = {}
        self._last_change = "nothing"

    def begin(self) -> None:
        event.listen(Engine, "before_cursor_execute", self._statement_begins)
        event.listen(Engine, "after_cursor_execute", self._statement_ends)
        self._wrap(DefaultDialect, "do_commit", lambda _: f"commit-of-{self._last_change}")
        self._wrap(Connection, "writeSomeData", kind_of_write)
        atexit.register(self._write_down, None)

    def _wrap(self, owner: Any, name: str, kind_of: Callable[[Any], str | None]) -> None:
        original = getattr(owner, name)

        def wrapped(this: Any, argument: Any) -> Any:
            kind = kind_of(argument)
            if kind is None:
                return original(this, argument)
            number = self._begins(kind, argument)
            result = original(this, argument)
            self._ends(kind, number, argument)
            return result

        setattr(owner, name, wrapped)

    def _statement_begins(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        kind = kind_of(statement)
        if kind not in (READ, BEGIN, OTHER):
            self._last_change = kind
        # Some are under way at the same time.
        self._statements[id(cursor)] = self._begins(kind, statement)

    def _statement_ends(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self._ends(kind_of(statement), self._statements.pop(id(cursor)), statement)

    def _begins(self, kind: str, what: Any) -> int:
        self._passed[kind] += 1
        self._perhaps_die("before", kind, self._passed[kind], what)
        return self._passed[kind]

    def _ends(self, kind: str, number: int, what: Any) -> None:
        self._perhaps_die("after", kind, number, what)

    def _perhaps_die(self, when: str, kind: str, number: int, what: Any) -> None:
        if self._point == f"{when}-{kind}-{number}":
            text = what.decode(errors="replace") if isinstance(what, bytes) else str(what)
            self._write_down(f"killed {self._point}: {' '.join(text.split())[:SHOWN]}")
            os.kill(os.getpid(), signal.SIGKILL)

    def _write_down(self, death: str | None) -> None:
        part = self._diary.with_suffix(".part")
        part.write_text(json.dumps({"passed": self._passed, "death": death}))
        part.replace(self._diary)


def kind_of(statement: str) -> str:
    if statement.lstrip().startswith("SELECT"):
        return READ
    change = CHANGE.match(statement)
    if statement.startswith("BEGIN"):
        return BEGIN
    if change is None or not change[2].startswith("pubsub_"):
        return OTHER
    return f"{change[1].lower()}-{change[2]}"


def kind_of_write(data: bytes) -> str | None:
    # What is written at the same time goes out at once: of two the one that is less often.
    write = ALIAS_WRITE.search(data)
    if write is not None:
        return f"write-{write[1].decode()}"
    request = OWN_REQUEST.search(data)
    return None if request is None else f"request-{request[1].decode()}"


def main(diary: str, point: str, *arguments: str) -> None:
    Life(Path(diary), point).begin()
    sys.argv = ["pubcellar", *arguments]
    runpy.run_module("pubcellar", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
