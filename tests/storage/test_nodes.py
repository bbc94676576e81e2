"""Services and nodes in the store."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from store_values import ALL, KEY, NOW, SERVICE, hold, item, items, minutes, node

from pubcellar.core.records import ServiceRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import BareJID, NodeKey, PageRequest, SubscriptionState
from pubcellar.storage import SqlStore

OTHER_SERVICE = BareJID("pubsub.other.org")


def key(name: str, service: BareJID = SERVICE) -> NodeKey:
    return NodeKey(service, name)


class TestServices:
    async def test_unknown_service_is_none(self, store: SqlStore):
        assert await store.service(SERVICE) is None

    async def test_saved_service_comes_back_equal(self, store: SqlStore):
        traits = ServiceTraits(pages=False, items_newest_first=True, republish_sightings=-2)
        record = ServiceRecord(SERVICE, traits, "<query/>", NOW)
        await store.save_service(record)
        assert await store.service(SERVICE) == record

    async def test_saving_again_replaces(self, store: SqlStore):
        await store.save_service(ServiceRecord(SERVICE, ServiceTraits(pages=True), "<a/>", NOW))
        record = ServiceRecord(SERVICE, ServiceTraits())
        await store.save_service(record)
        assert await store.service(SERVICE) == record

    async def test_trait_of_another_version_is_ignored(self, store: SqlStore):
        await store.save_service(ServiceRecord(SERVICE, ServiceTraits(pages=True)))
        async with store._connections.writing() as connection:
            await connection.execute(
                text("""UPDATE pubsub_service SET traits = '{"pages": true, "sings": true}'""")
            )
        found = await store.service(SERVICE)
        assert found is not None
        assert found.traits == ServiceTraits(pages=True)


class TestNodeRecords:
    async def test_unknown_node_is_none(self, store: SqlStore):
        assert await store.node(KEY) is None

    async def test_every_field_comes_back_equal(self, store: SqlStore):
        record = node(
            state=NodeState.FAILED,
            reason="the service is away",
            analyser="blog",
            type="blog",
            subtype="comment",
            access_model="open",
            info="<query/>",
            subscription=SubscriptionState.SUBSCRIBED,
            failures=3,
            info_verified_at=NOW + minutes(1),
            items_verified_at=NOW + minutes(2),
            last_read_at=NOW + minutes(3),
            retry_at=NOW + minutes(4),
        )
        await store.save_node(record)
        assert await store.node(KEY) == record

    async def test_names_are_compared_octet_by_octet(self, store: SqlStore):
        """XEP-0060 section 12.15."""
        for name in ("Blog", "blog", "blog ", "blög", "blo\u0308g", "b%g", ""):
            await store.save_node(node(key(name), type=name))
        for name in ("Blog", "blog", "blog ", "blög", "blo\u0308g", "b%g", ""):
            found = await store.node(key(name))
            assert found is not None
            assert found.type == name
        assert await store.node(key("BLOG")) is None

    async def test_update_leaves_what_belongs_to_the_items(self, store: SqlStore):
        held = await hold(store, ["a", "b"])
        stale = replace(held, state=NodeState.STALE, generation=7, item_count=99, size_bytes=1)
        await store.save_node(stale)
        assert await store.node(KEY) == replace(held, state=NodeState.STALE)
        assert await store.item_ids(KEY) == ["a", "b"]

    async def test_new_node_has_no_items_whatever_its_record_says(self, store: SqlStore):
        await store.save_node(node(generation=3, item_count=4, size_bytes=5))
        assert await store.node(KEY) == node()

    async def test_times_come_back_aware_in_utc(self, store: SqlStore):
        elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
        await store.save_node(node(last_read_at=elsewhere))
        found = await store.node(KEY)
        assert found is not None
        assert found.last_read_at == NOW
        assert found.last_read_at.utcoffset() == timedelta(0)

    async def test_time_without_zone_is_refused(self, store: SqlStore):
        naive = datetime(2026, 3, 1)  # noqa: DTZ001
        with pytest.raises(ValueError, match="without time zone"):
            await store.save_node(node(last_read_at=naive))
        assert await store.node(KEY) is None

    async def test_forgotten_node_takes_its_items_with_it(self, store: SqlStore):
        await hold(store, ["a", "b"])
        await store.stage(KEY, items(["c"]))
        await hold(store, ["other"], node(key("other")))
        await store.forget_node(KEY)
        assert await store.node(KEY) is None
        assert await store.item_ids(key("other")) == ["other"]
        async with store._connections.reading() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM pubsub_item")) == 1

    async def test_forgetting_an_unknown_node_does_nothing(self, store: SqlStore):
        await store.forget_node(KEY)

    async def test_nodes_are_counted(self, store: SqlStore):
        assert await store.count_nodes() == 0
        await store.save_node(node(key("a")))
        await store.save_node(node(key("b")))
        await store.save_node(node(key("b")))
        assert await store.count_nodes() == 2


class TestMakeStale:
    async def test_live_nodes_turn_stale_and_are_counted(self, store: SqlStore):
        for name in ("a", "b"):
            await hold(store, ["x"], node(key(name)))
        await store.save_node(node(key("c"), NodeState.NO_SYNC, reason="no analyser", retry_at=NOW))
        later = NOW + minutes(5)
        assert await store.make_stale(later) == 2
        found = await store.node(key("a"))
        assert found is not None
        assert (found.state, found.state_changed_at) == (NodeState.STALE, later)
        assert await store.item_ids(key("a")) == ["x"]
        untouched = await store.node(key("c"))
        assert untouched == node(key("c"), NodeState.NO_SYNC, reason="no analyser", retry_at=NOW)

    async def test_nodes_in_doubt_are_looked_at_at_once(self, store: SqlStore):
        await store.save_node(node(key("a"), NodeState.STALE, retry_at=NOW + minutes(9)))
        await store.save_node(node(key("b"), NodeState.FAILED, reason="r", retry_at=NOW))
        assert await store.make_stale(NOW + minutes(1)) == 0
        assert await store.node(key("a")) == node(key("a"), NodeState.STALE)
        assert await store.node(key("b")) == node(key("b"), NodeState.FAILED, reason="r")

    async def test_interrupted_synchronisation_has_failed_and_is_tried_at_once(
        self, store: SqlStore
    ):
        await store.save_node(node(state=NodeState.SYNCING, retry_at=NOW + minutes(9)))
        assert await store.make_stale(NOW) == 0
        found = await store.node(KEY)
        assert found is not None
        assert found.state is NodeState.FAILED
        assert found.reason
        assert await store.nodes_to_mend(NOW, 10) == [KEY]

    async def test_what_was_staged_stays(self, store: SqlStore):
        held = await hold(store, ["a"])
        await store.begin_staging(KEY, "blog/1")
        await store.stage(KEY, items(["b"]))
        await store.make_stale(NOW)
        assert list(await store.staged_sizes(KEY, "blog/1")) == ["b"]
        assert (await store.publish_staged(held, ["b"])).item_count == 1

    async def test_only_one_service_is_concerned(self, store: SqlStore):
        here, elsewhere = key("a"), key("a", OTHER_SERVICE)
        failed = node(key("f", OTHER_SERVICE), NodeState.FAILED, reason="r", retry_at=NOW)
        syncing = node(key("s", OTHER_SERVICE), NodeState.SYNCING)
        live = await hold(store, ["x"], node(elsewhere))
        await hold(store, ["x"], node(here))
        for record in (failed, syncing):
            await store.save_node(record)
        await store.stage(syncing.key, items(["staged"]))
        assert await store.make_stale(NOW, SERVICE) == 1
        found = await store.node(here)
        assert found is not None
        assert found.state is NodeState.STALE
        for record in (live, failed, syncing):
            assert await store.node(record.key) == record
        assert (await store.publish_staged(syncing, ["staged"])).item_count == 1


class TestQueues:
    async def test_nodes_to_mend_are_due_and_most_recently_read_first(self, store: SqlStore):
        failed = {"state": NodeState.FAILED, "reason": "r"}
        for record in (
            node(key("never read"), **failed),
            node(key("long ago"), **failed, last_read_at=NOW - minutes(9), retry_at=NOW),
            node(key("lately"), NodeState.STALE, last_read_at=NOW - minutes(1)),
            node(key("not yet"), **failed, last_read_at=NOW, retry_at=NOW + minutes(1)),
            node(key("live"), last_read_at=NOW),
            node(key("elsewhere", OTHER_SERVICE), **failed, last_read_at=NOW),
        ):
            await store.save_node(record)
        due = [key("lately"), key("long ago"), key("never read")]
        assert await store.nodes_to_mend(NOW, 10, [OTHER_SERVICE]) == due
        assert await store.nodes_to_mend(NOW, 2, [OTHER_SERVICE]) == due[:2]
        assert await store.nodes_to_mend(NOW, 1) == [key("elsewhere", OTHER_SERVICE)]

    async def test_any_number_of_services_can_be_left_out(self, store: SqlStore):
        await store.save_node(node(key("a"), NodeState.STALE))
        await store.save_node(node(key("b"), NodeState.STALE))
        await store.save_node(node(key("c", OTHER_SERVICE), NodeState.STALE, last_read_at=NOW))
        many = [BareJID(f"user{number}@example.org") for number in range(300_000)]
        assert await store.nodes_to_mend(NOW, 10, [OTHER_SERVICE, *many]) == [key("a"), key("b")]
        assert await store.nodes_to_mend(NOW, 1, [OTHER_SERVICE, *many]) == [key("a")]

    async def test_nodes_to_verify_are_read_and_the_longest_unverified_first(self, store: SqlStore):
        subscribed = {"subscription": SubscriptionState.SUBSCRIBED}
        read = {"last_read_at": NOW, **subscribed}
        personal = NodeKey(BareJID("juliet@capulet.lit"), "older")
        for record in (
            node(personal, **read, items_verified_at=NOW - minutes(30)),
            node(key("alone"), last_read_at=NOW, items_verified_at=NOW - minutes(30)),
            node(key("older"), **read, items_verified_at=NOW - minutes(30)),
            node(key("never"), **read),
            node(key("old"), **read, items_verified_at=NOW - minutes(20)),
            node(key("fresh"), **read, items_verified_at=NOW - minutes(5)),
            node(key("unread"), **subscribed, items_verified_at=NOW - minutes(90)),
            node(key("read long ago"), **subscribed, last_read_at=NOW - minutes(2000)),
            node(key("stale"), NodeState.STALE, **read),
        ):
            await store.save_node(record)
        before, since = NOW - minutes(15), NOW - minutes(1440)
        due = [key("never"), key("older"), key("old")]
        found = await store.nodes_to_verify(before, since, 10)
        assert list(found) == due
        assert list(found.values()) == [None, NOW - minutes(30), NOW - minutes(20)]
        assert list(await store.nodes_to_verify(before, since, 2)) == due[:2]

    async def test_reads_are_recorded_for_nodes_that_have_a_record(self, store: SqlStore):
        await store.save_node(node(key("a")))
        await store.save_node(node(key("b")))
        await store.record_reads({key("a"): NOW, key("unknown"): NOW, key("c", OTHER_SERVICE): NOW})
        assert await store.node(key("a")) == node(key("a"), last_read_at=NOW)
        assert await store.node(key("b")) == node(key("b"))
        assert await store.count_nodes() == 2

    async def test_thousands_of_reads_are_recorded_at_once(self, store: SqlStore):
        await store.save_node(node())
        reads = {key(str(number)): NOW for number in range(5_000)}
        await store.record_reads({**reads, KEY: NOW})
        assert await store.node(KEY) == node(last_read_at=NOW)

    async def test_no_reads_are_no_write(self, store: SqlStore):
        await store.record_reads({})


async def test_page_of_a_node_whose_items_arrived_one_by_one(store: SqlStore):
    await store.save_node(node())
    await store.put_item(KEY, item("a"), to_newest_end=False)
    page = await store.page(KEY, PageRequest(), newest_first=True, max_bytes=ALL)
    assert page.count == 1
