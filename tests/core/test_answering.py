"""Every form of an items request against what may be known of the service (XEP-0060 6.5)."""

import itertools
from dataclasses import replace

import pytest

from pubcellar.core.answering import (
    IdsPlan,
    ItemsPlan,
    PagePlan,
    Paging,
    plan_disco_items,
    plan_items,
)
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import ItemsQuestion, NodeItemsQuestion, PageRequest

XEP, SERVICE = Paging.XEP, Paging.SERVICE
ALL = PageRequest()

PROSODY = ServiceTraits(
    lists_items=True,
    pages=False,
    items_newest_first=False,
    max_items_newest_first=False,
    disco_newest_first=True,
    ids_as_requested=True,
)
EJABBERD = ServiceTraits(
    lists_items=True,
    pages=True,
    items_newest_first=False,
    max_items_newest_first=False,
    disco_newest_first=False,
    pages_newest_first=False,
    ids_as_requested=False,
)
EJABBERD_SQL = replace(EJABBERD, max_items_newest_first=True)
UNKNOWN = ServiceTraits()


def asks(
    max_items: int | None = None,
    item_ids: tuple[str, ...] = (),
    page: PageRequest | None = None,
) -> ItemsQuestion:
    return ItemsQuestion("blog", max_items, item_ids, page)


@pytest.mark.parametrize("paging", Paging)
@pytest.mark.parametrize(
    ("traits", "count", "expected"),
    [
        (PROSODY, 9, PagePlan(ALL, newest_first=False, with_set=False)),
        (EJABBERD, 9, PagePlan(ALL, newest_first=False, with_set=False)),
        (
            replace(PROSODY, items_newest_first=True),
            9,
            PagePlan(ALL, newest_first=True, with_set=False),
        ),
        (UNKNOWN, 2, None),
        (UNKNOWN, 1, PagePlan(ALL, newest_first=False, with_set=False)),
        (UNKNOWN, 0, PagePlan(ALL, newest_first=False, with_set=False)),
    ],
)
def test_a_plain_request_gets_the_whole_list_in_the_service_s_order(
    traits: ServiceTraits, count: int, expected: ItemsPlan | None, paging: Paging
) -> None:
    assert plan_items(asks(), traits, paging, count) == expected


@pytest.mark.parametrize("paging", Paging)
@pytest.mark.parametrize(
    ("traits", "max_items", "count", "expected"),
    [
        (PROSODY, 3, 9, PagePlan(PageRequest(max=3, before=""), False, False)),
        (EJABBERD, 3, 9, PagePlan(PageRequest(max=3, before=""), False, False)),
        (EJABBERD_SQL, 3, 9, PagePlan(PageRequest(max=3), True, False)),
        (UNKNOWN, 3, 9, None),
        (UNKNOWN, 3, 2, None),
        (UNKNOWN, 1, 9, PagePlan(PageRequest(max=1, before=""), False, False)),
        (UNKNOWN, 3, 1, PagePlan(PageRequest(max=3, before=""), False, False)),
        (UNKNOWN, 3, 0, PagePlan(PageRequest(max=3, before=""), False, False)),
    ],
)
def test_max_items_gets_the_newest_in_the_order_of_such_answers(
    traits: ServiceTraits, max_items: int, count: int, expected: ItemsPlan | None, paging: Paging
) -> None:
    assert plan_items(asks(max_items=max_items), traits, paging, count) == expected


@pytest.mark.parametrize("paging", Paging)
@pytest.mark.parametrize("count", [0, 1, 9])
@pytest.mark.parametrize(
    ("traits", "item_ids", "expected"),
    [
        (PROSODY, ("b", "a", "b"), IdsPlan(("b", "a", "b"), True, False)),
        (EJABBERD, ("b", "a"), IdsPlan(("b", "a"), False, False)),
        (
            replace(EJABBERD, items_newest_first=True),
            ("b", "a"),
            IdsPlan(("b", "a"), False, True),
        ),
        (UNKNOWN, ("a",), IdsPlan(("a",), True, False)),
        (UNKNOWN, ("b", "a"), None),
        (replace(UNKNOWN, ids_as_requested=False), ("b", "a"), None),
        (replace(UNKNOWN, ids_as_requested=True), ("b", "a"), IdsPlan(("b", "a"), True, False)),
    ],
)
def test_items_by_id_come_as_the_service_would_give_them(
    traits: ServiceTraits,
    item_ids: tuple[str, ...],
    expected: ItemsPlan | None,
    count: int,
    paging: Paging,
) -> None:
    assert plan_items(asks(item_ids=item_ids), traits, paging, count) == expected


