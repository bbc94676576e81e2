"""Writes: forwarded as the requester, with what they touch in doubt until it shows.

Whoever reads after their own write must see it, in every form and at every node. So what a write
touches is in doubt before it is sent, durably; and the doubt ends with what follows from the write,
or with a look at the service that begins after its result (docs/architecture.md, "Writes").
"""

import asyncio
import logging

from pubcellar.core.counters import Happened
from pubcellar.core.errors import RequestError, StoreUnavailable, UpstreamRefused, is_passing
from pubcellar.core.events import Change, Deleted, Scope, Written
from pubcellar.core.failures import FailureMemory
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.values import Answer, NodeKey, Request
from pubcellar.core.writes import NODE_LIST, Write, WriteKind
from pubcellar.proxy.doubts import Doubts, UnderWay
from pubcellar.proxy.forwarding import Forwarding
from pubcellar.proxy.health import Health
from pubcellar.proxy.node_entry import Work
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.sending import Sending
from pubcellar.proxy.services import Services
from pubcellar.proxy.worker import Workers
from pubcellar.proxy.writing_anywhere import WritingAnywhere

log = logging.getLogger(__name__)

CONSEQUENCE_SECONDS = 1.0
"""How long the notification of a write may come after its result, before we look."""
MOST_WAITING = 1000
"""Writes that wait for it at once; of more, we look without waiting."""

SCOPES = {
    WriteKind.SUBSCRIBE: Scope.INFO,
    WriteKind.UNSUBSCRIBE: Scope.INFO,
    WriteKind.CONFIGURE: Scope.IDS,
    WriteKind.AFFILIATIONS: Scope.IDS,
    WriteKind.SUBSCRIPTIONS: Scope.IDS,
}
"""What a write can have changed that succeeded, and that no notification shows.

A service may count subscribers in what it says of a node. Affiliations and subscriptions are those
of others, but our own subscription may have been ended by them.
"""


