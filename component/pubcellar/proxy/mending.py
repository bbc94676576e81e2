"""What happens by itself: mending what is stale, verifying what is read, writing down reads.

Only nodes that somebody may ask for are looked after, the most recently read first, and a bounded
number at a time.
"""

import asyncio
import logging
import random
from datetime import datetime, timedelta

from pubcellar.core.errors import StorageError
from pubcellar.core.freshness import READ_LATELY, VERIFY_FIRST, verify_after
from pubcellar.core.ports import Clock
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.health import Health
from pubcellar.proxy.node_entry import Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.reconsidering import Reconsidering
from pubcellar.proxy.retrieving import Retrieving
from pubcellar.proxy.room import Room
from pubcellar.proxy.worker import Workers

log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
HURRIED_SECONDS = 0.25
"""Between rounds, while more is due than can be done at a time."""
JITTER = 0.5
RESUMABLE_FOR = timedelta(days=1)
"""How long what is staged waits for its synchronisation to go on."""
MOST_BUSY = 100
"""Services of which something is looked after at once; of most of them one node."""
WIND_UP_EVERY = timedelta(minutes=1)
"""How often it is looked for nodes to unsubscribe from or to forget, while there are none."""
MOST_CANDIDATES = 200
"""Nodes to be verified soon; so many are looked at in a round."""


class Mending:
    """The background of a proxy: one round after another."""

    def __init__(
        self,
        parts: Parts,
        nodes: Nodes,
        workers: Workers,
        retrieving: Retrieving,
        health: Health,
        reconsidering: Reconsidering,
        room: Room,
        doubts: Doubts,
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._workers = workers
        self._retrieving = retrieving
        self._health = health
        self._reconsidering = reconsidering
        self._room = room
        self._doubts = doubts
        # What happened before we were started went unnoticed too.
        self._lost: set[BareJID | None] = {None}
        self._is_connected = False
        self._is_behind = False
        self._wind_up_at = parts.clock.now()
        self._turn = asyncio.Lock()

    def connected(self) -> None:
        """Our stream is up: believe the database again once it knows what may have been lost."""
        self._is_connected = True

    def disconnected(self) -> None:
        """Our stream is down, and notifications with it."""
        self._is_connected = False
        self.lost(None)

    def lost(self, service: BareJID | None) -> None:
        """Notifications of the service, or of all, may have been lost: its nodes are in doubt."""
        self._nodes.distrust(service)
        self._lost.add(service)

    async def run(self, clock: Clock) -> None:
        """Do one round after another until cancelled."""
        while True:
            await self.round()
            pause = HURRIED_SECONDS if self._is_behind else ROUND_SECONDS
            await clock.sleep(pause * (1 + random.uniform(0, JITTER)))

    async def round(self) -> None:
        """Do what is due; what the database cannot take now is tried again in the next round."""
        try:
            async with self._turn:
                self._nodes.limit_bytes()
                await self._check_database()
                await self._mark_services()
                await self.note_losses()
                await self.write_down_reads()
                if self._is_connected:
                    self._health.probe_due()
                    await self._wake_due()
                    await self._wind_up()
                    await self._room.make()
        except StorageError as error:
            log.debug("the database failed, this round is left out: %s", error)

    async def _check_database(self) -> None:
        """See whether the database works, and is as we left it; raises StoreUnavailable."""
        if await self._parts.store.check():
            log.warning("the database may have been changed by others: all nodes are in doubt")
            self._reconsidering.begin_anew()
            self.lost(None)

    async def _mark_services(self) -> None:
        """Write down of which services any node may be in doubt; raises StoreUnavailable."""
        for service in list(self._doubts.unmarked_services):
            await self._parts.store.record_writes(service, self._parts.clock.now())
            self._doubts.unmarked_services.discard(service)
            # The records in memory do not say so.
            self.lost(service)

    async def note_losses(self) -> None:
        """Tell the database whose nodes are in doubt; one statement, however many there are.

        The first time, all that it holds is also gone through for nodes that nobody wants any more.

        Raises:
            StoreUnavailable: they stay in doubt in memory.
        """
        while self._lost and (self._is_connected or None not in self._lost):
            service = None if None in self._lost else next(iter(self._lost))
            noted = self._lost if service is None else {service}
            self._lost = self._lost - noted
            try:
                number = await self._parts.store.make_stale(self._parts.clock.now(), service)
                if service is None:
                    await self._reconsidering.go_through()
            except BaseException:
                self._lost |= noted
                raise
            if service in self._lost or None in self._lost:
                # Lost again in the meantime.
                continue
            self._nodes.trust(service, {lost for lost in self._lost if lost is not None})
            if number:
                log.info("nodes to be revalidated service=%s number=%d", service or "all", number)

    async def write_down_reads(self) -> None:
        """Write down when nodes were read; raises StoreUnavailable."""
        reads, self._retrieving.reads = self._retrieving.reads, {}
        try:
            if reads:
                await self._parts.store.record_reads(reads)
        except StorageError:
            self._retrieving.reads = {**reads, **self._retrieving.reads}
            raise

    async def _wake_due(self) -> None:
        now = self._parts.clock.now()
        for key in (*self._nodes.unfinished(now), *self._doubts.unmarked()):
            self._workers.wake(key)
        limits, busy = self._parts.limits, self._workers.busy
        room = 2 * limits.max_synchronisations - busy.total()
        most = 2 * limits.max_synchronisations_per_service
        crowded = [service for service, number in busy.items() if number >= most]
        self._is_behind = room <= 0
        if room <= 0:
            # Services of which nothing is looked after must not wait for those that are slow.
            if len(busy) < MOST_BUSY:
                await self._mend(now, 1, list(busy))
            return
        due = await self._mend(now, room, crowded)
        verify = await self._to_verify(now)
        for key in verify[: room - due]:
            self._nodes.entry(key).ask(Work.VERIFY_IDS | Work.COMPARE, is_doubtful=False)
            self._workers.wake(key)
        self._is_behind = due + len(verify) >= room

    async def _to_verify(self, now: datetime) -> list[NodeKey]:
        """Return nodes whose contents are to be verified, each in its own part of the time."""
        policy = self._parts.policy
        found = await self._parts.store.nodes_to_verify(
            now - policy.verify_every * VERIFY_FIRST, now - READ_LATELY, MOST_CANDIDATES
        )
        return [
            key
            for key, verified_at in found.items()
            if verified_at is None or now - verified_at > verify_after(key, policy)
        ]

    async def _mend(self, now: datetime, limit: int, excluding: list[BareJID]) -> int:
        """Set to work on nodes in doubt, but none of these services; return how many."""
        elsewhere = [*self._health.held_back(), *excluding]
        due = await self._parts.store.nodes_to_mend(now, limit, elsewhere)
        for key in due:
            if self._parts.is_allowed(key.service):
                self._workers.wake(key)
            else:
                await self._forget_not_allowed(key)
        return len(due)

    async def _wind_up(self) -> None:
        """See to what is left of nodes that are not held, or not fetched, any more."""
        now = self._parts.clock.now()
        if now < self._wind_up_at:
            return
        limits = self._parts.limits
        number = limits.max_synchronisations
        old = await self._parts.store.nodes_to_forget(now - limits.forget_after, number)
        for key in old:
            self._nodes.entry(key).ask(Work.FORGET, is_doubtful=False)
            self._workers.wake(key)
        subscribed = await self._parts.store.nodes_to_unsubscribe(
            now, number, self._health.held_back()
        )
        for key in subscribed:
            if self._parts.is_allowed(key.service):
                self._nodes.entry(key).ask(Work.UNSUBSCRIBE, is_doubtful=False)
                self._workers.wake(key)
            else:
                await self._forget_not_allowed(key)
        abandoned = await self._parts.store.discard_abandoned(now - RESUMABLE_FOR, number)
        if not (subscribed or old or abandoned):
            self._wind_up_at = now + WIND_UP_EVERY

    async def _forget_not_allowed(self, key: NodeKey) -> None:
        # Not even to end our subscription may anything be sent there.
        await self._parts.store.forget_node(key)
        log.info("forgotten, not in [upstream] allow service=%s node=%r", *_named(key))


def _named(key: NodeKey) -> tuple[str, str]:
    return key.service, key.node
