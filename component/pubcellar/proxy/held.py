"""Answering a question about a node from what is held of it.

Whether it may be answered so is decided before, by `pubcellar.core.freshness`; in which form, by
`pubcellar.core.answering`.
"""

from collections.abc import Callable

from pubcellar.core.access import is_shared
from pubcellar.core.answering import (
    IdsPlan,
    PagePlan,
    has_one_form,
    plan_disco_items,
    plan_items,
)
from pubcellar.core.errors import AnswerTooLarge, ItemNotFound
from pubcellar.core.records import NodeRecord, StoredPage
from pubcellar.core.states import NodeState
from pubcellar.core.values import (
    Answer,
    DiscoItem,
    DiscoItemsAnswer,
    Item,
    ItemsAnswer,
    ItemsQuestion,
    NodeInfoQuestion,
    NodeItemsQuestion,
    NodeKey,
    PageInfo,
    PageRequest,
    Relayed,
)
from pubcellar.proxy.forwarding import disco_item_bytes
from pubcellar.proxy.learning import service_traits
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts

NodeQuestion = ItemsQuestion | NodeInfoQuestion | NodeItemsQuestion

MOST_TRIES = 3


class Held:
    """Reads answers from the database.

    Args:
        parts: the ports.
        nodes: the entries.
        look_at: called with a node whose question could not be answered because its service's
            habits are not known.
    """

    def __init__(self, parts: Parts, nodes: Nodes, look_at: Callable[[NodeKey], None]) -> None:
        self._parts = parts
        self._nodes = nodes
        self._look_at = look_at

    async def answer(self, key: NodeKey, question: NodeQuestion) -> Answer | None:
        """Return the answer from the database; None where the service must be asked.

        Raises:
            ItemNotFound: the page asked for begins at an item that is not there.
            AnswerTooLarge: the first item of the answer alone is too large to send.
            StoreUnavailable: the database failed.
        """
        for _ in range(MOST_TRIES):
            entry = await self._nodes.loaded(key)
            record = entry.record
            if record is None or not _may_be_answered(record):
                return None
            answer = await self._read(record, question)
            if entry.is_loaded and entry.record is not None and _is_same(entry.record, record):
                return answer
        return None

    async def _read(self, record: NodeRecord, question: NodeQuestion) -> Answer | None:
        match question:
            case NodeInfoQuestion():
                return None if record.info is None else Relayed(record.info)
            case NodeItemsQuestion():
                return await self._read_disco_items(record, question)
            case ItemsQuestion():
                return await self._read_items(record, question)

    async def _read_items(self, record: NodeRecord, question: ItemsQuestion) -> Answer | None:
        limits = self._parts.limits
        traits = await service_traits(self._parts.store, record.key.service)
        plan = plan_items(question, traits, limits.paging, record.item_count)
        if plan is None:
            if has_one_form(question):
                self._look_at(record.key)
            return None
        if isinstance(plan, IdsPlan):
            return await self._read_ids(record, plan)
        try:
            page = await self._parts.store.page(
                record.key,
                plan.page,
                newest_first=plan.newest_first,
                max_bytes=limits.list_bytes,
            )
        except ItemNotFound:
            if plan.is_ours:
                raise
            return None
        if page.is_cut and not page.items:
            raise AnswerTooLarge(f"an item is too large to pass on: ask {record.key.service}")
        is_paged = plan.with_set or page.is_cut
        return ItemsAnswer(question.node, page.items, _info_of(page) if is_paged else None)

    async def _read_ids(self, record: NodeRecord, plan: IdsPlan) -> Answer | None:
        held = await self._parts.store.items_by_id(record.key, plan.item_ids)
        by_id = {item.item_id: item for item in held}
        items: list[Item]
        if plan.as_requested:
            items = [by_id[item_id] for item_id in plan.item_ids if item_id in by_id]
        else:
            items = list(reversed(held)) if plan.newest_first else held
        if sum(item.size_bytes for item in items) > self._parts.limits.list_bytes:
            # How much of such a list is given, and which, is for the forwarded answer to decide.
            return None
        return ItemsAnswer(record.key.node, tuple(items))

    async def _read_disco_items(
        self, record: NodeRecord, question: NodeItemsQuestion
    ) -> Answer | None:
        traits = await service_traits(self._parts.store, record.key.service)
        plan = plan_disco_items(question, traits, self._parts.limits.paging, record.item_count)
        if plan is None:
            self._look_at(record.key)
            return None
        page = await self._parts.store.id_page(
            record.key, plan.page, newest_first=plan.newest_first
        )
        items = tuple(DiscoItem(record.key.service, name=one) for one in page.item_ids)
        size = sum(disco_item_bytes(item) for item in items)
        if size > self._parts.limits.list_bytes:
            return await self._cut_disco_items(record, plan, items)
        first, last = (page.item_ids[0], page.item_ids[-1]) if items else (None, None)
        info = PageInfo(page.count, first, last, page.first_index)
        return DiscoItemsAnswer(question.node, items, info if plan.with_set else None)

    async def _cut_disco_items(
        self, record: NodeRecord, plan: PagePlan, items: tuple[DiscoItem, ...]
    ) -> Answer:
        room = self._parts.limits.list_bytes
        number = 0
        for item in reversed(items) if plan.page.before is not None else items:
            room -= disco_item_bytes(item)
            if room < 0:
                break
            number += 1
        if not number:
            raise AnswerTooLarge(f"an item is too large to pass on: ask {record.key.service}")
        smaller = PageRequest(number, plan.page.after, plan.page.before, plan.page.index)
        page = await self._parts.store.id_page(record.key, smaller, newest_first=plan.newest_first)
        found = tuple(DiscoItem(record.key.service, name=one) for one in page.item_ids)
        info = PageInfo(page.count, page.item_ids[0], page.item_ids[-1], page.first_index)
        return DiscoItemsAnswer(record.key.node, found, info)


def _may_be_answered(record: NodeRecord) -> bool:
    is_complete = record.state in (NodeState.LIVE, NodeState.STALE) and record.generation > 0
    return is_complete and is_shared(record.access_model)


def _is_same(now: NodeRecord, before: NodeRecord) -> bool:
    return _may_be_answered(now) and now.generation == before.generation


def _info_of(page: StoredPage) -> PageInfo:
    if not page.items:
        return PageInfo(count=page.count)
    return PageInfo(page.count, page.items[0].item_id, page.items[-1].item_id, page.first_index)
