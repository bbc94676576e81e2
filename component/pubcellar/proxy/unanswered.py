"""Subscriptions of which nobody knows what became: the service is asked whether it has them.

So it is after a time-out, and after an end of the proxy between the request and its result.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from pubcellar.core.errors import RequestError, UpstreamError, UpstreamRefused, is_passing
from pubcellar.core.subscriptions import UserSubscription
from pubcellar.core.values import Requester, SubscriptionEntry, SubscriptionState
from pubcellar.proxy.health import Health
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.subscription_records import SubscriptionRecords

log = logging.getLogger(__name__)

ASK_AFTER = timedelta(minutes=1)
"""How long a request may take, and after how long it is asked again."""
MOST_AT_ONCE = 20


class Unanswered:
    """Asks services what became of subscriptions.

    Args:
        parts: the ports.
        health: tells which services are to be asked at all.
        records: where such subscriptions stand.
    """

    def __init__(self, parts: Parts, health: Health, records: SubscriptionRecords) -> None:
        self._parts = parts
        self._health = health
        self._records = records

    async def round(self) -> None:
        """Ask for those that have waited the longest; raises StoreUnavailable."""
        before = self._parts.clock.now() - ASK_AFTER
        for one in await self._records.unanswered(before, MOST_AT_ONCE):
            async with self._records.turn(one.key, one.subscriber):
                # It may have been answered while we waited.
                if one in await self._records.to(one.key, one.subscriber):
                    await self._ask(one)

    async def _ask(self, subscription: UserSubscription) -> None:
        key, requester = subscription.key, Requester(subscription.subscriber, subscription.user)
        try:
            await self._health.admit(key.service, may_wait=False)
            told = await self._parts.alias_requests.subscriptions(requester, key)
        except UpstreamRefused as error:
            if is_passing(error):
                await self._postpone(subscription)
            else:
                await self._settle(subscription, ())
        except RequestError:
            await self._settle(subscription, ())
        except UpstreamError:
            await self._postpone(subscription)
        else:
            await self._settle(subscription, told)

    async def _postpone(self, subscription: UserSubscription) -> None:
        """Let the others come first."""
        await self._records.save(replace(subscription, created_at=self._parts.clock.now()))

    async def _settle(
        self, subscription: UserSubscription, told: tuple[SubscriptionEntry, ...]
    ) -> None:
        """Record what there is, and nothing else."""
        there = [
            one
            for one in told
            if one.jid == subscription.subscriber
            and one.node in (None, subscription.key.node)
            and one.state is not SubscriptionState.NONE
        ]
        for one in there:
            await self._records.save(replace(subscription, subid=one.subid, state=one.state))
        if all(one.subid != subscription.subid for one in there):
            await self._records.delete(subscription)
        service = subscription.key.service
        log.info("asked what became of a subscription service=%s there=%d", service, len(there))
