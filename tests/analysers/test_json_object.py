import json
from collections import OrderedDict
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.analysers.json_object import MAX_BYTES, MAX_DEPTH, json_object

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(text, json_values, max_size=5))
def test_every_object_of_json_passes_unchanged(value: dict[str, Any]) -> None:
    assert json_object(value) == value == json.loads(json.dumps(json_object(value)))


def test_subclasses_and_tuples_become_plain() -> None:
    class Colour(StrEnum):
        RED = "red"

    result = json_object(OrderedDict(a=(1, True), b=Colour.RED))
    assert result == {"a": [1, True], "b": "red"}
    assert type(result) is dict and type(result["a"]) is list and type(result["b"]) is str


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


def test_nesting_is_bounded() -> None:
    json_object(nested(MAX_DEPTH))
    with pytest.raises(ValueError, match="nested deeper than"):
        json_object(nested(MAX_DEPTH + 1))


def containing_itself() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def the_same_many_times() -> dict[str, Any]:
    value: list[Any] = ["lol"]
    for _ in range(20):
        value = [value] * 10
    return {"laughs": value}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "must be a dict, not NoneType"),
        (["a"], "must be a dict, not list"),
        ({"a": float("nan")}, r"nan at \.a is not JSON"),
        ({"a": [1.5, float("-inf")]}, r"-inf at \.a\[1\] is not JSON"),
        ({1: "a"}, "key 1 at the top is not text"),
        ({"a": {2: "b"}}, r"key 2 at \.a is not text"),
        ({"a": b"bytes"}, r"bytes at \.a is not JSON"),
        ({"a": {1, 2}}, r"set at \.a is not JSON"),
        ({"a": Decimal(1)}, r"Decimal at \.a is not JSON"),
        ({"a": "x\0y"}, r"\.a holds U\+0000"),
        ({"a": "\ud800"}, r"\.a holds a lone surrogate"),
        ({"\ud800": 1}, "the top holds a lone surrogate"),
        ({"a": "x" * MAX_BYTES}, "larger than"),
        ({"a": "é" * (MAX_BYTES // 2)}, "larger than"),
        ({"a": "\n" * (MAX_BYTES // 2)}, "larger than"),
        (containing_itself(), "nested deeper than"),
        (the_same_many_times(), "larger than"),
        ({"a": 10**5000}, "digits"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "value",
)
def test_what_is_not_json_is_refused_with_its_place(value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        json_object(value)
