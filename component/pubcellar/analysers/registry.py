"""The registered analysers, tried in order, each contained."""

import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from pubcellar.analysers import calls
from pubcellar.analysers.analyser import Analyser
from pubcellar.analysers.boundary import Boundary
from pubcellar.analysers.containment import OutOfTime, within
from pubcellar.analysers.patience import FailureLog, Patience, Seconds
from pubcellar.analysers.registration import Registration, registration
from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import AnalyserError, Conflict
from pubcellar.core.ports import Claim, Verdict
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import Item, NodeKey

Result = TypeVar("Result")

PARSER_TIMEOUT = timedelta(seconds=2)

logger = logging.getLogger(__name__)


class PubsubCache:
    """Holds the analysers; implements the port `pubcellar.core.ports.Analysers`.

    An analyser that raises, hangs or returns nonsense never stops anything: a node is then not
    held, an item stays raw, and the failure is counted and logged with the analyser's name.

    Args:
        boundary: calls the callables of dictionary analysers; without it, none that has any can
            be registered.
        counters: where failures are counted.
        parser_timeout: limit of one call of a parser, a `match_cb` or a `subtype`.
        seconds: a clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        *,
        boundary: Boundary | None = None,
        counters: Counters | None = None,
        parser_timeout: timedelta = PARSER_TIMEOUT,
        seconds: Seconds = time.monotonic,
    ) -> None:
        self._boundary = boundary
        self._counters = counters if counters is not None else Counters()
        self._timeout = parser_timeout
        self._seconds = seconds
        self._analysers: dict[str, Registration] = {}
        self._patience: dict[tuple[str, Happened], Patience] = {}
        self._log = FailureLog(logger, seconds)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the analysers, in the order in which they are tried."""
        return tuple(self._analysers)

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """The analysers in checked form, in the order in which they are tried."""
        return tuple(self._analysers.values())

    def register_analyser(
        self, analyser: Mapping[str, Any] | Analyser, *, source: str = ""
    ) -> None:
        """Register an analyser, to be tried after those that are there.

        Args:
            analyser: a dictionary with the keys `name`, `type`, `node` or `namespace` or both,
                `to_sync`, `parser` and `match_cb`, or an instance of `Analyser`. See
                docs/analysers.md.
            source: where it comes from, for people; for an installed package this is known anyway.

        Raises:
            Conflict: an analyser of that name, in whatever case, is registered already.
            ValueError: names everything that is missing or wrong.
        """
        checked = registration(analyser, source)
        self._refuse_taken(checked)
        if self._boundary is None and (checked.parser or checked.match_cb):
            raise ValueError(
                f"analyser {checked.name!r}: this PubsubCache was made without a boundary, so "
                "that it cannot call 'parser' and 'match_cb'; register an Analyser instead"
            )
        self._add(checked)

    def staged(self) -> "PubsubCache":
        """Return an empty registry under the same conditions, whose analysers `adopt` takes."""
        return PubsubCache(
            boundary=self._boundary,
            counters=self._counters,
            parser_timeout=self._timeout,
            seconds=self._seconds,
        )

    def adopt(self, staged: "PubsubCache", source: str) -> None:
        """Register everything that `staged` holds now, from `source`, or nothing of it.

        Raises:
            Conflict: one of the names is taken.
        """
        found = [replace(analyser, source=source) for analyser in staged.registrations]
        for analyser in found:
            self._refuse_taken(analyser)
        for analyser in found:
            self._add(analyser)

    def _refuse_taken(self, analyser: Registration) -> None:
        other = self._analysers.get(analyser.name)
        if other is not None:
            sources = " and ".join(each for each in (other.source, analyser.source) if each)
            raise Conflict(
                f"an analyser named {analyser.name!r} is registered already"
                + (f" (it comes from: {sources})" if sources else "")
            )

    def _add(self, analyser: Registration) -> None:
        self._analysers[analyser.name] = analyser
        for kind in (Happened.PARSER_FAILED, Happened.ANALYSER_FAILED):
            self._patience[analyser.name, kind] = Patience(self._seconds)

    def needs_namespace(self, node: str) -> bool:
        """Tell whether holding `node` may depend on what its items hold.

        An analyser that takes it by name decides alone, unless one before it may take it by its
        payload, and one of them holds what the other does not.
        """
        earlier: list[Registration] = []
        for analyser in self._analysers.values():
            if analyser.matches_node(node):
                return bool(earlier) and any(each.may_hold for each in (*earlier, analyser))
            if analyser.namespaces:
                earlier.append(analyser)
        return bool(earlier)

    def is_registered(self, analyser: str) -> bool:
        """Tell whether there is an analyser of that name."""
        return analyser in self._analysers

    def claim(self, node: str, namespaces: Sequence[str], holder: str | None) -> Claim | None:
        """Return which analyser takes a node that is held; see `core.ports.Analysers.claim`."""
        held_for = None if holder is None else self._analysers.get(holder)
        # What is not known of an empty node is taken to be as it was.
        held_by = () if held_for is None else held_for.namespaces
        known: Sequence[str | None] = namespaces or held_by or (None,)
        first = [found for one in known if (found := self._first(node, one)) is not None]
        if any(found is held_for for found in first):
            first = [found for found in first if found is held_for]
        return _claim(first[0]) if first else None

    def _first(self, node: str, namespace: str | None) -> Registration | None:
        return next((one for one in self._analysers.values() if one.matches(node, namespace)), None)

    async def analyse(self, key: NodeKey, namespace: str | None) -> Verdict | None:
        """Return the verdict of the first analyser that matches, or None.

        Raises:
            AnalyserError: an analyser matched and then failed, took too long, or is suspended.
        """
        analyser = self._first(key.node, namespace)
        if analyser is None:
            return None
        work = partial(calls.verdict, analyser, key, namespace, self._boundary)
        return await self._contained(analyser, Happened.ANALYSER_FAILED, work, str(key))

    def parser(self, analyser: str) -> str | None:
        """Return name and version of the analyser's parser; None where it has none."""
        known = self._analysers.get(analyser)
        return None if known is None or not known.parses else _parser(known)

    async def parse(self, analyser: str, key: NodeKey, items: Sequence[Item]) -> list[ParsedItem]:
        """Return the items with what the analyser's parser makes of them, in the same order.

        An item whose parser fails, takes too long or is suspended comes back raw; so do all where
        there is no such analyser, or it has no parser. Never raises.
        """
        known = self._analysers.get(analyser)
        if known is None or not known.parses:
            return [ParsedItem(item) for item in items]
        return [await self._parsed(known, key, item) for item in items]

    async def _parsed(self, analyser: Registration, key: NodeKey, item: Item) -> ParsedItem:
        work = partial(calls.parsed, analyser, item, key, self._boundary)
        where = f"item {item.item_id!r} of {key}"
        try:
            parsed = await self._contained(analyser, Happened.PARSER_FAILED, work, where)
        except AnalyserError:
            return ParsedItem(item)
        if parsed is None:
            return ParsedItem(item)
        return ParsedItem(item, parsed, _parser(analyser))

    async def _contained(
        self,
        analyser: Registration,
        kind: Happened,
        work: Callable[[], Awaitable[Result]],
        where: str,
    ) -> Result:
        """Return what `work` returns; every failure is counted, logged and an AnalyserError."""
        patience = self._patience[analyser.name, kind]
        if patience.is_suspended():
            self._counters.count(kind)
            raise AnalyserError(analyser.name, "suspended, after it took too long several times")
        try:
            result = await within(self._timeout, work())
        except OutOfTime as error:
            raise self._out_of_time(analyser, kind, where, error) from error
        except Exception as error:
            patience.came_back()
            raise self._failure(analyser, kind, _described(error), where, error) from error
        patience.came_back()
        return result

    def _out_of_time(
        self, analyser: Registration, kind: Happened, where: str, error: Exception
    ) -> AnalyserError:
        problem = f"took longer than {self._timeout.total_seconds():g} s"
        rest = self._patience[analyser.name, kind].timed_out()
        if rest is not None:
            # A line of its own: the one about this failure may be among those left out.
            text = f"{_WHAT[kind]} several in a row in time, and is suspended for {rest}"
            self._log.failed(analyser.name, f"{kind} suspended", text, error)
        return self._failure(analyser, kind, problem, where, error)

    def _failure(
        self, analyser: Registration, kind: Happened, problem: str, where: str, error: Exception
    ) -> AnalyserError:
        self._counters.count(kind)
        self._log.failed(
            analyser.name, kind, f"{_WHAT[kind]} {where}: {problem}"[:_LONGEST_LINE], error
        )
        return AnalyserError(analyser.name, problem)


def _parser(analyser: Registration) -> str:
    return f"{analyser.name}/{analyser.version}"


def _claim(analyser: Registration) -> Claim:
    return Claim(analyser.name, None if analyser.match_cb is not None else analyser.to_sync)


_LONGEST_LINE = 500
_WHAT = {
    Happened.PARSER_FAILED: "could not parse",
    Happened.ANALYSER_FAILED: "could not decide on",
}


def _described(error: Exception) -> str:
    """Return class and message in one line; unlike str(), this never raises."""
    return " ".join(traceback.format_exception_only(error)[-1].split())[:300]
