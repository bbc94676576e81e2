"""What every store promises of its transactions, and of tasks that use it at the same time."""

import asyncio

import pytest
from sqlalchemy import text
from store_values import ALL, KEY, NOW, hold, item, items, node

from pubcellar.core.errors import StoreConflict, StoreUnavailable
from pubcellar.core.records import ServiceRecord
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import BareJID, NodeKey, PageRequest
from pubcellar.storage import SqlStore

pytestmark = pytest.mark.filterwarnings("error")


class TestReaders:
    async def test_reader_cannot_write(self, store: SqlStore):
        await store.save_node(node())
        with pytest.raises(StoreUnavailable, match="cannot be written to"):
            async with store._connections.reading() as connection:
                await connection.execute(text("DELETE FROM pubsub_node"))
        assert await store.node(KEY) == node()

    async def test_session_cannot_write(self, store: SqlStore):
        await store.save_node(node())
        async with store.session() as session:
            with pytest.raises(Exception, match=r"(?i)read-?only"):
                await session.execute(text("DELETE FROM pubsub_node"))
        assert await store.node(KEY) == node()

    async def test_snapshot_of_a_reader_outlasts_a_write(self, store: SqlStore):
        await hold(store, ["a"])
        count = text("SELECT count(*) FROM pubsub_item")
        async with store._connections.reading() as connection:
            assert await connection.scalar(count) == 1
            await store.put_item(KEY, item("b"), to_newest_end=False)
            assert await connection.scalar(count) == 1
        assert await store.item_ids(KEY) == ["a", "b"]


class TestRefusedValues:
    """Nothing but errors of the core leaves the store, and nothing was changed."""

    async def test_state_outside_the_known_ones_cannot_be_stored(self, store: SqlStore):
        await store.save_node(node())
        with pytest.raises(StoreConflict):
            async with store._connections.writing() as connection:
                await connection.execute(text("UPDATE pubsub_node SET state = 'asleep'"))
        assert await store.node(KEY) == node()

    @pytest.mark.parametrize("text", ["lone \ud800 surrogate", "lone \udcff byte"])
    async def test_text_that_is_none_is_a_conflict(self, store: SqlStore, text: str):
        held = await hold(store, ["a"])
        with pytest.raises(StoreConflict):
            await store.put_item(KEY, item("b", parsed_by=text), to_newest_end=True)
        with pytest.raises(StoreConflict):
            await store.save_node(node(NodeKey(KEY.service, text)))
        with pytest.raises(StoreConflict):
            await store.node(NodeKey(KEY.service, text))
        assert await store.node(KEY) == held
        assert await store.item_ids(KEY) == ["a"]

    async def test_names_as_long_as_any_that_is_held(self, store: SqlStore):
        """In text that cannot be compressed, since PostgreSQL bounds the rows of an index."""
        service = BareJID("".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(425)))
        name, item_id = (
            "".join(chr(0x4E00 + n * step % 20_000) for n in range(341)) for step in (7_907, 7_901)
        )
        assert (len(service.encode()), len(name.encode())) == (1_275, 1_023)
        record = node(NodeKey(service, name))
        await store.save_service(ServiceRecord(service, ServiceTraits(pages=True)))
        await hold(store, [item_id], record)
        found = await store.node(record.key)
        assert found is not None
        assert found.key == record.key
        assert await store.item_ids(record.key) == [item_id]
        assert await store.service(service) is not None


class TestClosed:
    async def test_closed_store_is_unavailable(self, store: SqlStore):
        await store.close()
        await store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.node(KEY)
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.save_node(node())


class TestTasks:
    async def test_writes_at_once_wait_for_each_other(self, store: SqlStore):
        await store.save_node(node())
        await asyncio.gather(
            *(store.put_item(KEY, item(f"id{n}"), to_newest_end=False) for n in range(60)),
            *(store.page(KEY, PageRequest(), newest_first=True, max_bytes=ALL) for _ in range(60)),
        )
        found = await store.node(KEY)
        assert found is not None
        assert found.item_count == len(await store.item_ids(KEY)) == 60

    async def test_write_whose_caller_is_cancelled_comes_to_its_end(self, store: SqlStore):
        await store.save_node(node())
        for name in ("a", "b", "c"):
            writing = asyncio.ensure_future(store.put_item(KEY, item(name), to_newest_end=False))
            await asyncio.sleep(0)  # it begins
            writing.cancel()
            await asyncio.wait([writing])
            assert writing.cancelled()
        await store.put_item(KEY, item("d"), to_newest_end=False)
        assert await store.item_ids(KEY) == ["a", "b", "c", "d"]

    async def test_cancelled_writes_leave_no_lock(self, store: SqlStore):
        held = await hold(store, ["a"])
        for turns in range(30):
            writing = asyncio.ensure_future(store.stage(KEY, items(["b", "c"])))
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
            await store.discard_staged(KEY)
        async with asyncio.timeout(30):
            await store.stage(KEY, items(["d"]))
            assert (await store.publish_staged(held, ["d"])).item_count == 1

    async def test_cancelled_reads_leave_the_connections_usable(self, store: SqlStore):
        await hold(store, [f"id{n}" for n in range(50)])
        for turns in range(30):
            reading = asyncio.ensure_future(store.item_ids(KEY))
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
        assert await asyncio.gather(*(store.count_nodes() for _ in range(8))) == [1] * 8

    async def test_make_stale_while_a_page_is_read(self, store: SqlStore):
        await hold(store, ["a"])
        _, page = await asyncio.gather(
            store.make_stale(NOW),
            store.page(KEY, PageRequest(), newest_first=True, max_bytes=ALL),
        )
        assert page.count == 1
        found = await store.node(KEY)
        assert found is not None
        assert found.state is NodeState.STALE
