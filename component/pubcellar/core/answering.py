"""How a question is answered from what is held, in the way its service would have answered.

A plan says which part of the node's list to read and in which order. Where the answer depends on a
trait of the service that is not known, there is no plan, and the question is forwarded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pubcellar.core.paging import Token, by_id, is_of_service, plain_token, token_of
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import ItemsQuestion, NodeItemsQuestion, PageInfo, PageRequest


class Paging(StrEnum):
    """`[cache] paging`: who decides whether item lists come in pages (XEP-0059)."""

    XEP = "xep"
    """Held or forwarded, every list can be paged; the proxy pages where the service does not."""
    SERVICE = "service"
    """As the service does: where it ignores `<set/>`, so does the proxy."""


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Read a page of the node's list.

    Attributes:
        page: which one; its token is an item's id, and one that is not held is an error.
        newest_first: order of the list.
        with_set: whether the answer bears `<set/>` even if it holds everything asked for.
        is_service_paging: whether the service pages too, so that our tokens must be told from its.
        is_turned: whether the list is the reverse of the one that the service pages.
    """

    page: PageRequest
    newest_first: bool
    with_set: bool
    is_service_paging: bool = False
    is_turned: bool = False

    def page_info(self, item_ids: Sequence[str], first_index: int | None, count: int) -> PageInfo:
        """Return what `<set/>` says of the page that has these items."""
        if not item_ids or first_index is None:
            return PageInfo(count=count)
        last_index = first_index + len(item_ids) - 1
        first = self._token(item_ids[0], first_index, count)
        last = self._token(item_ids[-1], last_index, count)
        return PageInfo(count, first, last, first_index)

    def _token(self, item_id: str, index: int, count: int) -> str:
        if not self.is_service_paging:
            return plain_token(item_id)
        return str(Token(count - 1 - index if self.is_turned else index, item_id))


@dataclass(frozen=True, slots=True)
class IdsPlan:
    """Read single items: as often and in the order asked, or each once, in the list's order."""

    item_ids: tuple[str, ...]
    as_requested: bool
    newest_first: bool


ItemsPlan = PagePlan | IdsPlan


def has_one_form(question: ItemsQuestion) -> bool:
    """Tell whether the question limits the items in one way at most; services mix them oddly."""
    forms = (question.max_items is not None, bool(question.item_ids), question.page is not None)
    return sum(forms) <= 1


def plan_items(
    question: ItemsQuestion, traits: ServiceTraits, paging: Paging, item_count: int
) -> ItemsPlan | None:
    """Return how to answer an items request (XEP-0060 section 6.5), or None to forward it."""
    if not has_one_form(question):
        return None
    if question.item_ids:
        return _plan_ids(question.item_ids, traits, item_count)
    if question.max_items is not None:
        return _plan_newest(question.max_items, traits, item_count)
    if question.page is not None and (traits.pages or paging is Paging.XEP):
        return _plan_page(question.page, traits, item_count)
    if question.page is not None and traits.pages is None:
        return None
    return _plan_all(traits.items_newest_first, traits, item_count)


def plan_disco_items(
    question: NodeItemsQuestion, traits: ServiceTraits, paging: Paging, item_count: int
) -> PagePlan | None:
    """Return how to answer disco#items of a node (XEP-0060 section 5.5), or None to forward it."""
    plan = _plan_all(traits.disco_newest_first, traits, item_count)
    if plan is None or not traits.lists_items or question.page is None:
        return plan if traits.lists_items else None
    if traits.pages is False:
        if paging is Paging.SERVICE:
            return plan
    elif token_of(question.page) is None:
        # How a paging service pages disco#items is not learnt. What is asked for from a token of
        # ours is the rest of a list that we have cut.
        return None
    return PagePlan(by_id(question.page), plan.newest_first, True, plan.is_service_paging)


def _plan_all(order: bool | None, traits: ServiceTraits, item_count: int) -> PagePlan | None:
    newest_first = _order(order, item_count)
    if newest_first is None:
        return None
    is_turned = newest_first != bool(traits.pages_newest_first)
    is_paging = traits.pages is not False
    return PagePlan(PageRequest(), newest_first, False, is_paging, is_paging and is_turned)


def _plan_ids(item_ids: tuple[str, ...], traits: ServiceTraits, item_count: int) -> IdsPlan | None:
    if len(item_ids) == 1 or (item_count < 2 and len(set(item_ids)) == len(item_ids)):
        # One item at most is found, and once.
        return IdsPlan(item_ids, as_requested=True, newest_first=False)
    if traits.ids_as_requested is None:
        return None
    if not traits.ids_as_requested and traits.items_newest_first is None:
        return None
    return IdsPlan(item_ids, traits.ids_as_requested, bool(traits.items_newest_first))


def _plan_newest(max_items: int, traits: ServiceTraits, item_count: int) -> PagePlan | None:
    plan = _plan_all(traits.max_items_newest_first, traits, min(max_items, item_count))
    if plan is None or (traits.max_items_paged is None and traits.pages is not False):
        return None
    at_newest_end = PageRequest(max=max_items, before=None if plan.newest_first else "")
    with_set = bool(traits.max_items_paged)
    return replace(plan, page=at_newest_end, with_set=with_set)


def _plan_page(page: PageRequest, traits: ServiceTraits, item_count: int) -> PagePlan | None:
    if traits.pages is None or (traits.pages and is_of_service(page)):
        return None
    order = traits.pages_newest_first if traits.pages else traits.items_newest_first
    newest_first = _order(order, item_count)
    if newest_first is None:
        return None
    return PagePlan(by_id(page), newest_first, True, traits.pages)


def _order(newest_first: bool | None, item_count: int) -> bool | None:
    # A list of one item has no order that could be wrong.
    return False if newest_first is None and item_count < 2 else newest_first
