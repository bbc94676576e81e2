"""Every node that something is going on with, in memory.

The database is the truth; an entry here keeps a node's record at hand, and what is still to be done
about the node. Entries that nothing is to be done about are let go, least recently used first.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from pubcellar.core.events import Change
from pubcellar.core.records import NodeRecord
from pubcellar.core.store import Store
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.proxy.entry_bytes import EntryBytes, change_bytes, entry_bytes
from pubcellar.proxy.node_entry import Interrupted, NodeEntry, Work

MOST_ENTRIES = 20_000
MOST_CHANGES = 10_000
MOST_LOOKED_AT = 100
MOST_SERVICES = 10_000


class Nodes:
    """The entries of a proxy."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: OrderedDict[NodeKey, NodeEntry] = OrderedDict()
        self._bytes = EntryBytes(self._entries)
        self._followed: set[NodeKey] = set()
        self._followed_of: Counter[BareJID] = Counter()
        self._heard: set[NodeKey] = set()
        self._epoch = 0
        self._turn = 0
        self._service_epochs: dict[BareJID, int] = {}
        self._is_trusted = False
        self._has_begun = False
        self._doubted: set[BareJID] = set()
        self._orders_seen_at: dict[BareJID, datetime] = {}

    def entry(self, key: NodeKey) -> NodeEntry:
        """Return the entry of a node, perhaps a new one that is not loaded."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = NodeEntry(key)
            self._let_go()
        else:
            self._entries.move_to_end(key)
        return entry

    def record(self, key: NodeKey) -> NodeRecord | None:
        """Return the record of a node, if there is one and it is in memory."""
        entry = self._entries.get(key)
        return None if entry is None else entry.record

    async def loaded(self, key: NodeKey) -> NodeEntry:
        """Return the entry of a node with its record; raises StoreUnavailable."""
        while True:
            entry = self.entry(key)
            if entry.is_loaded:
                return entry
            async with entry.loading:
                turn = self._turn
                record = entry.record if entry.is_loaded else await self._store.node(key)
                # What was read before the database heard of a loss must not outlive it.
                if turn == self._turn and self._entries.get(key) is entry:
                    entry.record = record
                    entry.is_loaded = True
                    self._bytes.grew(entry_bytes(entry))
                    return entry

    def take_in(self, entry: NodeEntry, changes: Sequence[Change]) -> None:
        """Put changes into the inbox of an entry; too many are thrown away, and it is fetched."""
        entry.arrivals += len(changes)
        entry.inbox.extend(changes)
        if len(entry.inbox) > MOST_CHANGES:
            entry.overflow()
        else:
            self._bytes.grew(sum(map(change_bytes, changes)))

    def limit_bytes(self) -> None:
        """Let entries give way if they take too much memory; to be called now and then."""
        self._bytes.limit()

    def release(self, key: NodeKey) -> None:
        """Let go of the entry of a node that nothing is known about, nor to be done."""
        entry = self._entries.get(key)
        if entry is not None and entry.is_idle and entry.is_loaded and entry.record is None:
            del self._entries[key]

    def _let_go(self) -> None:
        """Make room for one entry more: drop those that nothing is to be done about."""
        if len(self._entries) <= MOST_ENTRIES:
            return
        for key in list(islice(self._entries, MOST_LOOKED_AT)):
            if self._entries[key].is_idle:
                del self._entries[key]
            else:
                # However many are at work, those behind them are looked at too.
                self._entries.move_to_end(key)

    def follow(self, key: NodeKey) -> None:
        """Believe notifications about this node from now on."""
        if key not in self._followed:
            self._followed.add(key)
            self._followed_of[key.service] += 1

    def unfollow(self, key: NodeKey) -> None:
        """Ignore notifications about this node from now on."""
        self._heard.discard(key)
        if key in self._followed:
            self._followed.discard(key)
            self._followed_of[key.service] -= 1
            if not self._followed_of[key.service]:
                del self._followed_of[key.service]

    def heard(self, key: NodeKey) -> None:
        """A notification about this node has reached us, which it is known to send therefore."""
        if key in self._followed:
            self._heard.add(key)

    def unheard(self, key: NodeKey) -> None:
        """A notification about this node has not come, though there was something to notify of."""
        self._heard.discard(key)

    def is_notified(self, key: NodeKey) -> bool:
        """Tell whether a subscription to this node can be counted on.

        A personal eventing service may accept one and yet notify nobody who is not available to it
        (`pubsub#presence_based_delivery` of XEP-0060), as we never are. There, only a notification
        that came shows that more will.
        """
        return "@" not in key.service or key in self._heard

    def is_followed(self, key: NodeKey) -> bool:
        """Tell whether notifications about this node are believed."""
        return key in self._followed

    def follows(self, service: BareJID) -> bool:
        """Tell whether any node of the service is followed."""
        return self._followed_of[service] > 0

    def epoch(self, service: BareJID) -> tuple[int, int]:
        """Return a value that changes whenever notifications of the service may have been lost."""
        return self._epoch, self._service_epochs.get(service, 0)

    def ensure(self, service: BareJID, epoch: tuple[int, int]) -> None:
        """Make sure that nothing may have been lost since `epoch`; raises Interrupted."""
        if self.epoch(service) != epoch:
            raise Interrupted

    def unfinished(self, now: datetime) -> list[NodeKey]:
        """Return nodes with work that was put off until now or earlier."""
        return [
            key
            for key, entry in self._entries.items()
            if not entry.is_idle
            and entry.worker is None
            and (entry.not_before is None or entry.not_before <= now)
        ]

    def is_trusted(self, service: BareJID) -> bool:
        """Tell whether what the database says of the service's nodes may be believed.

        Not while our stream is down, nor until the database has been told what may have been lost.
        """
        return self._is_trusted and service not in self._doubted

    @property
    def has_begun(self) -> bool:
        """Whether the database was ever trusted since the start.

        Before that it may hold what nobody wants held any more, and that is not even for outages.
        """
        return self._has_begun

    def is_current(self, key: NodeKey) -> bool:
        """Tell whether changes of the node would reach us, so that its record may be believed."""
        return self.is_trusted(key.service) and self.is_followed(key)

    def distrust(self, service: BareJID | None = None) -> None:
        """Notifications may have been lost, of one service or of all: forget what we knew.

        To be followed by `Store.make_stale` and then `trust`.
        """
        if service is None:
            self._epoch += 1
            self._is_trusted = False
            self._orders_seen_at.clear()
        else:
            self._orders_seen_at.pop(service, None)
            if len(self._service_epochs) >= MOST_SERVICES:
                # To forget them all is to believe no work that is under way.
                self._epoch += 1
                self._service_epochs.clear()
            self._service_epochs[service] = self._service_epochs.get(service, 0) + 1
            self._doubted.add(service)
        for key in [key for key in self._followed if service in (None, key.service)]:
            self.unfollow(key)
        self._forget_entries(service)

    def trust(self, service: BareJID | None, still_lost: set[BareJID]) -> None:
        """The database knows now what may have been lost: believe it again.

        Args:
            service: as for `distrust`.
            still_lost: services whose notifications were lost since.
        """
        self._forget_entries(service)
        if service is None:
            self._is_trusted = self._has_begun = True
            self._doubted = set(still_lost)
        else:
            self._doubted.discard(service)

    def are_orders_due(self, service: BareJID, now: datetime, every: timedelta) -> bool:
        """Tell whether the orders of a node of the service are to be seen anew.

        So it is now and then, and whenever the service may have been another one meanwhile.
        """
        seen_at = self._orders_seen_at.get(service)
        return seen_at is None or now - seen_at >= every

    def orders_seen(self, service: BareJID, now: datetime) -> None:
        """The orders of a node of the service have been seen anew."""
        if len(self._orders_seen_at) >= MOST_ENTRIES:
            self._orders_seen_at.clear()
        self._orders_seen_at[service] = now

    def forget_orders(self, of: NodeEntry) -> None:
        """The service's habits have changed: only this node's orders are known."""
        for entry in self._entries.values():
            if entry.key.service == of.key.service and entry is not of:
                entry.orders.clear()
                entry.looked_at = None

    def _forget_entries(self, service: BareJID | None) -> None:
        self._turn += 1
        for key, entry in list(self._entries.items()):
            if service not in (None, key.service):
                continue
            if entry.worker is None:
                del self._entries[key]
            else:
                # Its worker will find that the epoch has changed, and load the record anew.
                entry.inbox.clear()
                entry.orders.clear()
                entry.is_loaded = False
                entry.work, entry.is_doubtful = Work.NOTHING, False
