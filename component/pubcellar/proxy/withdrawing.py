"""Taking nodes out of the cache, or putting them off until later."""

import logging
from dataclasses import replace

from pubcellar.core.errors import UpstreamError, UpstreamRefused, is_passing
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState, moved
from pubcellar.core.values import NodeKey, SubscriptionState
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)

REASON_DROPPED = "dropped, but its subscription is still to be ended"
"""The record says so to whoever ends it, perhaps after a restart."""


class Withdrawing:
    """Ends the life of nodes in the cache."""

    def __init__(self, parts: Parts, nodes: Nodes) -> None:
        self._parts = parts
        self._nodes = nodes

    async def forget(self, entry: NodeEntry) -> None:
        """The node is gone from the service, and its subscriptions with it: drop all of it."""
        self._nodes.unfollow(entry.key)
        self._clear(entry)
        self._parts.entitlements.forget(entry.key)
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
        self._parts.entitlements.forget(entry.key)
        # Readers must not find the record when the items are gone already.
        entry.record = withdrawn = replace(
            self._emptied(record, reason), retry_at=now + self._parts.limits.reanalyse_after
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

        A node that was dropped, and whose record was kept for that alone, is forgotten then.

        Raises:
            UpstreamError: the service could not be asked, or refuses for now.
        """
        entry.done(Work.UNSUBSCRIBE)
        await self._unsubscribe(entry.key)
        if entry.record is None:
            return
        if entry.record.is_departing and entry.record.reason == REASON_DROPPED:
            await self.forget(entry)
            return
        entry.record = replace(entry.record, subscription=SubscriptionState.NONE, failures=0)
        await self._parts.store.save_node(entry.record)

    async def evict(self, entry: NodeEntry) -> None:
        """Drop the node and everything known of it, once our subscription has been ended.

        Raises:
            UpstreamError: it could not be ended for now. Nothing is held of the node any more, but
                its record is kept until that is done.
        """
        record = entry.record
        self._nodes.unfollow(entry.key)
        is_subscribed = record is not None and record.subscription is not SubscriptionState.NONE
        if is_subscribed and self._parts.is_allowed(entry.key.service):
            try:
                # First, since nobody would know of it any more were we to die between the two.
                await self._unsubscribe(entry.key)
            except UpstreamError:
                await self._depart(entry)
                raise
        await self.forget(entry)

    async def _depart(self, entry: NodeEntry) -> None:
        """Keep of the node only that our subscription is to be ended."""
        record = entry.record
        assert record is not None
        self._clear(entry)
        # Readers must not find the record when the items are gone already.
        entry.record = replace(
            self._emptied(record, REASON_DROPPED), analyser=None, type=None, subtype=None
        )
        await self._parts.store.save_node_without_items(entry.record)

    def _emptied(self, record: NodeRecord, reason: str) -> NodeRecord:
        """Return the record as it is when nothing is held of the node any more."""
        is_new = record.state is not NodeState.NO_SYNC
        return replace(
            record,
            state=moved(record.state, NodeState.NO_SYNC),
            state_changed_at=self._parts.clock.now() if is_new else record.state_changed_at,
            reason=reason,
            info=None,
            access_model=None,
            generation=0,
            item_count=0,
            size_bytes=0,
            failures=0,
            info_verified_at=None,
            items_verified_at=None,
        )

    async def postpone(self, entry: NodeEntry, reason: str) -> None:
        """Work on the node failed: forward it, and try again later."""
        record = entry.record
        if record is None:
            return
        now = self._parts.clock.now()
        failures = record.failures + 1
        retry_at = self._parts.limits.retry_at(now, failures)
        if entry.is_journalled:
            entry.done(entry.work)
        else:
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
        entry.is_journalled = False
        entry.access_doubted_at = None
        entry.not_shown = ()
        entry.done(entry.work)

    async def _unsubscribe(self, key: NodeKey) -> None:
        try:
            await self._parts.reader.unsubscribe(key)
        except UpstreamRefused as error:
            if is_passing(error):
                raise
            # There is no such subscription, or no such node: nothing is left to be ended.
            log.debug("not subscribed service=%s node=%r: %s", *_named(key), error)


def _named(key: NodeKey) -> tuple[str, str]:
    return key.service, key.node
