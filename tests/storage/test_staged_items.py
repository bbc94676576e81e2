"""What an interrupted synchronisation has staged: kept, found again, and deleted in the end."""

import pytest
from sqlalchemy import event
from store_values import KEY, NOW, SERVICE, hold, ids_of, item, items, minutes, node

from pubcellar.core.errors import StoreConflict
from pubcellar.core.states import NodeState
from pubcellar.core.values import NodeKey
from pubcellar.storage import SqlStore
from pubcellar.storage.rows import utc_now

OTHER = NodeKey(SERVICE, "other")


class TestGoingOn:
    async def test_staged_ids_are_found_in_the_order_in_which_they_were_staged(
        self, store: SqlStore
    ):
        await hold(store, ["z", "a"])
        await store.begin_staging(KEY, "blog/1")
        await store.stage(KEY, items(["c", "a"]))
        await store.stage(KEY, items(["b"]))
        assert list(await store.staged_sizes(KEY, "blog/1")) == ["c", "a", "b"]

    async def test_an_item_staged_again_after_it_was_taken_out_is_the_last(self, store: SqlStore):
        await store.save_node(node())
        await store.begin_staging(KEY, "blog/1")
        await store.stage(KEY, items(["a", "b", "c"]))
        await store.unstage(KEY, ["a"])
        await store.stage(KEY, items(["a"]))
        assert list(await store.staged_sizes(KEY, "blog/1")) == ["b", "c", "a"]

    async def test_staged_items_are_given_as_they_were_staged(self, store: SqlStore):
        await hold(store, ["a"])
        new = item("a", "<new/>")
        await store.begin_staging(KEY, "blog/1")
        await store.stage(KEY, [new, item("b")])
        assert await store.staged_items(KEY, ["a", "x"]) == [new.item]
        assert ids_of(await store.staged_items(KEY, ["b", "a", "b"])) == ["a", "b"]

    @pytest.mark.parametrize("begun_for", ["blog/1", None])
    async def test_nobody_goes_on_with_what_was_staged_for_another_or_without_promise(
        self, store: SqlStore, begun_for: str | None
    ):
        await store.save_node(node())
        await store.begin_staging(KEY, begun_for)
        await store.stage(KEY, items(["a"]))
        assert list(await store.staged_sizes(KEY, "blog/2")) == []

    async def test_what_was_staged_without_a_beginning_is_not_gone_on_with(self, store: SqlStore):
        await store.save_node(node())
        await store.begin_staging(KEY, "blog/1")
        await store.discard_staged(KEY)
        await store.stage(KEY, items(["a"]))
        assert list(await store.staged_sizes(KEY, "blog/1")) == []

    async def test_beginning_discards_what_was_staged_before(self, store: SqlStore):
        held = await hold(store, ["a"])
        for _ in range(2):
            await store.begin_staging(KEY, "blog/1")
            assert list(await store.staged_sizes(KEY, "blog/1")) == []
            await store.stage(KEY, items(["b"]))
        assert await store.item_ids(KEY) == ["a"]
        await store.begin_staging(KEY, "blog/1")
        assert (await store.publish_staged(held, [])).item_count == 0

    async def test_beginning_without_a_record_is_a_conflict(self, store: SqlStore):
        with pytest.raises(StoreConflict):
            await store.begin_staging(KEY, "blog/1")
        assert list(await store.staged_sizes(KEY, "blog/1")) == []
        assert await store.staged_items(KEY, ["a"]) == []

    async def test_what_is_published_is_not_staged_any_more(self, store: SqlStore):
        await store.save_node(node())
        await store.begin_staging(KEY, "blog/1")
        await store.stage(KEY, items(["a"]))
        await store.publish_staged(node(), ["a"])
        assert list(await store.staged_sizes(KEY, "blog/1")) == []
        await store.stage(KEY, items(["b"]))
        assert list(await store.staged_sizes(KEY, "blog/1")) == []


class TestAbandoned:
    async def test_it_is_deleted_and_what_readers_see_stays(self, store: SqlStore):
        held = await hold(store, ["a"])
        await store.begin_staging(KEY, "blog/1")
        await store.stage(KEY, items(["a", "b"]))
        assert await store.discard_abandoned(utc_now() + minutes(1), 10) == 1
        assert list(await store.staged_sizes(KEY, "blog/1")) == []
        assert await store.item_ids(KEY) == ["a"]
        assert await store.discard_abandoned(utc_now() + minutes(1), 10) == 0
        assert (await store.publish_staged(held, [])).item_count == 0

    async def test_what_was_staged_since_is_left_alone(self, store: SqlStore):
        await store.save_node(node())
        await store.begin_staging(KEY, "blog/1")
        before = utc_now()
        await store.stage(KEY, items(["a"]))
        assert await store.discard_abandoned(before, 10) == 0
        assert list(await store.staged_sizes(KEY, "blog/1")) == ["a"]

    @pytest.mark.parametrize("state", list(NodeState))
    async def test_it_is_found_whatever_became_of_the_node(self, store: SqlStore, state: NodeState):
        await hold(store, ["a"], node(state=state))
        await store.stage(KEY, items(["b"]))
        assert await store.discard_abandoned(utc_now() + minutes(1), 10) == 1
        assert await store.staged_items(KEY, ["b"]) == []

    async def test_a_bounded_number_of_nodes_at_a_time_the_oldest_first(self, store: SqlStore):
        for key in (KEY, OTHER):
            await store.save_node(node(key))
            await store.begin_staging(key, "blog/1")
            await store.stage(key, items(["a"]))
        assert await store.discard_abandoned(utc_now() + minutes(1), 1) == 1
        assert list(await store.staged_sizes(KEY, "blog/1")) == []
        assert list(await store.staged_sizes(OTHER, "blog/1")) == ["a"]

    async def test_nothing_is_left_of_a_node_without_items(self, store: SqlStore):
        await hold(store, ["a"])
        await store.stage(KEY, items(["b"]))
        await store.save_node_without_items(node(state=NodeState.NO_SYNC, reason="r"))
        assert await store.discard_abandoned(utc_now() + minutes(1), 10) == 0


async def test_noting_a_loss_does_not_look_at_the_items(store: SqlStore):
    """However many there are: it is done at every start."""
    await hold(store, ["a"])
    await store.stage(KEY, items(["b"]))
    statements: list[str] = []
    engine = store._connections._writer.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    await store.make_stale(NOW)
    assert statements
    assert not [one for one in statements if "pubsub_item" in one]


async def test_nothing_stays_staged_for_a_node_that_is_live_again(store: SqlStore):
    """It was found to be unchanged, so that nobody goes on with what was staged."""
    held = await hold(store, ["a"], node(state=NodeState.STALE))
    await store.begin_staging(KEY, "blog/1")
    await store.stage(KEY, items(["b"]))
    await store.save_node(held)
    assert list(await store.staged_sizes(KEY, "blog/1")) == ["b"]
    await store.save_node(node(state=NodeState.LIVE))
    assert await store.staged_items(KEY, ["b"]) == []
    assert await store.item_ids(KEY) == ["a"]


async def test_sizes_are_those_of_the_items(store: SqlStore):
    await store.save_node(node())
    await store.begin_staging(KEY, "blog/1")
    await store.stage(KEY, [item("a", "é"), item("b")])
    sizes = await store.staged_sizes(KEY, "blog/1")
    assert sizes == {one: item(one, xml).item.size_bytes for one, xml in (("a", "é"), ("b", ""))}
