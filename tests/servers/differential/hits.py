"""Who answered each question, as the proxy logged it: a comparison of forwarded answers is none."""

from collections import Counter
from pathlib import Path

from differential.questions import Question

MARK = "answered by="

CACHE = "cache"
SERVICE = "service"


ALWAYS_FORWARDED = (
    "max_items, none",
    "max_items, fewer than none",
    "max_items, no number",
    "max_items and ids",
    "max_items and page",
    "ids and page",
)
"""Forms that services treat so differently that the proxy does not try to (docs/protocol.md)."""

FORWARDED_WHERE_PAGED = (
    "page of disco#items",
    "page, after unknown",
    "page, before unknown",
    "page, after foreign",
    "page, before foreign",
    "page, after outdated",
    "page, before outdated",
)
"""Forms for a service that pages to judge: the token may be its own."""

IMPOSSIBLE_NUMBERS = ("max below 0", "max no number", "index below 0")
"""Ends of forms: where the proxy does not page, what comes of these is for the service to say."""

FORWARDED_FIRST = ("page of all nodes of the service",)
"""Asked before an answer to such a question has shown that the service does not page."""

LEAST_SHARE = 0.25
"""Of the answers that the cache could give; at other times it is just verifying."""


def may_be_held(question: Question, *, pages: bool, items: int) -> bool:
    """Tell whether the cache can answer, once it holds the node the question is about.

    Args:
        question: what is asked.
        pages: whether the service pages.
        items: how many items the node has. A list of one shows nobody in which order items come
            that are asked for by id.
    """
    forwarded = (*ALWAYS_FORWARDED, *FORWARDED_FIRST, *(FORWARDED_WHERE_PAGED if pages else ()))
    has_no_order = len(question.item_ids) > 1 and items < 2
    is_forwarded = question.form.startswith(forwarded) or question.form.endswith(IMPOSSIBLE_NUMBERS)
    return not is_forwarded and not has_no_order


class AnsweredBy:
    """Reads the proxy's log as it grows.

    Args:
        log_path: where the proxy logs, at level debug.
        requester: whose requests are looked at.
    """

    def __init__(self, log_path: Path, requester: str) -> None:
        self._log_path = log_path
        self._requester = f" requester={requester} "
        self._offset = 0

    def last(self, node: str | None) -> str | None:
        """Return who answered the last question since this was called last; None for an error."""
        with self._log_path.open("rb") as log:
            log.seek(self._offset)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = [
            line.partition(MARK)[2].split()[0]
            for line in whole.decode(errors="replace").splitlines()
            if MARK in line and self._requester in line and line.endswith(f"node={node!r}")
        ]
        return found[-1] if found else None


class Hits:
    """How many answers of each form came from the cache at once, out of how many that could."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._cached: Counter[str] = Counter()

    def count(self, form: str, by: str | None) -> None:
        """Count one answer."""
        self._asked[form] += 1
        self._cached[form] += by == CACHE

    @property
    def share(self) -> float:
        """The share of the cache among all answers; all of it, if there were none."""
        return self._cached.total() / self._asked.total() if self._asked.total() else 1.0

    @property
    def are_enough(self) -> bool:
        """Whether it is the cache that was compared."""
        return self.share >= LEAST_SHARE

    def __str__(self) -> str:
        missed = sorted(form for form in self._asked if self._cached[form] < self._asked[form])
        rows = (f"{self._cached[form]}/{self._asked[form]} {form}" for form in missed)
        total = f"{self._cached.total()}/{self._asked.total()} from the cache"
        return "; ".join((total, *rows))
