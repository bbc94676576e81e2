"""Asking a service that pages for what follows a token of ours.

Whoever began to page while a node was held has tokens that mean nothing to its service, and some
services answer what they cannot read with an empty page. So the service is asked for the place at
which the item stood: its answer has the item and a token of its own, or the item is not there.
"""

from collections.abc import AsyncIterator

from pubcellar.core.errors import ItemNotFound, StorageError, UpstreamRefused
from pubcellar.core.paging import Token, token_of, with_place
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.values import (
    ItemsQuestion,
    NodeItemsQuestion,
    NodeKey,
    PageRequest,
    Request,
    ServiceItemsQuestion,
)
from pubcellar.proxy.learning import service_traits
from pubcellar.proxy.parts import Parts

REFUSALS_OF_A_PLACE = ("internal-server-error", "bad-request", "feature-not-implemented")
"""What services answer to an index beyond the end, or know no index."""


class Continuing:
    """Forwards reads, with the service's own token in place of one of ours."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def forward(self, request: Request, page: PageRequest | None = None) -> ForwardedAnswer:
        """Return what the service answers.

        Where the service turns out to know no pages, that is its whole list.

        Args:
            request: the read.
            page: what is to be asked for instead of the request's `<set/>`.

        Raises:
            ItemNotFound: the item that a token of ours stands for is not where it was. XEP-0059
                section 2.2 asks for that error where an item does not exist; where it does, whoever
                pages begins anew.
            UpstreamError: the service could not or would not answer.
        """
        forward = self._parts.forwarder.forward
        wanted = page or page_of(request)
        token = token_of(wanted)
        if wanted is None or token is None or not await self._may_page(request):
            return await (forward(request) if page is None else forward(request, page))
        async for index in self._places(request, token):
            try:
                found = await forward(request, PageRequest(max=1, index=index))
            except UpstreamRefused as error:
                if error.condition not in REFUSALS_OF_A_PLACE:
                    raise
                continue
            if found.page is None:
                return found
            if token.item_id in tokens_of(found)[:1] and found.page.first:
                return await forward(request, with_place(wanted, found.page.first))
        raise ItemNotFound("the list has changed: page anew from its beginning")

    async def _may_page(self, request: Request) -> bool:
        if isinstance(request.question, ServiceItemsQuestion):
            return True
        try:
            return (await service_traits(self._parts.store, request.service)).pages is not False
        except StorageError:
            return True

    async def _places(self, request: Request, token: Token) -> AsyncIterator[int]:
        """Yield where the item was, and where it is in the copy that is held."""
        yield token.index
        question = request.question
        if not isinstance(question, ItemsQuestion | NodeItemsQuestion):
            return
        try:
            traits = await service_traits(self._parts.store, request.service)
            before = await self._parts.store.id_page(
                NodeKey(request.service, question.node),
                PageRequest(max=1, before=token.item_id),
                newest_first=bool(traits.pages_newest_first),
            )
        except (StorageError, ItemNotFound):
            return
        index = 0 if before.first_index is None else before.first_index + 1
        if index != token.index:
            yield index


def page_of(request: Request) -> PageRequest | None:
    """Return what the request's `<set/>` asks for; None where there is none."""
    match request.question:
        case ItemsQuestion(page=page) | NodeItemsQuestion(page=page):
            return page
        case ServiceItemsQuestion(page=page):
            return page
    return None


def tokens_of(answered: ForwardedAnswer) -> list[str]:
    """Return what stands for each element where we page; none where the answer is no list."""
    if answered.items is not None:
        return [item.item_id for item in answered.items]
    return [item.node or item.name or item.jid for item in answered.disco_items or ()]
