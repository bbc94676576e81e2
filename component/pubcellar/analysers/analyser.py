"""The typed analyser: what an author subclasses who wants values instead of a dictionary."""

from collections.abc import Awaitable
from typing import Any

from pubcellar.core.values import Item, NodeKey

Parsed = dict[str, Any]
"""What a parser returns: an object of JSON, checked at run time."""


class Analyser:
    """Says which nodes to hold, and what their items mean.

    At least one of `node` and `namespace` must be set. Methods may be plain or `async def`. A plain
    one runs in a thread of its own, an `async def` on the event loop, where it must not block; both
    have the registry's time limit, and what they raise is contained, counted and logged.

    Attributes:
        name: unique among the analysers; compared stripped and in lower case.
        type: the word for what such a node holds, such as `blog`.
        node: prefix of the node's name, at a boundary (see `pubcellar.analysers.matching`), or a
            tuple of them.
        namespace: namespace of the payload of the node's first item, or a tuple of them.
        to_sync: whether nodes that match are to be held; if not, they are always forwarded.
        version: raised by the author when `parse` returns something else than before.
    """

    name: str = ""
    type: str = ""
    node: str | tuple[str, ...] | None = None
    namespace: str | tuple[str, ...] | None = None
    to_sync: bool = False
    version: str = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed | Awaitable[Parsed | None] | None:
        """Return what the item means as an object of JSON, or None to keep the item raw."""
        return None

    def subtype(self, key: NodeKey) -> str | Awaitable[str | None] | None:
        """Return a finer word than `type` for this node, such as `comment`, or None."""
        return None
