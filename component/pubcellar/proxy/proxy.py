"""The front of the use cases: requests in, answers out; notifications in, nothing out."""

import asyncio
import logging
from dataclasses import replace

from pubcellar.core.counters import Happened
from pubcellar.core.entitlements import Entitlements
from pubcellar.core.errors import ProxyError
from pubcellar.core.events import (
    Configured,
    Deleted,
    Event,
    NotUnderstood,
    Published,
    Purged,
    Retracted,
    SubscriptionChanged,
)
from pubcellar.core.failures import FailureKind, FailureMemory
from pubcellar.core.identity import Advertisement
from pubcellar.core.notifications import Bounce, Notification
from pubcellar.core.states import NodeState
from pubcellar.core.values import (
    Answer,
    BareJID,
    ItemsQuestion,
    NodeInfoQuestion,
    NodeItemsQuestion,
    OptionsQuestion,
    OtherQuestion,
    Request,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
    SubscriptionsQuestion,
)
from pubcellar.core.writes import OWN_SUBSCRIPTION, Write
from pubcellar.proxy.analysing import Analysing
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.forwarding import Forwarding
from pubcellar.proxy.health import Health
from pubcellar.proxy.identities import Identities
from pubcellar.proxy.mending import Mending
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.quotas import MeteredForwarder
from pubcellar.proxy.reconsidering import Reconsidering
from pubcellar.proxy.retrieving import Retrieving
from pubcellar.proxy.room import Room
from pubcellar.proxy.sending import Sending
from pubcellar.proxy.services import Services
from pubcellar.proxy.stale import StaleAnswers
from pubcellar.proxy.subscribers import Subscribers
from pubcellar.proxy.watching import WatchedAliasRequests, WatchedForwarder, WatchedReader
from pubcellar.proxy.withdrawing import Withdrawing
from pubcellar.proxy.worker import Workers
from pubcellar.proxy.writing import Writing
from pubcellar.proxy.writing_anywhere import WritingAnywhere

log = logging.getLogger(__name__)

CHANGES_OF_ACCESS = (Configured, Deleted, NotUnderstood, SubscriptionChanged)
"""After any of these somebody may be let in no more."""


