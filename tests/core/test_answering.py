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
from pubcellar.core.paging import Token, with_place
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import ItemsQuestion, NodeItemsQuestion, PageInfo, PageRequest

LAST_THREE = PageRequest(max=3, before="")
XEP, SERVICE = Paging.XEP, Paging.SERVICE
ALL = PageRequest()

PROSODY = ServiceTraits(
    lists_items=True,
    pages=False,
    items_newest_first=False,
    max_items_newest_first=False,
    max_items_paged=False,
    disco_newest_first=True,
    ids_as_requested=True,
)
EJABBERD = ServiceTraits(
    lists_items=True,
    pages=True,
    items_newest_first=False,
    max_items_newest_first=False,
    max_items_paged=True,
    disco_newest_first=False,
    pages_newest_first=False,
    ids_as_requested=False,
)
EJABBERD_SQL = replace(EJABBERD, max_items_newest_first=True)
UNKNOWN = ServiceTraits()
SETLESS = ServiceTraits(max_items_paged=False)


def plan(page: PageRequest, newest_first: bool, with_set: bool = False) -> PagePlan:
    """Return a plan where the service does not page, so that ids are tokens."""
    return PagePlan(page, newest_first, with_set)


def marked(
    page: PageRequest, newest_first: bool, with_set: bool = False, *, is_turned: bool = False
) -> PagePlan:
    """Return a plan where the service pages, or may, so that our tokens are marked."""
    return PagePlan(page, newest_first, with_set, is_service_paging=True, is_turned=is_turned)


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
        (PROSODY, 9, plan(ALL, False)),
        (EJABBERD, 9, marked(ALL, False)),
        (replace(PROSODY, items_newest_first=True), 9, plan(ALL, True)),
        (replace(EJABBERD, items_newest_first=True), 9, marked(ALL, True, is_turned=True)),
        (UNKNOWN, 2, None),
        (UNKNOWN, 1, marked(ALL, False)),
        (UNKNOWN, 0, marked(ALL, False)),
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
        (PROSODY, 3, 9, plan(PageRequest(max=3, before=""), False)),
        (EJABBERD, 3, 9, marked(PageRequest(max=3, before=""), False, True)),
        (EJABBERD_SQL, 3, 9, marked(PageRequest(max=3), True, True, is_turned=True)),
        (replace(EJABBERD, max_items_paged=False), 3, 9, marked(LAST_THREE, False)),
        pytest.param(replace(EJABBERD, max_items_paged=None), 3, 9, None, id="perhaps a set"),
        (replace(PROSODY, max_items_paged=None), 3, 9, plan(LAST_THREE, False)),
        (UNKNOWN, 3, 9, None),
        (UNKNOWN, 3, 2, None),
        (SETLESS, 3, 2, None),
        (SETLESS, 1, 9, marked(PageRequest(max=1, before=""), False)),
        (SETLESS, 3, 1, marked(LAST_THREE, False)),
        (SETLESS, 3, 0, marked(LAST_THREE, False)),
    ],
)
def test_max_items_gets_the_newest_in_the_order_of_such_answers(
    traits: ServiceTraits, max_items: int, count: int, expected: ItemsPlan | None, paging: Paging
) -> None:
    assert plan_items(asks(max_items=max_items), traits, paging, count) == expected


@pytest.mark.parametrize("paging", Paging)
@pytest.mark.parametrize("count", [2, 9])
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


@pytest.mark.parametrize("traits", [PROSODY, EJABBERD, UNKNOWN])
@pytest.mark.parametrize("count", [0, 1])
def test_of_one_item_asked_for_once_no_order_matters(traits: ServiceTraits, count: int) -> None:
    ids = ("b", "a")
    expected = IdsPlan(ids, as_requested=True, newest_first=False)
    assert plan_items(asks(item_ids=ids), traits, XEP, count) == expected


