"""It is found out who answered, and a comparison in which the cache had no part is told."""

from pathlib import Path

import pytest

from differential.hits import CACHE, SERVICE, AnsweredBy, Hits, may_be_held
from differential.questions import Kind, Question


def line(by: str, node: str | None, requester: str = "a@b") -> str:
    return f"DEBUG answered by={by} requester={requester} service=s node={node!r}\n"


def test_last_answer_since_is_found(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line(SERVICE, "n"))
    answered = AnsweredBy(log, "a@b")
    assert answered.last("n") == SERVICE
    assert answered.last("n") is None
    with log.open("a") as more:
        more.write(line(SERVICE, "n") + line(CACHE, "n") + line(SERVICE, "m"))
        more.write(line(SERVICE, "n", requester="somebody@else") + line(SERVICE, None))
    assert answered.last("n") == CACHE


def test_too_few_answers_from_the_cache_are_told() -> None:
    hits = Hits()
    hits.count("items", CACHE)
    for form in ("items", "page, first"):
        hits.count(form, SERVICE)
    assert hits.are_enough
    assert str(hits) == "1/3 from the cache; 1/2 items; 0/1 page, first"
    hits.count("page, first", SERVICE)
    hits.count("page, next", None)
    assert not hits.are_enough


@pytest.mark.parametrize(
    ("form", "where_paged", "elsewhere"),
    [
        ("items", True, True),
        ("max_items, none", False, False),
        ("page, next", True, True),
        ("page, max below 0", False, False),
        ("page, after unknown", False, True),
        ("page of disco#items, first", False, True),
        ("disco#items", True, True),
    ],
)
def test_what_can_be_answered_from_the_cache(form: str, where_paged: bool, elsewhere: bool) -> None:
    question = Question(form, Kind.ITEMS, "n")
    assert may_be_held(question, pages=True, items=5) is where_paged
    assert may_be_held(question, pages=False, items=5) is elsewhere


def test_order_of_items_by_id_is_not_known_of_a_node_of_one_item() -> None:
    question = Question("by id, some twice", Kind.ITEMS, "n", item_ids=("a", "a"))
    assert may_be_held(question, pages=False, items=2)
    assert not may_be_held(question, pages=False, items=1)
