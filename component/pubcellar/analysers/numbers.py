"""Numbers as XML Schema writes them, read without trust."""

import re

_DECIMAL = re.compile(r"[+-]?\d{1,15}(?:\.\d{0,20})?|[+-]?\.\d{1,20}", re.ASCII)


def whole_number(text: str | None) -> int | None:
    """Return a number that is not negative and has at most 15 digits, so that JSON keeps it."""
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        return None
    return int(digits)


def decimal_between(least: float, text: str | None, most: float) -> float | None:
    """Return a decimal number that is not outside the two; no exponents, NaN or infinities."""
    digits = (text or "").strip()
    if _DECIMAL.fullmatch(digits) is None:
        return None
    number = float(digits)
    return number if least <= number <= most else None
