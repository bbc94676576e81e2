"""Pages from the database are those that `core.paging` cuts from a list."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_values import ALL, KEY, hold, ids_of, item, items, node

from pubcellar.core.errors import ItemNotFound
from pubcellar.core.paging import fitting, slice_of
from pubcellar.core.records import ParsedItem, StoredPage
from pubcellar.core.values import PageRequest
from pubcellar.storage import SqlStore, open_store

Result = TypeVar("Result")

HUGE = 10**30
OLDEST_FIRST = [f"id{number}" for number in range(250)]


async def page(store: SqlStore, request: PageRequest, max_bytes: int = ALL) -> StoredPage:
    return await store.page(KEY, request, newest_first=True, max_bytes=max_bytes)


class TestPage:
    async def test_pages_forward_cover_the_list(self, store: SqlStore):
        await hold(store, OLDEST_FIRST)
        seen: list[str] = []
        request = PageRequest(max=30)
        while (found := await page(store, request)).items:
            assert (found.count, found.first_index) == (250, len(seen))
            seen += ids_of(found.items)
            request = PageRequest(max=30, after=seen[-1])
        assert found == StoredPage((), 250)
        assert seen == OLDEST_FIRST[::-1]

    async def test_pages_backward_cover_the_list(self, store: SqlStore):
        await hold(store, OLDEST_FIRST)
        seen: list[str] = []
        request = PageRequest(max=30, before="")
        while (found := await page(store, request)).items:
            seen = ids_of(found.items) + seen
            assert found.first_index == 250 - len(seen)
            request = PageRequest(max=30, before=seen[0])
        assert seen == OLDEST_FIRST[::-1]

    async def test_forward_page_gives_way_at_its_end(self, store: SqlStore):
        await hold(store, OLDEST_FIRST)
        room = 2 * item("id100").item.size_bytes + 5
        found = await page(store, PageRequest(max=10, after="id150"), room)
        assert ids_of(found.items) == ["id149", "id148"]
        assert (found.first_index, found.is_cut) == (100, True)

    async def test_backward_page_gives_way_at_its_beginning(self, store: SqlStore):
        await hold(store, OLDEST_FIRST)
        room = 2 * item("id100").item.size_bytes + 5
        found = await page(store, PageRequest(max=10, before="id150"), room)
        assert ids_of(found.items) == ["id152", "id151"]
        assert (found.first_index, found.is_cut) == (97, True)

    async def test_page_that_fits_exactly_is_not_cut(self, store: SqlStore):
        await hold(store, ["a", "b"])
        room = 2 * item("a").item.size_bytes
        assert not (await page(store, PageRequest(), room)).is_cut
        assert (await page(store, PageRequest(), room - 1)).is_cut

    async def test_first_item_too_large_is_an_empty_page_that_was_cut(self, store: SqlStore):
        await hold(store, ["a"])
        assert await page(store, PageRequest(), 10) == StoredPage((), 1, None, is_cut=True)

    async def test_large_items_among_small_ones(self, store: SqlStore):
        await hold(store, [])
        sizes = [10, 5_000, 10, 10, 20_000, 10] * 40
        all_items = [item(f"id{n}", "x" * size) for n, size in enumerate(sizes)]
        await store.stage(KEY, all_items)
        await store.publish_staged(node(), [one.item.item_id for one in all_items])
        found = await store.page(KEY, PageRequest(), newest_first=False, max_bytes=30_000)
        assert ids_of(found.items) == [f"id{n}" for n in range(7)]
        assert found.is_cut

    async def test_max_zero_asks_for_the_count(self, store: SqlStore):
        """XEP-0059 section 2.7."""
        await hold(store, ["a", "b"])
        assert await page(store, PageRequest(max=0)) == StoredPage((), 2)

    @pytest.mark.parametrize("request_", [PageRequest(after="x"), PageRequest(before="x")])
    async def test_unknown_token(self, store: SqlStore, request_: PageRequest):
        for _ in range(2):
            with pytest.raises(ItemNotFound):
                await page(store, request_)
            with pytest.raises(ItemNotFound):
                await store.id_page(KEY, request_, newest_first=True)
            with pytest.raises(ItemNotFound):
                await page(store, replace(request_, max=0))
            await hold(store, ["a"])

    async def test_token_that_is_only_staged_is_unknown(self, store: SqlStore):
        await hold(store, ["a"])
        await store.stage(KEY, items(["b"]))
        with pytest.raises(ItemNotFound):
            await page(store, PageRequest(after="b"))

    async def test_numbers_larger_than_any_column(self, store: SqlStore):
        await hold(store, ["a", "b"])
        assert len((await page(store, PageRequest(max=HUGE))).items) == 2
        assert await page(store, PageRequest(index=HUGE)) == StoredPage((), 2)
        ids = await store.id_page(KEY, PageRequest(max=HUGE, index=1), newest_first=True)
        assert ids.item_ids == ("a",)

    async def test_unknown_node_has_an_empty_list(self, store: SqlStore):
        assert await page(store, PageRequest()) == StoredPage((), 0)
        assert await page(store, PageRequest(max=3, index=7)) == StoredPage((), 0)
        assert (await store.id_page(KEY, PageRequest(before=""), newest_first=True)).count == 0


Elsewhere = Callable[[Coroutine[Any, Any, Result]], Result]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere[Any]]:
    """Run coroutines on a loop in another thread, since hypothesis calls plain functions only."""
    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:
        yield lambda coroutine: thread.submit(runner.run, coroutine).result()
        thread.submit(runner.close).result()


@pytest.fixture
def stores(
    sqlite_url: str, postgresql_url: str, elsewhere: Elsewhere[Any]
) -> Iterator[list[SqlStore]]:
    """Return a store of each kind, for `elsewhere`."""
    stores = [elsewhere(open_store(url)) for url in (sqlite_url, postgresql_url)]
    yield stores
    for store in stores:
        elsewhere(store.close())


TOKENS = [f"id{number}" for number in range(40)]
token = st.sampled_from([*TOKENS, "unknown"])
how_many = st.none() | st.integers(0, 45) | st.just(HUGE)
requests = st.one_of(
    st.builds(PageRequest, max=how_many),
    st.builds(PageRequest, max=how_many, after=token | st.just("")),
    st.builds(PageRequest, max=how_many, before=token | st.just("")),
    st.builds(PageRequest, max=how_many, index=st.integers(0, 45) | st.just(HUGE)),
)


class TestAgainstTheCore:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        sizes=st.lists(st.integers(0, 300), max_size=40),
        asked=st.lists(requests, min_size=1, max_size=8),
        max_bytes=st.integers(0, 4_000) | st.just(ALL),
        newest_first=st.booleans(),
        data=st.data(),
    )
    def test_pages_are_those_of_the_list(
        self,
        stores: list[SqlStore],
        elsewhere: Elsewhere[None],
        sizes: list[int],
        asked: list[PageRequest],
        max_bytes: int,
        newest_first: bool,
        data: st.DataObject,
    ):
        content = [item(name, "x" * n) for name, n in zip(TOKENS, sizes, strict=False)]
        content = data.draw(st.permutations(content))
        for store in stores:
            elsewhere(self._hold(store, content))
            elsewhere(self._compare(store, content, asked, max_bytes, newest_first))

    async def _hold(self, store: SqlStore, content: list[ParsedItem]) -> None:
        await store.save_node(node())
        await store.stage(KEY, sorted(content, key=lambda one: one.item.item_id))
        await store.publish_staged(node(), [one.item.item_id for one in content])

    async def _compare(
        self,
        store: SqlStore,
        content: list[ParsedItem],
        asked: list[PageRequest],
        max_bytes: int,
        newest_first: bool,
    ) -> None:
        listed = [one.item for one in (reversed(content) if newest_first else content)]
        tokens = ids_of(listed)
        for request in asked:
            order = {"newest_first": newest_first}
            try:
                wanted = slice_of(tokens, request)
            except ItemNotFound:
                with pytest.raises(ItemNotFound):
                    await store.page(KEY, request, **order, max_bytes=max_bytes)
                with pytest.raises(ItemNotFound):
                    await store.id_page(KEY, request, **order)
                continue
            ids = await store.id_page(KEY, request, **order)
            assert list(ids.item_ids) == tokens[wanted.start : wanted.stop]
            assert ids.first_index == (wanted.start if ids.item_ids else None)
            assert ids.count == len(tokens)
            part = fitting([one.size_bytes for one in listed], wanted, max_bytes)
            found = await store.page(KEY, request, **order, max_bytes=max_bytes)
            assert list(found.items) == listed[part.start : part.stop]
            assert found.first_index == (part.start if found.items else None)
            assert found.count == len(tokens)
            assert found.is_cut == (part.stop - part.start < wanted.stop - wanted.start)


def test_models_and_pages_know_no_offset():
    """Paging is by key: an OFFSET would read all rows before the page."""
    import pubcellar.storage.pages as module

    assert ".offset(" not in Path(module.__file__).read_text()