PAGES = [
    PageRequest(),
    PageRequest(max=0),
    PageRequest(max=3),
    PageRequest(max=3, after="x"),
    PageRequest(max=3, before=""),
    PageRequest(max=3, before="x"),
    PageRequest(max=3, index=6),
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("traits", "paging", "count", "newest_first", "is_ours"),
    [
        (PROSODY, XEP, 9, False, True),
        (replace(PROSODY, items_newest_first=True), XEP, 9, True, True),
        (EJABBERD, XEP, 9, False, False),
        (EJABBERD, SERVICE, 9, False, False),
        (replace(EJABBERD, pages_newest_first=True), XEP, 9, True, False),
        (replace(EJABBERD, pages_newest_first=True), SERVICE, 9, True, False),
        (ServiceTraits(pages=False), XEP, 1, False, True),
        (ServiceTraits(pages=True), SERVICE, 1, False, False),
    ],
)
def test_a_page_is_cut_in_the_order_of_the_service(
    traits: ServiceTraits,
    paging: Paging,
    count: int,
    newest_first: bool,
    is_ours: bool,
    page: PageRequest,
) -> None:
    plan = plan_items(asks(page=page), traits, paging, count)
    assert plan == PagePlan(page, newest_first, with_set=True, is_ours=is_ours)


@pytest.mark.parametrize("page", PAGES)
def test_a_set_that_the_service_ignores_is_ignored_where_the_service_decides(
    page: PageRequest,
) -> None:
    assert plan_items(asks(page=page), PROSODY, SERVICE, 9) == PagePlan(ALL, False, False)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("traits", "paging", "count"),
    [
        (UNKNOWN, XEP, 9),
        (UNKNOWN, SERVICE, 9),
        # Even one item: without knowing whether it pages, we do not know if <set/> is due.
        (UNKNOWN, XEP, 1),
        (UNKNOWN, SERVICE, 1),
        (replace(PROSODY, pages=None), XEP, 9),
        (replace(PROSODY, items_newest_first=None), XEP, 9),
        (replace(PROSODY, items_newest_first=None), SERVICE, 9),
        (replace(EJABBERD, pages_newest_first=None), XEP, 9),
        (replace(EJABBERD, pages_newest_first=None), SERVICE, 9),
    ],
)
def test_a_page_is_forwarded_where_what_it_depends_on_is_not_known(
    traits: ServiceTraits, paging: Paging, count: int, page: PageRequest
) -> None:
    assert plan_items(asks(page=page), traits, paging, count) is None


@pytest.mark.parametrize(
    "question",
    [
        asks(max_items=2, item_ids=("a",)),
        asks(max_items=2, page=ALL),
        asks(item_ids=("a",), page=ALL),
        asks(max_items=2, item_ids=("a",), page=ALL),
    ],
)
@pytest.mark.parametrize(
    ("traits", "paging"), list(itertools.product([PROSODY, EJABBERD, UNKNOWN], Paging))
)
def test_forms_that_are_mixed_are_forwarded(
    question: ItemsQuestion, traits: ServiceTraits, paging: Paging
) -> None:
    assert plan_items(question, traits, paging, 9) is None


@pytest.mark.parametrize(
    ("page", "traits", "paging", "count", "expected"),
    [
        (None, PROSODY, XEP, 9, PagePlan(ALL, True, False)),
        (None, PROSODY, SERVICE, 9, PagePlan(ALL, True, False)),
        (None, EJABBERD, XEP, 9, PagePlan(ALL, False, False)),
        (None, UNKNOWN, XEP, 9, None),
        (None, UNKNOWN, XEP, 1, None),
        (None, replace(UNKNOWN, lists_items=True), XEP, 1, PagePlan(ALL, False, False)),
        (None, replace(PROSODY, lists_items=False), XEP, 9, None),
        (PAGES[2], PROSODY, XEP, 9, PagePlan(PAGES[2], True, True)),
        (PAGES[3], PROSODY, XEP, 9, PagePlan(PAGES[3], True, True)),
        (PAGES[2], PROSODY, SERVICE, 9, PagePlan(ALL, True, False)),
        # How a paging service pages disco#items is not learnt: it is asked.
        (PAGES[2], EJABBERD, XEP, 9, None),
        (PAGES[2], EJABBERD, SERVICE, 9, None),
        (PAGES[2], UNKNOWN, XEP, 1, None),
        (PAGES[2], replace(PROSODY, disco_newest_first=None), XEP, 9, None),
    ],
)
def test_disco_items_of_a_node(
    page: PageRequest | None,
    traits: ServiceTraits,
    paging: Paging,
    count: int,
    expected: PagePlan | None,
) -> None:
    """XEP-0060 section 5.5."""
    assert plan_disco_items(NodeItemsQuestion("blog", page), traits, paging, count) == expected
