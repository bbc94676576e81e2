"""Which services answer, and what is asked of those that do not.

Every request to a service and every reply passes here, on its way between the use cases and the
ports. A service that is away is not asked any more: readers are told at once what its last outage
said, and a probe of our own, one at a time, sees whether it is back.
"""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Protocol, TypeVar

from pubcellar.core.breaker import Breaker
from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import (
    UpstreamAnswerInvalid,
    UpstreamAnswerTooLarge,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.core.failures import repeated
from pubcellar.core.ports import Clock, ServiceReader
from pubcellar.core.values import BareJID
from pubcellar.proxy.parts import Limits

log = logging.getLogger(__name__)

MOST_SERVICES = 10_000
MOST_PROBES = 100
PROBE_SECONDS = 1.0
"""How long a read waits for the probe that it has set off; a service that is back is quicker."""

Result = TypeVar("Result")


class Listener(Protocol):
    """Who is told of outages."""

    def went_away(self, service: BareJID) -> None:
        """A service of which something is held does not answer: notifications may be lost."""
        ...

    def came_back(self, service: BareJID, *, was_away: bool, was_doubted: bool) -> None:
        """The service answers after an outage.

        Args:
            service: which.
            was_away: whether not even a probe had been answered.
            was_doubted: whether `went_away` was called for it.
        """
        ...


class _Entry:
    """A service.

    Attributes:
        breaker: whether it is asked.
        outage: what its last outage said; None if something was heard since.
        is_wanted: whether something of it is held, or to be, so that it is probed by itself.
        is_doubted: whether the listener was told that it went away.
        probe: the one that is on its way.
    """

    __slots__ = ("breaker", "is_doubted", "is_wanted", "outage", "probe")

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.outage: UpstreamError | None = None
        self.is_wanted = False
        self.is_doubted = False
        self.probe: asyncio.Task[None] | None = None


class Health:
    """The breakers of all services, those that were heard of last.

    Args:
        limits: how soon a breaker opens, and how often it probes.
        reader: sends the probes.
        clock: the time.
        counters: count outages, probes and what is refused.
        is_followed: tells whether something of a service is held.
        listener: is told who went away and came back.
        chance: returns a number from 0 to 1.
    """

    def __init__(
        self,
        limits: Limits,
        reader: ServiceReader,
        clock: Clock,
        counters: Counters,
        is_followed: Callable[[BareJID], bool],
        listener: Listener,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._reader = reader
        self._clock = clock
        self._counters = counters
        self._is_followed = is_followed
        self._listener = listener
        self._chance = chance
        self._order = count(1)
        self._entries: OrderedDict[BareJID, _Entry] = OrderedDict()
        self._probes: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    def is_away(self, service: BareJID) -> bool:
        """Tell whether the service is said not to be there, or does not answer even a probe."""
        entry = self._entries.get(service)
        return entry is not None and (entry.is_doubted or entry.breaker.is_away)

    def held_back(self) -> list[BareJID]:
        """Return the services of which something is held, and which are away."""
        return [
            service
            for service, entry in self._entries.items()
            if entry.is_wanted and (entry.is_doubted or entry.breaker.is_away)
        ]

    async def watch(
        self, service: BareJID, call: Awaitable[Result], *, is_for_us: bool = False
    ) -> Result:
        """Return what `call`, which asks the service something, returns or raises; take note of it.

        Args:
            service: who is asked.
            call: one request.
            is_for_us: whether it is about something that is held, or to be.
        """
        asked = next(self._order)
        try:
            result = await call
        except (UpstreamTimeout, UpstreamUnreachable) as error:
            self._failed(service, asked, error, is_for_us)
            raise
        except (UpstreamRefused, UpstreamAnswerTooLarge, UpstreamAnswerInvalid):
            self._heard(service, self._entry(service))
            raise
        self._heard(service, self._entry(service))
        return result

    async def admit(self, service: BareJID, *, may_wait: bool) -> None:
        """Return if the service is to be asked.

        Args:
            service: who would be asked.
            may_wait: whether to wait a moment for a probe, if one is due.

        Raises:
            UpstreamError: it is away; what its last outage said.
        """
        entry = self._entries.get(service)
        if entry is None or entry.breaker.is_closed or entry.outage is None:
            return
        probe = self._probe_if_due(service, entry)
        if probe is not None and may_wait:
            await asyncio.wait({probe}, timeout=PROBE_SECONDS)
            if entry.breaker.is_closed:
                return
        self._counters.count(Happened.NOT_FORWARDED)
        raise repeated(entry.outage)

    def heard_from(self, service: BareJID) -> None:
        """The service, or somebody who never was asked for anything, sent a notification."""
        entry = self._entries.get(service)
        if entry is not None:
            self._heard(service, entry)

    def _heard(self, service: BareJID, entry: _Entry) -> None:
        had_outages, was_away = entry.breaker.outages > 0, entry.breaker.is_away
        was_closed, was_doubted = entry.breaker.is_closed, entry.is_doubted
        entry.breaker.heard(next(self._order))
        entry.outage, entry.is_wanted, entry.is_doubted = None, False, False
        if not was_closed:
            self._counters.count(Happened.SERVICE_BACK)
            log.info("the service %s answers again, and is asked again", service)
        if had_outages or was_doubted:
            self._listener.came_back(service, was_away=was_away, was_doubted=was_doubted)

    def probe_due(self) -> None:
        """Probe the services of which something is held, where it is time."""
        for service, entry in list(self._entries.items()):
            if entry.is_wanted:
                self._probe_if_due(service, entry)

    def forget(self) -> None:
        """Our own stream was down: nothing is known of any service."""
        for entry in self._entries.values():
            if entry.probe is not None:
                entry.probe.cancel()
        self._entries.clear()

    async def stop(self) -> None:
        """Cancel all probes and wait for them; none is sent any more."""
        self._is_stopped = True
        probes = list(self._probes)
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)

    def _entry(self, service: BareJID) -> _Entry:
        entry = self._entries.get(service)
        if entry is None:
            entry = self._entries[service] = _Entry(Breaker(self._limits.breaker))
            if len(self._entries) > MOST_SERVICES:
                self._entries.popitem(last=False)
        else:
            self._entries.move_to_end(service)
        return entry

    def _failed(self, service: BareJID, asked: int, error: UpstreamError, is_for_us: bool) -> None:
        if _is_our_stream(error):
            return
        entry = self._entry(service)
        now = self._clock.now()
        entry.is_wanted = entry.is_wanted or is_for_us or self._is_followed(service)
        was_closed = entry.breaker.is_closed
        if entry.breaker.failed(asked, now) or not was_closed:
            entry.outage = repeated(error)
        self._note_opening(service, entry, was_closed)
        # Where a server says so the service has been away, if only for a moment.
        if isinstance(error, UpstreamUnreachable) or entry.breaker.is_away:
            self._doubt(service, entry)
        # Whoever asks for addresses of a domain that is down is not worth a probe each.
        if entry.is_wanted or entry.breaker.outages >= self._limits.breaker.suspend_after - 1:
            self._probe_if_due(service, entry)

    def _probe_if_due(self, service: BareJID, entry: _Entry) -> "asyncio.Task[None] | None":
        now = self._clock.now()
        if self._is_stopped or not entry.breaker.is_probe_due(now):
            return None
        if len(self._probes) >= MOST_PROBES:
            return None
        entry.breaker.probe_began(now)
        probe = asyncio.get_running_loop().create_task(self._probe(service, entry))
        entry.probe = probe
        self._probes.add(probe)
        probe.add_done_callback(self._probes.discard)
        return probe

    async def _probe(self, service: BareJID, entry: _Entry) -> None:
        asked = next(self._order)
        self._counters.count(Happened.PROBED)
        try:
            await self._reader.probe(service)
            self._heard(service, entry)
        except (UpstreamTimeout, UpstreamUnreachable) as error:
            if not _is_our_stream(error):
                self._probe_failed(service, entry, asked, error)
        except UpstreamError:
            self._heard(service, entry)
        finally:
            entry.breaker.probe_ended()
            entry.probe = None

    def _probe_failed(
        self, service: BareJID, entry: _Entry, asked: int, error: UpstreamError
    ) -> None:
        was_closed = entry.breaker.is_closed
        entry.breaker.probe_failed(asked, self._clock.now(), self._chance())
        if not entry.breaker.is_away:
            return
        entry.outage = repeated(error)
        self._note_opening(service, entry, was_closed)
        self._doubt(service, entry)

    def _doubt(self, service: BareJID, entry: _Entry) -> None:
        if entry.is_wanted and not entry.is_doubted:
            entry.is_doubted = True
            self._listener.went_away(service)

    def _note_opening(self, service: BareJID, entry: _Entry, was_closed: bool) -> None:
        if entry.breaker.is_closed or not was_closed:
            return
        self._counters.count(Happened.SERVICE_AWAY)
        log.warning(
            "the service %s is away: %d requests in a row came to nothing, the last one with: %s. "
            "Until it answers, what is held of it is answered stale, all else is refused at once. "
            "See that it runs, and that the XMPP server can reach it; it is probed up to every %ss",
            service,
            entry.breaker.outages,
            entry.outage,
            self._limits.breaker.probe_at_most.total_seconds(),
        )


def _is_our_stream(error: UpstreamError) -> bool:
    """Tell whether it is our own stream that is down, and the service has nothing to do with it."""
    return isinstance(error, UpstreamUnreachable) and error.refusal is None
