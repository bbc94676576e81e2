"""Checks that what a parser returned is JSON that every database we know can hold."""

import json
import math
from typing import Any

from pubcellar.core.records import JSONValue

MAX_BYTES = 256 * 1024
"""Largest accepted result, as compact JSON in UTF-8."""

MAX_DEPTH = 32
"""How deep arrays and objects may be nested."""


def json_object(value: object) -> dict[str, JSONValue]:
    """Return a copy of `value`, a dict, made of nothing but JSON's own types; tuples become lists.

    Raises:
        ValueError: it is not a dict, holds what is not JSON (other types, keys that are not text,
            NaN, infinities), text that databases refuse (U+0000, lone surrogates), is nested deeper
            than `MAX_DEPTH` or larger than `MAX_BYTES`. The message says where.
    """
    if not isinstance(value, dict):
        raise ValueError(f"the result must be a dict, not {type(value).__name__}")
    # The copy is bounded while it is made: a structure that contains itself, or the same part many
    # times over, never gets to the point of being written out.
    copy = _Copy().object(value, "", 1)
    if len(json.dumps(copy, allow_nan=False, ensure_ascii=False).encode()) > MAX_BYTES:
        raise ValueError(_TOO_LARGE)
    return copy


_TOO_LARGE = f"the result is larger than {MAX_BYTES} bytes of JSON"


class _Copy:
    """Copies one value, counting at least a byte of JSON for everything it meets."""

    def __init__(self) -> None:
        self._bytes_left = MAX_BYTES

    def object(self, value: dict[Any, Any], path: str, depth: int) -> dict[str, JSONValue]:
        copy: dict[str, JSONValue] = {}
        for key, member in value.items():
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} at {path or 'the top'} is not text")
            name = self._text(key, path)
            copy[name] = self._value(member, f"{path}.{name}"[:200], depth)
        return copy

    def _value(self, value: Any, path: str, depth: int) -> JSONValue:
        self._spend(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, int):
            # At least as many digits as this will be written.
            self._spend(value.bit_length() // 4)
            return int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError(f"{value} at {path} is not JSON")
            return float(value)
        if depth >= MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} at {path}")
        if isinstance(value, dict):
            return self.object(value, path, depth + 1)
        if isinstance(value, list | tuple):
            return [
                self._value(member, f"{path}[{index}]"[:200], depth + 1)
                for index, member in enumerate(value)
            ]
        raise ValueError(f"{type(value).__name__} at {path} is not JSON")

    def _text(self, value: str, path: str) -> str:
        self._spend(len(value))
        if "\0" in value:
            raise ValueError(f"text at {path or 'the top'} holds U+0000")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"text at {path or 'the top'} holds a lone surrogate") from None
        return str.__str__(value)

    def _spend(self, size_bytes: int) -> None:
        self._bytes_left -= size_bytes
        if self._bytes_left < 0:
            raise ValueError(_TOO_LARGE)
