"""Users who are not there any more, as their own servers say.

Their aliases would be notified for ever. Once a server has said for days, and several times, that
it has no such user, the subscriptions of their alias are ended; any request of that user before
that shows that they are there.
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta

from pubcellar.core.errors import RequestError, StorageError, UpstreamError, UpstreamRefused
from pubcellar.core.subscriptions import UserSubscription
from pubcellar.core.values import BareJID, Requester
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.subscription_records import SubscriptionRecords

log = logging.getLogger(__name__)

GONE = frozenset({"item-not-found", "gone"})
"""Conditions by which a server says that it has no such user (RFC 6120 section 8.3.3)."""
TIMES = 3
COUNT_EVERY = timedelta(hours=1)
"""A busy node is no reason to count its subscribers' errors one by one."""
AGAIN_AFTER = timedelta(hours=1)
"""When a service that could not be told is told again."""
MOST_USERS = 10_000
MOST_AT_ONCE = 20


class Gone:
    """Counts what is said of users who are gone, and ends their subscriptions.

    Args:
        parts: the ports.
        records: who is recorded to be subscribed to what.
    """

    def __init__(self, parts: Parts, records: SubscriptionRecords) -> None:
        self._parts = parts
        self._records = records
        self._users: set[BareJID] = set()
        """Those of whom it was said, and who have asked for nothing since."""
        self._counted: OrderedDict[tuple[BareJID, BareJID], datetime] = OrderedDict()
        self._returning: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Stop writing down who is there again."""
        for task in self._returning:
            task.cancel()
        await asyncio.gather(*self._returning, return_exceptions=True)

    async def count(self, user: BareJID, subscriptions: list[UserSubscription]) -> None:
        """The user's server says that they are gone, in answer to a notification of one service.

        Raises:
            StoreUnavailable: it is not counted.
        """
        now = self._parts.clock.now()
        said = user, subscriptions[0].key.service
        counted_at = self._counted.get(said)
        if counted_at is not None and now - counted_at < COUNT_EVERY:
            return
        if len(self._users) >= MOST_USERS and user not in self._users:
            return
        self._counted[said] = now
        self._counted.move_to_end(said)
        if len(self._counted) > MOST_USERS:
            self._counted.popitem(last=False)
        self._users.add(user)
        for one in subscriptions:
            since = one.gone_since or now
            await self._records.amend(one, gone_since=since, gone_count=one.gone_count + 1)

    def seen(self, user: BareJID) -> None:
        """The user has asked for something: they are there."""
        if user not in self._users:
            return
        self._users.discard(user)
        task = asyncio.get_running_loop().create_task(self._back(user))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _back(self, user: BareJID) -> None:
        try:
            for one in await self._records.of(user):
                if one.gone_since is not None:
                    await self._records.amend(one, gone_since=None, gone_count=0)
        except StorageError as error:
            log.debug("it could not be written down that somebody is there: %s", error)
            self._users.add(user)

    async def round(self) -> None:
        """End what has been due for long enough; raises StoreUnavailable."""
        now = self._parts.clock.now()
        found = await self._records.of_gone(now, 1, MOST_USERS)
        self._users.update(one.user for one in found)
        due_before = now - self._parts.access.gone_after
        due = [
            one
            for one in found
            if one.gone_count >= TIMES
            and one.gone_since is not None
            and one.gone_since <= due_before
        ]
        for one in due[:MOST_AT_ONCE]:
            await self._end(one)

    async def _end(self, subscription: UserSubscription) -> None:
        key, subscriber = subscription.key, subscription.subscriber
        async with self._records.turn(key, subscriber):
            # They may be there again, or have unsubscribed, while we waited.
            is_there = subscription in await self._records.to(key, subscriber)
            if subscription.user not in self._users or not is_there:
                return
            requester = Requester(subscriber, subscription.user)
            try:
                await self._parts.alias_requests.unsubscribe(requester, key, subscription.subid)
            except (UpstreamRefused, RequestError) as error:
                log.debug("the subscription of somebody who is gone was not there: %s", error)
            except UpstreamError:
                since = self._parts.clock.now() - self._parts.access.gone_after + AGAIN_AFTER
                await self._records.save(replace(subscription, gone_since=since))
                return
            await self._records.delete(subscription)
        log.info("ended the subscription of a user who is gone service=%s", key.service)
