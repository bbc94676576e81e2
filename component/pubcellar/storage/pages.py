"""Pages of a node's items (XEP-0059), cut by the database; `core.paging.slice_of` says how.

A page is reached by key: from the position of its token one walks along the unique index of
(node_id, generation, position), which never skips over rows as OFFSET does. What stands at an
index, and which index an item has, is reckoned where the positions have no gaps, and counted along
that index where they have.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.errors import ItemNotFound
from pubcellar.core.records import StoredIdPage, StoredPage
from pubcellar.core.values import NodeKey, PageRequest
from pubcellar.storage.models import PubsubItem
from pubcellar.storage.rows import ITEM_COLUMNS, CurrentNode, current_node, item_of

ROWS_PER_CHUNK = 100


@dataclass(frozen=True, slots=True)
class _Walk:
    """How to find the rows of a page.

    Attributes:
        limit: at most so many rows.
        beyond: the position they begin beyond; None for an end of the list.
        newest_first: order of the list.
        is_backwards: whether to walk against that order, as `<before/>` asks.
    """

    limit: int
    beyond: int | None
    newest_first: bool
    is_backwards: bool = False

    @property
    def is_descending(self) -> bool:
        return self.newest_first != self.is_backwards


@dataclass(frozen=True, slots=True)
class _Ends:
    """The lowest and the highest position."""

    oldest: int
    newest: int


async def read(
    connection: AsyncConnection,
    key: NodeKey,
    page: PageRequest,
    *,
    newest_first: bool,
    max_bytes: int,
) -> StoredPage:
    """Return a page of at most `max_bytes` of items."""
    node = await current_node(connection, key)
    if node is None:
        return StoredPage((), _count_of_nothing(page))
    walk = await _walk_to(connection, node, page, newest_first)
    rows, is_cut = await _rows_within(connection, node, walk, max_bytes)
    if walk.is_backwards:
        rows.reverse()
    first_index = await _first_index(connection, node, walk, rows)
    return StoredPage(tuple(map(item_of, rows)), node.item_count, first_index, is_cut)


async def read_ids(
    connection: AsyncConnection, key: NodeKey, page: PageRequest, *, newest_first: bool
) -> StoredIdPage:
    """Return a page of item ids."""
    node = await current_node(connection, key)
    if node is None:
        return StoredIdPage((), _count_of_nothing(page))
    walk = await _walk_to(connection, node, page, newest_first)
    query = select(PubsubItem.position, PubsubItem.item_id).where(
        node.items, *_beyond(walk.beyond, walk.is_descending)
    )
    query = query.order_by(_along(walk.is_descending)).limit(walk.limit)
    rows = list((await connection.execute(query)).all())
    if walk.is_backwards:
        rows.reverse()
    first_index = await _first_index(connection, node, walk, rows)
    return StoredIdPage(tuple(row.item_id for row in rows), node.item_count, first_index)


async def _walk_to(
    connection: AsyncConnection, node: CurrentNode, page: PageRequest, newest_first: bool
) -> _Walk:
    # What a requester wrote may be larger than any integer a database knows.
    limit = node.item_count if page.max is None else min(page.max, node.item_count)
    if page.after is not None:
        after = await _position_of(connection, node, page.after)
        return _Walk(limit, after, newest_first)
    if page.before is not None:
        # XEP-0059 section 2.5: an empty <before/> asks for the last page.
        before = await _position_of(connection, node, page.before) if page.before else None
        return _Walk(limit, before, newest_first, is_backwards=True)
    start = min(page.index or 0, node.item_count)
    if start == 0:
        return _Walk(limit, None, newest_first)
    beyond = await _position_at(connection, node, start - 1, newest_first)
    return _Walk(limit, beyond, newest_first)


async def _position_of(connection: AsyncConnection, node: CurrentNode, item_id: str) -> int:
    position = await connection.scalar(
        select(PubsubItem.position).where(node.items, PubsubItem.item_id == item_id)
    )
    if position is None:
        raise _no_such_token()
    return position


async def _position_at(
    connection: AsyncConnection, node: CurrentNode, index: int, newest_first: bool
) -> int:
    """Return the position of element `index` of the list, counted off from its nearer end."""
    ends = await _ends_without_gaps(connection, node)
    if ends is not None:
        return ends.newest - index if newest_first else ends.oldest + index
    from_far_end = index > node.item_count // 2
    steps = node.item_count - index if from_far_end else index + 1
    is_descending = newest_first != from_far_end
    walked = select(PubsubItem.position).where(node.items)
    walked = walked.order_by(_along(is_descending)).limit(steps)
    position = walked.subquery().c.position
    farthest = func.min(position) if is_descending else func.max(position)
    found: int = (await connection.execute(select(farthest))).scalar_one()
    return found


async def _ends_without_gaps(connection: AsyncConnection, node: CurrentNode) -> _Ends | None:
    """Return the first and last position of a node that has items at all those between them.

    So it is after each synchronisation, and stays as long as items come at one end and go at the
    other. None where items are missing in between, or where there are none.
    """
    oldest, newest = (
        select(end(PubsubItem.position)).where(node.items).scalar_subquery()
        for end in (func.min, func.max)
    )
    ends = _Ends(*(await connection.execute(select(oldest, newest))).one())
    if ends.oldest is None or ends.newest - ends.oldest + 1 != node.item_count:
        return None
    return ends


async def _rows_within(
    connection: AsyncConnection, node: CurrentNode, walk: _Walk, max_bytes: int
) -> tuple[list[Row[*tuple[Any, ...]]], bool]:
    """Return rows in the order of the walk, and whether `max_bytes` ended it early."""
    rows: list[Row[*tuple[Any, ...]]] = []
    room = max_bytes
    beyond = walk.beyond
    while len(rows) < walk.limit:
        wanted = min(walk.limit - len(rows), _likely_to_fit(node, room))
        query = select(PubsubItem.position, PubsubItem.size_bytes, *ITEM_COLUMNS).where(
            node.items, *_beyond(beyond, walk.is_descending)
        )
        query = query.order_by(_along(walk.is_descending)).limit(wanted)
        chunk = (await connection.execute(query)).all()
        for row in chunk:
            room -= row.size_bytes
            if room < 0:
                return rows, True
            rows.append(row)
        if len(chunk) < wanted:
            break
        beyond = chunk[-1].position
    return rows, False


def _likely_to_fit(node: CurrentNode, room: int) -> int:
    """Return how many rows to read at once, so that large items are not read to be thrown away."""
    average = max(node.size_bytes // max(node.item_count, 1), 1)
    return min(room // average + 1, ROWS_PER_CHUNK)


async def _first_index(
    connection: AsyncConnection,
    node: CurrentNode,
    walk: _Walk,
    rows: list[Row[*tuple[Any, ...]]],
) -> int | None:
    if not rows:
        return None
    if walk.beyond is None:
        return node.item_count - len(rows) if walk.is_backwards else 0
    first: int = rows[0].position
    ends = await _ends_without_gaps(connection, node)
    if ends is not None:
        return ends.newest - first if walk.newest_first else first - ends.oldest
    before = PubsubItem.position > first if walk.newest_first else PubsubItem.position < first
    query = select(func.count()).select_from(PubsubItem).where(node.items, before)
    return (await connection.execute(query)).scalar_one()


def _beyond(position: int | None, is_descending: bool) -> list[ColumnElement[bool]]:
    if position is None:
        return []
    return [PubsubItem.position < position if is_descending else PubsubItem.position > position]


def _along(is_descending: bool) -> ColumnElement[int]:
    return PubsubItem.position.desc() if is_descending else PubsubItem.position.asc()


def _count_of_nothing(page: PageRequest) -> int:
    """Return 0, unless a token was given, which then cannot exist."""
    if page.after is not None or page.before:
        raise _no_such_token()
    return 0


def _no_such_token() -> ItemNotFound:
    return ItemNotFound("there is no such item to page from")
