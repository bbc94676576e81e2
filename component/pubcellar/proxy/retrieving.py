"""Answering a read of a node: decided by `pubcellar.core.freshness`, carried out here."""

import logging
from datetime import datetime

from pubcellar.core.access import is_shared
from pubcellar.core.answering import IdsPlan, PagePlan, has_one_form, plan_disco_items, plan_items
from pubcellar.core.counters import Happened
from pubcellar.core.errors import (
    AnswerTooLarge,
    ItemNotFound,
    StoreUnavailable,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.core.freshness import Answer as AnswerDecision
from pubcellar.core.freshness import Decision, FollowUp, Forward, VerifyAccess, decide
from pubcellar.core.ports import ForwardedAnswer
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
    Request,
)
from pubcellar.proxy.analysing import Analysing
from pubcellar.proxy.forwarding import Forwarding, disco_item_bytes
from pubcellar.proxy.learning import Learning, service_traits
from pubcellar.proxy.nodes import NodeEntry, Nodes, Work
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.worker import Workers

log = logging.getLogger(__name__)

NodeQuestion = ItemsQuestion | NodeInfoQuestion | NodeItemsQuestion

SETTLE_SECONDS = 1.0
"""How long a read waits for notifications that are just being written."""
VERIFY_SECONDS = 60.0
MOST_TRIES = 3


