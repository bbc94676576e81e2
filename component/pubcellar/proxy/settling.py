"""Writing down that a node is in doubt since something was written to it, and that it is over.

These are steps of the node's worker: what the database could not take is tried again with the rest.
"""

from dataclasses import replace

from pubcellar.core.events import Written
from pubcellar.core.states import NodeState
from pubcellar.proxy.doubts import Doubts, are_held
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts


class Settling:
    """Begins and ends the doubt about nodes in the database."""

    def __init__(self, parts: Parts, nodes: Nodes, doubts: Doubts) -> None:
        self._parts = parts
        self._nodes = nodes
        self._doubts = doubts

    def is_to_be_marked(self, entry: NodeEntry) -> bool:
        """Tell whether it is still to be written down that the node is in doubt."""
        record = entry.record
        return record is not None and record.may_hold and self._doubts.is_unmarked(entry.key)

    async def mark(self, entry: NodeEntry) -> None:
        """Write down that the node is in doubt; raises StoreUnavailable."""
        now = self._parts.clock.now()
        await self._parts.store.record_write(entry.key, now)
        self._doubts.marked(entry.key)
        if entry.record is not None:
            entry.record = replace(entry.record, written_at=now)

    def let_go(self, entry: NodeEntry) -> None:
        """Nothing is held of the node that could be wrong."""
        is_empty = entry.record is None or not entry.record.may_hold
        if is_empty and not self._doubts.is_under_way(entry.key):
            self._doubts.marked(entry.key, is_marked=False)

    def is_shown(self, entry: NodeEntry) -> bool:
        """Tell whether notifications that were applied may show what was written."""
        return bool(self._doubts.notified(entry.key))

    async def show(self, entry: NodeEntry) -> None:
        """End writes that what is held shows; what shows otherwise has to be looked for.

        So it is where somebody else wrote the same item.
        """
        for under_way in self._doubts.notified(entry.key):
            found = await self._parts.store.items_by_id(entry.key, list(under_way.prints))
            if not are_held(under_way, {item.item_id: item.xml for item in found}):
                self._nodes.take_in(entry, [Written()])
            self._doubts.end(under_way)

    def is_over(self, entry: NodeEntry) -> bool:
        """Tell whether all that was written to the node shows, and the database says otherwise."""
        record = entry.record
        return (
            record is not None
            and record.state is NodeState.LIVE
            and entry.work is Work.NOTHING
            and not entry.is_in_doubt
            and not self._doubts.is_under_way(entry.key)
            and (record.written_at is not None or self._doubts.is_unseen(entry.key))
        )

    async def clear(self, entry: NodeEntry) -> None:
        """Write down that the node is in doubt no more; raises StoreUnavailable."""
        await self._parts.store.record_write(entry.key, None)
        self._doubts.marked(entry.key, is_marked=False)
        if entry.record is not None:
            entry.record = replace(entry.record, written_at=None)
