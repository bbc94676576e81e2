"""What becomes of held nodes whose analyser is gone, matches no more, or has changed its mind.

Analysers change only between two runs of the proxy. So all that is held is gone through once, at
the start, and nothing is answered from the database before. What nobody wants any more is set
aside: forwarded, unsubscribed, and kept for `forget_after`, since an analyser that failed to load
may be back at the next start. None of the analysers' own code runs for that; where only it can
tell, it is asked before the node is next synchronised.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pubcellar.core.errors import AnalyserError
from pubcellar.core.ports import Claim
from pubcellar.core.records import HeldNode
from pubcellar.core.states import NodeState
from pubcellar.core.values import NodeKey
from pubcellar.proxy.node_entry import NodeEntry
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.withdrawing import Withdrawing

log = logging.getLogger(__name__)

NODES_AT_ONCE = 500


class Reconsidering:
    """Decides anew for whom nodes are held."""

    def __init__(self, parts: Parts, withdrawing: Withdrawing) -> None:
        self._parts = parts
        self._withdrawing = withdrawing
        self._is_done = False
        # The analyser that takes a node now, and by which namespace. No more nodes than there were
        # at the start.
        self._to_ask: dict[NodeKey, tuple[str, str | None]] = {}

    def begin_anew(self) -> None:
        """What the database holds is not what was gone through: the next call does it again."""
        self._is_done = False

    async def go_through(self) -> None:
        """Look at every node that is held or set aside, in the first call that succeeds.

        Raises:
            StoreUnavailable: what was not looked at is still to be.
        """
        if self._is_done:
            return
        reasons: Counter[str] = Counter()
        number_back = 0
        after: NodeKey | None = None
        while page := await self._parts.store.held_nodes(after, NODES_AT_ONCE):
            unwanted, back = self._sorted(page)
            now = self._parts.clock.now()
            if unwanted:
                await self._parts.store.set_aside(unwanted, now)
                reasons.update(unwanted.values())
            if back:
                await self._parts.store.take_back(back, now)
                number_back += len(back)
            after = page[-1].key
        # An analyser or a limit may be new, for which an operator does not wait a day.
        await self._parts.store.look_at_all_again()
        self._is_done = True
        for reason, number in reasons.items():
            log.warning("nodes not held any more number=%d: %s", number, reason)
        if number_back:
            log.info("nodes held again number=%d", number_back)

    def _sorted(self, page: Sequence[HeldNode]) -> tuple[dict[NodeKey, str], list[NodeKey]]:
        """Return which nodes are to be set aside, with the reason, and which to be taken back."""
        unwanted: dict[NodeKey, str] = {}
        back: list[NodeKey] = []
        for node in page:
            claim = self._parts.analysers.claim(node.key.node, node.namespaces, node.analyser)
            if claim is None or claim.to_sync is False:
                if node.state is not NodeState.NO_SYNC:
                    unwanted[node.key] = self._reason(node, claim)
                continue
            if node.state is NodeState.NO_SYNC:
                if _was_given_up(node, claim):
                    continue
                back.append(node.key)
            if claim.to_sync is None or claim.analyser != node.analyser:
                self._to_ask[node.key] = claim.analyser, self._namespace(node, claim)
        return unwanted, back

    def _reason(self, node: HeldNode, claim: Claim | None) -> str:
        if claim is not None and claim.analyser == node.analyser:
            return _not_to_synchronise(claim.analyser)
        is_there = node.analyser is not None and self._parts.analysers.is_registered(node.analyser)
        what = "does not match it any more" if is_there else "is not registered any more"
        reason = f"analyser {node.analyser!r} {what}"
        return reason if claim is None else f"{reason}, {_not_to_synchronise(claim.analyser)}"

    def _namespace(self, node: HeldNode, claim: Claim) -> str | None:
        """Return the namespace that makes the node the claiming analyser's; None for its name."""
        for namespace in node.namespaces:
            found = self._parts.analysers.claim(node.key.node, (namespace,), None)
            if found is not None and found.analyser == claim.analyser:
                return namespace
        return None

    def is_open(self, key: NodeKey) -> bool:
        """Tell whether an analyser is still to be asked about the node."""
        return key in self._to_ask

    async def ask(self, entry: NodeEntry) -> None:
        """Ask the analyser that takes the node now what it makes of it; set it aside for a no.

        An analyser that fails is not gone: what it said before stands, and one that never said
        anything of this node is asked again later.
        """
        record = entry.record
        assert record is not None
        name, namespace = self._to_ask[entry.key]
        try:
            verdict = await self._parts.analysers.analyse(entry.key, namespace)
        except AnalyserError as error:
            if name != record.analyser:
                await self._withdrawing.postpone(entry, str(error))
                return
            verdict = None
        if verdict is None or verdict.analyser != name:
            # An empty node gives no namespace to tell by.
            pass
        elif not verdict.to_sync:
            await self._withdrawing.set_aside(entry, name, _not_to_synchronise(name))
        elif (verdict.analyser, verdict.type, verdict.subtype) != (
            record.analyser,
            record.type,
            record.subtype,
        ):
            entry.record = replace(
                record, analyser=name, type=verdict.type, subtype=verdict.subtype
            )
            await self._parts.store.save_node(entry.record)
        self._to_ask.pop(entry.key, None)


def _was_given_up(node: HeldNode, claim: Claim) -> bool:
    """Tell whether the analyser's own code said no to a node that is set aside.

    It is not asked again at every start, but when somebody reads the node.
    """
    return claim.to_sync is None and claim.analyser == node.analyser and node.type is None


def _not_to_synchronise(analyser: str) -> str:
    return f"analyser {analyser!r} is not to synchronise it"
