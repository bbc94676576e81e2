"""Analysers of installed packages, found by the entry point group `pubcellar.analysers`.

Each entry point names a function `register(cache)`. What a package does wrong costs its own
analysers and nothing else: not the start, and not those of other packages.
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

from pubcellar.analysers.registry import PubsubCache

GROUP = "pubcellar.analysers"


@dataclass(frozen=True, slots=True)
class _Installed:
    """One entry point of one package; sorts as it is tried, the same on every machine."""

    package: str
    version: str
    entry_point: EntryPoint

    def __str__(self) -> str:
        return f"package {self.package} {self.version}, entry point {self.entry_point.name!r}"

    @property
    def order(self) -> tuple[str, str]:
        return _normalised(self.package), self.entry_point.name


def register_installed(cache: PubsubCache) -> tuple[str, ...]:
    """Register the analysers of all installed packages; return what went wrong, a line for each.

    They are sorted by the names of package and entry point. Of a package that fails half-way, none
    is registered by that entry point.

    Raises:
        Conflict: an analyser has the name of another one, from elsewhere.
    """
    found, problems = _found()
    for installed in sorted(found, key=lambda each: each.order):
        staged = cache.staged()
        try:
            _register(installed.entry_point, staged)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Not only what is an Exception: asyncio's CancelledError is none.
            problems.append(
                f"{installed} ({installed.entry_point.value}) is left out, since it failed with "
                f"{_described(error)}; repair, upgrade or uninstall {installed.package}"
            )
            continue
        cache.adopt(staged, str(installed))
        if not staged.names:
            problems.append(f"{installed} has registered no analyser")
    return tuple(problems)


def _register(entry_point: EntryPoint, staged: PubsubCache) -> None:
    register: Any = entry_point.load()
    if inspect.isclass(register) or not callable(register):
        raise TypeError(f"{entry_point.value} is not a function register(cache)")
    result = register(staged)
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(f"{entry_point.value} must not be an async def")


def _found() -> tuple[list[_Installed], list[str]]:
    found: dict[str, list[_Installed]] = {}
    problems: list[str] = []
    for distribution in distributions():
        try:
            ours = list(_of(distribution))
            if ours:
                # Of a package that is installed twice, Python imports the first.
                found.setdefault(_normalised(ours[0].package), ours)
        except Exception as error:
            problems.append(
                "the entry points of an installed package cannot be read, and its analysers, if it"
                f" has any, are left out: {getattr(distribution, '_path', '')}: {_described(error)}"
            )
    return [each for ours in found.values() for each in ours], problems


def _of(distribution: Distribution) -> Iterator[_Installed]:
    for entry_point in distribution.entry_points:
        if entry_point.group == GROUP:
            yield _Installed(distribution.name, distribution.version, entry_point)


def _normalised(name: str) -> str:
    """Return the name of a package as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _described(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}"[:300].removesuffix(": ")
