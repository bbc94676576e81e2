"""Calls what an analyser of either kind has to say, without limits; `registry` sets those."""

import inspect
from collections.abc import Callable
from typing import Any

from pubcellar.analysers.boundary import Boundary
from pubcellar.analysers.containment import in_thread
from pubcellar.analysers.json_object import json_object
from pubcellar.analysers.registration import Registration
from pubcellar.core.ports import Verdict
from pubcellar.core.records import JSONValue
from pubcellar.core.values import Item, NodeKey


async def parsed(
    analyser: Registration, item: Item, key: NodeKey, boundary: Boundary | None
) -> dict[str, JSONValue] | None:
    """Return what the analyser's parser makes of the item; None where it leaves it raw.

    Raises:
        ValueError: the result is not JSON.
        Exception: what the parser raises.
    """
    if analyser.typed is not None:
        result = await _called(analyser, analyser.typed.parse, item, key)
        return None if result is None else json_object(result)
    assert analyser.parser is not None and boundary is not None
    return json_object(await boundary.parse(analyser.parser, item, key))


async def verdict(
    analyser: Registration, key: NodeKey, namespace: str | None, boundary: Boundary | None
) -> Verdict:
    """Return the verdict of an analyser that matched, after it has looked at the node.

    Raises:
        ValueError: what it says is not what it may say.
        Exception: what it raises.
    """
    if not analyser.refines:
        return Verdict(analyser.name, analyser.type, None, analyser.to_sync)
    if analyser.typed is not None:
        subtype = await _called(analyser, analyser.typed.subtype, key)
        return _verdict(
            analyser.name, {"type": analyser.type, "to_sync": analyser.to_sync}, subtype
        )
    assert analyser.match_cb is not None and boundary is not None
    analyse = _analyse(analyser, key, namespace)
    await boundary.match(analyser.match_cb, analyse, key)
    return _verdict(analyser.name, analyse, analyse.get("subtype"))


def _analyse(analyser: Registration, key: NodeKey, namespace: str | None) -> dict[str, Any]:
    """Return the dictionary that `match_cb` may change; of it, type, subtype, to_sync count."""
    analyse = {
        "service": key.service,
        "node": key.node,
        "name": analyser.name,
        "type": analyser.type,
        "to_sync": analyser.to_sync,
        "parser": analyser.parser,
    }
    if namespace is not None:
        analyse["namespace"] = namespace
    return analyse


def _verdict(name: str, analyse: dict[str, Any], subtype: object) -> Verdict:
    type_, to_sync = analyse.get("type"), analyse.get("to_sync")
    if not isinstance(type_, str) or not type_.strip():
        raise ValueError(f"'type' must be text that is not empty, not {type_!r}")
    if not isinstance(to_sync, bool):
        raise ValueError(f"'to_sync' must be True or False, not {to_sync!r}")
    if not isinstance(subtype, str | None):
        raise ValueError(f"'subtype' must be text or None, not {subtype!r}")
    return Verdict(name, type_, subtype or None, to_sync)


async def _called(analyser: Registration, method: Callable[..., Any], *arguments: object) -> object:
    if inspect.iscoroutinefunction(method):
        return await method(*arguments)
    result = await in_thread(lambda: method(*arguments), f"analyser-{analyser.name}")
    return await result if inspect.isawaitable(result) else result
