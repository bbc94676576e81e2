"""What is recorded of users: their subscriptions through the proxy, and their servers' permissions.

Implements `core.subscriptions.SubscriptionStore` and `core.identity.PermissionStore`, where every
method is documented.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core import identity, subscriptions
from pubcellar.core.values import BareJID, FullJID, NodeKey, SubscriptionState
from pubcellar.storage.connections import Connections
from pubcellar.storage.models import IqPermission, UserSubscription
from pubcellar.storage.rows import insert_into, table_of

_SUBSCRIPTION = ["service", "node", "subscriber", "subid"]


class UserRecords:
    """The tables `user_subscription` and `iq_permission`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    # Subscriptions

    async def save_subscription(self, subscription: subscriptions.UserSubscription) -> None:
        """See `SubscriptionStore.save_subscription`."""

        async def save(connection: AsyncConnection) -> None:
            values = _values(subscription)
            statement = insert_into(connection, UserSubscription).values(values)
            changed = {
                name: statement.excluded[name] for name in values if name not in _SUBSCRIPTION
            }
            await connection.execute(
                statement.on_conflict_do_update(index_elements=_SUBSCRIPTION, set_=changed)
            )

        await self._connections.write(save)

    async def delete_subscription(self, subscription: subscriptions.UserSubscription) -> None:
        """See `SubscriptionStore.delete_subscription`."""
        condition = and_(
            _to(subscription.key),
            UserSubscription.subscriber == subscription.subscriber,
            UserSubscription.subid == subscription.subid,
        )
        await self._delete(condition)

    async def delete_subscriptions_to(self, key: NodeKey) -> int:
        """See `SubscriptionStore.delete_subscriptions_to`."""
        return await self._delete(_to(key))

    async def _delete(self, condition: ColumnElement[bool]) -> int:
        async def run(connection: AsyncConnection) -> int:
            deleted = await connection.execute(delete(UserSubscription).where(condition))
            return deleted.rowcount

        return await self._connections.write(run)

    async def subscriptions_to(
        self, key: NodeKey, subscriber: FullJID
    ) -> list[subscriptions.UserSubscription]:
        """See `SubscriptionStore.subscriptions_to`."""
        return await self._find(and_(_to(key), UserSubscription.subscriber == subscriber))

    async def subscriptions_of(
        self, user: BareJID, service: BareJID | None = None
    ) -> list[subscriptions.UserSubscription]:
        """See `SubscriptionStore.subscriptions_of`."""
        condition: ColumnElement[bool] = UserSubscription.user_jid == user
        if service is not None:
            condition = and_(condition, UserSubscription.service == service)
        return await self._find(condition)

    async def count_subscriptions_of(self, user: BareJID) -> int:
        """See `SubscriptionStore.count_subscriptions_of`."""
        query = select(func.count()).where(UserSubscription.user_jid == user)

        async def run(connection: AsyncConnection) -> int:
            return int((await connection.execute(query)).scalar_one())

        return await self._connections.read(run)

    async def count_subscriptions(self) -> int:
        """See `SubscriptionStore.count_subscriptions`."""
        query = select(func.count()).select_from(table_of(UserSubscription))

        async def run(connection: AsyncConnection) -> int:
            return int((await connection.execute(query)).scalar_one())

        return await self._connections.read(run)

    async def unanswered_subscriptions(
        self, created_before: datetime, limit: int
    ) -> list[subscriptions.UserSubscription]:
        """See `SubscriptionStore.unanswered_subscriptions`."""
        condition = and_(
            UserSubscription.state == SubscriptionState.NONE.value,
            UserSubscription.created_at < created_before,
        )
        return await self._find(condition, limit)

    async def subscriptions_of_gone(
        self, gone_before: datetime, count_at_least: int, limit: int
    ) -> list[subscriptions.UserSubscription]:
        """See `SubscriptionStore.subscriptions_of_gone`."""
        condition = and_(
            UserSubscription.gone_since < gone_before,
            UserSubscription.gone_count >= count_at_least,
        )
        return await self._find(condition, limit)

    async def _find(
        self, condition: ColumnElement[bool], limit: int | None = None
    ) -> list[subscriptions.UserSubscription]:
        query = (
            select(table_of(UserSubscription))
            .where(condition)
            .order_by(UserSubscription.created_at, UserSubscription.id)
        )
        if limit is not None:
            query = query.limit(limit)

        async def run(connection: AsyncConnection) -> list[subscriptions.UserSubscription]:
            return [_subscription(row) for row in await connection.execute(query)]

        return await self._connections.read(run)

    # Permissions

    async def permissions(self) -> frozenset[identity.IqPermission]:
        """See `PermissionStore.permissions`."""
        query = select(IqPermission.host, IqPermission.namespace, IqPermission.type)

        async def run(connection: AsyncConnection) -> frozenset[identity.IqPermission]:
            found = await connection.execute(query)
            return frozenset(identity.IqPermission(*row) for row in found)

        return await self._connections.read(run)

    async def record_permissions(
        self, granted: Collection[identity.IqPermission], granted_at: datetime
    ) -> None:
        """See `PermissionStore.record_permissions`."""
        if not granted:
            return
        values = [
            {
                "host": one.host,
                "namespace": one.namespace,
                "type": one.type,
                "granted_at": granted_at,
            }
            for one in granted
        ]

        async def run(connection: AsyncConnection) -> None:
            statement = insert_into(connection, IqPermission).values(values)
            await connection.execute(
                statement.on_conflict_do_nothing(index_elements=["host", "namespace", "type"])
            )

        await self._connections.write(run)

    async def forget_permissions(self, host: str) -> None:
        """See `PermissionStore.forget_permissions`."""
        statement = delete(IqPermission).where(IqPermission.host == host)

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._connections.write(run)


def _to(key: NodeKey) -> ColumnElement[bool]:
    return and_(UserSubscription.service == key.service, UserSubscription.node == key.node)


def _values(subscription: subscriptions.UserSubscription) -> dict[str, Any]:
    return {
        "service": subscription.key.service,
        "node": subscription.key.node,
        "user_jid": subscription.user,
        "subscriber": subscription.subscriber,
        "subid": subscription.subid,
        "asked": subscription.asked,
        "state": subscription.state.value,
        "created_at": subscription.created_at,
        "gone_since": subscription.gone_since,
        "gone_count": subscription.gone_count,
    }


def _subscription(row: Any) -> subscriptions.UserSubscription:
    return subscriptions.UserSubscription(
        key=NodeKey(BareJID(row.service), row.node),
        subscriber=FullJID(row.subscriber),
        asked=BareJID(row.asked),
        created_at=row.created_at,
        subid=row.subid,
        state=SubscriptionState(row.state),
        gone_since=row.gone_since,
        gone_count=row.gone_count,
    )
