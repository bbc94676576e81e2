"""Who may synchronise when: a bounded number in all, and of each service.

Whoever has had its turn for a while lets others have theirs before it goes on, so that services
that answer slowly do not keep the quick ones waiting. Whoever gets nowhere is given up, and goes on
later.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.ports import Clock
from pubcellar.core.values import BareJID
from pubcellar.proxy.parts import Limits

TURN = timedelta(seconds=5)
"""How long a synchronisation goes on while others wait; it always comes as far as one answer."""


class Turn:
    """The turn of one synchronisation; made by `Slots.held`."""

    def __init__(self, slots: "Slots", service: BareJID, clock: Clock, patience: timedelta) -> None:
        self._slots = slots
        self._service = service
        self._clock = clock
        self._patience = patience
        self._is_held = False
        self._began_at = self._came_on_at = clock.now()

    async def begin(self) -> None:
        """Wait for a slot."""
        await self._slots.acquire(self._service)
        self._is_held = True
        waited = self._clock.now() - self._began_at
        self._began_at += waited
        # Waiting for others is not its fault.
        self._came_on_at += waited

    def end(self) -> None:
        """Give the slot back, if there is one."""
        if self._is_held:
            self._is_held = False
            self._slots.release(self._service)

    def came_on(self) -> None:
        """The synchronisation has come nearer to its end."""
        self._came_on_at = self._clock.now()

    async def step(self) -> None:
        """Let others have their turn, if it is time.

        Raises:
            UpstreamAnswerInvalid: for too long nothing new has come.
        """
        now = self._clock.now()
        if now - self._came_on_at > self._patience:
            seconds = self._patience.total_seconds()
            raise UpstreamAnswerInvalid(f"nothing new has come for {seconds:.0f} seconds")
        if now - self._began_at >= TURN and self._slots.is_wanted(self._service):
            self.end()
            self._began_at = now
            await self.begin()


class Slots:
    """The slots of all synchronisations.

    Args:
        limits: how many there are, in all and of each service, and how patient we are.
        clock: the time.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._held: Counter[BareJID] = Counter()
        self._waiting: list[tuple[BareJID, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def held(self, service: BareJID) -> AsyncIterator[Turn]:
        """Wait for a slot, first come, first served, and hold it."""
        turn = Turn(self, service, self._clock, self._limits.synchronisation_patience)
        await turn.begin()
        try:
            yield turn
        finally:
            turn.end()

    def is_wanted(self, service: BareJID) -> bool:
        """Tell whether somebody waits who could have a slot that `service` gives back."""
        most = self._limits.max_synchronisations_per_service
        return any(self._held[one] - (one == service) < most for one, _ in self._waiting)

    async def acquire(self, service: BareJID) -> None:
        """Wait for a slot of that service."""
        if self._is_free(service):
            self._held[service] += 1
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (service, given)
        self._waiting.append(place)
        try:
            await given
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            else:
                # It was given one at the very moment.
                self.release(service)
            raise

    def release(self, service: BareJID) -> None:
        """Give the slot to who has waited the longest and may have it."""
        self._held[service] -= 1
        if not self._held[service]:
            del self._held[service]
        for place in list(self._waiting):
            waiting, given = place
            if self._is_free(waiting):
                self._waiting.remove(place)
                self._held[waiting] += 1
                given.set_result(None)

    def _is_free(self, service: BareJID) -> bool:
        return (
            self._held.total() < self._limits.max_synchronisations
            and self._held[service] < self._limits.max_synchronisations_per_service
        )
