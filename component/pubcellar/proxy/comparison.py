"""How far a comparison of a node's items with those of the service has come."""

from dataclasses import dataclass
from datetime import datetime

from pubcellar.core.freshness import Extent
from pubcellar.core.values import Item

FIRST_BATCH = 10


class NotComparable(Exception):
    """What is held cannot be compared with what the service has: all of it is to be fetched."""


@dataclass(slots=True)
class Comparison:
    """Items that are compared whole, after the ids and their order were.

    Of items there is never more than one page in memory, of all others the ids alone.

    Attributes:
        remaining: ids of the items still to be compared, oldest first.
        epoch: of the service when the ids were listed.
        started_at: when the ids were listed; what is compared later is no older.
        is_whole: whether all items are compared.
        is_paged: whether the pages of the service are gone through (XEP-0059); else, and for what
            they leave over, items are asked for by id.
        after: token of the last page that was compared.
        size: how many items to ask for next.
    """

    remaining: dict[str, None]
    epoch: tuple[int, int]
    started_at: datetime
    is_whole: bool
    is_paged: bool
    after: str | None = None
    size: int = FIRST_BATCH


def are_listed(newest: list[Item], listing: list[str]) -> bool:
    """Tell whether the newest items are among those listed."""
    return {one.item_id for one in newest} <= set(listing)


def is_reordered(held: list[str], listing: list[str]) -> bool:
    """Tell whether the ids that are in both stand in another order."""
    common = set(held) & set(listing)
    return [one for one in held if one in common] != [one for one in listing if one in common]


def ids_to_compare(
    extent: Extent, held: list[str], listing: list[str], written: frozenset[str] | None
) -> list[str]:
    """Return ids of the items to be compared whole, of those that were held.

    Where republished items move to the newest end, an unheard republish shows in the order, unless
    everything newer came after it: then the item stands where it stood. So what was written since
    the contents were last verified, or has just been fetched, is compared as far as it stands at
    the newest end, and the item before that.
    """
    if extent is Extent.NOTHING:
        return []
    known = set(held)
    start = 0
    if extent is Extent.HIDDEN and written is not None:
        start = len(listing)
        while start and (listing[start - 1] in written or listing[start - 1] not in known):
            start -= 1
        # The newest item was compared already.
        start = start - 1 if start < len(listing) else start
    return [one for one in listing[max(start, 0) :] if one in known]
