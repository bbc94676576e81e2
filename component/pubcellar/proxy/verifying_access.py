"""Verification of what a node says of itself: who may read it, its metadata, and hints for caches.

A node that is not to be held any more is withdrawn (docs/architecture.md).
"""

from dataclasses import replace

from pubcellar.core.access import is_open
from pubcellar.core.counters import Happened
from pubcellar.core.hints import CachingHints
from pubcellar.core.records import NodeRecord
from pubcellar.core.values import SubscriptionState
from pubcellar.proxy.describing import Description, described
from pubcellar.proxy.drifting import Drifting
from pubcellar.proxy.fetching import Fetching
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.withdrawing import Withdrawing

NOT_SUBSCRIBED = "it is not open, and the service does not let us subscribe"
SHOWN_DIFFERENTLY = "the service does not give everybody the same items of it"


class VerifyingAccess:
    """Asks for disco#info of nodes that are held, or for what stands in for it."""

    def __init__(
        self, parts: Parts, nodes: Nodes, withdrawing: Withdrawing, drifting: Drifting
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._withdrawing = withdrawing
        self._drifting = drifting
        self._fetching = Fetching(parts)

    async def verify(self, entry: NodeEntry) -> None:
        """Ask for access model and metadata; a node not to be held any more is withdrawn."""
        epoch = self._nodes.epoch(entry.key.service)
        if await self.is_to_be_held(entry):
            self._nodes.ensure(entry.key.service, epoch)
            entry.done(Work.VERIFY_INFO)

    async def is_to_be_held(self, entry: NodeEntry) -> bool:
        """Ask for access model and metadata, take them over, and tell whether the node is held on.

        Raises:
            Interrupted: notifications may have been lost meanwhile.
            TooLargeToHold: the metadata are larger than an answer may be.
            UpstreamError: the service could not or would not answer.
        """
        epoch = self._nodes.epoch(entry.key.service)
        asked_at = self._parts.clock.now()
        is_told = self._record(entry).info is not None
        node = await described(self._parts.reader, entry.key, is_told=is_told)
        self._nodes.ensure(entry.key.service, epoch)
        record = self._record(entry)
        reason = self._reason_not_held(record, node)
        if reason is not None:
            self._drifted(entry, Happened.DRIFT_ACCESS, "not held any more")
            await self._withdrawing.withdraw(entry, reason)
            return False
        self._fetching.ensure_info_fits(node.info)
        self._note_differences(entry, node)
        self._take_hints(entry, node.hints)
        entry.record = replace(
            record,
            info=node.info,
            access_model=node.access_model,
            info_verified_at=asked_at,
        )
        await self._parts.store.save_node(entry.record)
        return True

    def _reason_not_held(self, record: NodeRecord, node: Description) -> str | None:
        reason = node.reason_not_held(self._parts.access.entitlement_max_age)
        is_subscribed = record.subscription is SubscriptionState.SUBSCRIBED
        if reason is None and not is_open(node.access_model) and not is_subscribed:
            return NOT_SUBSCRIBED
        return reason

    def _note_differences(self, entry: NodeEntry, node: Description) -> None:
        """What the node says of itself has changed, perhaps who may read it: so it is unknown."""
        record = self._record(entry)
        if record.access_model != node.access_model:
            self._drifted(entry, Happened.DRIFT_ACCESS, "given only to whom the service lets in")
            # disco#info is given to strangers too: whether we may still read it, a read will tell.
            entry.ask(Work.VERIFY_IDS, is_doubtful=True)
        elif record.info != node.info:
            self._drifted(entry, Happened.DRIFT_METADATA, "taken over")
        else:
            return
        self._parts.entitlements.forget(entry.key)

    async def verify_views(self, entry: NodeEntry) -> None:
        """Somebody was not given what is held: see whether we are.

        If so, the service shows the node to different people differently, and one copy cannot serve
        them. If not, the copy is wrong, and is compared.
        """
        if await self._fetching.given(entry.key, entry.not_shown):
            await self._withdrawing.withdraw(entry, SHOWN_DIFFERENTLY)
            return
        entry.ask(Work.VERIFY_IDS | Work.COMPARE, is_doubtful=True)
        entry.done(Work.VERIFY_VIEWS)

    def _drifted(self, entry: NodeEntry, kind: Happened, remedy: str) -> None:
        if self._record(entry).access_model is not None:
            # Else a notification has told us to look.
            self._drifting.found(entry, kind, remedy)

    def _take_hints(self, entry: NodeEntry, hints: CachingHints) -> None:
        if hints != entry.hints and hints.surplus(self._record(entry).item_count):
            # Fewer items are kept than before.
            entry.ask(Work.VERIFY_OLDEST, is_doubtful=True)
        entry.hints = hints

    def _record(self, entry: NodeEntry) -> NodeRecord:
        assert entry.record is not None
        return entry.record
