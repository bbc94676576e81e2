"""The items that readers see, one by one."""

import pytest
from sqlalchemy import select, text
from store_values import KEY, NOW, hold, ids_of, item, items, minutes, node

from pubcellar.core.errors import StoreConflict
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import Item, NodeKey
from pubcellar.storage import PubsubItem, PubsubNode, SqlStore, open_store

AWKWARD = (
    "<item xmlns='http://jabber.org/protocol/pubsub' id='ü\"&amp;'\tpublisher=\"a@b\">\r\n"
    "  <x xmlns='urn:x'>\u00e9 e\u0301 \U0001f4a9 \u2028 ]]&gt; '' \"\" %s :name ?</x>\n\n</item>"
)


async def counts(store: SqlStore) -> tuple[int, int]:
    found = await store.node(KEY)
    assert found is not None
    return found.item_count, found.size_bytes


class TestPutItem:
    async def test_new_item_goes_to_the_newest_end(self, store: SqlStore):
        await hold(store, ["a", "b"])
        assert await store.put_item(KEY, item("c"), to_newest_end=False) is True
        assert await store.item_ids(KEY) == ["a", "b", "c"]

    async def test_replaced_item_stays(self, store: SqlStore):
        await hold(store, ["a", "b", "c"])
        new = item("a", "<new/>")
        assert await store.put_item(KEY, new, to_newest_end=False) is False
        assert await store.item_ids(KEY) == ["a", "b", "c"]
        assert await store.items_by_id(KEY, ["a"]) == [new.item]

    async def test_replaced_item_moves_to_the_newest_end(self, store: SqlStore):
        await hold(store, ["a", "b", "c"])
        assert await store.put_item(KEY, item("a"), to_newest_end=True) is False
        assert await store.put_item(KEY, item("a"), to_newest_end=True) is False
        assert await store.item_ids(KEY) == ["b", "c", "a"]

    async def test_counts_follow(self, store: SqlStore):
        await hold(store, ["a"])
        long, short = item("b", "é" * 100), item("b", "é")
        size = item("a").item.size_bytes
        await store.put_item(KEY, long, to_newest_end=False)
        assert await counts(store) == (2, size + long.item.size_bytes)
        await store.put_item(KEY, short, to_newest_end=True)
        assert await counts(store) == (2, size + short.item.size_bytes)

    async def test_node_without_record_is_a_conflict(self, store: SqlStore):
        with pytest.raises(StoreConflict):
            await store.put_item(KEY, item("a"), to_newest_end=False)
        assert await store.item_ids(KEY) == []

    async def test_xml_comes_back_byte_by_byte(self, store: SqlStore):
        await store.save_node(node())
        awkward = Item('ü"&', AWKWARD, "a@b", "urn:x")
        await store.put_item(KEY, ParsedItem(awkward), to_newest_end=False)
        [found] = await store.items_by_id(KEY, [awkward.item_id])
        assert found == awkward
        assert found.xml.encode() == AWKWARD.encode()

    async def test_same_id_in_another_node_is_another_item(self, store: SqlStore):
        other = NodeKey(KEY.service, "other")
        await hold(store, ["a"])
        await hold(store, ["a"], node(other))
        await store.remove_items(other, ["a"])
        assert await store.item_ids(KEY) == ["a"]

    async def test_creation_time_outlives_a_replacement(self, store: SqlStore, database_url: str):
        times = iter([NOW, NOW.replace(hour=20)])
        ticking = await open_store(database_url, now=lambda: next(times))
        await ticking.save_node(node())
        await ticking.put_item(KEY, item("a"), to_newest_end=False)
        await ticking.put_item(KEY, item("a"), to_newest_end=True)
        await ticking.close()
        async with store.session() as session:
            found = (await session.scalars(select(PubsubItem))).one()
            assert (found.created_at, found.updated_at) == (NOW, NOW.replace(hour=20))


class TestRemoveItems:
    async def test_removed_ids_are_told(self, store: SqlStore):
        await hold(store, ["a", "b", "c"])
        assert await store.remove_items(KEY, ["c", "a", "x", "a"]) == {"a", "c"}
        assert await store.item_ids(KEY) == ["b"]
        assert await counts(store) == (1, item("b").item.size_bytes)

    async def test_nothing_to_remove(self, store: SqlStore):
        assert await store.remove_items(KEY, ["a"]) == frozenset()
        await hold(store, ["a"])
        assert await store.remove_items(KEY, ["x"]) == frozenset()
        assert await store.remove_items(KEY, []) == frozenset()
        assert await store.item_ids(KEY) == ["a"]

    async def test_all_items_are_removed(self, store: SqlStore):
        await hold(store, ["a", "b"])
        await store.remove_all_items(KEY)
        assert await store.item_ids(KEY) == []
        assert await counts(store) == (0, 0)
        await store.put_item(KEY, item("c"), to_newest_end=False)
        assert await counts(store) == (1, item("c").item.size_bytes)

    async def test_removing_all_items_of_an_unknown_node_does_nothing(self, store: SqlStore):
        await store.remove_all_items(KEY)

    async def test_what_is_staged_stays(self, store: SqlStore):
        held = await hold(store, ["a"])
        await store.stage(KEY, items(["a", "b"]))
        await store.remove_all_items(KEY)
        await store.remove_items(KEY, ["a", "b"])
        assert (await store.publish_staged(held, ["a", "b"])).item_count == 2


