"""Forwarding a read in the requester's name, and relaying what the service answered.

Equal reads in flight share one request. An answer is relayed as it came, unless it is larger than
we may send, or a page was asked of a service that knows no pages (XEP-0059): then it is cut at an
item's boundary, with a `<set/>` that says so (XEP-0060 section 6.5.4).
"""

import logging
from dataclasses import replace

from pubcellar.core.answering import Paging
from pubcellar.core.counters import Happened
from pubcellar.core.errors import (
    AnswerTooLarge,
    ForwardingLoop,
    InvalidPage,
    NotAllowed,
    TooManyRequests,
    UpstreamError,
    UpstreamRefused,
)
from pubcellar.core.failures import FailureMemory
from pubcellar.core.paging import (
    Slice,
    Token,
    by_id,
    fitting,
    is_of_service,
    page_info,
    plain_token,
    slice_of,
)
from pubcellar.core.ports import ForwardedAnswer
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
    OtherQuestion,
    PageInfo,
    PageRequest,
    Relayed,
    Request,
    ServiceItemsQuestion,
)
from pubcellar.proxy.continuing import Continuing, page_of, tokens_of
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.health import Health
from pubcellar.proxy.joining import Joining
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)

MOST_CUTS = 4
DISCO_ITEM_BYTES = 64
"""What an `<item/>` of disco#items has besides its values."""


class Forwarding:
    """Asks services in the name of requesters.

    Args:
        parts: the ports.
        health: tells which services are to be asked at all.
        failures: what has just been asked in vain.
        doubts: tells reads from before a write from those after it.
    """

    def __init__(
        self, parts: Parts, health: Health, failures: FailureMemory, doubts: Doubts
    ) -> None:
        self._parts = parts
        self._doubts = doubts
        self._health = health
        self._failures = failures
        self._joining: Joining[ForwardedAnswer] = Joining()
        self._continuing = Continuing(parts)

    async def forward(
        self,
        request: Request,
        *,
        is_shared: bool = False,
        may_wait: bool = True,
        arrivals: int = 0,
    ) -> ForwardedAnswer:
        """Return what the service answers; equal requests in flight are joined.

        Args:
            request: the read.
            is_shared: whether the answer is the same for everybody, so that requests of different
                people may be joined too.
            may_wait: whether to wait a moment for a probe, where the service was away.
            arrivals: how many notifications of the node have come. Who asks after one is not given
                what was asked for before it.

        Raises:
            UpstreamError: what the service, or the way to it, answered instead; now, or to the same
                read a short while ago, or to the last one before the service was found to be away.
            InvalidPage: the request's `<set/>` is invalid, and we are to page.
        """
        question = request.question
        is_ours_to_page = self._parts.limits.paging is Paging.XEP
        if isinstance(question, OtherQuestion) and question.invalid_page and is_ours_to_page:
            raise InvalidPage(question.invalid_page)
        self._raise_remembered(request)
        await self._health.admit(request.service, may_wait=may_wait)
        turn = self._doubts.turn(request.service)
        key = (request.service, request.payload, request.lang, arrivals, turn)
        own_key = (*key, request.requester.bare, request.identity)
        if not is_shared:
            return await self._join(own_key, request)
        was_running = self._joining.is_running(key)
        try:
            return await self._join(key, request)
        except (UpstreamRefused, NotAllowed, ForwardingLoop, TooManyRequests):
            if not was_running:
                raise
        # Somebody else was refused; that says nothing about this requester.
        return await self._join(own_key, request)

    async def _join(self, key: tuple[object, ...], request: Request) -> ForwardedAnswer:
        joined = self._joining.is_running(key)
        self._parts.counters.count(Happened.JOINED if joined else Happened.FORWARDED)
        if joined:
            log.debug(
                "waits for the answer to an equal read requester=%s service=%s",
                request.requester.bare,
                request.service,
            )
        return await self._joining.run(key, lambda: self._ask(request))

    def _raise_remembered(self, request: Request) -> None:
        failure = self._failures.recall(request, self._parts.clock.now())
        if failure is None:
            return
        self._parts.counters.count(Happened.FAILURE_REMEMBERED)
        log.debug(
            "has just failed and is not asked again requester=%s service=%s question=%r: %s",
            request.requester.bare,
            request.service,
            request.question,
            failure,
        )
        raise failure

    async def _ask(self, request: Request) -> ForwardedAnswer:
        turn = self._failures.turn()
        asked = self._parts.entitlements.asked(self._parts.clock.now())
        try:
            answered = await self._continuing.forward(request)
        except UpstreamError as error:
            self._failures.remember(request, error, self._parts.clock.now(), turn)
            raise
        for key in _nodes_seen(request, answered):
            # Who is given items is let in; disco#info is given to whom a node is closed to as well.
            is_let_in = isinstance(request.question, ItemsQuestion)
            self._failures.node_seen(key, request.requester.bare if is_let_in else None)
        return replace(answered, asked=asked)

    async def shaped(
        self, request: Request, answered: ForwardedAnswer, *, service_pages: bool | None
    ) -> Answer:
        """Return the answer as the requester gets it: relayed, paged by us, or cut to size.

        Args:
            request: the read.
            answered: what the service answered to it.
            service_pages: whether the service answers `<set/>` with pages of its own, if known.

        Raises:
            AnswerTooLarge: it cannot be made small enough.
            ItemNotFound: the page asked for begins at an item that is not there.
        """
        limits = self._parts.limits
        page = page_of(request)
        is_list = _is_list(answered)
        is_ours_to_page = (
            page is not None
            and answered.page is None
            # A service that pages, and does not say so, has nothing to page for this requester.
            and not (service_pages and (is_of_service(page) or not tokens_of(answered)))
            and limits.paging is Paging.XEP
        )
        if is_list and is_ours_to_page:
            return self._cut(request, answered, page, is_marked=bool(service_pages))
        if answered.size_bytes <= limits.list_bytes:
            return Relayed(answered.payload)
        is_pageable = service_pages is not False and _is_pageable(request)
        if is_list and (answered.page is not None or is_pageable):
            smaller = await self._smaller_page(request, answered, page)
            if smaller is not None:
                return smaller
        # Of a service's nodes it is not known who pages them; elsewhere the service has just shown.
        is_marked = bool(service_pages) or isinstance(request.question, ServiceItemsQuestion)
        return self._cut(request, answered, page, is_marked=is_marked and page is None)

    def _cut(
        self,
        request: Request,
        answered: ForwardedAnswer,
        page: PageRequest | None,
        *,
        is_marked: bool,
    ) -> Answer:
        """Page the list, or cut it; `is_marked` lets tokens be told from the service's own."""
        if not _is_list(answered):
            raise AnswerTooLarge(f"the answer is too large to pass on: ask {request.service}")
        tokens = tokens_of(answered)
        whole = slice_of(tokens, by_id(page or PageRequest()))
        if page is None and _asks_for_newest(request):
            whole = replace(whole, from_end=True)
        part = fitting(_sizes(answered), whole, self._parts.limits.list_bytes)
        if part.start == part.stop and whole.start < whole.stop:
            raise AnswerTooLarge(f"an item is too large to pass on: ask {request.service}")
        written = [
            str(Token(index, token)) if is_marked else plain_token(token)
            for index, token in enumerate(tokens)
        ]
        return _list_answer(request, answered, part, page_info(written, part))

    async def _smaller_page(
        self, request: Request, answered: ForwardedAnswer, page: PageRequest | None
    ) -> Answer | None:
        """Ask the service for fewer items, since only it knows its tokens; None if it ignores that.

        Raises:
            AnswerTooLarge: not even fewer items can be passed on.
        """
        limits = self._parts.limits
        is_newest = page is None and _asks_for_newest(request)
        page = page or PageRequest(before="" if is_newest else None)
        all_tokens = set(tokens_of(answered))
        for _ in range(MOST_CUTS):
            sizes = _sizes(answered)
            part = fitting(sizes, Slice(0, len(sizes), len(sizes), is_newest), limits.list_bytes)
            number = part.stop - part.start
            if number < 1 or number == len(sizes):
                break
            page = replace(page, max=number)
            answered = await self._continuing.forward(request, page)
            if answered.page is None:
                return None
            if is_newest and not all_tokens.issuperset(tokens_of(answered)):
                # Its last page has the oldest items.
                page = PageRequest(max=number)
                answered = await self._continuing.forward(request, page)
            if answered.size_bytes <= limits.list_bytes:
                return Relayed(answered.payload)
        raise AnswerTooLarge(f"an item is too large to pass on: ask {request.service}")


