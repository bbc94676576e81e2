"""The next generation of a node: invisible until it is swapped in at once."""

import asyncio

import pytest
from store_values import ALL, KEY, NOW, hold, item, items, node

from pubcellar.core.errors import StoreConflict
from pubcellar.core.states import NodeState
from pubcellar.core.values import NodeKey, PageRequest, SubscriptionState
from pubcellar.storage import SqlStore


class TestStaging:
    async def test_what_is_staged_is_invisible(self, store: SqlStore):
        held = await hold(store, ["a"])
        await store.stage(KEY, items(["b", "c"]))
        assert await store.item_ids(KEY) == ["a"]
        assert await store.items_by_id(KEY, ["b"]) == []
        assert (await store.id_page(KEY, PageRequest(), newest_first=True)).item_ids == ("a",)
        assert await store.node(KEY) == held

    async def test_staging_without_a_record_is_a_conflict(self, store: SqlStore):
        with pytest.raises(StoreConflict):
            await store.stage(KEY, items(["a"]))

    async def test_staging_again_replaces_the_content(self, store: SqlStore):
        await store.save_node(node())
        await store.stage(KEY, items(["a", "b"]))
        new = item("a", "<new/>")
        await store.stage(KEY, [item("a", "<old/>"), item("c"), new])
        await store.publish_staged(node(), ["a", "b", "c"])
        assert await store.items_by_id(KEY, ["a"]) == [new.item]

    async def test_unstaged_items_are_gone(self, store: SqlStore):
        await hold(store, ["a"])
        await store.stage(KEY, items(["a", "b", "c"]))
        await store.unstage(KEY, ["a", "x"])
        await store.publish_staged(node(), ["b", "c"])
        assert await store.item_ids(KEY) == ["b", "c"]

    async def test_discarding_leaves_what_readers_see(self, store: SqlStore):
        held = await hold(store, ["a"])
        await store.stage(KEY, items(["a", "b"]))
        await store.discard_staged(KEY)
        assert await store.item_ids(KEY) == ["a"]
        assert (await store.publish_staged(held, [])).item_count == 0

    async def test_unknown_node_has_nothing_to_discard(self, store: SqlStore):
        await store.discard_staged(KEY)
        await store.unstage(KEY, ["a"])


