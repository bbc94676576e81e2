import pytest

from pubcellar.analysers.numbers import decimal_between, whole_number


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), (" 48213\n", 48213), ("0064", 64), ("9" * 15, 10**15 - 1)]
)
def test_a_whole_number_is_read(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    "text", [None, "", "-1", "+1", "1.0", "1e3", "\u00b2", "\uff11", "0x1", "9" * 16]
)
def test_anything_else_is_no_whole_number(text: str | None) -> None:
    assert whole_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("45.4418", 45.4418), (" -90 ", -90.0), ("+.5", 0.5), ("90.", 90.0)]
)
def test_a_decimal_number_within_its_bounds_is_read(text: str, number: float) -> None:
    assert decimal_between(-90, text, 90) == number


@pytest.mark.parametrize(
    "text", [None, "", ".", "90.0001", "-91", "1e1", "NaN", "INF", "1,5", "٣", "0" * 16]
)
def test_anything_else_is_no_decimal_number(text: str | None) -> None:
    assert decimal_between(-90, text, 90) is None
