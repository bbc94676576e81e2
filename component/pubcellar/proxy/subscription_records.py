"""The recorded subscriptions of users, with what was looked up lately kept in memory."""

import asyncio
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

from pubcellar.core.subscriptions import SubscriptionStore, UserSubscription
from pubcellar.core.values import BareJID, FullJID, NodeKey
from pubcellar.proxy.in_turn import Turns
from pubcellar.proxy.parts import Parts

MOST_REMEMBERED = 10_000
"""Addresses of which it is remembered what they are subscribed to; each one node."""
LONGEST_REMEMBERED = 1024
"""Characters of a node's name."""
LOOKUPS_AT_ONCE = 4
"""The database's connections are there for readers too."""

_Address = tuple[NodeKey, FullJID]


class SubscriptionRecords:
    """Reads and writes the records; every method raises StoreUnavailable.

    Everything that changes a record goes through here, for what is remembered must not outlive it.
    """

    def __init__(self, parts: Parts) -> None:
        self._store: SubscriptionStore = parts.subscriptions
        self._require_working = parts.store.require_working
        self._remembered: OrderedDict[_Address, tuple[UserSubscription, ...]] = OrderedDict()
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._turns = Turns()
        self._changes = 0

    async def to(self, key: NodeKey, subscriber: FullJID) -> tuple[UserSubscription, ...]:
        """Return the subscriptions of exactly that address to that node."""
        # What is in memory alone could be relayed without it, and not be ended.
        self._require_working()
        address = key, subscriber
        found = self._remembered.get(address)
        if found is not None:
            self._remembered.move_to_end(address)
            return found
        async with self._lookups:
            changes = self._changes
            found = tuple(await self._store.subscriptions_to(key, subscriber))
        if changes == self._changes and len(key.node) <= LONGEST_REMEMBERED:
            self._remembered[address] = found
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    async def of(self, user: BareJID, service: BareJID | None = None) -> list[UserSubscription]:
        """Return all subscriptions of that user; at one service, if it is given."""
        async with self._lookups:
            return await self._store.subscriptions_of(user, service)

    async def count_of(self, user: BareJID) -> int:
        """Return how many subscriptions that user has."""
        return await self._store.count_subscriptions_of(user)

    async def count(self) -> int:
        """Return how many subscriptions there are."""
        return await self._store.count_subscriptions()

    async def unanswered(self, before: datetime, limit: int) -> list[UserSubscription]:
        """Return those of which nobody knows what became, since before that time."""
        return await self._store.unanswered_subscriptions(before, limit)

    async def of_gone(self, before: datetime, count: int, limit: int) -> list[UserSubscription]:
        """Return those whose user is gone since before that time, and was said so as often."""
        return await self._store.subscriptions_of_gone(before, count, limit)

    async def save(self, subscription: UserSubscription) -> None:
        """Insert it, or replace the one of the same node, subscriber and subid."""
        self._forget(subscription)
        try:
            await self._store.save_subscription(subscription)
        finally:
            self._forget(subscription)

    async def delete(self, subscription: UserSubscription) -> None:
        """Delete the one of the same node, subscriber and subid, if there is one."""
        self._forget(subscription)
        try:
            await self._store.delete_subscription(subscription)
        finally:
            self._forget(subscription)

    async def amend(self, subscription: UserSubscription, **changes: Any) -> None:
        """Change fields of a record that is there still, when its turn comes."""
        async with self.turn(subscription.key, subscription.subscriber):
            for one in await self.to(subscription.key, subscription.subscriber):
                if one.subid == subscription.subid:
                    await self.save(replace(one, **changes))

    def turn(self, key: NodeKey, subscriber: FullJID) -> AbstractAsyncContextManager[None]:
        """Wait for the turn: one at a time changes what an address is subscribed to at a node."""
        return self._turns.turn((key, subscriber))

    def _forget(self, subscription: UserSubscription) -> None:
        """Forget it before and after it is changed: what is read in between may be either."""
        self._changes += 1
        self._remembered.pop((subscription.key, subscription.subscriber), None)


def meant(
    found: tuple[UserSubscription, ...], subids: frozenset[str]
) -> tuple[UserSubscription, ...]:
    """Return those of the subscriptions of one address to a node that bear one of the ids.

    Without any id all of them; where none bears it, those whose id is not known yet.
    """
    if not subids:
        return found
    named = tuple(one for one in found if one.subid in subids)
    return named or tuple(one for one in found if not one.subid)
