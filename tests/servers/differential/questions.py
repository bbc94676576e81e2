"""What is asked after each step: pure values, the same for the service and for the proxy.

A page's token is a value of its own, since each entity is asked with the tokens it issued itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from random import Random

UNKNOWN = "no-such-item"
"""No item has this id, and no service issues such a token."""


class Kind(Enum):
    """What a question is about."""

    ITEMS = "items"
    DISCO_ITEMS = "disco#items"
    DISCO_INFO = "disco#info"


class End(Enum):
    """Which token of a page: what `<first/>` holds or what `<last/>` holds."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True)
class Issued:
    """The token at an end of another page, as the entity that is asked issued it."""

    page: "PageForm"
    end: End


@dataclass(frozen=True)
class Foreign:
    """The same, but issued by the service, whoever is asked."""

    page: "PageForm"
    end: End


@dataclass(frozen=True)
class Outdated:
    """A token that the asked entity issued for this item, before the item was removed."""

    item_id: str


Token = str | Issued | Foreign | Outdated


@dataclass(frozen=True)
class PageForm:
    """A `<set/>` (XEP-0059); numbers are text, since some are to be wrong."""

    max: str | None = None
    after: Token | None = None
    before: Token | None = None
    index: str | None = None

    @property
    def token(self) -> Token | None:
        return self.before if self.after is None else self.after


@dataclass(frozen=True)
class Question:
    """One question; `form` names it in reports and in the count of hits.

    `node` None is the service itself.
    """

    form: str
    kind: Kind
    node: str | None
    max_items: str | None = None
    item_ids: tuple[str, ...] = ()
    page: PageForm | None = None

    def __str__(self) -> str:
        given = ((each.name, getattr(self, each.name)) for each in fields(self))
        return " ".join(f"{name}={value!r}" for name, value in given if value)


FIRST_PAGE = PageForm("2")
LAST_PAGE = PageForm("2", before="")


def canaries(node: str) -> list[Question]:
    """Return what tells whether a step has settled: contents, their order, metadata."""
    return [
        Question("items", Kind.ITEMS, node),
        Question("disco#info", Kind.DISCO_INFO, node),
    ]


def of_writer(node: str) -> list[Question]:
    """Return what somebody asks who has just written to the node, in every form, without tokens."""
    return [
        Question("items", Kind.ITEMS, node),
        Question("max_items, two", Kind.ITEMS, node, max_items="2"),
        Question("by id, all", Kind.ITEMS, node, item_ids=("item-2", "item-1", UNKNOWN)),
        Question("page, first", Kind.ITEMS, node, page=FIRST_PAGE),
        Question("page, last", Kind.ITEMS, node, page=LAST_PAGE),
        Question("page, count", Kind.ITEMS, node, page=PageForm("0")),
        Question("disco#items", Kind.DISCO_ITEMS, node),
        Question("disco#info", Kind.DISCO_INFO, node),
        Question("disco#items of the service", Kind.DISCO_ITEMS, None),
    ]


def canaries_of_service() -> list[Question]:
    """Return what tells whether the service as a whole is known as it is now."""
    return [
        Question("disco#info of the service", Kind.DISCO_INFO, None),
        Question("disco#items of the service", Kind.DISCO_ITEMS, None),
    ]


def of_service() -> list[Question]:
    """Return what is asked of the service as a whole; its nodes have no order to page by."""
    pages = {"page of all nodes of the service": "1000", "count of nodes of the service": "0"}
    return [
        *canaries_of_service(),
        *(
            Question(form, Kind.DISCO_ITEMS, None, page=PageForm(number))
            for form, number in pages.items()
        ),
    ]


def of_node(
    node: str, ids: Sequence[str], outdated: Iterable[str], random: Random
) -> list[Question]:
    """Return every form of question about a node that has probably these items.

    Args:
        node: its name.
        ids: of its items, the oldest first.
        outdated: ids of removed items for which tokens were issued.
        random: shuffles what is asked by id.
    """
    return [
        *canaries(node),
        *_newest(node, len(ids)),
        *_by_id(node, ids, random),
        *_pages(node, Kind.ITEMS, len(ids)),
        *_mixed(node, ids),
        *_outdated(node, outdated),
        Question("disco#items", Kind.DISCO_ITEMS, node),
        *_pages(node, Kind.DISCO_ITEMS, len(ids)),
    ]


