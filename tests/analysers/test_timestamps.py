from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.analysers.timestamps import utc_timestamp, utc_timestamp_or_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        (" 2026-01-31T12:00:00z\n", "2026-01-31T12:00:00Z"),
        ("2026-01-31t12:00:00.123456789Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
        ("2026-01-31T23:30:00-01:00", "2026-02-01T00:30:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01T00:00:00Z"),
        ("2026-01-31T12:00:00", None),
        ("2026-02-31T12:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("2026-01-31", None),
        ("yesterday", None),
        ("٢٠٢٦-01-31T12:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_written_in_one_way_and_others_are_none(
    text: str | None, expected: str | None
) -> None:
    assert utc_timestamp(text) == expected


@given(
    st.datetimes().filter(lambda time: 1 < time.year < 9999),
    st.integers(min_value=-23 * 60, max_value=23 * 60),
)
def test_every_time_with_an_offset_is_the_same_time_in_utc(
    naive: datetime, offset_minutes: int
) -> None:
    time = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    utc = time.astimezone(UTC).replace(microsecond=0)
    assert utc_timestamp(time.isoformat()) == utc.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 2026-01-31\n", "2026-01-31"),
        ("2026-01-31T23:30:00-01:00", "2026-02-01T00:30:00Z"),
        ("2026-02-30", None),
        ("20260131", None),
        ("2026-W05-6", None),
        ("\uff12026-01-31", None),
        (None, None),
    ],
)
def test_a_date_alone_is_one_where_it_may_be(text: str | None, expected: str | None) -> None:
    assert utc_timestamp_or_date(text) == expected
