from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.config.units import (
    LARGEST_BYTES,
    LONGEST,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("10s", 10), ("15m", 900), ("12h", 43_200), ("1d", 86_400), ("3650d", 315_360_000)],
)
def test_a_duration_is_a_whole_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "s", "10 s", " 10s", "10s ", "10s\n", "1.5h", "-1s", "+1s", "1e3s"),
        *("10S", "1w", "1h30m", "100ms", "٣s"),
    ],
)
def test_another_form_of_duration_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(ValueError, match='such as "10s", "15m", "12h" or "1d"'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3651d", "999999999999d", "999999999999s"])
def test_a_duration_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be at most 3650d"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=int(LONGEST.total_seconds())))
def test_a_duration_survives_being_written_and_read(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(min_value=1, max_value=3650), st.sampled_from("smhd"))
def test_a_duration_is_written_in_no_more_characters_than_it_was_read(
    number: int, unit: str
) -> None:
    text = f"{number}{unit}"
    assert len(format_duration(parse_duration(text))) <= len(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0B", 0), ("1000B", 1000), ("64KiB", 65_536), ("1MiB", 1_048_576), ("2GiB", 2_147_483_648)],
)
def test_a_size_is_a_whole_number_and_a_unit(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    "text", ["", "64", "KiB", "64 KiB", "64KB", "64kb", "64k", "64K", "64kib", "1.5MiB", "-1B"]
)
def test_another_form_of_size_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(ValueError, match='such as "64KiB" or "1MiB", or a number of bytes'):
        parse_size(text)


def test_a_size_beyond_all_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at most 1024GiB"):
        parse_size("1025GiB")


@given(st.integers(min_value=0, max_value=LARGEST_BYTES))
def test_a_size_survives_being_written_and_read(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes
