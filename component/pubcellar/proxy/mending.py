"""What happens by itself: mending what is stale, verifying what is read, writing down reads.

Only nodes that somebody may ask for are looked after, the most recently read first, and a bounded
number at a time.
"""

import asyncio
import logging
import random
from datetime import timedelta

from pubcellar.core.errors import StorageError
from pubcellar.core.ports import Clock
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.proxy.health import Health
from pubcellar.proxy.nodes import Nodes, Work
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.reconsidering import Reconsidering
from pubcellar.proxy.retrieving import Retrieving
from pubcellar.proxy.worker import Workers

log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
JITTER_SECONDS = 0.5
READ_LATELY = timedelta(days=1)
WIND_UP_EVERY = timedelta(minutes=1)
"""How often it is looked for nodes to unsubscribe from or to forget, while there are none."""
VERIFY_AHEAD = 0.8
"""Part of `verify_every` after which contents are verified, so that they are in time."""


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
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._workers = workers
        self._retrieving = retrieving
        self._health = health
        self._reconsidering = reconsidering
        # What happened before we were started went unnoticed too.
        self._lost: set[BareJID | None] = {None}
        self._is_connected = False
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
            await clock.sleep(ROUND_SECONDS + random.uniform(0, JITTER_SECONDS))

    async def round(self) -> None:
        """Do what is due; what the database cannot take now is tried again in the next round."""
        try:
            async with self._turn:
                await self.note_losses()
                await self.write_down_reads()
                if self._is_connected:
                    await self._wake_due()
                    await self._wind_up()
        except StorageError as error:
            log.error("the database failed, requests are forwarded: %s", error)

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
        for key in self._nodes.unfinished(now):
            self._workers.wake(key)
        room = 2 * self._parts.limits.max_synchronisations - self._workers.busy
        if room <= 0:
            return
        held_back = self._health.held_back(now)
        due = await self._parts.store.nodes_to_mend(now, room, held_back)
        for key in due:
            if self._parts.is_allowed(key.service):
                self._workers.wake(key)
            else:
                await self._forget_not_allowed(key)
        verified_before = now - self._parts.policy.verify_every * VERIFY_AHEAD
        stale = await self._parts.store.nodes_to_verify(
            verified_before, now - READ_LATELY, room - len(due)
        )
        for key in stale:
            self._nodes.entry(key).ask(Work.VERIFY_IDS, is_doubtful=False)
            self._workers.wake(key)

    async def _wind_up(self) -> None:
        """See to nodes that are not held any more: our subscriptions, and what is set aside."""
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
            now, number, self._health.held_back(now)
        )
        for key in subscribed:
            if self._parts.is_allowed(key.service):
                self._nodes.entry(key).ask(Work.UNSUBSCRIBE, is_doubtful=False)
                self._workers.wake(key)
            else:
                await self._forget_not_allowed(key)
        if not (subscribed or old):
            self._wind_up_at = now + WIND_UP_EVERY

    async def _forget_not_allowed(self, key: NodeKey) -> None:
        # Not even to end our subscription may anything be sent there.
        await self._parts.store.forget_node(key)
        log.info("forgotten, not in [upstream] allow service=%s node=%r", *_named(key))


def _named(key: NodeKey) -> tuple[str, str]:
    return key.service, key.node
