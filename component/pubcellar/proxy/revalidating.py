"""Revalidation: a node of which notifications may have been lost is compared, not fetched anew.

So no payload is transferred of which the service lets us know that it is unchanged. What cannot be
compared is synchronised (`pubcellar.proxy.synchronising`).
"""

import asyncio
from dataclasses import replace

from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState, moved
from pubcellar.core.values import SubscriptionState
from pubcellar.proxy.comparison import NotComparable
from pubcellar.proxy.learning import Learning
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.subscribing import Subscribing
from pubcellar.proxy.verifying_access import VerifyingAccess


class Revalidating:
    """Brings nodes back into a state in which they can be verified as any other."""

    def __init__(
        self, parts: Parts, nodes: Nodes, access: VerifyingAccess, subscribing: Subscribing
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._access = access
        self._subscribing = subscribing
        self._learning = Learning(parts)
        self._slots = asyncio.Semaphore(parts.limits.max_synchronisations)

    def can_revalidate(self, record: NodeRecord) -> bool:
        """Tell whether the node may be compared although notifications of it were lost.

        Personal services are left out, where a subscription alone does not mean notifications; so
        are nodes whose service refuses us one.
        """
        return (
            record.state in (NodeState.LIVE, NodeState.STALE)
            and record.generation > 0
            and record.subscription is SubscriptionState.SUBSCRIBED
            and "@" not in record.key.service
        )

    async def revalidate(self, entry: NodeEntry) -> None:
        """Begin to compare a node of which notifications may have been lost.

        What is asked for: may it still be held, is it still there, and a subscription, anew. Then
        its notifications are believed again, and it is verified as any other; until that is done,
        it stays STALE, and what comes is applied.
        """
        async with self._slots:
            try:
                await self._begin_to_revalidate(entry)
            except NotComparable:
                entry.ask(Work.SYNCHRONISE, is_doubtful=True)

    async def _begin_to_revalidate(self, entry: NodeEntry) -> None:
        epoch = self._nodes.epoch(entry.key.service)
        if not await self._is_parsed(entry):
            raise NotComparable(
                "its items were parsed by another analyser, or another version of it"
            )
        await self._become_stale(entry)
        entry.inbox.clear()
        if not await self._access.is_to_be_held(entry):
            return
        # It must succeed before we subscribe: some services make nodes for who subscribes.
        await self._learning.newest(entry.key, 1)
        entry.is_revalidating = entry.may_have_missed = True
        entry.ask(Work.VERIFY_IDS | Work.COMPARE, is_doubtful=True)
        self._nodes.follow(entry.key)
        await self._subscribing.subscribe(entry)
        self._nodes.ensure(entry.key.service, epoch)

    async def _is_parsed(self, entry: NodeEntry) -> bool:
        """Tell whether the items were parsed by the analyser, and the version, that parses now."""
        record = _record(entry)
        parser = None if record.analyser is None else self._parts.analysers.parser(record.analyser)
        parsers = await self._parts.store.parsers(entry.key)
        return parsers <= {parser, None} and (parser in parsers or not parsers)

    async def _become_stale(self, entry: NodeEntry) -> None:
        record = _record(entry)
        if record.state is not NodeState.STALE:
            entry.record = replace(
                record,
                state=moved(record.state, NodeState.STALE),
                state_changed_at=self._parts.clock.now(),
            )
            await self._parts.store.save_node(entry.record)


def _record(entry: NodeEntry) -> NodeRecord:
    assert entry.record is not None
    return entry.record
