"""Durations and sizes as an operator writes them: `10s`, `15m`, `1d`; `64KiB`, `1MiB`.

Whole numbers with one unit, and nothing between them: one way to write a value, and no question
whether `M` is a minute, a month or a megabyte.
"""

import re
from datetime import timedelta

LONGEST = timedelta(days=3650)
"""The longest duration that can be written; further back the calendar would run out."""

LARGEST_BYTES = 1 << 40
"""The largest size that can be written: 1024GiB."""

DURATION_FORM = 'a whole number and a unit in quotes, such as "10s", "15m", "12h" or "1d"'
SIZE_FORM = 'a whole number and a unit in quotes, such as "64KiB" or "1MiB", or a number of bytes'

_DURATION = re.compile(r"([0-9]{1,12})([smhd])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB|GiB)")
_BYTES = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text`, such as `15m`, stands for.

    Raises:
        ValueError: it is not one, or longer than `LONGEST`; says how to write one.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"a duration is {DURATION_FORM}")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"must be at most {format_duration(LONGEST)}")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return `duration`, whole seconds and not negative, in the largest unit without remainder."""
    seconds = duration // timedelta(seconds=1)
    for unit, length in _SECONDS.items():
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return "0s"


def parse_size(text: str) -> int:
    """Return the number of bytes that `text`, such as `64KiB`, stands for.

    Raises:
        ValueError: it is not a size, or more than `LARGEST_BYTES`; says how to write one.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"a size is {SIZE_FORM}")
    size_bytes = int(match[1]) * _BYTES[match[2]]
    if size_bytes > LARGEST_BYTES:
        raise ValueError(f"must be at most {format_size(LARGEST_BYTES)}")
    return size_bytes


def format_size(size_bytes: int) -> str:
    """Return `size_bytes`, not negative, in the largest unit that leaves no remainder."""
    for unit, length in _BYTES.items():
        if size_bytes and size_bytes % length == 0:
            return f"{size_bytes // length}{unit}"
    return "0B"
