"""The front of the use cases: reads in, answers out; notifications in, nothing out."""

import asyncio
import logging

from pubcellar.core.counters import Happened
from pubcellar.core.errors import ProxyError, UpstreamUnreachable
from pubcellar.core.events import Deleted, Event, Published, Purged, Retracted
from pubcellar.core.states import NodeState
from pubcellar.core.values import (
    Answer,
    BareJID,
    ItemsQuestion,
    NodeInfoQuestion,
    NodeItemsQuestion,
    OtherQuestion,
    Request,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
)
from pubcellar.proxy.analysing import Analysing
from pubcellar.proxy.forwarding import Forwarding
from pubcellar.proxy.health import Health
from pubcellar.proxy.mending import Mending
from pubcellar.proxy.nodes import MOST_CHANGES, NodeEntry, Nodes, Work
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.reconsidering import Reconsidering
from pubcellar.proxy.retrieving import Retrieving
from pubcellar.proxy.services import Services
from pubcellar.proxy.withdrawing import Withdrawing
from pubcellar.proxy.worker import Workers

log = logging.getLogger(__name__)


class Proxy:
    """One caching proxy over the given parts; `run` is its background."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._nodes = Nodes(parts.store)
        self._health = Health(parts.limits.retry_at)
        reconsidering = Reconsidering(parts, Withdrawing(parts, self._nodes))
        self._workers = Workers(
            parts, self._nodes, reconsidering, self._unreachable, self._reachable
        )
        self._forwarding = Forwarding(parts, self._reachable)
        self._services = Services(parts, self._forwarding)
        self._analysing = Analysing(parts, self._nodes, self._workers)
        self._retrieving = Retrieving(
            parts, self._nodes, self._workers, self._forwarding, self._analysing
        )
        self._mending = Mending(
            parts, self._nodes, self._workers, self._retrieving, self._health, reconsidering
        )
        self._round: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look after what is held until cancelled."""
        await self._mending.run(self._parts.clock)

    async def round(self) -> None:
        """Do one round of the background work at once."""
        await self._mending.round()

    async def stop(self) -> None:
        """End all background work; what is held stays as it is in the database."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
        await self._analysing.stop()
        await self._workers.stop()
        try:
            await self._mending.write_down_reads()
        except ProxyError as error:
            log.warning("the latest reads could not be written down: %s", error)

    # Reads

    async def retrieve(self, request: Request, *, trust_cache: bool = True) -> Answer:
        """Return the answer to a read.

        Args:
            request: the read.
            trust_cache: whether what is held of the node may be used; if not, it is fetched anew.

        Raises:
            ProxyError: the read is answered with an error instead.
        """
        try:
            answer = await self._retrieve(request, trust_cache)
        except UpstreamUnreachable:
            self._unreachable(request.service)
            raise
        return answer

    async def _retrieve(self, request: Request, trust_cache: bool) -> Answer:
        match request.question:
            case ServiceInfoQuestion():
                return await self._services.info(request)
            case ServiceItemsQuestion() as question:
                return await self._services.items(request, question)
            case ItemsQuestion() | NodeInfoQuestion() | NodeItemsQuestion() as question:
                return await self._retrieving.retrieve(request, question, trust_cache=trust_cache)
            case OtherQuestion():
                answered = await self._forwarding.forward(request)
                return await self._forwarding.shaped(request, answered, service_pages=True)

    def _unreachable(self, service: BareJID) -> None:
        """The service is away: its notifications, if we expect any, may be lost from now on."""
        was_away = self._health.is_away(service)
        self._health.failed(service, self._parts.clock.now())
        if not was_away and self._nodes.follows(service):
            log.warning("the service %s cannot be reached: its nodes are in doubt", service)
            self._mending.lost(service)
            self._begin_round()

    def _reachable(self, service: BareJID) -> None:
        """The service answered; if it had been away, its nodes are revalidated now."""
        if self._health.answered(service):
            log.info("the service %s can be reached again", service)
            self._mending.lost(service)
            self._begin_round()

    # Notifications

    def notified(self, event: Event) -> None:
        """Take a notification that came to the component's own address.

        It is believed only from a service, and for a node, that we have subscribed to; anything
        else is counted and dropped.
        """
        if not self._nodes.is_followed(event.key):
            self._parts.counters.count(Happened.EVENT_IGNORED)
            return
        entry = self._nodes.entry(event.key)
        if _shows_that_we_are_notified(event, entry):
            self._nodes.heard(event.key)
        entry.arrivals += len(event.changes)
        entry.inbox.extend(event.changes)
        if len(entry.inbox) > MOST_CHANGES:
            entry.inbox.clear()
            entry.overflows += 1
            entry.ask(Work.SYNCHRONISE, is_doubtful=True)
        if any(isinstance(change, Deleted) for change in event.changes):
            self._services.forget_lists(event.key.service)
        self._workers.wake(event.key)

    def follows(self, service: BareJID) -> bool:
        """Tell whether notifications of the service are of interest."""
        return self._nodes.follows(service)

    def service_in_doubt(self, service: BareJID) -> None:
        """Something that came from this address was lost: what is held of it is in doubt."""
        if self._nodes.follows(service):
            self._mending.lost(service)
            self._begin_round()

    # The stream

    def stream_opened(self) -> None:
        """The stream is up: revalidate what is held."""
        self._mending.connected()
        self._begin_round()

    def stream_closed(self) -> None:
        """The stream is down: everything held is in doubt."""
        self._mending.disconnected()

    def _begin_round(self) -> None:
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._mending.round())


def _shows_that_we_are_notified(event: Event, entry: NodeEntry) -> bool:
    """Tell whether the notification is of the kind that we rely on.

    Not what a service sends to who subscribes: the subscription itself, and an item from before.
    """
    is_change = any(isinstance(one, Published | Retracted | Purged) for one in event.changes)
    is_live = entry.record is not None and entry.record.state is NodeState.LIVE
    is_fetched = Work.SYNCHRONISE not in entry.work
    return is_change and is_live and is_fetched and not event.is_delayed
