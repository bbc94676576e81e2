"""Pages of a list (XEP-0059), decided without knowing where the list lives.

A list has one order; tokens are its elements' ids. This module cuts lists that are at hand; lists
in the database are cut by the store, which answers `PageRequest`s in the same way.

A service that pages has tokens of its own. Towards those who page through us ours must be told from
them: what is not ours is for the service to read, and what is ours means nothing to it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pubcellar.core.errors import ItemNotFound
from pubcellar.core.values import PageInfo, PageRequest

_OURS = re.compile(r"pubcellar:([0-9]{1,9}):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """A token of ours for an item of a service that pages.

    `index` is where the item stood in the service's pages when the token was made: the service can
    be asked for that place, and answers with its own token, if the item is still there.
    """

    index: int
    item_id: str

    def __str__(self) -> str:
        return f"pubcellar:{self.index}:{self.item_id}"


def read_token(written: str | None) -> Token | None:
    """Return the token that is written there; None where it is none of ours."""
    found = _OURS.fullmatch(written or "")
    return None if found is None else Token(int(found[1]), found[2])


def token_of(page: PageRequest | None) -> Token | None:
    """Return the token of ours from which the page is asked for, or None."""
    return None if page is None else read_token(page.after or page.before)


def is_of_service(page: PageRequest) -> bool:
    """Tell whether the page begins at a token that is none of ours."""
    return bool(page.after or page.before) and token_of(page) is None


def with_place(page: PageRequest, place: str) -> PageRequest:
    """Return the request with another token, or an item's id, in `after` or `before`."""
    if page.after is not None:
        return replace(page, after=place)
    return replace(page, before=place)


def by_id(page: PageRequest) -> PageRequest:
    """Return the request with the item's id in place of a token of ours."""
    token = token_of(page)
    return page if token is None else with_place(page, token.item_id)


def plain_token(item_id: str) -> str:
    """Return what stands for an item where ids are tokens.

    That is the id itself, unless it looks like a token of ours.
    """
    return item_id if read_token(item_id) is None else str(Token(0, item_id))


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements `start` to `stop`, exclusive, of a list of `count`.

    `from_end` says which end of the slice gives way when it holds more bytes than may be sent: a
    page asked for with `<before/>` must stay next to where the requester stands.
    """

    start: int
    stop: int
    count: int
    from_end: bool = False


def slice_of(tokens: Sequence[str], page: PageRequest) -> Slice:
    """Return which elements of `tokens` the requested page holds.

    Raises:
        ItemNotFound: the token in `after` or `before` is not in the list. XEP-0059 section 2.2: "If
            the UID [...] does not exist the responding entity MUST return an item-not-found error".
    """
    count = len(tokens)
    size = count if page.max is None else min(page.max, count)
    if page.after is not None:
        start = _index(tokens, page.after) + 1
        return Slice(start, min(start + size, count), count)
    if page.before is not None:
        stop = _index(tokens, page.before) if page.before else count
        return Slice(max(stop - size, 0), stop, count, from_end=True)
    start = min(page.index or 0, count)
    return Slice(start, min(start + size, count), count)


def _index(tokens: Sequence[str], token: str) -> int:
    try:
        return tokens.index(token)
    except ValueError:
        raise ItemNotFound("there is no such item to page from") from None


def fitting(sizes: Sequence[int], wanted: Slice, max_bytes: int) -> Slice:
    """Return the part of `wanted` that fits into `max_bytes`; maybe empty, never more than asked.

    Args:
        sizes: size of every element of the whole list, in bytes.
        wanted: the slice asked for.
        max_bytes: room for the elements alone, without what surrounds them.
    """
    indexes = range(wanted.start, wanted.stop)
    room = max_bytes
    kept = 0
    for index in reversed(indexes) if wanted.from_end else indexes:
        room -= sizes[index]
        if room < 0:
            break
        kept += 1
    if wanted.from_end:
        return Slice(wanted.stop - kept, wanted.stop, wanted.count, from_end=True)
    return Slice(wanted.start, wanted.start + kept, wanted.count)


def page_info(tokens: Sequence[str], part: Slice) -> PageInfo:
    """Return what `<set/>` says about `part` (XEP-0059 sections 2.1 and 2.5 to 2.7)."""
    if part.start >= part.stop:
        return PageInfo(count=part.count)
    return PageInfo(
        count=part.count,
        first=tokens[part.start],
        last=tokens[part.stop - 1],
        first_index=part.start,
    )
