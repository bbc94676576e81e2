"""Answering a question about a node from what is held of it.

Whether it may be answered so is decided before, by `pubcellar.core.freshness`; in which form, by
`pubcellar.core.answering`.
"""

from collections.abc import Callable

from pubcellar.core.access import Audience, audience
from pubcellar.core.answering import (
    IdsPlan,
    PagePlan,
    has_one_form,
    plan_disco_items,
    plan_items,
)
from pubcellar.core.errors import AnswerTooLarge
from pubcellar.core.paging import is_of_service, token_of
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
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
    PageRequest,
    Relayed,
)
from pubcellar.proxy.forwarding import disco_item_bytes
from pubcellar.proxy.learning import traits_of
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts

NodeQuestion = ItemsQuestion | NodeInfoQuestion | NodeItemsQuestion

Admits = Callable[[NodeRecord, Answer | None], bool]

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

    async def answer(
        self,
        key: NodeKey,
        question: NodeQuestion,
        admits: Admits,
        *,
        in_outage: bool = False,
    ) -> Answer | None:
        """Return the answer from the database; None where the service must be asked.

        Args:
            key: the node.
            question: what is asked.
            admits: tells whether who asks may be given the node, before anything is read, and
                whether they may be given the answer, before it is given.
            in_outage: whether the service cannot be asked.

        Raises:
            ItemNotFound: the page asked for begins at an item that is not there.
            AnswerTooLarge: the first item of the answer alone is too large to send.
            StoreUnavailable: the database failed.
        """
        for _ in range(MOST_TRIES):
            entry = await self._nodes.loaded(key)
            record = entry.record
            if record is None or not _may_be_answered(record) or not admits(record, None):
                return None
            answer = await self._read(record, question, in_outage)
            if entry.is_loaded and entry.record is not None and _is_same(entry.record, record):
                return answer if admits(entry.record, answer) else None
        return None

    async def _read(
        self, record: NodeRecord, question: NodeQuestion, in_outage: bool
    ) -> Answer | None:
        match question:
            case NodeInfoQuestion():
                return None if record.info is None else Relayed(record.info)
            case NodeItemsQuestion():
                return await self._read_disco_items(record, question, in_outage)
            case ItemsQuestion():
                return await self._read_items(record, question, in_outage)

    async def _read_items(
        self, record: NodeRecord, question: ItemsQuestion, in_outage: bool
    ) -> Answer | None:
        limits = self._parts.limits
        traits = await self._traits(record, in_outage)
        plan = plan_items(question, traits, limits.paging, record.item_count)
        if plan is None:
            if has_one_form(question) and not _is_for_service(question):
                self._look_at(record.key)
            return None
        if isinstance(plan, IdsPlan):
            return await self._read_ids(record, plan)
        page = await self._parts.store.page(
            record.key, plan.page, newest_first=plan.newest_first, max_bytes=limits.list_bytes
        )
        if page.is_cut and not page.items:
            raise AnswerTooLarge(f"an item is too large to pass on: ask {record.key.service}")
        if page.is_cut and plan.is_turned and not plan.with_set:
            # What follows is paged the other way round.
            return None
        ids = [item.item_id for item in page.items]
        is_paged = plan.with_set or page.is_cut
        info = plan.page_info(ids, page.first_index, page.count) if is_paged else None
        return ItemsAnswer(question.node, page.items, info)

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
        self, record: NodeRecord, question: NodeItemsQuestion, in_outage: bool
    ) -> Answer | None:
        traits = await self._traits(record, in_outage)
        plan = plan_disco_items(question, traits, self._parts.limits.paging, record.item_count)
        if plan is None:
            if not _is_for_service(question):
                self._look_at(record.key)
            return None
        page = await self._parts.store.id_page(
            record.key, plan.page, newest_first=plan.newest_first
        )
        items = tuple(DiscoItem(record.key.service, name=one) for one in page.item_ids)
        size = sum(disco_item_bytes(item) for item in items)
        if size > self._parts.limits.list_bytes:
            return await self._cut_disco_items(record, plan, items)
        info = plan.page_info(page.item_ids, page.first_index, page.count)
        return DiscoItemsAnswer(question.node, items, info if plan.with_set else None)

    async def _traits(self, record: NodeRecord, in_outage: bool) -> ServiceTraits:
        entry = self._nodes.entry(record.key)
        return await traits_of(self._parts.store, entry, in_outage=in_outage)

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
        info = plan.page_info(page.item_ids, page.first_index, page.count)
        return DiscoItemsAnswer(record.key.node, found, info)


def _is_for_service(question: ItemsQuestion | NodeItemsQuestion) -> bool:
    """Tell whether only the service can know what page is meant, whatever we knew of its habits."""
    if isinstance(question, NodeItemsQuestion):
        return question.page is not None and token_of(question.page) is None
    return question.page is not None and is_of_service(question.page)


def _may_be_answered(record: NodeRecord) -> bool:
    is_complete = record.state in (NodeState.LIVE, NodeState.STALE) and record.generation > 0
    return is_complete and audience(record.access_model) is not Audience.NOBODY


def _is_same(now: NodeRecord, before: NodeRecord) -> bool:
    return _may_be_answered(now) and now.generation == before.generation
