"""What is recorded of users: their subscriptions, and what their servers have granted."""

from dataclasses import replace
from datetime import datetime

import pytest
from store_values import KEY, NOW, SERVICE, minutes

from pubcellar.core.identity import IqPermission
from pubcellar.core.namespaces import NS_PUBSUB, NS_PUBSUB_OWNER
from pubcellar.core.subscriptions import UserSubscription
from pubcellar.core.values import BareJID, FullJID, NodeKey, SubscriptionState
from pubcellar.storage import SqlStore
from pubcellar.storage.user_records import UserRecords

JULIET = BareJID("juliet@capulet.lit")
BALCONY = FullJID("juliet@capulet.lit/balcony")
ROMEO = FullJID("romeo@montague.lit")
OTHER_KEY = NodeKey(BareJID("pubsub.other.org"), KEY.node)
GET = IqPermission("capulet.lit", NS_PUBSUB, "get")
SET = IqPermission("capulet.lit", NS_PUBSUB_OWNER, "set")
MONTAGUE = IqPermission("montague.lit", NS_PUBSUB, "get")


def later(count: float) -> datetime:
    return NOW + minutes(count)


def subscription(
    subscriber: str = BALCONY,
    key: NodeKey = KEY,
    subid: str = "",
    state: SubscriptionState = SubscriptionState.SUBSCRIBED,
    created_at: datetime = NOW,
) -> UserSubscription:
    asked = BareJID("cache.example.org")
    return UserSubscription(key, FullJID(subscriber), asked, created_at, subid, state)


@pytest.fixture
def users(store: SqlStore) -> UserRecords:
    return store.users


class TestSubscriptions:
    async def test_every_field_comes_back_equal(self, users: UserRecords):
        saved = replace(subscription(subid="s1"), gone_since=later(3), gone_count=2)
        await users.save_subscription(saved)
        assert await users.subscriptions_to(KEY, BALCONY) == [saved]

    async def test_saving_again_replaces_the_one_of_that_node_subscriber_and_subid(
        self, users: UserRecords
    ):
        await users.save_subscription(subscription(state=SubscriptionState.NONE))
        await users.save_subscription(subscription())
        await users.save_subscription(subscription(subid="s1"))
        await users.save_subscription(subscription(JULIET))
        assert await users.subscriptions_to(KEY, BALCONY) == [
            subscription(),
            subscription(subid="s1"),
        ]
        assert await users.count_subscriptions_of(JULIET) == 3

    async def test_an_address_has_only_its_own_and_a_user_those_of_all_resources(
        self, users: UserRecords
    ):
        mine = [subscription(JULIET), subscription(BALCONY), subscription(JULIET, OTHER_KEY)]
        for one in (*mine, subscription(ROMEO)):
            await users.save_subscription(one)
        assert await users.subscriptions_to(KEY, FullJID(JULIET)) == [mine[0]]
        assert await users.subscriptions_to(KEY, FullJID(f"{JULIET}/orchard")) == []
        assert await users.subscriptions_of(JULIET) == mine
        assert await users.subscriptions_of(JULIET, SERVICE) == mine[:2]
        assert await users.count_subscriptions_of(BareJID(ROMEO)) == 1
        assert await users.count_subscriptions() == 4

    async def test_only_the_one_named_is_deleted(self, users: UserRecords):
        for subid in ("", "s1"):
            await users.save_subscription(subscription(subid=subid))
        await users.delete_subscription(subscription(subid="s1"))
        await users.delete_subscription(subscription(subid="s2"))
        assert await users.subscriptions_of(JULIET) == [subscription()]

    async def test_those_to_a_node_that_is_gone_are_deleted_together(self, users: UserRecords):
        kept = subscription(key=OTHER_KEY)
        for one in (subscription(), subscription(ROMEO), kept):
            await users.save_subscription(one)
        assert await users.delete_subscriptions_to(KEY) == 2
        assert await users.subscriptions_of(JULIET) == [kept]
        assert await users.delete_subscriptions_to(KEY) == 0

    async def test_unanswered_are_those_in_state_none_and_old_enough(self, users: UserRecords):
        none = SubscriptionState.NONE
        old = [subscription(subid=subid, state=none) for subid in ("s1", "s2")]
        young = subscription(subid="s3", state=none, created_at=later(5))
        for one in (*old, young, subscription()):
            await users.save_subscription(one)
        assert await users.unanswered_subscriptions(later(5), 10) == old
        assert await users.unanswered_subscriptions(later(6), 10) == [*old, young]
        assert await users.unanswered_subscriptions(later(6), 1) == old[:1]

    async def test_gone_are_those_of_whom_it_was_said_long_and_often_enough(
        self, users: UserRecords
    ):
        gone = replace(subscription(subid="s1"), gone_since=NOW, gone_count=3)
        lately = replace(subscription(subid="s2"), gone_since=later(5), gone_count=9)
        seldom = replace(subscription(subid="s3"), gone_since=NOW, gone_count=2)
        for one in (gone, lately, seldom, subscription()):
            await users.save_subscription(one)
        assert await users.subscriptions_of_gone(later(5), 3, 10) == [gone]
        assert await users.subscriptions_of_gone(later(6), 2, 1) == [gone]


class TestPermissions:
    async def test_there_are_none_at_first(self, users: UserRecords):
        await users.record_permissions([], NOW)
        assert await users.permissions() == frozenset()

    async def test_what_is_granted_comes_beside_what_was(self, users: UserRecords):
        await users.record_permissions([GET, SET], NOW)
        await users.record_permissions([GET, MONTAGUE], later(1))
        assert await users.permissions() == {GET, SET, MONTAGUE}

    async def test_those_of_one_host_are_forgotten(self, users: UserRecords):
        await users.record_permissions([GET, SET, MONTAGUE], NOW)
        await users.forget_permissions("capulet.lit")
        assert await users.permissions() == {MONTAGUE}
