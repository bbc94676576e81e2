"""One node that something is going on with, in memory."""

import asyncio
from collections import deque
from datetime import datetime
from enum import Flag, auto

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.events import Change
from pubcellar.core.hints import NO_HINTS
from pubcellar.core.records import NodeRecord
from pubcellar.core.values import NodeKey
from pubcellar.proxy.comparison import Comparison

MOST_PASSES = 16


class Work(Flag):
    """What is to be done about a node, besides applying the changes in its inbox."""

    NOTHING = 0
    VERIFY_INFO = auto()
    """Ask for its access model and metadata."""
    VERIFY_IDS = auto()
    """Compare the ids of its items."""
    VERIFY_OLDEST = auto()
    """See whether the service has dropped the oldest items to make room."""
    EVICT = auto()
    """Drop it, to make room for another one."""
    FORGET = auto()
    """Drop it, if it is still set aside."""
    UNSUBSCRIBE = auto()
    """End our subscription, if it is still not to be held."""
    SYNCHRONISE = auto()
    """Fetch all of it."""
    COMPARE = auto()
    """Compare its items whole, as far as their ids do not tell that they are unchanged."""
    VERIFY_VIEWS = auto()
    """See whether we are given what somebody else was not."""


class Interrupted(Exception):
    """Notifications may have been lost while something was under way: it must not be believed."""


class NodeEntry:
    """One node: its record, the changes to be applied, and the work to be done.

    Attributes:
        key: the node.
        record: as the database has it; None while unknown or not loaded.
        is_loaded: whether `record` is what the database has.
        inbox: changes that came as notifications and are not in the database yet, oldest first.
        arrivals: how many changes ever came.
        overflows: how often the inbox was too small, and its changes were lost.
        is_journalled: whether the inbox is the journal of a synchronisation that was interrupted,
            and goes on with what it has staged.
        work: what is to be done.
        is_doubtful: whether, until that is done, the database may be wrong.
        worker: the one task that may write; None when there is nothing to do.
        republished: an item id, and all ids before it was published again; they teach the service's
            rule, until that is known.
        plain_ids: ids in a plain items answer seen lately, in its order; they teach the order.
        orders: how the service orders this node's items in each kind of answer, as far as that was
            seen since it was last fetched, by name of trait (`core.traits.ORDERS`).
        looked_at: when a question that could not be answered for want of them last let the node be
            looked at, and after how many arrivals.
        passes: how many times in a row comparing was in vain since something had come meanwhile.
        reorders: how many times in a row its order had changed without anything to explain it.
        hints: what the service says of the node (XEP-0460), once it was asked by this process.
        may_have_missed: whether our subscription was made again since the contents were last
            verified, for whatever reason.
        is_revalidating: whether its worker compares a node that is not followed yet, or just so.
        has_differed: whether an item was found to be other than it is held; then all are compared.
        comparison: how far it has come with comparing items; None before and after.
        access_doubted_at: when somebody was last refused the node although we took it to be open.
        was_written: whether something was written through us that the contents are verified for.
        write_refused_at: when a refused write last let the node be looked at.
        not_shown: ids of a few items that are held, and that somebody was not given.
        not_before: when failed work may be tried again.
        outage: the exception that ended the last work, if the service could not be reached.
        loading: held while the record is read.
        step_done: set whenever the worker has done something, or ended.
    """

    def __init__(self, key: NodeKey) -> None:
        self.key = key
        self.record: NodeRecord | None = None
        self.is_loaded = False
        self.inbox: deque[Change] = deque()
        self.arrivals = 0
        self.overflows = 0
        self.is_journalled = False
        self.work = Work.NOTHING
        self.is_doubtful = False
        self.worker: asyncio.Task[None] | None = None
        self.republished: tuple[str, tuple[str, ...]] | None = None
        self.plain_ids: tuple[str, ...] = ()
        self.orders: dict[str, bool] = {}
        self.looked_at: tuple[datetime, int] | None = None
        self.passes = 0
        self.reorders = 0
        self.hints = NO_HINTS
        self.may_have_missed = False
        self.is_revalidating = False
        self.has_differed = False
        self.comparison: Comparison | None = None
        self.access_doubted_at: datetime | None = None
        self.was_written = False
        self.write_refused_at: datetime | None = None
        self.not_shown: tuple[str, ...] = ()
        self.not_before: datetime | None = None
        self.outage: Exception | None = None
        self.loading = asyncio.Lock()
        self.step_done = asyncio.Event()

    @property
    def is_in_doubt(self) -> bool:
        """Whether something has happened that the database does not show yet."""
        return self.is_doubtful or bool(self.inbox)

    @property
    def is_idle(self) -> bool:
        """Whether the entry holds nothing that the database does not."""
        return self.worker is None and not self.inbox and self.work is Work.NOTHING

    def end_comparison(self) -> None:
        """There is nothing to compare any more, or it is not to be gone on with."""
        self.comparison = None
        self.may_have_missed = self.is_revalidating = self.has_differed = False
        self.was_written = False

    def outran(self) -> None:
        """Something came while the node was looked at, which is to be done again.

        Raises:
            UpstreamAnswerInvalid: that has been so too often to go on without a pause.
        """
        self.passes += 1
        if self.passes >= MOST_PASSES:
            self.passes = 0
            raise UpstreamAnswerInvalid("the node changes faster than it can be compared")

    def keeps_up(self) -> None:
        """Nothing came while the node was looked at."""
        self.passes = 0

    def overflow(self) -> None:
        """There are more changes than can be kept: the node is fetched anew instead."""
        if self.inbox:
            self.inbox.clear()
            self.overflows += 1
            self.ask(Work.SYNCHRONISE, is_doubtful=True)

    def ask(self, work: Work, *, is_doubtful: bool) -> None:
        """Add to the work to be done; `is_doubtful` until then, or a matter of routine."""
        self.work |= work
        self.is_doubtful = self.is_doubtful or is_doubtful

    def done(self, work: Work) -> None:
        """Take off what has been done; without work left there is no doubt left."""
        self.work &= ~work
        if self.work is Work.NOTHING:
            self.is_doubtful = False
