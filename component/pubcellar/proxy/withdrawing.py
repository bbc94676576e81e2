"""Taking nodes out of the cache, or putting them off until later."""

import logging
from dataclasses import replace

from pubcellar.core.errors import UpstreamError
from pubcellar.core.states import NodeState, moved
from pubcellar.core.values import NodeKey, SubscriptionState
from pubcellar.proxy.nodes import NodeEntry, Nodes
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)


class Withdrawing:
    """Ends the life of nodes in the cache."""

    def __init__(self, parts: Parts, nodes: Nodes) -> None:
        self._parts = parts
        self._nodes = nodes

    async def forget(self, entry: NodeEntry) -> None:
        """The node is gone from the service, and its subscriptions with it: drop all of it."""
        self._nodes.unfollow(entry.key)
        self._clear(entry)
        # Readers must not find the record when the items are gone already.
        entry.record = None
        await self._parts.store.forget_node(entry.key)
        log.info("forgotten service=%s node=%r", entry.key.service, entry.key.node)

    async def withdraw(self, entry: NodeEntry, reason: str) -> None:
        """Do not hold the node: drop its items and remember why until `reanalyse_after`."""
        record = entry.record
        assert record is not None
        now = self._parts.clock.now()
        self._nodes.unfollow(entry.key)
        self._clear(entry)
        was_subscribed = record.subscription is not SubscriptionState.NONE
        # Readers must not find the record when the items are gone already.
        entry.record = withdrawn = replace(
            record,
            state=moved(record.state, NodeState.NO_SYNC),
            state_changed_at=now,
            reason=reason,
            info=None,
            access_model=None,
            subscription=SubscriptionState.NONE,
            generation=0,
            item_count=0,
            size_bytes=0,
            failures=0,
            info_verified_at=None,
            items_verified_at=None,
            retry_at=now + self._parts.limits.reanalyse_after,
        )
        await self._parts.store.forget_node(entry.key)
        await self._parts.store.save_node(withdrawn)
        log.info("not held service=%s node=%r: %s", entry.key.service, entry.key.node, reason)
        if was_subscribed:
            await self._unsubscribe(entry.key)

    async def evict(self, entry: NodeEntry) -> None:
        """Make room: drop the node and everything known of it."""
        record = entry.record
        await self.forget(entry)
        if record is not None and record.subscription is not SubscriptionState.NONE:
            await self._unsubscribe(entry.key)

    async def postpone(self, entry: NodeEntry, reason: str) -> None:
        """Work on the node failed: forward it, and try again later."""
        record = entry.record
        if record is None or record.state is NodeState.NO_SYNC:
            return
        now = self._parts.clock.now()
        failures = record.failures + 1
        state = NodeState.STALE if record.generation else NodeState.FAILED
        self._nodes.unfollow(entry.key)
        self._clear(entry)
        entry.record = replace(
            record,
            state=moved(record.state, state),
            state_changed_at=now,
            reason=reason,
            failures=failures,
            retry_at=self._parts.limits.retry_at(now, failures),
        )
        await self._parts.store.save_node(entry.record)

    def _clear(self, entry: NodeEntry) -> None:
        entry.inbox.clear()
        entry.done(entry.work)

    async def _unsubscribe(self, key: NodeKey) -> None:
        try:
            await self._parts.reader.unsubscribe(key)
        except UpstreamError as error:
            # Whether or not the service heard us, notifications of the node are ignored.
            log.debug("could not unsubscribe service=%s node=%r: %s", key.service, key.node, error)