def _nodes_seen(request: Request, answered: ForwardedAnswer) -> list[NodeKey]:
    """Return the nodes that are there, as the answer shows."""
    match request.question:
        case ItemsQuestion(node=node) | NodeInfoQuestion(node=node) | NodeItemsQuestion(node=node):
            return [NodeKey(request.service, node)]
        case ServiceItemsQuestion():
            nodes = [item.node for item in answered.disco_items or ()]
            return [NodeKey(request.service, node) for node in nodes if node is not None]
    return []


def _is_list(answered: ForwardedAnswer) -> bool:
    return answered.items is not None or answered.disco_items is not None


def _is_pageable(request: Request) -> bool:
    question = request.question
    if isinstance(question, ItemsQuestion):
        return not question.item_ids
    return isinstance(question, NodeItemsQuestion)


def _asks_for_newest(request: Request) -> bool:
    question = request.question
    return isinstance(question, ItemsQuestion) and question.max_items is not None


def _sizes(answered: ForwardedAnswer) -> list[int]:
    if answered.items is not None:
        return [item.size_bytes for item in answered.items]
    return [disco_item_bytes(item) for item in answered.disco_items or ()]


def disco_item_bytes(item: DiscoItem) -> int:
    """Return the most bytes an item takes in disco#items, whatever has to be escaped in it."""
    values = (item.jid, item.node or "", item.name or "")
    escapable = sum(value.count(sign) for value in values for sign in "&<>\"'\t\n\r")
    return DISCO_ITEM_BYTES + sum(len(value.encode()) for value in values) + 5 * escapable


def _list_answer(
    request: Request, answered: ForwardedAnswer, part: Slice, page: PageInfo
) -> Answer:
    question = request.question
    items: tuple[Item, ...] = answered.items or ()
    if isinstance(question, ItemsQuestion):
        return ItemsAnswer(question.node, items[part.start : part.stop], page)
    node = question.node if isinstance(question, NodeItemsQuestion) else None
    return DiscoItemsAnswer(node, (answered.disco_items or ())[part.start : part.stop], page)
