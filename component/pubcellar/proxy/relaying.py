"""Notifications that come to aliases, passed on to their users, and what users answer to them.

An alias is no mailbox. What is passed on is from a service, about nodes alone to which exactly that
alias has a recorded subscription there; it goes to the user from the address at which they
subscribed. Everything else is dropped and counted. So is what comes while the database fails: like
anybody who is away, a user misses it.
"""

import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pubcellar.core.counters import Happened
from pubcellar.core.errors import StanzaTooLarge, StorageError, UpstreamError
from pubcellar.core.events import Deleted, SubscriptionChanged
from pubcellar.core.notifications import Bounce, Notification
from pubcellar.core.subscriptions import UserSubscription
from pubcellar.core.values import BareJID, NodeKey, Requester, SubscriptionState
from pubcellar.proxy.gone import GONE, Gone
from pubcellar.proxy.in_turn import Line
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.subscription_records import SubscriptionRecords, meant

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
MOST_WAITING_BYTES = 64 * 1024 * 1024
SAY_EVERY = timedelta(minutes=10)


class Relaying:
    """Passes notifications on to users, and their errors back to the services.

    Args:
        parts: the ports.
        records: who is recorded to be subscribed to what.
        gone: is told of users who are not there any more.
    """

    def __init__(self, parts: Parts, records: SubscriptionRecords, gone: Gone) -> None:
        self._parts = parts
        self._records = records
        self._gone = gone
        self._line = Line(MOST_WAITING, MOST_WAITING_BYTES)
        self._quiet_until: datetime | None = None

    async def stop(self) -> None:
        """Drop what still waits to be passed on."""
        await self._line.stop()

    def notified(self, notification: Notification) -> None:
        """Take a notification that came to an alias; those to one alias stay in their order."""
        if not self._parts.is_allowed(notification.service):
            self.dropped("its sender is no service that is proxied")
            return
        key = notification.service, notification.subscriber
        self._take(
            key,
            notification.service,
            notification.message.size_bytes,
            lambda: self._notify(notification),
        )

    def bounced(self, bounce: Bounce) -> None:
        """Take an error that a user answered to one of our addresses."""
        if not self._parts.is_allowed(bounce.service):
            self.dropped("it is about no service that is proxied")
            return
        self._take(
            (bounce.service, bounce.user.full),
            bounce.user.bare,
            bounce.message.size_bytes,
            lambda: self._bounce(bounce),
        )

    def dropped(self, why: str) -> None:
        """Something that came to an alias is not passed on."""
        self._parts.counters.count(Happened.NOTIFICATION_DROPPED)
        log.debug("dropped what came for an alias: %s", why)

    def _take(
        self,
        key: Hashable,
        cause: BareJID,
        size_bytes: int,
        work: Callable[[], Awaitable[None]],
    ) -> None:
        async def contained() -> None:
            try:
                await work()
            except StorageError as error:
                self._parts.counters.count(Happened.STORE_UNAVAILABLE)
                self.dropped(f"the database fails: {error}")
            except (StanzaTooLarge, UpstreamError) as error:
                self.dropped(str(error))
                self._say(f"it could not be sent: {error}", cause)

        if not self._line.takes(key, cause, size_bytes, contained):
            self.dropped("too much waits")
            self._say("too much waits to be passed on", cause)

    def _say(self, why: str, cause: BareJID) -> None:
        """Log a loss that an operator can do something about, though not each one."""
        now = self._parts.clock.now()
        if self._quiet_until is None or now >= self._quiet_until:
            self._quiet_until = now + SAY_EVERY
            log.warning("a notification was dropped from=%s: %s", cause, why)

    # Notifications

    async def _notify(self, notification: Notification) -> None:
        keys = [NodeKey(notification.service, node) for node in notification.nodes]
        subscriptions = [await self._subscriptions_to(key, notification) for key in keys]
        if not all(subscriptions):
            self.dropped("its alias is not subscribed to that node")
            return
        asked = _asked(subscriptions)
        if asked is None:
            self.dropped("it is about nodes that were subscribed to at different addresses")
            return
        self._parts.postman.notify(notification.message, asked, notification.subscriber)
        self._parts.counters.count(Happened.NOTIFICATION_RELAYED)
        for key in keys:
            change = notification.changes.get(key.node)
            if change is not None:
                await self._change(key, notification, change)

    async def _subscriptions_to(
        self, key: NodeKey, notification: Notification
    ) -> tuple[UserSubscription, ...]:
        # A subscription that is being made is answered before anything is passed on for it.
        async with self._records.turn(key, notification.subscriber):
            found = await self._records.to(key, notification.subscriber)
        return meant(found, notification.subids) or found

    async def _change(
        self, key: NodeKey, notification: Notification, change: Deleted | SubscriptionChanged
    ) -> None:
        """Record what becomes of subscriptions by what was passed on."""
        async with self._records.turn(key, notification.subscriber):
            found = await self._records.to(key, notification.subscriber)
            if isinstance(change, SubscriptionChanged):
                found = meant(found, notification.subids)
            for one in found:
                if isinstance(change, Deleted) or change.state is SubscriptionState.NONE:
                    await self._records.delete(one)
                else:
                    await self._records.save(replace(one, state=change.state))

    # What users answer

    async def _bounce(self, bounce: Bounce) -> None:
        found = [
            one
            for one in await self._records.of(bounce.user.bare, bounce.service)
            if one.asked == bounce.asked
            and one.subscriber in (bounce.user.full, bounce.user.bare)
            and (not bounce.nodes or one.key.node in bounce.nodes)
        ]
        if not found:
            self.dropped("it answers no notification that was passed on")
            return
        subscriber = max((one.subscriber for one in found), key=len)
        self._parts.postman.bounce(
            bounce.message, Requester(subscriber, bounce.user.bare), bounce.service
        )
        if bounce.condition in GONE:
            await self._gone.count(bounce.user.bare, found)


def _asked(subscriptions: Sequence[Sequence[UserSubscription]]) -> BareJID | None:
    """Return the address at which all nodes were subscribed to, if need be the latest such."""
    common = set.intersection(*({one.asked for one in found} for found in subscriptions))
    times = {one.asked: one.created_at for one in subscriptions[0] if one.asked in common}
    return max(times, key=lambda asked: times[asked], default=None)
