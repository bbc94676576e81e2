"""Taking nodes out of the cache, or putting them off until later."""

import logging
from dataclasses import replace

from pubcellar.core.errors import UpstreamError, UpstreamRefused, is_passing
from pubcellar.core.states import NodeState, moved
from pubcellar.core.values import NodeKey, SubscriptionState
from pubcellar.proxy.nodes import NodeEntry, Nodes, Work
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
        log.info("forgotten service=%s node=%r", *_named(entry.key))

    async def withdraw(self, entry: NodeEntry, reason: str) -> None:
        """Do not hold the node: drop its items and remember why until `reanalyse_after`."""
        record = entry.record
        assert record is not None
        now = self._parts.clock.now()
        self._nodes.unfollow(entry.key)
        self._clear(entry)
        # Readers must not find the record when the items are gone already.
        entry.record = withdrawn = replace(
            record,
            state=moved(record.state, NodeState.NO_SYNC),
            state_changed_at=now,
            reason=reason,
            info=None,
            access_model=None,
            generation=0,
            item_count=0,
            size_bytes=0,
            failures=0,
            info_verified_at=None,
            items_verified_at=None,
            retry_at=now + self._parts.limits.reanalyse_after,
        )
        await self._parts.store.save_node_without_items(withdrawn)
        log.info("not held service=%s node=%r: %s", *_named(entry.key), reason)
        if withdrawn.subscription is not SubscriptionState.NONE:
            try:
                await self.end_subscription(entry)
            except UpstreamError as error:
                # The record says that we are subscribed still, which is not to stay so for a day.
                log.debug("could not unsubscribe service=%s node=%r: %s", *_named(entry.key), error)
                retry_at = self._parts.limits.retry_at(now, 1)
                entry.record = replace(withdrawn, failures=1, retry_at=retry_at)
                await self._parts.store.save_node(entry.record)

    async def set_aside(self, entry: NodeEntry, analyser: str, reason: str) -> None:
        """Do not hold the node, but keep its items: its analyser itself has given it up."""
        record = entry.record
        assert record is not None
        self._nodes.unfollow(entry.key)
        self._clear(entry)
        entry.record = replace(
            record,
            state=moved(record.state, NodeState.NO_SYNC),
            state_changed_at=self._parts.clock.now(),
            reason=reason,
            analyser=analyser,
            type=None,
            subtype=None,
            failures=0,
            retry_at=None,
        )
        await self._parts.store.save_node(entry.record)
        log.info("set aside service=%s node=%r: %s", *_named(entry.key), reason)
        entry.ask(Work.UNSUBSCRIBE, is_doubtful=False)

    async def end_subscription(self, entry: NodeEntry) -> None:
        """End our subscription to a node that is not held, and write that down.

        Raises:
            UpstreamError: the service could not be asked, or refuses for now.
        """
        entry.done(Work.UNSUBSCRIBE)
        try:
            await self._parts.reader.unsubscribe(entry.key)
        except UpstreamRefused as error:
            if is_passing(error):
                raise
            # There is no such subscription, or no such node: nothing is left to be ended.
            log.debug("not subscribed service=%s node=%r: %s", *_named(entry.key), error)
        if entry.record is not None:
            entry.record = replace(entry.record, subscription=SubscriptionState.NONE, failures=0)
            await self._parts.store.save_node(entry.record)

    async def evict(self, entry: NodeEntry) -> None:
        """Make room: drop the node and everything known of it."""
        record = entry.record
        self._nodes.unfollow(entry.key)
        if record is not None and record.subscription is not SubscriptionState.NONE:
            # First, since nobody would know of it any more were we to die between the two.
            await self._unsubscribe(entry.key)
        await self.forget(entry)

    async def postpone(self, entry: NodeEntry, reason: str) -> None:
        """Work on the node failed: forward it, and try again later."""
        record = entry.record
        if record is None:
            return
        now = self._parts.clock.now()
        failures = record.failures + 1
        retry_at = self._parts.limits.retry_at(now, failures)
        self._nodes.unfollow(entry.key)
        self._clear(entry)
        if record.state is NodeState.NO_SYNC:
            # All that is left to do is to end our subscription.
            retry_at = max(retry_at, record.retry_at or retry_at)
            entry.record = replace(record, failures=failures, retry_at=retry_at)
        else:
            state = NodeState.STALE if record.generation else NodeState.FAILED
            entry.record = replace(
                record,
                state=moved(record.state, state),
                state_changed_at=now,
                reason=reason,
                failures=failures,
                retry_at=retry_at,
            )
        await self._parts.store.save_node(entry.record)

    def _clear(self, entry: NodeEntry) -> None:
        entry.inbox.clear()
        entry.done(entry.work)

    async def _unsubscribe(self, key: NodeKey) -> None:
        if not self._parts.is_allowed(key.service):
            return
        try:
            await self._parts.reader.unsubscribe(key)
        except UpstreamError as error:
            # Whether or not the service heard us, notifications of the node are ignored.
            log.debug("could not unsubscribe service=%s node=%r: %s", *_named(key), error)


def _named(key: NodeKey) -> tuple[str, str]:
    return key.service, key.node
