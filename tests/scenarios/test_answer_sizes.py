"""No answer exceeds `max_stanza_bytes` (XEP-0060 section 6.5.4)."""

import pytest
from playbook import Cellar, Service, item_ids, items, listing, page_of

LIMIT = 20 * 1024
SMALL = "[cache]\nmax_stanza_bytes = '20KiB'\nmax_item_bytes = '20KiB'\n"
IDS = [f"i{number}" for number in range(1, 9)]


def of_size(size_bytes: int) -> str:
    return f"<n xmlns='urn:n'>{'x' * size_bytes}</n>"


@pytest.fixture
def small(start, wait_for_coroutine) -> Cellar:
    return wait_for_coroutine(start(SMALL))


@pytest.mark.parametrize("node", ["notes/a", "other"])
class TestServiceThatDoesNotPage:
    """Held or forwarded, the list is cut in the same way."""

    async def given(self, cellar: Cellar, service: Service, node: str, size: int) -> None:
        cellar.stands_behind(service).has(node, IDS, payload=of_size(size))
        await cellar.answer(items(node))
        await cellar.settled()
        assert await cellar.state(node) == ("live" if node == "notes/a" else "no_sync")
        service.asked.clear()

    async def test_a_plain_list_is_cut_at_an_item(
        self, small: Cellar, service: Service, node: str
    ) -> None:
        await self.given(small, service, node, 5000)
        answer = await small.answer(items(node))
        assert item_ids(answer.element) == IDS[:3]
        assert page_of(answer.element) == ("i1", "0", "i3", "8")
        assert len(answer.raw) <= LIMIT

    async def test_the_rest_can_be_paged_to(
        self, small: Cellar, service: Service, node: str
    ) -> None:
        await self.given(small, service, node, 5000)
        answer = await small.answer(items(node, page="<after>i3</after>"))
        assert item_ids(answer.element) == IDS[3:6]
        answer = await small.answer(items(node, page="<before/>"))
        assert item_ids(answer.element) == IDS[5:]

    async def test_of_the_newest_the_older_give_way(
        self, small: Cellar, service: Service, node: str
    ) -> None:
        await self.given(small, service, node, 5000)
        answer = await small.answer(items(node, max_items=7))
        assert item_ids(answer.element) == IDS[5:]

    async def test_an_item_too_large_alone_is_not_acceptable(
        self, small: Cellar, service: Service, node: str
    ) -> None:
        await self.given(small, service, node, 18 * 1024)
        for question in (items(node), items(node, max_items=1), items(node, ids=["i1"])):
            answer = await small.answer(question)
            assert answer.condition == "modify/not-acceptable"
            assert "pubsub.example.org" in answer.text


@pytest.mark.parametrize("size", range(LIMIT - 250, LIMIT, 50))
async def test_what_surrounds_a_relayed_answer_counts(
    small: Cellar, service: Service, size: int
) -> None:
    small.stands_behind(service).has("other", ["i1"], payload=of_size(size))
    assert len((await small.answer(items("other"))).raw) <= LIMIT


async def test_a_long_list_of_ids_is_cut(small: Cellar, service: Service) -> None:
    ids = [f"{number:04}-{'x' * 100}" for number in range(200)]
    await small.holds(service, "notes/a", ids)
    answer = await small.answer(listing("notes/a"))
    assert answer.kind == "result"
    assert len(answer.raw) <= LIMIT
    assert item_ids(answer.element) == ids[::-1][: len(item_ids(answer.element))]
    first, index, last, count = page_of(answer.element)
    assert (first, index, count) == (ids[-1], "0", "200")
    more = await small.answer(listing("notes/a", f"<after>{last}</after>"))
    assert ids[::-1].index(item_ids(more.element)[0]) == ids[::-1].index(last) + 1


class TestServiceThatPages:
    async def test_its_page_is_asked_again_smaller(
        self, small: Cellar, paging_service: Service
    ) -> None:
        small.stands_behind(paging_service).has("other", IDS, payload=of_size(5000))
        answer = await small.answer(items("other", page="<max>8</max>"))
        assert item_ids(answer.element) == IDS[:3]
        assert page_of(answer.element) == ("t-0000", "0", "t-0002", "8")
        assert len(answer.raw) <= LIMIT

    async def test_its_last_page_stays_next_to_the_end(
        self, small: Cellar, paging_service: Service
    ) -> None:
        small.stands_behind(paging_service).has("other", IDS, payload=of_size(5000))
        answer = await small.answer(items("other", page="<max>8</max><before/>"))
        assert item_ids(answer.element) == IDS[5:]

    async def test_an_item_too_large_alone_is_not_acceptable(
        self, small: Cellar, paging_service: Service
    ) -> None:
        small.stands_behind(paging_service).has("other", ["i1"], payload=of_size(21_000))
        answer = await small.answer(items("other", page="<max>1</max>"))
        assert answer.condition == "modify/not-acceptable"

    async def test_the_tokens_of_a_plain_list_that_is_cut_lead_on(
        self, small: Cellar, paging_service: Service
    ) -> None:
        """A node that is not held, of a service that is known to page."""
        await small.holds(paging_service, "notes/a", ["n1", "n2"])
        paging_service.has("other", IDS, payload=of_size(5000))
        first = await small.answer(items("other"))
        _, _, last, _ = page_of(first.element)
        found = item_ids(first.element)
        rest = await small.answer(items("other", page=f"<after>{last}</after>"))
        assert item_ids(rest.element) == IDS[len(found) : len(found) + 3]


async def test_an_answer_over_the_received_caps_is_not_acceptable(start, service: Service) -> None:
    cellar = await start(
        component="max_received_bytes = '64KiB'\n", more="[cache]\nmax_item_bytes = '60KiB'\n"
    )
    cellar.stands_behind(service).has("other", ["i1"], payload=of_size(70_000))
    answer = await cellar.answer(items("other"))
    assert answer.condition == "modify/not-acceptable"
    assert "pubsub.example.org" in answer.text
    service.has("other", ["i1"])
    await cellar.result(items("other"))
