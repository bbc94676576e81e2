"""Answering a read of a node: decided by `pubcellar.core.freshness`, carried out here."""

import logging
from dataclasses import replace
from datetime import datetime

from pubcellar.core.access import Audience, audience, is_open
from pubcellar.core.counters import Happened
from pubcellar.core.errors import (
    ItemNotFound,
    StoreUnavailable,
    TooManyRequests,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.core.failures import FailureKind, kind_of
from pubcellar.core.freshness import Answer as AnswerDecision
from pubcellar.core.freshness import (
    Decision,
    FollowUp,
    Forward,
    VerifyAccess,
    decide,
    forward_unverified,
)
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import direction
from pubcellar.core.values import (
    Answer,
    ItemsQuestion,
    NodeKey,
    Request,
)
from pubcellar.proxy.analysing import Analysing
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.entitling import Entitling
from pubcellar.proxy.forwarding import Forwarding
from pubcellar.proxy.held import Held, NodeQuestion
from pubcellar.proxy.learning import Learning, service_traits
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.stale import StaleAnswers
from pubcellar.proxy.worker import Workers

log = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
"""How long a read waits for notifications that are just being written."""
VERIFY_SECONDS = 2.0
"""How long a read waits for the access model; a service slower than that is asked at once."""
CONTRADICTING = frozenset({FailureKind.FORBIDDEN, FailureKind.ITEM_NOT_FOUND})
"""What nobody is told of a node that is there and open, unless they are outcasts."""
CONTRADICTING_CLOSED = frozenset({FailureKind.ITEM_NOT_FOUND})
"""What hardly anybody is told of a node that is there."""


class Retrieving:
    """Answers reads of nodes, from the database or by forwarding them."""

    def __init__(
        self,
        parts: Parts,
        nodes: Nodes,
        workers: Workers,
        forwarding: Forwarding,
        analysing: Analysing,
        stale_answers: StaleAnswers,
        doubts: Doubts,
    ) -> None:
        self._parts = parts
        self._doubts = doubts
        self._nodes = nodes
        self._workers = workers
        self._forwarding = forwarding
        self._analysing = analysing
        self._stale_answers = stale_answers
        self._learning = Learning(parts)
        self._held = Held(parts, nodes, self._look_at)
        self._entitling = Entitling(parts, self._held, workers)
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
            decision = await self._decide(request, key)
            if isinstance(decision, VerifyAccess):
                decision, outage = await self._verify_access(request, key)
            if isinstance(decision, AnswerDecision):
                answer = await self._from_cache(request, question, key)
                if answer is not None:
                    self._answered(request, key, Happened.ANSWERED_FROM_CACHE)
                    if decision.verify_soon:
                        self._nodes.entry(key).ask(Work.VERIFY_INFO, is_doubtful=False)
                        self._workers.wake(key)
                    return answer
        except StoreUnavailable as error:
            self._parts.counters.count(Happened.STORE_UNAVAILABLE)
            log.debug("the database failed, the request is forwarded: %s", error)
            decision = Forward()
        if not isinstance(decision, Forward):
            decision = Forward()
        return await self._forward(request, question, key, decision, outage)

    # Deciding

    async def _decide(self, request: Request, key: NodeKey) -> Decision:
        # What is in memory alone could be answered without it, and could not be kept current.
        self._parts.store.require_working()
        entry = await self._nodes.loaded(key)
        if entry.inbox and not entry.is_doubtful:
            await self._workers.settled(entry, SETTLE_SECONDS)
            entry = await self._nodes.loaded(key)
        in_doubt = (
            entry.is_in_doubt or not self._nodes.is_current(key) or self._doubts.is_under_way(key)
        )
        now = self._parts.clock.now()
        if entry.record is not None:
            self.reads[key] = now
        return decide(
            entry.record,
            now,
            self._parts.policy,
            in_doubt=in_doubt,
            is_notified=self._nodes.is_notified(key),
            hints=entry.hints,
            check_open=self._parts.access.check_open,
            is_entitled=self._entitling.is_entitled(request, key),
        )

    async def _from_cache(
        self, request: Request, question: NodeQuestion, key: NodeKey, *, in_outage: bool = False
    ) -> Answer | None:
        """Return the answer from the database; None where it has none for this requester."""

        def admits(record: NodeRecord, answer: Answer | None) -> bool:
            return self._entitling.admits(request, record, answer)

        return await self._held.answer(key, question, admits, in_outage=in_outage)

    async def _verify_access(
        self, request: Request, key: NodeKey
    ) -> tuple[Decision, Exception | None]:
        """Let the worker ask for the access model, and decide again; tell of an outage it met."""
        entry = self._nodes.entry(key)
        entry.ask(Work.VERIFY_INFO, is_doubtful=False)
        self._workers.wake(key)
        await self._workers.done(entry, Work.VERIFY_INFO, VERIFY_SECONDS)
        decision = await self._decide(request, key)
        record = self._nodes.entry(key).record
        if isinstance(decision, VerifyAccess) and record is not None:
            # Perhaps the service is slow, perhaps it is away: the forwarded read will tell.
            now = self._parts.clock.now()
            is_admitted = self._entitling.admits(request, record)
            decision = forward_unverified(record, now, self._parts.policy, is_admitted=is_admitted)
        return decision, entry.outage

    def _look_at(self, key: NodeKey) -> None:
        """The service's habits are not known well enough: have them looked at.

        What has not shown them will not do so again at once.
        """
        entry, now = self._nodes.entry(key), self._parts.clock.now()
        if entry.looked_at is not None:
            looked_at, arrivals = entry.looked_at
            if entry.arrivals == arrivals and now - looked_at < self._parts.policy.verify_every:
                return
        entry.looked_at = now, entry.arrivals
        entry.ask(Work.VERIFY_IDS, is_doubtful=False)
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
        if self._is_unseen(entry):
            decision = replace(decision, may_answer_stale=False)
        self._follow_up(entry, decision.follow_up)
        is_open = self._is_known_to_be_open(entry)
        asked_at = self._parts.clock.now()
        before = self._entitling.before(entry)
        try:
            if decision.may_answer_stale and outage is not None:
                # It was away a moment ago: the requester need not wait for that a second time.
                raise outage
            answered = await self._forwarding.forward(
                request,
                is_shared=is_open,
                may_wait=not decision.may_answer_stale,
                arrivals=entry.arrivals,
            )
        except (ItemNotFound, TooManyRequests, UpstreamRefused) as error:
            self._entitling.refused(request, key, error)
            self._doubt_access(entry, asked_at, error)
            self._nodes.release(key)
            raise
        except (UpstreamUnreachable, UpstreamTimeout):
            self._nodes.release(key)
            answer = await self._stale(request, question, key, decision)
            if answer is None:
                raise
            return answer
        self._answered(request, key, Happened.FORWARDED)
        self._nodes.release(key)
        if isinstance(question, ItemsQuestion):
            if decision.follow_up is FollowUp.ANALYSE:
                self._analysing.begin(request.requester.bare, key, question, answered)
            if not is_open:
                await self._entitling.answered(request, question, before, answered)
            await self._observe(entry, question, answered)
        return await self._shaped(request, key, answered)

    def _doubt_access(self, entry: NodeEntry, asked_at: datetime, error: Exception) -> None:
        """A node that we take to be open was refused to somebody: ask before it is answered again.

        An outcast is refused an open node, too: whose refusals have led to nothing just now are not
        asked about for every one of them.
        """
        record = entry.record
        if record is None or audience(record.access_model) is Audience.NOBODY:
            return
        kinds = CONTRADICTING if is_open(record.access_model) else CONTRADICTING_CLOSED
        if not isinstance(error, UpstreamRefused) or kind_of(error) not in kinds:
            return
        last = entry.access_doubted_at
        every = self._parts.policy.access_verify_every
        verified_at = record.info_verified_at
        if verified_at is not None and verified_at > asked_at:
            return
        if last is not None and asked_at - last < every:
            return
        entry.access_doubted_at = asked_at
        entry.ask(Work.VERIFY_INFO, is_doubtful=True)
        self._workers.wake(entry.key)

    def _is_known_to_be_open(self, entry: NodeEntry) -> bool:
        """Tell whether, within the bound of promise 2, one answer serves everybody."""
        record = entry.record
        if record is None or record.info_verified_at is None:
            return False
        check_open = self._parts.access.check_open
        if audience(record.access_model, check_open=check_open) is not Audience.EVERYBODY:
            return False
        age = self._parts.clock.now() - record.info_verified_at
        is_doubted = Work.VERIFY_INFO in entry.work and entry.is_doubtful
        return not is_doubted and age <= self._parts.policy.access_verify_every

    def _is_unseen(self, entry: NodeEntry) -> bool:
        """Tell whether something was written to the node that what is held may not show."""
        is_noted = entry.record is not None and entry.record.written_at is not None
        return is_noted or self._doubts.is_unseen(entry.key)

    def _follow_up(self, entry: NodeEntry, follow_up: FollowUp) -> None:
        record = entry.record
        if follow_up is FollowUp.VERIFY_ACCESS:
            entry.ask(Work.VERIFY_INFO, is_doubtful=False)
        elif follow_up is not FollowUp.WORK:
            return
        elif record is not None and record.state is NodeState.LIVE:
            if self._doubts.is_under_way(entry.key):
                # It is looked at when that is over.
                return
            entry.ask(Work.VERIFY_IDS, is_doubtful=False)
        self._workers.wake(entry.key)

    async def _stale(
        self, request: Request, question: NodeQuestion, key: NodeKey, decision: Forward
    ) -> Answer | None:
        if not decision.may_answer_stale or not self._nodes.has_begun:
            return None
        try:
            answer = await self._from_cache(request, question, key, in_outage=True)
        except StoreUnavailable:
            return None
        if answer is not None:
            record = self._nodes.entry(key).record
            verified_at = None if record is None else record.items_verified_at
            self._stale_answers.note(key.service, key.node, verified_at)
            self._answered(request, key, Happened.ANSWERED_STALE)
        return answer

    async def _shaped(self, request: Request, key: NodeKey, answered: ForwardedAnswer) -> Answer:
        try:
            pages = (await service_traits(self._parts.store, key.service)).pages
        except StoreUnavailable:
            pages = None
        return await self._forwarding.shaped(request, answered, service_pages=pages)

    async def _observe(
        self, entry: NodeEntry, question: ItemsQuestion, answered: ForwardedAnswer
    ) -> None:
        """Learn the order of plain answers from one of a node that is held."""
        is_plain = not (question.max_items or question.item_ids) and answered.page is None
        key, record = entry.key, entry.record
        is_doubtful = entry.is_in_doubt or self._doubts.is_under_way(key)
        if not is_plain or not answered.items or record is None or is_doubtful:
            return
        if record.state is not NodeState.LIVE or record.item_count != len(answered.items):
            return
        try:
            if "items_newest_first" not in entry.orders:
                held = await self._parts.store.item_ids(key)
                ids = [item.item_id for item in answered.items]
                # An answer from before the last change is in neither order.
                await self._learning.seen(entry, items_newest_first=direction(held, ids))
        except StoreUnavailable:
            pass

    def _answered(self, request: Request, key: NodeKey, how: Happened) -> None:
        by = {
            Happened.ANSWERED_FROM_CACHE: "cache",
            Happened.ANSWERED_STALE: "stale",
        }.get(how, "service")
        if how is Happened.ANSWERED_FROM_CACHE:
            self._parts.counters.count(how)
        log.debug(
            "answered by=%s requester=%s service=%s node=%r",
            by,
            request.requester.bare,
            key.service,
            key.node,
        )