class Proxy:
    """One caching proxy over the given parts; `run` is its background."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._nodes = Nodes(parts.store)
        self._failures = FailureMemory(parts.limits.failure_lives)
        self._identities = Identities(parts)
        self._health = Health(
            parts.limits,
            parts.reader,
            parts.clock,
            parts.counters,
            is_followed=self._nodes.follows,
            listener=self,
        )
        parts = self._parts = replace(
            parts,
            entitlements=Entitlements(parts.access.entitlement_max_age),
            forwarder=MeteredForwarder(WatchedForwarder(parts.forwarder, self._health), parts),
            alias_requests=WatchedAliasRequests(parts.alias_requests, self._health),
            reader=WatchedReader(parts.reader, self._health, self._failures.node_seen),
        )
        reconsidering = Reconsidering(parts, Withdrawing(parts, self._nodes))
        self._doubts = Doubts()
        self._sending = Sending()
        self._workers = Workers(
            parts, self._nodes, reconsidering, self._health.is_away, self._doubts
        )
        self._forwarding = Forwarding(parts, self._health, self._failures, self._doubts)
        stale_answers = StaleAnswers(parts.counters, parts.clock)
        self._services = Services(parts, self._forwarding, stale_answers, self._doubts)
        room = Room(parts, self._nodes, self._workers)
        self._analysing = Analysing(parts, self._nodes, self._workers, room)
        self._retrieving = Retrieving(
            parts,
            self._nodes,
            self._workers,
            self._forwarding,
            self._analysing,
            stale_answers,
            self._doubts,
        )
        self._writing = Writing(
            parts,
            self._nodes,
            self._workers,
            self._forwarding,
            self._services,
            self._failures,
            self._health,
            self._doubts,
            self._sending,
            WritingAnywhere(parts, self._doubts, self.service_in_doubt),
        )
        self._subscribers = Subscribers(parts, self._forwarding, self._writing, self._health)
        self._mending = Mending(
            parts,
            self._nodes,
            self._workers,
            self._retrieving,
            self._health,
            reconsidering,
            room,
            self._doubts,
        )
        self._round: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look after what is held, and who is subscribed, until cancelled."""
        async with asyncio.TaskGroup() as background:
            background.create_task(self._mending.run(self._parts.clock))
            background.create_task(self._subscribers.run())

    async def round(self) -> None:
        """Do one round of the background work at once."""
        await self._mending.round()

    async def stop(self) -> None:
        """End all background work; what is held stays as it is in the database."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
        await self._subscribers.stop()
        await self._writing.stop()
        await self._identities.stop()
        await self._health.stop()
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
        self._subscribers.seen(request.requester.bare)
        request = await self._identities.identified(request)
        await self._sending.settled(request)
        answer = await self._retrieve(request, trust_cache=trust_cache)
        return self._parts.aliases.shown(request, answer)

    async def _retrieve(self, request: Request, *, trust_cache: bool) -> Answer:
        match request.question:
            case ServiceInfoQuestion():
                return await self._services.info(request)
            case ServiceItemsQuestion() as question:
                return await self._services.items(request, question)
            case ItemsQuestion() | NodeInfoQuestion() | NodeItemsQuestion() as question:
                return await self._retrieving.retrieve(request, question, trust_cache=trust_cache)
            case OptionsQuestion() | SubscriptionsQuestion() as question:
                return await self._subscribers.read(request, question)
            case OtherQuestion():
                answered = await self._forwarding.forward(request)
                return await self._forwarding.shaped(request, answered, service_pages=True)

    # Writes

    async def write(self, request: Request, write: Write) -> Answer:
        """Forward a write, and return the answer to it.

        Args:
            request: the write.
            write: what is understood of it.

        Raises:
            ProxyError: the write is answered with an error instead.
        """
        self._subscribers.seen(request.requester.bare)
        request = await self._identities.identified(request)
        if write.kind in OWN_SUBSCRIPTION:
            answer = await self._subscribers.carry_out(request, write)
        else:
            answer = await self._writing.write(request, write)
        return self._parts.aliases.shown(request, answer)

    # Outages

    def went_away(self, service: BareJID) -> None:
        """The service does not answer: its notifications may be lost from now on."""
        log.info("the service %s cannot be reached: its nodes are in doubt", service)
        self._mending.lost(service)
        self._begin_round()

    def came_back(self, service: BareJID, *, was_away: bool, was_doubted: bool) -> None:
        """The service answered; if its nodes are in doubt, they are revalidated now."""
        self._failures.forget(service, FailureKind.UNREACHABLE)
        if was_away:
            self._failures.forget(service, FailureKind.TIMEOUT)
        if was_doubted:
            self._mending.lost(service)
            self._begin_round()

    # Notifications

    def heard_from(self, service: BareJID) -> None:
        """This address has notified us of something, be it of interest or not: it is there."""
        self._failures.service_heard(service)
        self._health.heard_from(service)

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
        self._nodes.take_in(entry, event.changes)
        self._doubts.noticed(event.key, event.changes)
        if any(isinstance(change, CHANGES_OF_ACCESS) for change in event.changes):
            self._parts.entitlements.forget(event.key)
        if any(isinstance(change, Deleted) for change in event.changes):
            self._services.forget_lists(event.key.service)
        self._workers.wake(event.key)

    def notified_alias(self, notification: Notification) -> None:
        """Take a notification that came to an alias of a user."""
        self._subscribers.notified(notification)

    def bounced(self, bounce: Bounce) -> None:
        """Take an error that came to an address of ours in answer to a notification."""
        self._subscribers.bounced(bounce)

    def follows(self, service: BareJID) -> bool:
        """Tell whether notifications of the service are of interest."""
        return self._nodes.follows(service)

    def service_in_doubt(self, service: BareJID) -> None:
        """Something that came from this address was lost: what is held of it is in doubt."""
        if self._nodes.follows(service):
            self._mending.lost(service)
            self._begin_round()

    def advertised(self, said: Advertisement) -> None:
        """Take what a server says that it lets us do (XEP-0356)."""
        self._identities.advertised(said)

    # The stream

    def stream_opened(self) -> None:
        """The stream is up: revalidate what is held."""
        self._identities.stream_opened()
        self._health.forget()
        self._failures.clear()
        self._mending.connected()
        self._subscribers.connected(True)
        self._begin_round()

    def stream_closed(self) -> None:
        """The stream is down: everything held is in doubt."""
        self._identities.stream_closed()
        self._mending.disconnected()
        self._subscribers.connected(False)

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