@pytest.mark.parametrize("count", [0, 1])
def test_of_one_item_asked_for_twice_it_does(count: int) -> None:
    assert plan_items(asks(item_ids=("a", "a")), UNKNOWN, XEP, count) is None


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
    ("traits", "paging", "count", "newest_first"),
    [
        (PROSODY, XEP, 9, False),
        (replace(PROSODY, items_newest_first=True), XEP, 9, True),
        (EJABBERD, XEP, 9, False),
        (EJABBERD, SERVICE, 9, False),
        (replace(EJABBERD, pages_newest_first=True), XEP, 9, True),
        (replace(EJABBERD, pages_newest_first=True), SERVICE, 9, True),
        (ServiceTraits(pages=False), XEP, 1, False),
        (ServiceTraits(pages=True), SERVICE, 1, False),
    ],
)
def test_a_page_is_cut_in_the_order_of_the_service(
    traits: ServiceTraits, paging: Paging, count: int, newest_first: bool, page: PageRequest
) -> None:
    expected = PagePlan(page, newest_first, True, is_service_paging=bool(traits.pages))
    assert plan_items(asks(page=from_our_token(page)), traits, paging, count) == expected


def from_our_token(page: PageRequest) -> PageRequest:
    """Return the request with a token of ours in place of an item's id."""
    is_from_one = bool(page.after or page.before)
    return with_place(page, str(Token(7, page.after or page.before or ""))) if is_from_one else page


@pytest.mark.parametrize("page", PAGES)
def test_where_the_service_does_not_page_ids_are_tokens_too(page: PageRequest) -> None:
    assert plan_items(asks(page=page), PROSODY, XEP, 9) == plan(page, False, True)


@pytest.mark.parametrize("paging", Paging)
@pytest.mark.parametrize("page", [PageRequest(after="x"), PageRequest(before="x")])
def test_where_the_service_pages_a_token_that_is_none_of_ours_is_for_it_to_read(
    page: PageRequest, paging: Paging
) -> None:
    """Even one that is the id of an item: how its tokens look is the service's affair."""
    assert plan_items(asks(page=page), EJABBERD, paging, 9) is None


class TestWhatSetSays:
    IDS = ("c", "d")

    def test_where_the_service_does_not_page_tokens_are_ids(self) -> None:
        info = plan(ALL, False).page_info(self.IDS, 2, 9)
        assert info == PageInfo(9, "c", "d", 2)

    def test_where_it_does_they_are_marked_and_say_where_it_has_the_item(self) -> None:
        info = marked(ALL, False).page_info(self.IDS, 2, 9)
        assert info == PageInfo(9, str(Token(2, "c")), str(Token(3, "d")), 2)

    def test_that_is_in_the_order_of_its_pages(self) -> None:
        info = marked(ALL, False, is_turned=True).page_info(self.IDS, 2, 9)
        assert info == PageInfo(9, str(Token(6, "c")), str(Token(5, "d")), 2)

    def test_an_empty_page_has_a_count_alone(self) -> None:
        assert marked(ALL, False).page_info((), None, 9) == PageInfo(count=9)


@pytest.mark.parametrize("page", PAGES)
def test_a_set_that_the_service_ignores_is_ignored_where_the_service_decides(
    page: PageRequest,
) -> None:
    assert plan_items(asks(page=page), PROSODY, SERVICE, 9) == plan(ALL, False)


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
        (None, PROSODY, XEP, 9, plan(ALL, True)),
        (None, PROSODY, SERVICE, 9, plan(ALL, True)),
        (None, EJABBERD, XEP, 9, marked(ALL, False)),
        (None, UNKNOWN, XEP, 9, None),
        (None, UNKNOWN, XEP, 1, None),
        (None, replace(UNKNOWN, lists_items=True), XEP, 1, marked(ALL, False)),
        (None, replace(PROSODY, lists_items=False), XEP, 9, None),
        (PAGES[2], PROSODY, XEP, 9, plan(PAGES[2], True, True)),
        (PAGES[3], PROSODY, XEP, 9, plan(PAGES[3], True, True)),
        (from_our_token(PAGES[3]), PROSODY, XEP, 9, plan(PAGES[3], True, True)),
        (PAGES[2], PROSODY, SERVICE, 9, plan(ALL, True)),
        # How a paging service pages disco#items is not learnt: it is asked.
        (PAGES[2], EJABBERD, XEP, 9, None),
        (PAGES[2], EJABBERD, SERVICE, 9, None),
        (PAGES[3], EJABBERD, XEP, 9, None),
        # The rest of a list that we have cut goes on in its order.
        (from_our_token(PAGES[3]), EJABBERD, XEP, 9, marked(PAGES[3], False, True)),
        (from_our_token(PAGES[3]), EJABBERD, SERVICE, 9, marked(PAGES[3], False, True)),
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
