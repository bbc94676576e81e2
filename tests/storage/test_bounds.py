"""How much there is in the database, and who goes first when that is too much."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

from sqlalchemy import text
from store_values import KEY, NOW, hold, item, minutes, node

from pubcellar.core.records import NodeRecord, ServiceRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, NodeKey, SubscriptionState
from pubcellar.storage import SqlStore

LARGE = Random(1).randbytes(2_500).hex()
"""PostgreSQL stores it as it is; what repeats itself it would compress."""


def key(name: str) -> NodeKey:
    return NodeKey(KEY.service, name)


def departing(name: str, **fields: Any) -> NodeRecord:
    return node(
        key(name),
        NodeState.NO_SYNC,
        reason="r",
        subscription=SubscriptionState.SUBSCRIBED,
        **fields,
    )


async def fill(store: SqlStore, name: str, number: int = 200) -> NodeRecord:
    """Make a node hold so many large items, about a megabyte of them."""
    record = node(key(name))
    await store.save_node(record)
    ids = [f"i{n}" for n in range(number)]
    await store.stage(record.key, [item(one, LARGE) for one in ids])
    return await store.publish_staged(record, ids)


class TestUsedBytes:
    async def test_they_grow_with_what_is_held_and_shrink_when_it_goes(self, store: SqlStore):
        empty = (await store.usage()).used_bytes
        record = await fill(store, "a")
        one = (await store.usage()).used_bytes
        await fill(store, "b")
        two = (await store.usage()).used_bytes
        assert record.size_bytes <= one - empty <= 1.5 * record.size_bytes
        assert record.size_bytes <= two - one <= 1.5 * record.size_bytes
        await store.forget_node(key("a"))
        await store.forget_node(key("b"))
        assert (await store.usage()).used_bytes - empty < 0.1 * record.size_bytes

    async def test_what_was_freed_is_used_again(self, store: SqlStore):
        for name in ("a", "b"):
            await fill(store, name)
        before = (await store.usage()).used_bytes
        for name in ("a", "b"):
            await store.forget_node(key(name))
        for name in ("c", "d"):
            await fill(store, name)
        assert (await store.usage()).used_bytes <= 1.1 * before
        async with store._connections.reading() as connection:
            if connection.dialect.name == "sqlite":
                pages = int(await connection.scalar(text("PRAGMA page_count")))
                assert pages * 4096 <= 1.1 * before, "the file has grown no larger than it was"

    async def test_what_is_staged_counts(self, store: SqlStore):
        await store.save_node(node())
        before = (await store.usage()).used_bytes
        staged = [item(f"i{n}", LARGE) for n in range(200)]
        await store.stage(KEY, staged)
        size = sum(one.item.size_bytes for one in staged)
        assert size <= (await store.usage()).used_bytes - before <= 1.5 * size

    async def test_what_many_small_rows_take_counts(self, store: SqlStore):
        before = (await store.usage()).used_bytes
        await asyncio.gather(*(store.save_node(node(key(f"n{n}"))) for n in range(200)))
        await asyncio.gather(
            *(store.save_service(ServiceRecord(BareJID(f"s{n}.org"))) for n in range(200))
        )
        assert (await store.usage()).used_bytes - before > 200 * 200

    async def test_they_are_about_what_the_database_itself_says(self, store: SqlStore):
        """What is counted in PostgreSQL is an estimate; it must not be far from the truth."""
        for name in "abc":
            await fill(store, name)
        await hold(store, [f"small {n}" for n in range(2_000)], node(key("small")))
        async with store._connections.reading() as connection:
            if connection.dialect.name == "sqlite":
                query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            else:
                query = (
                    "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
                    " WHERE relname LIKE 'pubsub%' AND relkind = 'r'"
                )
            on_disk = int(await connection.scalar(text(query)))
        assert on_disk / 2 <= (await store.usage()).used_bytes <= on_disk * 2


class TestCounts:
    async def test_a_node_that_only_waits_to_be_unsubscribed_is_counted_apart(
        self, store: SqlStore
    ):
        await hold(store, ["a"])
        await store.save_node(node(key("not held"), NodeState.NO_SYNC, reason="r"))
        await store.save_node(departing("departing"))
        usage = await store.usage()
        assert (usage.nodes, usage.departing) == (2, 1)

    async def test_a_node_set_aside_holds_items_and_is_none_of_those(self, store: SqlStore):
        record = await hold(store, ["a"], node(subscription=SubscriptionState.SUBSCRIBED))
        await store.save_node(replace(record, state=NodeState.NO_SYNC, reason="r"))
        usage = await store.usage()
        assert (usage.nodes, usage.departing) == (1, 0)
        assert [one.key for one in await store.least_recently_read(5)] == [KEY]


class TestWhoGoesFirst:
    async def test_one_never_read_counts_as_read_when_it_was_made(self, store: SqlStore):
        for record in (
            node(key("read lately"), last_read_at=NOW - minutes(1)),
            node(
                key("read long ago"), NodeState.NO_SYNC, reason="r", last_read_at=NOW - minutes(9)
            ),
            node(key("just made"), created_at=NOW),
            node(key("made long ago"), created_at=NOW - minutes(5)),
        ):
            await store.save_node(record)
        assert [one.key.node for one in await store.least_recently_read(3)] == [
            "read long ago",
            "made long ago",
            "read lately",
        ]

    async def test_sizes_are_told_and_nodes_without_items_can_be_left_out(self, store: SqlStore):
        await store.save_node(node(key("empty"), last_read_at=NOW - minutes(9)))
        held = await hold(store, ["a"], node(key("held"), last_read_at=NOW))
        assert [(one.key.node, one.size_bytes) for one in await store.least_recently_read(5)] == [
            ("empty", 0),
            ("held", held.size_bytes),
        ]
        found = await store.least_recently_read(5, with_items=True)
        assert [one.key.node for one in found] == ["held"]

    async def test_those_that_depart_cannot_go_twice(self, store: SqlStore):
        await store.save_node(departing("departing", last_read_at=NOW - minutes(9)))
        await store.save_node(node(key("other")))
        assert [one.key.node for one in await store.least_recently_read(5)] == ["other"]

    async def test_of_those_that_depart_who_waited_longest_is_given_up_first(self, store: SqlStore):
        for name, age in (("b", 2), ("a", 3), ("c", 1)):
            await store.save_node(departing(name, created_at=NOW - minutes(5)))
            record = await store.node(key(name))
            assert record is not None
            await store.save_node(replace(record, state_changed_at=NOW - minutes(age)))
        await store.save_node(node())
        assert [one.node for one in await store.longest_departing(2)] == ["a", "b"]


class TestServices:
    async def test_those_that_no_node_belongs_to_are_forgotten_when_they_are_old(
        self, store: SqlStore
    ):
        await store.save_node(node())
        for jid, fetched_at in (
            (KEY.service, NOW - minutes(60)),
            ("old.example.org", NOW - minutes(60)),
            ("young.example.org", NOW - minutes(1)),
            ("unasked.example.org", None),
        ):
            await store.save_service(ServiceRecord(BareJID(jid), info_fetched_at=fetched_at))
        assert await store.forget_services(NOW - minutes(30), 10) == 2
        assert await store.service(KEY.service) is not None
        assert await store.service(BareJID("young.example.org")) is not None
        assert await store.service(BareJID("old.example.org")) is None
        assert await store.service(BareJID("unasked.example.org")) is None

    async def test_of_the_young_ones_the_newest_are_kept(self, store: SqlStore):
        for number in range(6):
            record = ServiceRecord(
                BareJID(f"s{number}.org"), info_fetched_at=NOW - minutes(10 - number)
            )
            await store.save_service(record)
        assert await store.forget_services(NOW - minutes(30), 2) == 4
        assert await store.service(BareJID("s5.org")) is not None
        assert await store.service(BareJID("s4.org")) is not None
        assert await store.service(BareJID("s3.org")) is None
