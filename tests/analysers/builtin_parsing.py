"""Lets the built-in analysers decide and parse through the registry, as the use cases do."""

from typing import Any
from xml.sax.saxutils import quoteattr

from pubcellar.analysers import PubsubCache, register_builtin, register_never_held
from pubcellar.core.counters import Counters, Happened
from pubcellar.core.values import BareJID, Item, NodeKey

SERVICE = BareJID("pubsub.example.org")


def builtin(counters: Counters | None = None) -> PubsubCache:
    cache = PubsubCache(counters=counters)
    register_never_held(cache)
    register_builtin(cache)
    return cache


def key(node: str) -> NodeKey:
    return NodeKey(SERVICE, node)


def item(payload: str, item_id: str = "i1") -> Item:
    xml = (
        f"<item xmlns='http://jabber.org/protocol/pubsub' id={quoteattr(item_id)}>{payload}</item>"
    )
    return Item(item_id, xml)


async def parsed(analyser: str, node: str, payload: str, item_id: str = "i1") -> Any:
    """Return what the analyser makes of an item; None, after one counted failure, for nothing."""
    counters = Counters()
    [result] = await builtin(counters).parse(analyser, key(node), [item(payload, item_id)])
    assert (result.parsed is None) == bool(counters[Happened.PARSER_FAILED])
    return result.parsed
