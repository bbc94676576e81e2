"""Forwarding a read in the requester's name, and relaying what the service answered.

Equal reads in flight share one request. An answer is relayed as it came, unless it is larger than
we may send, or a page was asked of a service that knows no pages (XEP-0059): then it is cut at an
item's boundary, with a `<set/>` that says so (XEP-0060 section 6.5.4).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from pubcellar.core.answering import Paging
from pubcellar.core.counters import Happened
from pubcellar.core.errors import (
    AnswerTooLarge,
    ForwardingLoop,
    InvalidPage,
    NotAllowed,
    UpstreamRefused,
)
from pubcellar.core.paging import Slice, fitting, page_info, slice_of
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.values import (
    Answer,
    BareJID,
    DiscoItem,
    DiscoItemsAnswer,
    Item,
    ItemsAnswer,
    ItemsQuestion,
    NodeItemsQuestion,
    OtherQuestion,
    PageInfo,
    PageRequest,
    Relayed,
    Request,
    ServiceItemsQuestion,
)
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
        answered: called with the service whenever one has answered, if only with a refusal.
    """

    def __init__(self, parts: Parts, answered: Callable[[BareJID], None]) -> None:
        self._parts = parts
        self._answered = answered
        self._joining: Joining[ForwardedAnswer] = Joining()

    async def forward(self, request: Request, *, is_shared: bool = False) -> ForwardedAnswer:
        """Return what the service answers; equal requests in flight are joined.

        Args:
            request: the read.
            is_shared: whether the answer is the same for everybody, so that requests of different
                people may be joined too.

        Raises:
            UpstreamError: what the service, or the way to it, answered instead.
            InvalidPage: the request's `<set/>` is invalid, and we are to page.
        """
        question = request.question
        is_ours_to_page = self._parts.limits.paging is Paging.XEP
        if isinstance(question, OtherQuestion) and question.invalid_page and is_ours_to_page:
            raise InvalidPage(question.invalid_page)
        key = (request.service, request.payload, request.lang)
        if not is_shared:
            return await self._join((*key, request.requester.bare), request)
        was_running = self._joining.is_running(key)
        try:
            return await self._join(key, request)
        except (UpstreamRefused, NotAllowed, ForwardingLoop):
            if not was_running:
                raise
        # Somebody else was refused; that says nothing about this requester.
        return await self._join((*key, request.requester.bare), request)

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

    async def _ask(self, request: Request) -> ForwardedAnswer:
        try:
            answered = await self._parts.forwarder.forward(request)
        except UpstreamRefused:
            self._answered(request.service)
            raise
        self._answered(request.service)
        return answered

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
        page = _page_of(request)
        is_ours_to_page = (
            page is not None
            and answered.page is None
            and not service_pages
            and limits.paging is Paging.XEP
        )
        if _tokens(answered) is None or not is_ours_to_page:
            if answered.size_bytes <= limits.list_bytes:
                return Relayed(answered.payload)
            if answered.page is not None or (service_pages and _is_whole_list(request)):
                return await self._smaller_page(request, answered, page)
        return self._cut(request, answered, page if is_ours_to_page else None)

    def _cut(self, request: Request, answered: ForwardedAnswer, page: PageRequest | None) -> Answer:
        tokens = _tokens(answered)
        if tokens is None:
            raise AnswerTooLarge(f"the answer is too large to pass on: ask {request.service}")
        whole = slice_of(tokens, page or PageRequest())
        if page is None and _asks_for_newest(request):
            whole = replace(whole, from_end=True)
        part = fitting(_sizes(answered), whole, self._parts.limits.list_bytes)
        if part.start == part.stop and whole.start < whole.stop:
            raise AnswerTooLarge(f"an item is too large to pass on: ask {request.service}")
        return _list_answer(request, answered, part, page_info(tokens, part))

    async def _smaller_page(
        self, request: Request, answered: ForwardedAnswer, page: PageRequest | None
    ) -> Answer:
        """Ask the service that pages for fewer items, since only it knows its tokens."""
        limits = self._parts.limits
        for _ in range(MOST_CUTS):
            sizes = _sizes(answered)
            whole = Slice(0, len(sizes), len(sizes))
            number = fitting(sizes, whole, limits.list_bytes).stop
            if number < 1 or number == len(sizes):
                break
            page = replace(page or PageRequest(), max=number)
            answered = await self._parts.forwarder.forward(request, page)
            if answered.size_bytes <= limits.list_bytes:
                return Relayed(answered.payload)
        raise AnswerTooLarge(f"an item is too large to pass on: ask {request.service}")


def _page_of(request: Request) -> PageRequest | None:
    match request.question:
        case ItemsQuestion(page=page) | NodeItemsQuestion(page=page):
            return page
        case ServiceItemsQuestion(page=page):
            return page
    return None


def _is_whole_list(request: Request) -> bool:
    question = request.question
    return isinstance(question, ItemsQuestion) and not question.item_ids


def _asks_for_newest(request: Request) -> bool:
    question = request.question
    return isinstance(question, ItemsQuestion) and question.max_items is not None


def _tokens(answered: ForwardedAnswer) -> Sequence[str] | None:
    if answered.items is not None:
        return [item.item_id for item in answered.items]
    if answered.disco_items is not None:
        return [disco_token(item) for item in answered.disco_items]
    return None


def disco_token(item: DiscoItem) -> str:
    """Return what tells an item of disco#items from the others: node, item id, or address."""
    return item.node or item.name or item.jid


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