class Retrieving:
    """Answers reads of nodes, from the database or by forwarding them."""

    def __init__(
        self,
        parts: Parts,
        nodes: Nodes,
        workers: Workers,
        forwarding: Forwarding,
        analysing: Analysing,
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._workers = workers
        self._forwarding = forwarding
        self._analysing = analysing
        self._learning = Learning(parts)
        self.reads: dict[NodeKey, datetime] = {}
        """When held or remembered nodes were read, to be written down now and then."""

    async def retrieve(
        self, request: Request, question: NodeQuestion, *, trust_cache: bool
    ) -> Answer:
        """Return the answer to a read of a node.

        Args:
            request: the read.
            question: what it asks of which node.
            trust_cache: whether what is held may be used; if not, it is fetched anew.

        Raises:
            ProxyError: the read is answered with an error instead.
        """
        key = NodeKey(request.service, question.node)
        outage: Exception | None = None
        if not trust_cache:
            self._nodes.entry(key).ask(Work.SYNCHRONISE, is_doubtful=True)
            self._workers.wake(key)
        try:
            decision = await self._decide(key)
            if isinstance(decision, VerifyAccess):
                decision, outage = await self._verify_access(key)
            if isinstance(decision, AnswerDecision):
                answer = await self._from_store(key, question)
                if answer is not None:
                    self._answered(request, key, Happened.ANSWERED_FROM_CACHE)
                    if decision.verify_soon:
                        self._nodes.entry(key).ask(Work.VERIFY_INFO, is_doubtful=False)
                        self._workers.wake(key)
                    return answer
        except StoreUnavailable as error:
            self._parts.counters.count(Happened.STORE_UNAVAILABLE)
            log.error("the database failed, the request is forwarded: %s", error)
            decision = Forward()
        if not isinstance(decision, Forward):
            decision = Forward()
        return await self._forward(request, question, key, decision, outage)

    # Deciding

    async def _decide(self, key: NodeKey) -> Decision:
        entry = await self._nodes.loaded(key)
        if entry.inbox and not entry.is_doubtful:
            await self._workers.settled(entry, SETTLE_SECONDS)
            entry = await self._nodes.loaded(key)
        in_doubt = entry.is_in_doubt or not self._nodes.is_trusted(key.service)
        now = self._parts.clock.now()
        if entry.record is not None:
            self.reads[key] = now
        return decide(entry.record, now, self._parts.policy, in_doubt=in_doubt)

    async def _verify_access(self, key: NodeKey) -> tuple[Decision, Exception | None]:
        """Let the worker ask for the access model, and decide again; tell of an outage it met."""
        entry = self._nodes.entry(key)
        entry.ask(Work.VERIFY_INFO, is_doubtful=False)
        entry = self._workers.wake(key)
        await self._workers.settled(entry, VERIFY_SECONDS)
        decision = await self._decide(key)
        is_unverified = isinstance(decision, VerifyAccess)
        return Forward(FollowUp.WORK) if is_unverified else decision, entry.outage

    # Answering

    async def _from_store(self, key: NodeKey, question: NodeQuestion) -> Answer | None:
        """Return the answer from the database; None where the service must be asked."""
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
                self._learn(record.key)
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
            self._learn(record.key)
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
        smaller = PageRequest(number, plan.page.after, plan.page.before, plan.page.index)
        page = await self._parts.store.id_page(record.key, smaller, newest_first=plan.newest_first)
        found = tuple(DiscoItem(record.key.service, name=one) for one in page.item_ids)
        info = PageInfo(page.count, page.item_ids[0], page.item_ids[-1], page.first_index)
        return DiscoItemsAnswer(record.key.node, found, info)

    def _learn(self, key: NodeKey) -> None:
        """The service's habits are not known well enough: have them looked at."""
        self._nodes.entry(key).ask(Work.VERIFY_IDS, is_doubtful=False)
        self._workers.wake(key)

    # Forwarding

    async def _forward(
        self,
        request: Request,
        question: NodeQuestion,
        key: NodeKey,
        decision: Forward,
        outage: Exception | None,
    ) -> Answer:
        entry = self._nodes.entry(key)
        if decision.follow_up is FollowUp.WORK:
            self._set_to_work(entry)
        is_open = entry.record is not None and is_shared(entry.record.access_model)
        try:
            if decision.may_answer_stale and outage is not None:
                # It was away a moment ago: the requester need not wait for that a second time.
                raise outage
            answered = await self._forwarding.forward(request, is_shared=is_open)
        except (UpstreamUnreachable, UpstreamTimeout):
            answer = await self._stale(request, question, key, decision)
            if answer is None:
                raise
            return answer
        self._answered(request, key, Happened.FORWARDED)
        if isinstance(question, ItemsQuestion):
            if decision.follow_up is FollowUp.ANALYSE:
                self._analysing.begin(key, question, answered)
            await self._observe(key, question, answered)
        return await self._shaped(request, key, answered)

    def _set_to_work(self, entry: NodeEntry) -> None:
        record = entry.record
        if record is not None and record.state is NodeState.LIVE:
            entry.ask(Work.VERIFY_IDS, is_doubtful=False)
        self._workers.wake(entry.key)

    async def _stale(
        self, request: Request, question: NodeQuestion, key: NodeKey, decision: Forward
    ) -> Answer | None:
        if not decision.may_answer_stale:
            return None
        try:
            answer = await self._from_store(key, question)
        except StoreUnavailable:
            return None
        if answer is not None:
            self._answered(request, key, Happened.ANSWERED_STALE)
            log.warning(
                "answered stale, the service is away service=%s node=%r", key.service, key.node
            )
        return answer

    async def _shaped(self, request: Request, key: NodeKey, answered: ForwardedAnswer) -> Answer:
        try:
            pages = (await service_traits(self._parts.store, key.service)).pages
        except StoreUnavailable:
            pages = None
        return await self._forwarding.shaped(request, answered, service_pages=pages)

    async def _observe(
        self, key: NodeKey, question: ItemsQuestion, answered: ForwardedAnswer
    ) -> None:
        """Learn the order of plain answers from one of a node that is held."""
        is_plain = not (question.max_items or question.item_ids) and answered.page is None
        entry = self._nodes.entry(key)
        record = entry.record
        if not is_plain or not answered.items or record is None or entry.is_in_doubt:
            return
        if record.state is not NodeState.LIVE or record.item_count != len(answered.items):
            return
        try:
            if (await service_traits(self._parts.store, key.service)).items_newest_first is None:
                held = await self._parts.store.item_ids(key)
                ids = [item.item_id for item in answered.items]
                # An answer from before the last change would teach the wrong order.
                if len(held) > 1 and ids in (held, held[::-1]):
                    await self._learning.save(key.service, items_newest_first=ids != held)
        except StoreUnavailable:
            pass

    def _answered(self, request: Request, key: NodeKey, how: Happened) -> None:
        by = {
            Happened.ANSWERED_FROM_CACHE: "cache",
            Happened.ANSWERED_STALE: "stale",
        }.get(how, "service")
        if how is not Happened.FORWARDED:
            self._parts.counters.count(how)
        log.debug(
            "answered by=%s requester=%s service=%s node=%r",
            by,
            request.requester.bare,
            key.service,
            key.node,
        )


def _may_be_answered(record: NodeRecord) -> bool:
    is_complete = record.state in (NodeState.LIVE, NodeState.STALE) and record.generation > 0
    return is_complete and is_shared(record.access_model)


def _is_same(now: NodeRecord, before: NodeRecord) -> bool:
    return _may_be_answered(now) and now.generation == before.generation


def _info_of(page: StoredPage) -> PageInfo:
    if not page.items:
        return PageInfo(count=page.count)
    return PageInfo(page.count, page.items[0].item_id, page.items[-1].item_id, page.first_index)