class Writing:
    """Forwards writes.

    Args:
        parts: the ports.
        nodes: the entries.
        workers: look after what is in doubt.
        forwarding: shapes answers.
        services: their node lists.
        failures: what has just been asked in vain.
        health: tells which services are to be asked at all.
        doubts: what was written and does not show yet.
        sending: keeps the order.
        anywhere: sees to writes of which nobody knows what they touch.
    """

    def __init__(
        self,
        parts: Parts,
        nodes: Nodes,
        workers: Workers,
        forwarding: Forwarding,
        services: Services,
        failures: FailureMemory,
        health: Health,
        doubts: Doubts,
        sending: Sending,
        anywhere: WritingAnywhere,
    ) -> None:
        self._parts = parts
        self._nodes = nodes
        self._workers = workers
        self._forwarding = forwarding
        self._services = services
        self._failures = failures
        self._health = health
        self._doubts = doubts
        self._sending = sending
        self._anywhere = anywhere
        self._waiting: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Wait for no notification any more; what does not show is written down."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def write(self, request: Request, write: Write) -> Answer:
        """Forward a write, and return the service's answer.

        Args:
            request: as it came.
            write: what is understood of it.

        Raises:
            ProxyError: the write is answered with an error instead. Where the service did not
                answer, it may have been carried out all the same.
        """
        answered = await self.forward(request, write)
        return await self._forwarding.shaped(request, answered, service_pages=True)

    async def forward(self, request: Request, write: Write) -> ForwardedAnswer:
        """Forward a write, and return what the service answered; as `write`."""
        await self._health.admit(request.service, may_wait=True)
        self._parts.counters.count(Happened.WRITTEN)
        self._is_changing(request, write)
        try:
            return await self._in_doubt(request, write)
        finally:
            self._is_changing(request, write)

    def _is_changing(self, request: Request, write: Write) -> None:
        """What was, or is being, asked for does not count from now on."""
        key = None if write.node is None else NodeKey(request.service, write.node)
        self._doubts.next_turn(request.service)
        self._failures.written(request.service, write.node)
        if key is None or write.kind in NODE_LIST or not self._is_held(key):
            # What is not there yet may be made by any write.
            self._services.forget_lists(request.service)
        entitlements = self._parts.entitlements
        if key is None:
            entitlements.forget_service(request.service)
        elif write.touches_access:
            entitlements.forget(key)
        elif write.kind is WriteKind.UNSUBSCRIBE:
            # Where subscribers may read, they may not any more.
            entitlements.forget(key, request.requester.bare)

    def _is_held(self, key: NodeKey) -> bool:
        record = self._nodes.record(key)
        return record is not None and record.generation > 0

    async def _in_doubt(self, request: Request, write: Write) -> ForwardedAnswer:
        if write.node is None:
            if write.kind is not WriteKind.OTHER:
                # It touches nothing that could be held.
                return await self._sent(request, write)
            return await self._anywhere.write(request, lambda: self._sent(request, write))
        under_way = self._doubts.begin(NodeKey(request.service, write.node))
        try:
            answered = await self._sent(request, write, under_way)
        except RequestError:
            self._end(under_way)
            raise
        except UpstreamRefused as error:
            self._refused(under_way, error)
            raise
        except BaseException:
            # It may have been carried out, or may still be.
            self._look(under_way, Scope.ALL)
            raise
        self._succeeded(under_way, write, answered)
        return answered

    # Sending

    async def _sent(
        self, request: Request, write: Write, under_way: UnderWay | None = None
    ) -> ForwardedAnswer:
        """Send a write when it is its turn, and return the answer."""
        async with self._sending.turn(request):
            if under_way is not None:
                await self._mark(under_way)
            sent = asyncio.ensure_future(self._forward(request, write))
            try:
                # It is written to the stream before anybody else has their turn.
                await asyncio.sleep(0)
            except BaseException:
                sent.cancel()
                raise
        return await sent

    async def _forward(self, request: Request, write: Write) -> ForwardedAnswer:
        return await self._parts.forwarder.forward(request)

    async def _mark(self, under_way: UnderWay) -> None:
        """Write down that the node is in doubt; where that fails it is done later."""
        try:
            entry = await self._nodes.loaded(under_way.key)
            if self._workers.settling.is_to_be_marked(entry):
                await self._workers.settling.mark(entry)
        except StoreUnavailable as error:
            self._parts.counters.count(Happened.STORE_UNAVAILABLE)
            log.debug("the database failed, the write is forwarded: %s", error)

    # What came of it

    def _refused(self, under_way: UnderWay, error: UpstreamRefused) -> None:
        """It was not carried out, as the service says.

        To make sure costs more than to ask for what one must not do: where that led to nothing just
        now it is not done again.
        """
        if is_passing(error):
            self._look(under_way, Scope.ALL)
            return
        entry, now = self._nodes.entry(under_way.key), self._parts.clock.now()
        last, every = entry.write_refused_at, self._parts.policy.access_verify_every
        if last is not None and now - last < every:
            self._end(under_way)
            return
        entry.write_refused_at = now
        self._look(under_way, Scope.IDS)

    def _succeeded(self, under_way: UnderWay, write: Write, answered: ForwardedAnswer) -> None:
        match write.kind:
            case WriteKind.OPTIONS:
                self._end(under_way)
            case WriteKind.DELETE | WriteKind.CREATE:
                # What is held is of a node that is not there any more.
                self._then(under_way, Deleted())
            case WriteKind.PUBLISH | WriteKind.RETRACT | WriteKind.PURGE:
                self._await(under_way, write, answered)
            case kind:
                self._look(under_way, SCOPES.get(kind, Scope.ALL))

    def _await(self, under_way: UnderWay, write: Write, answered: ForwardedAnswer) -> None:
        """Wait a moment for the notifications that show it, unless they have come already."""
        is_to_show = under_way.answered(write, answered.new_ids)
        if self._is_unknown(under_way) or not is_to_show or len(self._waiting) >= MOST_WAITING:
            self._look(under_way, Scope.ALL)
            return
        if write.may_configure:
            self._take_in(under_way.key, Written(Scope.INFO))
        task = asyncio.get_running_loop().create_task(self._give_up(under_way))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        self._workers.wake(under_way.key)

    async def _give_up(self, under_way: UnderWay) -> None:
        await self._parts.clock.sleep(CONSEQUENCE_SECONDS)
        if self._doubts.is_waited_for(under_way):
            self._look(under_way, Scope.ALL)

    def _look(self, under_way: UnderWay, scope: Scope) -> None:
        """Let the node be compared with what the service has from now on."""
        self._then(under_way, Written(scope))

    def _then(self, under_way: UnderWay, change: Change) -> None:
        if not self._is_unknown(under_way):
            self._take_in(under_way.key, change)
        self._end(under_way)

    def _take_in(self, key: NodeKey, change: Change) -> None:
        entry = self._nodes.entry(key)
        self._nodes.take_in(entry, [change])
        # That takes longer than a read may wait for.
        entry.ask(Work.NOTHING, is_doubtful=True)

    def _end(self, under_way: UnderWay) -> None:
        self._doubts.end(under_way)
        if self._is_unknown(under_way):
            self._doubts.marked(under_way.key, is_marked=False)
            self._nodes.release(under_way.key)
        else:
            self._workers.wake(under_way.key)

    def _is_unknown(self, under_way: UnderWay) -> bool:
        """Tell whether nothing is held of the node in which the write would have to show."""
        entry = self._nodes.entry(under_way.key)
        return entry.is_loaded and (entry.record is None or not entry.record.may_hold)
