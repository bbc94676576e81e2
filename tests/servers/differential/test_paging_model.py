"""The model of a service that pages, against XEP-0059 and docs/protocol.md."""

from typing import Any

import pytest

from differential.answers import Answer, Failure, PageFacts
from differential.paging_model import BAD_REQUEST, NO_SUCH_ITEM, page_of

WHOLE = Answer(around="<items>", elements=("A", "B", "C", "D", "E"), tokens=tuple("abcde"))
EMPTY = Answer(around="<items>")


@pytest.mark.parametrize(
    ("asked", "tokens", "page"),
    [
        ({}, "abcde", PageFacts(5, 0, "a", "e")),
        ({"max": "2"}, "ab", PageFacts(5, 0, "a", "b")),
        ({"max": "9"}, "abcde", PageFacts(5, 0, "a", "e")),
        ({"max": "0"}, "", PageFacts(5)),
        ({"max": "2", "after": "b"}, "cd", PageFacts(5, 2, "c", "d")),
        ({"max": "2", "after": "d"}, "e", PageFacts(5, 4, "e", "e")),
        ({"max": "2", "after": "e"}, "", PageFacts(5)),
        ({"after": "c"}, "de", PageFacts(5, 3, "d", "e")),
        ({"max": "2", "before": ""}, "de", PageFacts(5, 3, "d", "e")),
        ({"max": "2", "before": "d"}, "bc", PageFacts(5, 1, "b", "c")),
        ({"max": "2", "before": "b"}, "a", PageFacts(5, 0, "a", "a")),
        ({"max": "2", "before": "a"}, "", PageFacts(5)),
        ({"before": "c"}, "ab", PageFacts(5, 0, "a", "b")),
        ({"max": "2", "index": "3"}, "de", PageFacts(5, 3, "d", "e")),
        ({"max": "2", "index": "5"}, "", PageFacts(5)),
        ({"max": "2", "index": "99"}, "", PageFacts(5)),
    ],
)
def test_page(asked: dict[str, Any], tokens: str, page: PageFacts) -> None:
    answer = page_of(WHOLE, **asked)

    assert answer.tokens == tuple(tokens)
    assert answer.elements == tuple(tokens.upper())
    assert answer.around == WHOLE.around
    assert answer.page == page


@pytest.mark.parametrize("where", ["after", "before"])
def test_unknown_token_is_not_found(where: str) -> None:
    assert page_of(WHOLE, max="2", **{where: "f"}) == NO_SUCH_ITEM
    assert page_of(EMPTY, max="2", **{where: "a"}) == NO_SUCH_ITEM


@pytest.mark.parametrize("asked", [{"max": "-1"}, {"max": "x"}, {"index": "-4"}, {"max": ""}])
def test_number_that_is_none_is_a_bad_request(asked: dict[str, str]) -> None:
    assert page_of(WHOLE, **asked) == BAD_REQUEST


def test_empty_list_has_an_empty_page() -> None:
    assert page_of(EMPTY, max="2").page == page_of(EMPTY, before="").page == PageFacts(0)


def test_error_stays_what_it_is() -> None:
    refused = Answer(Failure("auth", "forbidden"))
    assert page_of(refused, max="2", after="f") == refused
