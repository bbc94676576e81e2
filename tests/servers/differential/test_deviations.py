"""The proxy may differ from the service where the table says so, and in nothing beside that."""

from dataclasses import replace

import pytest

from differential.answers import Answer, Failure, PageFacts, differences
from differential.deviations import TABLE, Case, allowed
from differential.hits import CACHE, SERVICE
from differential.questions import Kind, Outdated, PageForm, Question

ITEMS = Question("items", Kind.ITEMS, "n")
BACKWARDS = replace(ITEMS, page=PageForm("2", before=""))
BEYOND = replace(ITEMS, page=PageForm("2", index="99"))
GONE = replace(ITEMS, page=PageForm("2", after=Outdated("gone")))

TWO = Answer(around="<items>", elements=("A", "B"), tokens=("a", "b"), page=PageFacts(6, 4))
TURNED = replace(TWO, elements=("B", "A"), tokens=("b", "a"))
EMPTY = Answer(around="<items>", page=PageFacts(6))
FAILED = Answer(Failure("wait", "internal-server-error"))
NOT_FOUND = Answer(Failure("cancel", "item-not-found"))


def is_allowed(
    question: Question,
    theirs: Answer,
    ours: Answer,
    *,
    server: str = "ejabberd-mnesia",
    paging: str = "xep",
    by: str = CACHE,
) -> bool:
    return not differences(allowed(Case(question, server, paging, by), theirs, ours), ours)


@pytest.mark.parametrize("server", ["prosody", "ejabberd-mnesia", "ejabberd-sql"])
@pytest.mark.parametrize("paging", ["xep", "service"])
@pytest.mark.parametrize("by", [CACHE, SERVICE])
def test_plain_items_never_differ(server: str, paging: str, by: str) -> None:
    plain = replace(TWO, page=None)
    for ours in (TWO, replace(TURNED, page=None), replace(EMPTY, page=None), NOT_FOUND):
        assert not is_allowed(ITEMS, plain, ours, server=server, paging=paging, by=by)
    assert is_allowed(ITEMS, plain, plain, server=server, paging=paging, by=by)


def test_page_that_ejabberd_in_sql_turns_around_may_be_as_all_others() -> None:
    assert is_allowed(BACKWARDS, TURNED, TWO, server="ejabberd-sql")
    assert not is_allowed(BACKWARDS, TURNED, TWO, server="ejabberd-sql", by=SERVICE)
    assert not is_allowed(BACKWARDS, TURNED, TWO, server="ejabberd-mnesia")
    assert not is_allowed(
        replace(BACKWARDS, page=PageForm("2")), TURNED, TWO, server="ejabberd-sql"
    )


def test_index_beyond_the_end_may_be_an_empty_page_where_the_service_fails() -> None:
    assert is_allowed(BEYOND, FAILED, EMPTY)
    assert not is_allowed(BEYOND, FAILED, EMPTY, by=SERVICE)
    assert not is_allowed(BEYOND, FAILED, TWO)
    assert not is_allowed(BEYOND, TWO, EMPTY)


def test_index_below_0_is_0() -> None:
    negative = replace(TWO, page=PageFacts(2, -1))
    assert is_allowed(BACKWARDS, negative, replace(TWO, page=PageFacts(2, 0)))
    assert not is_allowed(BACKWARDS, negative, replace(TWO, page=PageFacts(2, 1)))


def test_token_of_an_item_that_is_gone_may_be_not_found_but_not_a_wrong_page() -> None:
    assert is_allowed(GONE, TWO, NOT_FOUND)
    assert is_allowed(GONE, TWO, TWO)
    assert not is_allowed(GONE, TWO, EMPTY)
    assert not is_allowed(BACKWARDS, TWO, NOT_FOUND)


@pytest.mark.parametrize("page", [PageForm("-1"), PageForm("many"), PageForm("2", index="-4")])
def test_number_that_is_none_is_a_bad_request_where_the_proxy_pages(page: PageForm) -> None:
    bad, question = Answer(Failure("modify", "bad-request")), replace(ITEMS, page=page)
    assert is_allowed(question, TWO, bad)
    assert not is_allowed(question, TWO, TWO)
    assert not is_allowed(question, TWO, bad, paging="service")


def test_every_deviation_says_what_and_why() -> None:
    assert all(each.what and each.reason for each in TABLE)
