"""Analysis: which analyser a node is for, and so whether it is held.

It begins behind a forwarded items read that succeeded, and its verdict is remembered, so that the
next read of a node that is not held costs the service one stanza and no more.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from pubcellar.core.errors import AnalyserError, ProxyError, UpstreamRefused
from pubcellar.core.ports import ForwardedAnswer, Verdict
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState, moved
from pubcellar.core.values import BareJID, Item, ItemsQuestion, NodeKey, SubscriptionState
from pubcellar.proxy.fetching import LONGEST_NAME_BYTES
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.room import Room
from pubcellar.proxy.triggers import Triggers
from pubcellar.proxy.worker import Workers

log = logging.getLogger(__name__)

MOST_AT_ONCE = 100
MOST_PLAIN_IDS = 2_000
"""Longer lists are not remembered to learn their order from."""
MOST_OF_ONE = 25
"""How many of these one requester may have caused, so that there is room for others."""


class Analysing:
    """Runs one analysis per node at a time, and a bounded number of them at once."""

    def __init__(self, parts: Parts, nodes: Nodes, workers: Workers, room: Room) -> None:
        self._parts = parts
        self._nodes = nodes
        self._workers = workers
        self._room = room
        self._triggers = Triggers(parts)
        self._running: dict[NodeKey, asyncio.Task[None]] = {}
        self._running_for: Counter[BareJID] = Counter()

    def begin(
        self,
        requester: BareJID,
        key: NodeKey,
        question: ItemsQuestion,
        answered: ForwardedAnswer,
    ) -> None:
        """Begin to analyse a node whose items have just been read, if nobody does already.

        Args:
            requester: who has read them.
            key: the node.
            question: what was asked.
            answered: what the service answered.
        """
        # Beyond the bounds a node simply stays unknown until its next read.
        is_too_long = len(key.node.encode()) > LONGEST_NAME_BYTES
        if is_too_long or key in self._running or len(self._running) >= MOST_AT_ONCE:
            return
        if self._running_for[requester] >= MOST_OF_ONE:
            return
        if not self._triggers.admits(requester, key.service):
            return
        task = asyncio.get_running_loop().create_task(self._run(key, question, answered))
        self._running[key] = task
        self._running_for[requester] += 1
        task.add_done_callback(lambda _: self._ended(key, requester))

    def _ended(self, key: NodeKey, requester: BareJID) -> None:
        self._running.pop(key, None)
        self._running_for[requester] -= 1
        if not self._running_for[requester]:
            del self._running_for[requester]

    async def stop(self) -> None:
        """Cancel what runs, and wait for it."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: NodeKey, question: ItemsQuestion, answered: ForwardedAnswer) -> None:
        try:
            await self._analyse(key, question, answered)
        except ProxyError as error:
            log.info("analysis failed service=%s node=%r: %s", key.service, key.node, error)
        except Exception:
            log.exception("analysis failed service=%s node=%r", key.service, key.node)

    async def _analyse(
        self, key: NodeKey, question: ItemsQuestion, answered: ForwardedAnswer
    ) -> None:
        limits = self._parts.limits
        namespace: str | None = None
        if self._parts.analysers.needs_namespace(key.node):
            try:
                namespace = await self._namespace(key, answered.items)
            except UpstreamRefused as error:
                reason = f"the service refuses us: {error}"
                await self._remember(key, None, reason, self._later(limits.reanalyse_after))
                return
        try:
            verdict = await self._parts.analysers.analyse(key, namespace)
        except AnalyserError as error:
            await self._remember(key, None, str(error), self._later(limits.reanalyse_after))
            return
        if verdict is None and namespace is None and not answered.items:
            # An empty node tells nothing yet; it may be filled soon.
            reason, retry_at = "no items to tell from", self._later(limits.retry_at_most)
            await self._remember(key, None, reason, retry_at)
        elif verdict is None or not verdict.to_sync:
            reason = (
                "no analyser matches"
                if verdict is None
                else f"analyser {verdict.analyser!r} is not to synchronise it"
            )
            await self._remember(key, verdict, reason, self._later(limits.reanalyse_after))
        else:
            await self._remember(key, verdict, "", None)
            entry = self._workers.wake(key)
            is_plain = not (question.max_items or question.item_ids) and answered.page is None
            if is_plain and answered.items is not None and len(answered.items) <= MOST_PLAIN_IDS:
                entry.plain_ids = tuple(item.item_id for item in answered.items)

    def _later(self, pause: timedelta) -> datetime:
        return self._parts.clock.now() + pause

    async def _namespace(self, key: NodeKey, items: tuple[Item, ...] | None) -> str | None:
        """Return the payload namespace of the node's first item, asking for one if need be."""
        if not items:
            items = (await self._parts.reader.items(key, max_items=1)).items
        return next((item.payload_namespace for item in items if item.has_payload), None)

    async def _remember(
        self, key: NodeKey, verdict: Verdict | None, reason: str, retry_at: datetime | None
    ) -> None:
        """Write the verdict down; with a reason, it is not to hold the node."""
        entry = await self._nodes.loaded(key)
        if entry.worker is not None and entry.record is not None:
            # One task alone writes of a node; the next read will bring the verdict again.
            return
        if entry.record is None:
            if not await self._room.for_one_more():
                return
            entry = await self._nodes.loaded(key)
        record = self._with_verdict(key, entry.record, verdict, reason, retry_at)
        if record is None:
            return
        await self._parts.store.save_node(record)
        entry = self._nodes.entry(key)
        entry.record, entry.is_loaded = record, True

    def _with_verdict(
        self,
        key: NodeKey,
        old: NodeRecord | None,
        verdict: Verdict | None,
        reason: str,
        retry_at: datetime | None,
    ) -> NodeRecord | None:
        """Return the record with the verdict; None where the verdict changes nothing."""
        now = self._parts.clock.now()
        if old is not None and old.state is not NodeState.NO_SYNC:
            return None
        if old is not None and old.is_set_aside and reason:
            # For whom it was held, and since when it is not, is still wanted. While it is to be
            # unsubscribed, `retry_at` is for that.
            is_subscribed = old.subscription is not SubscriptionState.NONE
            return None if is_subscribed else replace(old, retry_at=retry_at)
        state = NodeState.NO_SYNC if reason else NodeState.SYNCING
        if old is None:
            old = NodeRecord(key, state, created_at=now, state_changed_at=now)
        elif old.is_set_aside:
            state = NodeState.STALE
        return replace(
            old,
            state=moved(old.state, state),
            state_changed_at=now,
            reason=reason,
            analyser=None if verdict is None else verdict.analyser,
            type=None if verdict is None else verdict.type,
            subtype=None if verdict is None else verdict.subtype,
            failures=0,
            last_read_at=now,
            retry_at=retry_at,
        )