class TestPublishStaged:
    async def test_order_is_the_one_given(self, store: SqlStore):
        await store.save_node(node())
        await store.stage(KEY, items(["c", "a"]))
        await store.stage(KEY, items(["b"]))
        await store.publish_staged(node(), ["a", "b", "c"])
        assert await store.item_ids(KEY) == ["a", "b", "c"]
        await store.put_item(KEY, item("d"), to_newest_end=False)
        assert await store.item_ids(KEY) == ["a", "b", "c", "d"]

    async def test_record_is_saved_and_returned_with_its_counts(self, store: SqlStore):
        await hold(store, ["old"])
        await store.stage(KEY, [item("a", "é"), item("b")])
        record = node(
            state=NodeState.STALE,
            subscription=SubscriptionState.SUBSCRIBED,
            items_verified_at=NOW,
            item_count=77,
        )
        published = await store.publish_staged(record, ["a", "b"])
        assert published == await store.node(KEY)
        assert (published.generation, published.item_count) == (2, 2)
        sizes = item("a", "é").item.size_bytes + item("b").item.size_bytes
        assert published.size_bytes == sizes
        assert published.items_verified_at == NOW

    async def test_empty_node_is_complete_too(self, store: SqlStore):
        published = await store.publish_staged(node(), [])
        assert (published.generation, published.item_count, published.size_bytes) == (1, 0, 0)

    async def test_items_not_staged_over_are_taken_from_the_current_generation(
        self, store: SqlStore
    ):
        held = await hold(store, ["a", "b", "c", "d"])
        new = item("b", "<new/>")
        await store.stage(KEY, [new, item("e")])
        order = ["d", "b", "e", "a"]
        published = await store.publish_staged(held, order, reuse_current=True)
        assert await store.item_ids(KEY) == order
        assert await store.items_by_id(KEY, ["b", "c"]) == [new.item]
        found = await store.items_by_id(KEY, order)
        assert published.size_bytes == sum(one.size_bytes for one in found)
        assert published.item_count == 4

    async def test_relisted_order_is_swapped_in_with_nothing_staged(self, store: SqlStore):
        held = await hold(store, ["a", "b", "c"])
        await store.publish_staged(held, ["c", "a", "b"], reuse_current=True)
        assert await store.item_ids(KEY) == ["c", "a", "b"]

    @pytest.mark.parametrize("reuse_current", [False, True])
    async def test_ids_that_could_be_taken_for_something_else(
        self, store: SqlStore, reuse_current: bool
    ):
        odd = ["NULL", "null", "{a,b}", "a,b", '"', "'", "\\", "a\\'b", "%s", ":place", " ", "é"]
        held = await hold(store, odd if reuse_current else ["a"])
        if not reuse_current:
            await store.stage(KEY, items(odd))
        odd.reverse()
        await store.publish_staged(held, odd, reuse_current=reuse_current)
        assert await store.item_ids(KEY) == odd

    @pytest.mark.parametrize(
        ("order", "reuse_current"),
        [
            (["b"], False),  # c was staged
            (["b", "c", "x"], False),
            (["b", "c", "x"], True),
            (["a", "b", "c"], False),  # a is current only
            (["b", "c", "b"], False),
            (["a", "b", "c", "a"], True),
            ([], False),
        ],
    )
    async def test_order_that_does_not_fit_changes_nothing(
        self, store: SqlStore, order: list[str], reuse_current: bool
    ):
        held = await hold(store, ["a"])
        await store.stage(KEY, items(["b", "c"]))
        record = node(state=NodeState.STALE, reason="another")
        with pytest.raises(StoreConflict):
            await store.publish_staged(record, order, reuse_current=reuse_current)
        assert await store.node(KEY) == held
        assert await store.item_ids(KEY) == ["a"]
        assert (await store.publish_staged(held, ["b", "c"])).item_count == 2

    async def test_other_nodes_are_left_alone(self, store: SqlStore):
        other = node(NodeKey(KEY.service, "other"))
        await hold(store, ["a", "b"], other)
        await store.stage(other.key, items(["c"]))
        held = await hold(store, ["x"])
        await store.publish_staged(held, ["x"], reuse_current=True)
        assert await store.item_ids(other.key) == ["a", "b"]
        await store.publish_staged(other, ["c"])
        assert await store.item_ids(other.key) == ["c"]

    async def test_readers_never_see_half_a_node(self, store: SqlStore):
        old = [f"old{number}" for number in range(1_000)]
        new = [f"new{number}" for number in range(1_500)]
        held = await hold(store, old)
        seen: set[tuple[int, str, int]] = set()

        async def write() -> None:
            for start in range(0, len(new), 250):
                await store.stage(KEY, items(reversed(new[start : start + 250])))
            await store.publish_staged(held, new)

        async def read_until_swapped() -> None:
            while (new_len := (await look())) != len(new):
                assert new_len == len(old)

        async def look() -> int:
            page = await store.page(KEY, PageRequest(), newest_first=False, max_bytes=ALL)
            kinds = {one.item_id[:3] for one in page.items}
            seen.add((page.count, "".join(sorted(kinds)), len(page.items)))
            return page.count

        writing = asyncio.ensure_future(write())
        try:
            async with asyncio.timeout(60):
                await asyncio.gather(*(read_until_swapped() for _ in range(3)))
        finally:
            await writing
        assert seen == {(1_000, "old", 1_000), (1_500, "new", 1_500)}

    async def test_tens_of_thousands_of_items(self, store: SqlStore):
        many = [f"id{number}" for number in range(20_000)]
        await store.save_node(node())
        await store.stage(KEY, items(many))
        many.reverse()
        published = await store.publish_staged(node(), many)
        assert published.item_count == len(many)
        assert await store.item_ids(KEY) == many
