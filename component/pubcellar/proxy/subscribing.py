"""Our own subscriptions to nodes that are held: looked after, and made again."""

from pubcellar.core.errors import UpstreamRefused
from pubcellar.core.values import SubscriptionState
from pubcellar.proxy.comparison import NotComparable
from pubcellar.proxy.node_entry import NodeEntry
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts


class Subscribing:
    """Sees to it that notifications of nodes that are held keep coming."""

    def __init__(self, parts: Parts, nodes: Nodes) -> None:
        self._parts = parts
        self._nodes = nodes

    async def subscribe(self, entry: NodeEntry) -> None:
        """Subscribe to a node that we are or were subscribed to.

        Raises:
            NotComparable: the service does not let us.
            UpstreamError: it could not be asked.
        """
        try:
            state = await self._parts.reader.subscribe(entry.key)
        except UpstreamRefused as error:
            raise NotComparable(f"the service does not let us subscribe: {error}") from None
        if state is not SubscriptionState.SUBSCRIBED:
            raise NotComparable(f"our subscription is {state}")

    async def is_alive(self, entry: NodeEntry) -> bool:
        """Tell whether the service says that we are subscribed.

        Raises:
            NotComparable: we never were, or cannot count on it.
        """
        assert entry.record is not None
        is_subscribed = entry.record.subscription is SubscriptionState.SUBSCRIBED
        if not is_subscribed or not self._nodes.is_notified(entry.key):
            raise NotComparable("notifications of it cannot be counted on")
        try:
            state = await self._parts.reader.subscription(entry.key)
        except UpstreamRefused as error:
            if error.condition in ("item-not-found", "gone"):
                raise
            # Not every service tells: asking again for what we have changes nothing.
            await self.subscribe(entry)
            return True
        return state is SubscriptionState.SUBSCRIBED