class TestItemsById:
    async def test_each_once_and_oldest_first(self, store: SqlStore):
        await hold(store, ["a", "b", "c"])
        assert ids_of(await store.items_by_id(KEY, ["c", "x", "a", "c"])) == ["a", "c"]

    async def test_unknown_node_has_no_items(self, store: SqlStore):
        assert await store.items_by_id(KEY, ["a"]) == []
        assert await store.item_ids(KEY) == []

    async def test_thousands_of_ids(self, store: SqlStore):
        many = [f"id{number}" for number in range(5_500)]
        await hold(store, many)
        assert ids_of(await store.items_by_id(KEY, [*reversed(many), *many])) == many
        assert len(await store.remove_items(KEY, [*many, *many])) == len(many)
        assert await counts(store) == (0, 0)


class TestModels:
    async def test_keys_of_parsed_items_can_be_queried_one_by_one(self, store: SqlStore):
        await hold(store, [], node(type="blog"))
        for number, title in enumerate(["The cellar", "The attic"]):
            parsed = {"title": title, "tags": ["a", {"b": None}], "number": number}
            await store.put_item(
                KEY, item(title, parsed=parsed, parsed_by="blog/1"), to_newest_end=False
            )
        await store.put_item(KEY, item("unparsed"), to_newest_end=False)
        await store.stage(KEY, [item("staged", parsed={"title": "cellar"}, parsed_by="blog/1")])
        title = PubsubItem.parsed["title"].as_string()
        query = (
            select(PubsubItem.item_id, PubsubItem.parsed["number"].as_integer())
            .select_from(PubsubNode)
            .join(PubsubNode.items)
            .where(PubsubNode.type == "blog", title.like("%cellar%"))
        )
        async with store.session() as session:
            assert [tuple(row) for row in await session.execute(query)] == [("The cellar", 0)]

    async def test_no_parse_is_null_and_not_json(self, store: SqlStore):
        await hold(store, ["a"])
        async with store.session() as session:
            query = text("SELECT count(*) FROM pubsub_item WHERE parsed IS NULL")
            assert await session.scalar(query) == 1

    async def test_objects_of_a_session_outlive_it(self, store: SqlStore):
        await hold(store, ["a"])
        async with store.session() as session:
            [found] = (await session.scalars(select(PubsubNode))).all()
            await session.commit()
        assert (found.name, found.item_count, found.created_at) == ("blog", 1, NOW)


class TestWhatTellsWhichItemsToCompare:
    async def test_items_written_since(self, store: SqlStore, database_url: str):
        times = [NOW, NOW + minutes(1), NOW + minutes(2), NOW + minutes(3)]
        moments = iter(times)
        clocked = await open_store(database_url, now=lambda: next(moments))
        try:
            await hold(clocked, ["a", "b", "c"])
            await clocked.put_item(KEY, item("b"), to_newest_end=False)
            await clocked.put_item(KEY, item("d"), to_newest_end=True)
            await clocked.stage(KEY, [item("staged")])
        finally:
            await clocked.close()
        assert await store.ids_written_since(KEY, NOW - minutes(1)) == {"a", "b", "c", "d"}
        assert await store.ids_written_since(KEY, NOW) == {"b", "d"}
        assert await store.ids_written_since(KEY, NOW + minutes(2)) == frozenset()
        other = NodeKey(KEY.service, "other")
        assert await store.ids_written_since(other, NOW - minutes(1)) == frozenset()

    async def test_parsers(self, store: SqlStore):
        await hold(store, ["a"])
        assert await store.parsers(KEY) == {None}
        await store.put_item(KEY, item("b", parsed_by="blog/1"), to_newest_end=True)
        await store.put_item(KEY, item("c", parsed_by="blog/2"), to_newest_end=True)
        await store.stage(KEY, [item("staged", parsed_by="blog/3")])
        assert await store.parsers(KEY) == {None, "blog/1", "blog/2"}
        assert await store.parsers(NodeKey(KEY.service, "other")) == frozenset()
