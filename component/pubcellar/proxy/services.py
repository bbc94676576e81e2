"""disco#info and disco#items of a service, kept for as long as `service_max_age`."""

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from pubcellar.core.answering import Paging
from pubcellar.core.counters import Happened
from pubcellar.core.errors import (
    AnswerTooLarge,
    StoreUnavailable,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.core.identity import Identity
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.records import ServiceRecord
from pubcellar.core.values import (
    Answer,
    BareJID,
    Request,
    ServiceInfoAnswer,
    ServiceItemsQuestion,
)
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.forwarding import Forwarding
from pubcellar.proxy.learning import service_record
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.stale import StaleAnswers

log = logging.getLogger(__name__)

MOST_LANGUAGES = 1000
MOST_LISTS = 256
MOST_LIST_BYTES = 8 * 1024 * 1024


_ListKey: TypeAlias = tuple[BareJID, BareJID | None, Identity | None]
"""A service, and to whom it gave the list, who asked as whom; None where it gives it to all."""


@dataclass(frozen=True, slots=True)
class _KeptList:
    answered: ForwardedAnswer
    was_paged_for: bool
    at: datetime


class Services:
    """Answers what is asked of services as a whole."""

    def __init__(
        self,
        parts: Parts,
        forwarding: Forwarding,
        stale_answers: StaleAnswers,
        doubts: Doubts,
    ) -> None:
        self._parts = parts
        self._doubts = doubts
        self._forwarding = forwarding
        self._stale_answers = stale_answers
        self._languages: dict[BareJID, str | None] = {}
        self._lists: OrderedDict[_ListKey, _KeptList] = OrderedDict()

    async def info(self, request: Request) -> Answer:
        """Return disco#info of the service, to be merged with our own (XEP-0060 section 5.1).

        One answer serves everybody: it is what the service says to a stranger, as whom it is asked
        for whoever wants to know. A personal service
        may say more to contacts, so that its answers are for those who asked. At our own address
        our own part is always given, even if the service gives none.

        Raises:
            UpstreamError: there is none, and a service's own address was asked.
        """
        pages = self._parts.limits.paging is Paging.XEP
        record = await self._record(request.service)
        is_personal = "@" in request.service
        if not is_personal:
            request = replace(request, identity=Identity.ALIAS)
        is_kept = not is_personal and self._is_in_language(record, request)
        if is_kept and self._is_young(record, self._parts.policy.service_max_age):
            self._answered(request, "cache")
            return ServiceInfoAnswer(record.info, pages)
        is_usable = not is_personal and self._is_young(record, self._parts.policy.max_stale)
        try:
            answered = await self._forwarding.forward(
                request, is_shared=not is_personal, may_wait=not is_usable
            )
        except UpstreamError as error:
            is_outage = isinstance(error, UpstreamUnreachable | UpstreamTimeout)
            if is_outage and is_usable:
                self._stale_answers.note(request.service, None, record.info_fetched_at)
                self._answered(request, "stale")
                return ServiceInfoAnswer(record.info, pages)
            if request.asked != self._parts.own_jid:
                raise
            return ServiceInfoAnswer(None, pages=False)
        self._answered(request, "service")
        if answered.size_bytes > self._parts.limits.list_bytes:
            raise AnswerTooLarge(f"the answer is too large to pass on: ask {request.service}")
        if not is_personal:
            if len(self._languages) >= MOST_LANGUAGES:
                self._languages.clear()
            self._languages[request.service] = request.lang
            await self._keep_info(request.service, answered.payload)
        return ServiceInfoAnswer(answered.payload, pages)

    def _is_in_language(self, record: ServiceRecord, request: Request) -> bool:
        """Tell whether the kept answer is one for the language asked for (XEP-0030 section 3.1)."""
        if record.info is None:
            return False
        asked_in = self._languages.get(record.service, ())
        return "xml:lang" not in record.info or asked_in == request.lang

    async def items(self, request: Request, question: ServiceItemsQuestion) -> Answer:
        """Return the service's nodes as it lists them to this requester (section 5.2).

        Raises:
            UpstreamError: the service refused or could not be asked, and no list is kept.
            ItemNotFound: the page asked for begins at a node that is not listed.
        """
        is_shared = self._parts.limits.shared_node_list
        key = (
            (request.service, None, None)
            if is_shared
            else (request.service, request.requester.bare, request.identity)
        )
        kept = self._usable(key, question)
        now = self._parts.clock.now()
        if kept is not None and now - kept.at <= self._parts.policy.service_max_age:
            self._answered(request, "cache")
            return await self._shaped(request, kept.answered)
        is_usable = kept is not None and now - kept.at <= self._parts.policy.max_stale
        turn = self._doubts.turn(request.service)
        try:
            answered = await self._forwarding.forward(
                request, is_shared=is_shared, may_wait=not is_usable
            )
        except (UpstreamUnreachable, UpstreamTimeout):
            if kept is None or not is_usable:
                raise
            self._stale_answers.note(request.service, None, kept.at)
            self._answered(request, "stale")
            return await self._shaped(request, kept.answered)
        self._answered(request, "service")
        if self._doubts.turn(request.service) == turn:
            self._keep_list(key, question, answered)
        return await self._shaped(request, answered)

    def forget_lists(self, service: BareJID) -> None:
        """A node of the service came or went: ask for the lists again."""
        for key in [key for key in self._lists if key[0] == service]:
            del self._lists[key]

    def _usable(self, key: _ListKey, question: ServiceItemsQuestion) -> _KeptList | None:
        kept = self._lists.get(key)
        # Only a list that came although a page was asked for shows that the service has no pages.
        if kept is None or (question.page is not None and not kept.was_paged_for):
            return None
        self._lists.move_to_end(key)
        return kept

    def _keep_list(
        self,
        key: _ListKey,
        question: ServiceItemsQuestion,
        answered: ForwardedAnswer,
    ) -> None:
        if answered.disco_items is None or answered.page is not None:
            return
        if answered.size_bytes > self._parts.limits.list_bytes:
            return
        was_paged_for = question.page is not None
        self._lists[key] = _KeptList(answered, was_paged_for, self._parts.clock.now())
        self._lists.move_to_end(key)
        while len(self._lists) > MOST_LISTS or self._size_bytes() > MOST_LIST_BYTES:
            self._lists.popitem(last=False)

    def _size_bytes(self) -> int:
        return sum(kept.answered.size_bytes for kept in self._lists.values())

    async def _shaped(self, request: Request, answered: ForwardedAnswer) -> Answer:
        return await self._forwarding.shaped(request, answered, service_pages=None)

    async def _record(self, service: BareJID) -> ServiceRecord:
        try:
            return await service_record(self._parts.store, service)
        except StoreUnavailable:
            return ServiceRecord(service)

    async def _keep_info(self, service: BareJID, payload: str) -> None:
        try:
            record = await service_record(self._parts.store, service)
            await self._parts.store.save_service(
                replace(record, info=payload, info_fetched_at=self._parts.clock.now())
            )
        except StoreUnavailable as error:
            self._parts.counters.count(Happened.STORE_UNAVAILABLE)
            log.debug("the database failed, nothing is kept of %s: %s", service, error)

    def _is_young(self, record: ServiceRecord, age: timedelta) -> bool:
        fetched_at = record.info_fetched_at
        return fetched_at is not None and self._parts.clock.now() - fetched_at <= age

    def _answered(self, request: Request, by: str) -> None:
        if by == "cache":
            self._parts.counters.count(Happened.ANSWERED_FROM_CACHE)
        log.debug(
            "answered by=%s requester=%s service=%s node=None",
            by,
            request.requester.bare,
            request.service,
        )
