"""Everything about the subscriptions of users, and what happens to them by itself."""

import logging

from pubcellar.core.errors import StorageError
from pubcellar.core.notifications import Bounce, Notification
from pubcellar.core.values import (
    Answer,
    BareJID,
    OptionsQuestion,
    Request,
    SubscriptionsQuestion,
)
from pubcellar.core.writes import Write
from pubcellar.proxy.forwarding import Forwarding
from pubcellar.proxy.gone import Gone
from pubcellar.proxy.health import Health
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.relaying import Relaying
from pubcellar.proxy.subscription_records import SubscriptionRecords
from pubcellar.proxy.subscriptions import Subscriptions
from pubcellar.proxy.unanswered import Unanswered
from pubcellar.proxy.writing import Writing

log = logging.getLogger(__name__)

ROUND_SECONDS = 60.0


class Subscribers:
    """The front of what users subscribe to; `run` is its background."""

    def __init__(
        self, parts: Parts, forwarding: Forwarding, writing: Writing, health: Health
    ) -> None:
        self._clock = parts.clock
        records = SubscriptionRecords(parts)
        self._gone = Gone(parts, records)
        self._unanswered = Unanswered(parts, health, records)
        self._relaying = Relaying(parts, records, self._gone)
        self._subscriptions = Subscriptions(parts, forwarding, writing, health, records)
        self._is_connected = False

    async def run(self) -> None:
        """Do one round after another until cancelled."""
        while True:
            await self.round()
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Do what is due; what the database cannot take now is tried again in the next round."""
        if not self._is_connected:
            return
        try:
            await self._unanswered.round()
            await self._gone.round()
        except StorageError as error:
            log.debug("the database failed, this round is left out: %s", error)

    def connected(self, is_connected: bool) -> None:
        """Our stream is up, or down."""
        self._is_connected = is_connected

    async def stop(self) -> None:
        """Drop what is to be passed on still."""
        await self._relaying.stop()
        await self._gone.stop()

    async def carry_out(self, request: Request, write: Write) -> Answer:
        """See `Subscriptions.carry_out`."""
        return await self._subscriptions.carry_out(request, write)

    async def read(
        self, request: Request, question: OptionsQuestion | SubscriptionsQuestion
    ) -> Answer:
        """See `Subscriptions.read`."""
        return await self._subscriptions.read(request, question)

    def seen(self, user: BareJID) -> None:
        """The user has asked for something: they are there."""
        self._gone.seen(user)

    def notified(self, notification: Notification) -> None:
        """See `Relaying.notified`."""
        self._relaying.notified(notification)

    def bounced(self, bounce: Bounce) -> None:
        """See `Relaying.bounced`."""
        self._relaying.bounced(bounce)
