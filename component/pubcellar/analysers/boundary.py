"""How analysers of the dictionary kind are called, as a protocol.

Their signatures hold types of Twisted (`domish.Element`, `JID`), which only `pubcellar.xmpp` may
make; its `analyser_boundary` implements this.
"""

from collections.abc import Callable
from typing import Any, Protocol

from pubcellar.core.values import Item, NodeKey

Parser = Callable[..., Any]
"""`parser(client, item_elt, service, node) -> dict`, plain, coroutine function or Deferred."""

MatchCallback = Callable[..., Any]
"""`match_cb(client, analyse) -> None`, changing `analyse` in place; the same three forms."""


class Boundary(Protocol):
    """Calls the callables of a dictionary analyser, with the types they expect.

    A plain function runs in a thread of its own, so that one that never ends does not stop the
    event loop. Cancelling these methods gives the call up. What the callable raises passes.
    """

    async def parse(self, parser: Parser, item: Item, key: NodeKey) -> object:
        """Return what `parser` makes of the item, whatever that is."""
        ...

    async def match(self, match_cb: MatchCallback, analyse: dict[str, Any], key: NodeKey) -> None:
        """Set `service` in `analyse`, and let `match_cb` change it in place."""
        ...
