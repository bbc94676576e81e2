"""The shape of what built-in parsers return: what is missing is left out, and all of it is bounded.

Each parser builds a `TypedDict` with all of its keys, so that the type checker holds that it has no
others; the guide for authors documents exactly those.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pubcellar.analysers.json_object import MAX_BYTES

Values = TypeVar("Values", bound=Mapping[str, Any])

MAX_VALUES = 100
"""How many values of one kind, such as tags or links, are looked at in one item."""


def present(values: Values) -> Values:
    """Return the values that are there: not None, and no empty text, list or object."""
    kept = {key: value for key, value in values.items() if value not in (None, "", [], {})}
    return cast("Values", kept)


def bounded(values: Mapping[str, Any], *least_important: str) -> dict[str, Any]:
    """Return the values, without some where they are more than a parser may return.

    Args:
        values: what `present` returned.
        least_important: the keys that are left out, one after the other, as long as need be. What
            remains without all of them must be bounded by itself.
    """
    kept = dict(values)
    for key in least_important:
        if len(json.dumps(kept, ensure_ascii=False).encode()) <= MAX_BYTES:
            break
        kept.pop(key, None)
    return kept
