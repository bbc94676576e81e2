"""Times and dates of RFC 3339 (XEP-0082, RFC 4287), all written in one way."""

import re
from datetime import UTC, date, datetime, timedelta

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,20})?"
    r"(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def utc_timestamp(text: str | None) -> str | None:
    """Return the time in UTC, to the second, like `2026-01-31T12:00:00Z`; None if it is not one.

    Fractions are cut off: texts of one length sort as the times do. A time without an offset is
    not one (RFC 3339 section 5.6), and is not guessed at.
    """
    match = _RFC_3339.fullmatch((text or "").strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    sign, offset_hours, offset_minutes = match.groups()[6:]
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        # A leap second (RFC 3339 section 5.7) is more than datetime can hold.
        local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
        utc = local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        return None
    return utc.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def utc_timestamp_or_date(text: str | None) -> str | None:
    """Return the time in UTC, or a date alone (XEP-0082 section 3.1), like `2026-01-31`.

    A date sorts before the times of its day.
    """
    return utc_timestamp(text) or _date(text)


def _date(text: str | None) -> str | None:
    written = (text or "").strip()
    if _DATE.fullmatch(written) is None:
        return None
    try:
        return date.fromisoformat(written).isoformat()
    except ValueError:
        return None
