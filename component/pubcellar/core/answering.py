"""How a question is answered from what is held, in the way its service would have answered.

A plan says which part of the node's list to read and in which order. Where the answer depends on a
trait of the service that is not known, there is no plan, and the question is forwarded.
"""

from dataclasses import dataclass
from enum import StrEnum

from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import ItemsQuestion, NodeItemsQuestion, PageRequest


class Paging(StrEnum):
    """`[cache] paging`: who decides whether item lists come in pages (XEP-0059)."""

    XEP = "xep"
    """Held or forwarded, every list can be paged; the proxy pages where the service does not."""
    SERVICE = "service"
    """As the service does: where it ignores `<set/>`, so does the proxy."""


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Read a page of the node's list.

    `with_set` says whether the answer bears `<set/>` even if it holds everything asked for;
    `is_ours` whether an unknown token is an error rather than a token of the service's.
    """

    page: PageRequest
    newest_first: bool
    with_set: bool
    is_ours: bool = True


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
        return _plan_ids(question.item_ids, traits)
    if question.max_items is not None:
        return _plan_newest(question.max_items, traits, item_count)
    if question.page is not None and (traits.pages or paging is Paging.XEP):
        return _plan_page(question.page, traits, item_count)
    if question.page is not None and traits.pages is None:
        return None
    newest_first = _order(traits.items_newest_first, item_count)
    return None if newest_first is None else PagePlan(PageRequest(), newest_first, False)


def plan_disco_items(
    question: NodeItemsQuestion, traits: ServiceTraits, paging: Paging, item_count: int
) -> PagePlan | None:
    """Return how to answer disco#items of a node (XEP-0060 section 5.5), or None to forward it."""
    newest_first = _order(traits.disco_newest_first, item_count)
    if newest_first is None or not traits.lists_items:
        return None
    if question.page is None:
        return PagePlan(PageRequest(), newest_first, False)
    if traits.pages is not False:
        return None
    if paging is Paging.SERVICE:
        return PagePlan(PageRequest(), newest_first, False)
    return PagePlan(question.page, newest_first, True)


def _plan_ids(item_ids: tuple[str, ...], traits: ServiceTraits) -> IdsPlan | None:
    if len(item_ids) == 1:
        return IdsPlan(item_ids, as_requested=True, newest_first=False)
    if traits.ids_as_requested is None:
        return None
    if not traits.ids_as_requested and traits.items_newest_first is None:
        return None
    return IdsPlan(item_ids, traits.ids_as_requested, bool(traits.items_newest_first))


def _plan_newest(max_items: int, traits: ServiceTraits, item_count: int) -> PagePlan | None:
    newest_first = _order(traits.max_items_newest_first, min(max_items, item_count))
    if newest_first is None:
        return None
    if newest_first:
        return PagePlan(PageRequest(max=max_items), True, False)
    return PagePlan(PageRequest(max=max_items, before=""), False, False)


def _plan_page(page: PageRequest, traits: ServiceTraits, item_count: int) -> PagePlan | None:
    if traits.pages is None:
        return None
    order = traits.pages_newest_first if traits.pages else traits.items_newest_first
    newest_first = _order(order, item_count)
    if newest_first is None:
        return None
    return PagePlan(page, newest_first, True, is_ours=not traits.pages)


def _order(newest_first: bool | None, item_count: int) -> bool | None:
    # A list of one item has no order that could be wrong.
    return False if newest_first is None and item_count < 2 else newest_first
