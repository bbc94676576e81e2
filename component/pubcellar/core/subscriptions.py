"""Subscriptions that users have made through the proxy, by their aliases (XEP-0060 section 6.1)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pubcellar.core.values import BareJID, FullJID, NodeKey, SubscriptionState


@dataclass(frozen=True, slots=True)
class UserSubscription:
    """One subscription of a user's alias.

    Attributes:
        key: the node.
        subscriber: the user's address as they subscribed: bare, or with a resource.
        subid: the service's id for it, or empty.
        asked: the address of ours at which they subscribed, and from which they are notified.
        state: as the service last said; NONE while it has not answered yet.
        created_at: when the request was about to be sent. Aware, UTC.
        gone_since: since when the user's server has said that there is no such user; None if not.
        gone_count: how many times it has said so since.
    """

    key: NodeKey
    subscriber: FullJID
    asked: BareJID
    created_at: datetime
    subid: str = ""
    state: SubscriptionState = SubscriptionState.NONE
    gone_since: datetime | None = None
    gone_count: int = 0

    @property
    def user(self) -> BareJID:
        """The bare JID of the subscriber."""
        return BareJID(self.subscriber.partition("/")[0])


class SubscriptionStore(Protocol):
    """Where they are recorded. Every method is one transaction, and raises StoreUnavailable."""

    async def save_subscription(self, subscription: UserSubscription) -> None:
        """Insert it, or replace the one of the same node, subscriber and subid."""
        ...

    async def delete_subscription(self, subscription: UserSubscription) -> None:
        """Delete the one of the same node, subscriber and subid, if there is one."""
        ...

    async def delete_subscriptions_to(self, key: NodeKey) -> int:
        """Delete all to that node, which is gone; return how many there were."""
        ...

    async def subscriptions_to(self, key: NodeKey, subscriber: FullJID) -> list[UserSubscription]:
        """Return those of exactly that address to that node."""
        ...

    async def subscriptions_of(
        self, user: BareJID, service: BareJID | None = None
    ) -> list[UserSubscription]:
        """Return all of that user, whatever resource they are for; of one service if given."""
        ...

    async def count_subscriptions_of(self, user: BareJID) -> int:
        """Return how many that user has."""
        ...

    async def count_subscriptions(self) -> int:
        """Return how many there are."""
        ...

    async def unanswered_subscriptions(
        self, created_before: datetime, limit: int
    ) -> list[UserSubscription]:
        """Return those in state NONE that were made before that time: nobody knows what became.

        Those that were made the longest ago come first.
        """
        ...

    async def subscriptions_of_gone(
        self, gone_before: datetime, count_at_least: int, limit: int
    ) -> list[UserSubscription]:
        """Return those whose user is gone since before that time, and was said so as often."""
        ...
