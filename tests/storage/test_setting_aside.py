"""Nodes in the store whose analyser has changed."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from store_values import KEY, NOW, SERVICE, hold, item, items, minutes, node

from pubcellar.core.records import HeldNode, NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, Item, NodeKey, SubscriptionState
from pubcellar.storage import SqlStore

OTHER_SERVICE = BareJID("pubsub.other.org")
LATER = NOW + minutes(5)
HELD = [NodeState.SYNCING, NodeState.LIVE, NodeState.STALE, NodeState.FAILED]


def key(name: str, service: BareJID = SERVICE) -> NodeKey:
    return NodeKey(service, name)


def unwanted(name: str = "blog", service: BareJID = SERVICE, **fields: Any) -> NodeRecord:
    return node(key(name, service), NodeState.NO_SYNC, reason="nobody wants it", **fields)


async def hold_set_aside(store: SqlStore, record: NodeRecord) -> NodeRecord:
    """Make a node hold two items and be set aside."""
    held = await hold(store, ["a", "b"], replace(record, state=NodeState.LIVE))
    await store.save_node(replace(held, state=record.state))
    return replace(held, state=record.state)


class TestHeldNodes:
    @pytest.mark.parametrize("state", HELD)
    async def test_every_held_node_is_found(self, store: SqlStore, state: NodeState):
        await store.save_node(node(state=state, analyser="blog", type="post"))
        assert await store.held_nodes(None, 10) == [HeldNode(KEY, state, "blog", "post", ())]

    async def test_of_nodes_not_held_only_those_set_aside(self, store: SqlStore):
        await hold_set_aside(store, unwanted("aside"))
        await store.save_node(unwanted("never held"))
        assert await store.held_nodes(None, 10) == [
            HeldNode(key("aside"), NodeState.NO_SYNC, None, None, ())
        ]

    async def test_pages_follow_one_another_without_gap_or_double(self, store: SqlStore):
        names = ["", "a", "A", "a/b", "a b", "b", "ä", "z\U0001f377", "%"]
        keys = {key(name, service) for name in names for service in (SERVICE, OTHER_SERVICE)}
        for one in keys:
            await store.save_node(node(one))
        found: list[NodeKey] = []
        while page := await store.held_nodes(found[-1] if found else None, 4):
            assert len(page) <= 4
            found += [one.key for one in page]
            assert len(found) <= len(keys)
        assert len(found) == len(keys)
        assert set(found) == keys

    async def test_namespaces_are_those_of_the_newest_and_the_oldest_item(self, store: SqlStore):
        await store.save_node(node())
        for name in ("oldest", "between", "newest"):
            xml = f"<item id='{name}'/>"
            one = Item(name, xml, payload_namespace=f"urn:{name}")
            await store.put_item(KEY, replace(item(name), item=one), to_newest_end=True)
        (found,) = await store.held_nodes(None, 1)
        assert found.namespaces == ("urn:newest", "urn:oldest")

    async def test_a_namespace_is_named_once_and_a_staged_one_is_not(self, store: SqlStore):
        await hold(store, ["a", "b"])
        xml = "<item id='staged'/>"
        staged = Item("staged", xml, payload_namespace="urn:staged")
        await store.stage(KEY, [replace(item("staged"), item=staged)])
        (found,) = await store.held_nodes(None, 1)
        assert found.namespaces == ()
        for name in ("a", "b"):
            one = Item(name, xml, payload_namespace="urn:same")
            await store.put_item(KEY, replace(item(name), item=one), to_newest_end=True)
        (found,) = await store.held_nodes(None, 1)
        assert found.namespaces == ("urn:same",)


class TestSetAside:
    @pytest.mark.parametrize("state", HELD)
    async def test_a_held_node_is_not_held_any_more_and_keeps_its_items(
        self, store: SqlStore, state: NodeState
    ):
        held = await hold(store, ["a", "b"])
        before = replace(
            held,
            state=state,
            analyser="blog",
            subscription=SubscriptionState.SUBSCRIBED,
            failures=3,
            retry_at=NOW,
        )
        await store.save_node(before)
        await store.set_aside({KEY: "nobody wants it"}, LATER)
        assert await store.node(KEY) == replace(
            before,
            state=NodeState.NO_SYNC,
            reason="nobody wants it",
            state_changed_at=LATER,
            failures=0,
            retry_at=None,
        )
        assert await store.item_ids(KEY) == ["a", "b"]

    async def test_one_that_is_not_held_already_stays_as_it_is(self, store: SqlStore):
        before = await hold_set_aside(store, unwanted(retry_at=NOW))
        await store.set_aside({KEY: "another reason"}, LATER)
        assert await store.node(KEY) == before

    async def test_thousands_each_for_its_reason(self, store: SqlStore):
        reasons = {key(str(number)): f"reason {number}" for number in range(5_000)}
        for number in (0, 1_999, 2_000, 4_999):
            await store.save_node(node(key(str(number))))
        await store.save_node(node(key("0", OTHER_SERVICE)))
        await store.set_aside(reasons, LATER)
        for number in (0, 1_999, 2_000, 4_999):
            found = await store.node(key(str(number)))
            assert found is not None
            assert (found.state, found.reason) == (NodeState.NO_SYNC, f"reason {number}")
        assert await store.node(key("0", OTHER_SERVICE)) == node(key("0", OTHER_SERVICE))
        assert await store.count_nodes() == 5

    async def test_no_nodes_are_no_write(self, store: SqlStore):
        await store.set_aside({}, LATER)
        await store.take_back([], LATER)


class TestTakeBack:
    async def test_a_node_that_was_set_aside_is_in_doubt_with_what_it_had(self, store: SqlStore):
        before = await hold_set_aside(store, unwanted(failures=2, retry_at=LATER))
        await store.take_back([KEY, key("unknown")], LATER)
        found = await store.node(KEY)
        assert found is not None
        assert found.reason != before.reason
        assert found == replace(
            before,
            state=NodeState.STALE,
            reason=found.reason,
            state_changed_at=LATER,
            failures=0,
            retry_at=None,
        )
        assert await store.item_ids(KEY) == ["a", "b"]
        assert await store.nodes_to_mend(LATER, 10) == [KEY]

    async def test_one_of_which_nothing_is_kept_stays_as_it_is(self, store: SqlStore):
        await store.save_node(unwanted())
        await store.take_back([KEY], LATER)
        assert await store.node(KEY) == unwanted()

    @pytest.mark.parametrize("state", HELD)
    async def test_one_that_is_held_stays_as_it_is(self, store: SqlStore, state: NodeState):
        held = await hold(store, ["a"], node(state=state))
        await store.take_back([KEY], LATER)
        assert await store.node(KEY) == held


class TestQueues:
    async def test_nodes_to_unsubscribe_are_those_not_held_whose_time_has_come(
        self, store: SqlStore
    ):
        subscribed = {"subscription": SubscriptionState.SUBSCRIBED}
        for record in (
            unwanted("due", retry_at=NOW, **subscribed),
            unwanted("at once", **subscribed),
            unwanted("pending", retry_at=NOW, subscription=SubscriptionState.PENDING),
            unwanted("not yet", retry_at=LATER, **subscribed),
            unwanted("not subscribed"),
            node(key("live"), **subscribed),
            node(key("stale"), NodeState.STALE, **subscribed),
            unwanted("elsewhere", OTHER_SERVICE, **subscribed),
        ):
            await store.save_node(record)
        due = [key("at once"), key("due"), key("pending")]
        assert await store.nodes_to_unsubscribe(NOW, 10, [OTHER_SERVICE]) == due
        assert await store.nodes_to_unsubscribe(NOW, 2, [OTHER_SERVICE]) == due[:2]
        assert key("elsewhere", OTHER_SERVICE) in await store.nodes_to_unsubscribe(NOW, 10)
        many = [BareJID(f"user{number}@example.org") for number in range(2_000)]
        assert await store.nodes_to_unsubscribe(NOW, 10, [OTHER_SERVICE, *many]) == due

    async def test_nodes_to_forget_were_set_aside_before_and_those_first_come_first(
        self, store: SqlStore
    ):
        for name, minute in (("second", -8), ("first", -9), ("lately", -1), ("just", -5)):
            moment = NOW + minutes(minute)
            await hold_set_aside(store, unwanted(name, state_changed_at=moment))
        await store.save_node(unwanted("nothing kept", state_changed_at=NOW - minutes(99)))
        await hold(store, ["a"], node(key("held"), state_changed_at=NOW - minutes(99)))
        before = NOW - minutes(5)
        assert await store.nodes_to_forget(before, 10) == [key("first"), key("second")]
        assert await store.nodes_to_forget(before, 1) == [key("first")]


class TestSaveWithoutItems:
    async def test_the_record_stays_and_all_items_go(self, store: SqlStore):
        held = await hold(store, ["a", "b"])
        await store.stage(KEY, items(["c"]))
        await hold(store, ["other"], node(key("other")))
        await store.save_node_without_items(
            replace(held, state=NodeState.NO_SYNC, reason="too large", state_changed_at=LATER)
        )
        found = await store.node(KEY)
        assert found == node(state=NodeState.NO_SYNC, reason="too large", state_changed_at=LATER)
        async with store._connections.reading() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM pubsub_item")) == 1

    async def test_a_node_without_record_gets_one(self, store: SqlStore):
        await store.save_node_without_items(unwanted())
        assert await store.node(KEY) == unwanted()


async def test_what_is_not_held_is_looked_at_again(store: SqlStore):
    await store.save_node(unwanted("too large", retry_at=LATER))
    await store.save_node(node(state=NodeState.FAILED, retry_at=LATER))
    await store.look_at_all_again()
    found = await store.node(key("too large"))
    assert found is not None
    assert found.retry_at is None
    failed = await store.node(KEY)
    assert failed is not None
    assert failed.retry_at == LATER
