"""What is wrong between tables, looked for in the file as it stands.

These checks do not wait until each table is right by itself, so that an operator sees all problems
at once.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard


def problems_between_tables(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between tables; values of the wrong type are passed over."""
    yield from _loops(raw)
    yield from _namesakes(raw.get("analyser"))


def _loops(raw: Mapping[str, Any]) -> Iterator[str]:
    component, upstream = (_as_table(raw.get(name)) for name in ("component", "upstream"))
    own = component.get("jid")
    if not isinstance(own, str):
        return
    allow = upstream.get("allow")
    default = upstream.get("default")
    if _is_within(default, own):
        yield f"[upstream] default = {_quoted(default)}: is our own address; name the real one"
    for entry in allow if isinstance(allow, list) else ():
        if _is_within(entry, own):
            yield f"[upstream] allow: {_quoted(entry)} is our own address; name the real one"


def _is_within(value: Any, own: str) -> TypeGuard[str]:
    return isinstance(value, str) and value.lower().rpartition("@")[2] == own.lower()


def _as_table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _namesakes(analysers: Any) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, analyser in enumerate(analysers if isinstance(analysers, list) else (), start=1):
        name = _as_table(analyser).get("name")
        if not isinstance(name, str):
            continue
        normalised = name.strip().lower()
        if normalised in first:
            yield (
                f"[[analyser]] {number} name = {_quoted(name)}: [[analyser]] "
                f"{first[normalised]} has that name already; give each its own"
            )
        first.setdefault(normalised, number)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
