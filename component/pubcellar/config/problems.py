"""Turns what pydantic found wrong into lines for an operator: the key, its value, the remedy.

Two values are never repeated: the secret, and that of a key that is not known, which may be a
mistyped `secret`.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pubcellar.config.database_url import without_password
from pubcellar.config.settings import Document
from pubcellar.config.units import format_duration

SHOWN_CHARACTERS = 60

_FORMS = {
    "string_type": "must be a text, in quotes",
    "int_type": "must be a whole number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "tuple_type": 'must be a list, in square brackets: ["…", "…"]',
}
"""What pydantic's error types mean in a TOML file."""

_LIMITS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}

Location = tuple[int | str, ...]


def problems_of(error: ValidationError) -> Iterator[str]:
    """Yield one line for everything that is wrong, in the order of the settings."""
    for details in error.errors(include_url=False):
        yield _problem(details)


def tables() -> dict[str, type[BaseModel]]:
    """Return the model of every table that a file can have, by the table's name."""
    return {
        name: next(
            argument
            for argument in (field.annotation, *get_args(field.annotation))
            if isinstance(argument, type) and issubclass(argument, BaseModel)
        )
        for name, field in Document.model_fields.items()
    }


def _problem(details: ErrorDetails) -> str:
    location = details["loc"]
    match details["type"]:
        case "extra_forbidden":
            return _unknown(location)
        case "missing":
            return f"{_key(location)}: is missing; write {_example(location)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{_table(location)}: must be a table, with its keys in lines of their own below"
    if not location:
        return _remedy(details)
    if location == ("analyser",):
        return "[[analyser]]: must be a table with double brackets, one for each analyser"
    value = _shown(location, details["input"])
    return f"{_key(location)}{value}: {_remedy(details)}"


def _remedy(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be one of {context['expected']}".replace("'", '"')
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return f"must be {words} {context[limit]}"
    return _FORMS.get(kind, details["msg"])


def _shown(location: Location, value: Any) -> str:
    """Return ` = value` as in the file, shortened; nothing where the value must not be shown."""
    if location[:2] == ("component", "secret") or value is None:
        return ""
    if location == ("database", "url") and isinstance(value, str):
        value = without_password(value)
    if isinstance(value, timedelta):
        value = format_duration(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > SHOWN_CHARACTERS:
        text = f"{text[:SHOWN_CHARACTERS]}…"
    return f" = {text}"


def _table(location: Location) -> str:
    if location[0] == "analyser":
        number = int(location[1]) + 1 if len(location) > 1 else ""
        return f"[[analyser]] {number}".rstrip()
    return f"[{location[0]}]"


def _key(location: Location) -> str:
    """Return where something stands, such as `[cache] page_size` or `[[analyser]] 2 name`."""
    keys = location[2:] if location[0] == "analyser" else location[1:]
    words = [f"entry {part + 1}" if isinstance(part, int) else part for part in keys]
    return " ".join((_table(location), *words))


def _example(location: Location) -> str:
    key = str(location[-1])
    examples = tables()[str(location[0])].model_fields[key].examples
    return f"{key} = {json.dumps(examples[0])}" if examples else key


def _unknown(location: Location) -> str:
    known = tables()
    name = str(location[-1])
    if len(location) == 1:
        nearest = _nearest(name, tuple(known))
        if nearest is not None:
            return f"[{name}]: unknown table; did you mean {_table((nearest,))}?"
        owner = _owner(name)
        if owner is not None:
            return f"{name}: belongs into a table; did you mean [{owner}] {name}?"
        return f"{name}: unknown table or key; the tables are {', '.join(known)}"
    keys = tuple(known[str(location[0])].model_fields)
    nearest = _nearest(name, keys)
    if nearest is not None:
        return f"{_key(location)}: unknown key; did you mean {nearest}?"
    owner = _owner(name)
    if owner is not None:
        return f"{_key(location)}: unknown key; did you mean [{owner}] {name}?"
    return f"{_key(location)}: unknown key; the keys of this table are {', '.join(keys)}"


def _nearest(name: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name.lower(), known, n=1)), None)


def _owner(key: str) -> str | None:
    """Return the table that has this very key, where a key stands in the wrong table."""
    return next((name for name, model in tables().items() if key in model.model_fields), None)
