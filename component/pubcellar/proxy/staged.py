"""What a synchronisation has staged so far, and whether it may go on with that.

An interruption costs nothing while no notification was lost: everything that happened meanwhile is
in the node's inbox, which is the journal of its synchronisation. All that is staged is, as of the
last transaction, what the service had at one moment: what a notification names is taken out first.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from pubcellar.core.events import Change
from pubcellar.core.values import NodeKey
from pubcellar.proxy.node_entry import Interrupted, NodeEntry
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts

MOST_JOURNALS = 100
"""Synchronisations that wait to go on, each with an inbox of what happens meanwhile."""


@dataclass(slots=True)
class Staged:
    """What is staged of one node.

    Attributes:
        entry: the node.
        analyser: for whom it is staged.
        epoch, overflows: as they were when it began.
        accounted: how many of all changes that ever came are in what is staged.
        started_at: when it began, or when the ids were last listed.
        is_notified: whether we are notified of every change since it began.
        pages: whether the service pages.
        ids: as the pages came, oldest or newest first, each with the size of its item in bytes.
        wanted: ids that were published meanwhile, to be fetched.
        after: token of the last page that was staged; None before the first.
        is_paging: whether there are pages still to come.
        is_as_paged: whether nothing was published since the pages came, nor missing in them; where
            the service has put that, or what it sends to a new subscriber, cannot be told.
        was_written: whether something was written through us meanwhile.
        most: how many ids it ever had.
        size_bytes: of the items that were staged by this process, be they still or not.
    """

    entry: NodeEntry
    analyser: str | None
    epoch: tuple[int, int]
    overflows: int
    accounted: int
    started_at: datetime
    is_notified: bool = False
    pages: bool = False
    ids: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)
    after: str | None = None
    is_paging: bool = False
    is_as_paged: bool = True
    was_written: bool = False
    most: int = 0
    size_bytes: int = 0

    def take(self) -> Change:
        """Take the oldest change out of the inbox, to account for it."""
        self.accounted += 1
        return self.entry.inbox.popleft()

    def is_intact(self, nodes: Nodes) -> bool:
        """Tell whether every notification since it began is accounted for, or in the inbox."""
        entry = self.entry
        return (
            nodes.epoch(entry.key.service) == self.epoch
            and nodes.is_followed(entry.key)
            and entry.overflows == self.overflows
            and entry.arrivals - len(entry.inbox) == self.accounted
        )

    def ensure(self, nodes: Nodes) -> None:
        """Make sure that no notification may have been lost since it began; raises Interrupted."""
        if not self.is_intact(nodes):
            raise Interrupted


def staged_for(parts: Parts, analyser: str | None) -> str | None:
    """Return who parses what is staged for the analyser: its parser with its version, if any."""
    return None if analyser is None else parts.analysers.parser(analyser) or analyser


class Journals:
    """Synchronisations that were interrupted while no notification was lost."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._waiting: OrderedDict[NodeKey, Staged] = OrderedDict()

    def keep(self, staged: Staged) -> None:
        """Let the inbox be its journal from now on, if that is of any use."""
        entry = staged.entry
        if not (staged.ids and staged.is_notified and staged.is_intact(self._nodes)):
            return
        entry.is_journalled = True
        self._waiting[entry.key] = staged
        while len(self._waiting) > MOST_JOURNALS:
            _, given_up = self._waiting.popitem(last=False)
            given_up.entry.is_journalled = False
            given_up.entry.inbox.clear()
            self._nodes.unfollow(given_up.entry.key)

    def taken(self, entry: NodeEntry) -> Staged | None:
        """Return what is staged for the node if it may be gone on with, and keep it no longer."""
        entry.is_journalled = False
        staged = self._waiting.pop(entry.key, None)
        if staged is None or staged.entry is not entry or not staged.is_intact(self._nodes):
            return None
        is_same = entry.record is not None and entry.record.analyser == staged.analyser
        return staged if is_same else None