def of_other_node(what: str, node: str) -> list[Question]:
    """Return what is asked of a node that is missing, or that strangers may not read."""
    return [
        Question(f"items of {what}", Kind.ITEMS, node),
        Question(f"item by id of {what}", Kind.ITEMS, node, item_ids=("item-1",)),
        Question(f"page of {what}", Kind.ITEMS, node, page=FIRST_PAGE),
        Question(f"disco#info of {what}", Kind.DISCO_INFO, node),
        Question(f"disco#items of {what}", Kind.DISCO_ITEMS, node),
        Question(f"page of disco#items of {what}", Kind.DISCO_ITEMS, node, page=FIRST_PAGE),
    ]


def _newest(node: str, number: int) -> list[Question]:
    values = {
        "one": "1",
        "two": "2",
        "all": str(max(number, 1)),
        "more than there are": str(number + 3),
        "none": "0",
        "fewer than none": "-1",
        "no number": "x",
    }
    return [
        Question(f"max_items, {what}", Kind.ITEMS, node, max_items=value)
        for what, value in values.items()
    ]


def _by_id(node: str, ids: Sequence[str], random: Random) -> list[Question]:
    shuffled = random.sample(list(ids), len(ids))
    some = shuffled[: max(len(ids) // 2, 1)]
    lists = {
        "one": some[:1],
        "all, shuffled": shuffled,
        "all, newest first": list(reversed(ids)),
        "some unknown": [UNKNOWN, *some, "nor-this"],
        "some twice": [*some, *shuffled, *some],
        "all unknown": [UNKNOWN, "nor-this"],
    }
    return [
        Question(f"by id, {what}", Kind.ITEMS, node, item_ids=tuple(asked))
        for what, asked in lists.items()
        if asked
    ]


def _pages(node: str, kind: Kind, number: int) -> list[Question]:
    second = PageForm("2", after=Issued(FIRST_PAGE, End.LAST))
    forms = {
        "first": FIRST_PAGE,
        "all": PageForm(str(number + 3)),
        "without max": PageForm(),
        "count": PageForm("0"),
        "last": LAST_PAGE,
        "all, from the end": PageForm(before=""),
        "next": second,
        "next but one": PageForm("2", after=Issued(second, End.LAST)),
        "rest": PageForm(after=Issued(FIRST_PAGE, End.FIRST)),
        "previous": PageForm("2", before=Issued(LAST_PAGE, End.FIRST)),
        "before the first": PageForm("2", before=Issued(FIRST_PAGE, End.FIRST)),
        "after the last": PageForm("2", after=Issued(PageForm(before=""), End.LAST)),
        "by index": PageForm("2", index="1"),
        "index of the first": PageForm("1", index="0"),
        "index just beyond": PageForm("2", index=str(number)),
        "index far beyond": PageForm("2", index=str(number + 40)),
        "count by index": PageForm("0", index="1"),
        "after unknown": PageForm("2", after=UNKNOWN),
        "before unknown": PageForm("2", before=UNKNOWN),
        "after foreign": PageForm("2", after=Foreign(FIRST_PAGE, End.LAST)),
        "before foreign": PageForm("2", before=Foreign(LAST_PAGE, End.FIRST)),
        "max below 0": PageForm("-1"),
        "max no number": PageForm("many"),
        "index below 0": PageForm("2", index="-4"),
    }
    prefix = "page" if kind is Kind.ITEMS else "page of disco#items"
    return [Question(f"{prefix}, {what}", kind, node, page=form) for what, form in forms.items()]


def _mixed(node: str, ids: Sequence[str]) -> list[Question]:
    oldest, newest = (ids[0], ids[-1]) if ids else (UNKNOWN, UNKNOWN)
    return [
        Question("max_items and ids", Kind.ITEMS, node, "1", (oldest, newest)),
        Question("max_items and page", Kind.ITEMS, node, "3", page=FIRST_PAGE),
        Question("ids and page", Kind.ITEMS, node, None, (newest, oldest), PageForm("1")),
    ]


def _outdated(node: str, outdated: Iterable[str]) -> list[Question]:
    return [
        question
        for item_id in outdated
        for question in (
            Question(
                "page, after outdated", Kind.ITEMS, node, page=PageForm("2", Outdated(item_id))
            ),
            Question(
                "page, before outdated",
                Kind.ITEMS,
                node,
                page=PageForm("2", before=Outdated(item_id)),
            ),
        )
    ]
