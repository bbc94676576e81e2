"""Killing the proxy at a moment that a seed decides, and finding out that it died of that."""

import asyncio
import json
import random
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.proxy_process import ProxyProcess
from harness.waiting import wait_until

MORTAL = Path(__file__).with_name("mortal.py")

END_SECONDS = 600
"""How long a life or a recovery may take; what happens in it has shorter deadlines of its own."""

DEATH_SECONDS = 10
"""How long the server's word that the proxy is gone may come before we see it ourselves."""


class Unreachable(Exception):
    """The server, not the proxy, answered: there is nobody at the proxy's address."""


@dataclass(frozen=True)
class KillPoint:
    """Before or after the statement, the commit or the write of that number."""

    when: str
    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.when}-{self.kind}-{self.number}"


def drawn_point(chance: random.Random, most: Mapping[str, int]) -> KillPoint:
    """Draw a point: each kind and each side as likely, and of a kind each up to `most`."""
    kind = chance.choice(list(most))
    return KillPoint(chance.choice(["before", "after"]), kind, chance.randint(1, most[kind]))


class MortalProxy(ProxyProcess):
    """A proxy that can be started with a kill point, and begins to count anew with each."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arguments = self.process.argv[3:]
        self._diary = self.directory / "diary.json"
        self.arm(None)

    def arm(self, point: KillPoint | None) -> None:
        """Set the point for the starts to come; None for a life without one."""
        self._diary.unlink(missing_ok=True)
        command = [sys.executable, "-P", str(MORTAL), str(self._diary), str(point or "never")]
        self.process.argv = [*command, *self._arguments]

    @property
    def death(self) -> str | None:
        """How it died of its point, in words; None if it did not."""
        if self.process.is_running or not self._diary.exists():
            return None
        death: str | None = json.loads(self._diary.read_text())["death"]
        return death

    @property
    def passed(self) -> dict[str, int]:
        """How many there were of each kind in the life that has ended, orderly or at its point."""
        counts: dict[str, int] = json.loads(self._diary.read_text())["passed"]
        return counts

    async def until_death(self, doings: Coroutine[Any, Any, None]) -> bool:
        """Do something with the proxy until that ends or it dies of its point; tell if it did.

        Raises:
            Exception: as `doings`, but what its death alone explains.
        """
        task = asyncio.ensure_future(doings)
        try:
            await wait_until(lambda: task.done() or self.death, "an end", END_SECONDS)
        finally:
            task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, Unreachable | RuntimeError):
            # It may have died the moment before.
            try:
                await wait_until(lambda: self.death is not None, "its death", DEATH_SECONDS)
            except TimeoutError:
                raise outcome from None
        elif isinstance(outcome, Exception):
            raise outcome
        return self.death is not None
