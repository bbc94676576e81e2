"""Items of a LIVE, open node come from the database, and the service is not asked.

XEP-0060 section 6.5, XEP-0059.
"""

import pytest
from playbook import Cellar, Service, item_ids, items, page_of

IDS = [f"i{number}" for number in range(1, 8)]


@pytest.fixture
def held(cellar: Cellar, service: Service, wait_for_coroutine) -> Cellar:
    wait_for_coroutine(cellar.holds(service, "notes/a", IDS))
    return cellar


async def test_the_answer_equals_what_the_service_would_have_sent(
    cellar: Cellar, service: Service
) -> None:
    """XEP-0060 example 76, from the address that was asked."""
    payload = (
        "<entry xmlns='http://www.w3.org/2005/Atom' xmlns:x='urn:x' x:a='1'>"
        "<title>Soliloquy &amp; more</title>\n<x:b xml:lang='en'>ü</x:b></entry>"
    )
    await cellar.holds(service, "notes/a", ["ae890ac52d0df67ed7cfdf51b644e901"], payload)
    cellar.receives(
        "<iq type='get' from='francisco@denmark.lit/barracks' to='cache.example.org' id='items1'>"
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='notes/a'/></pubsub></iq>"
    )
    await cellar.sends(
        "<iq type='result' to='francisco@denmark.lit/barracks' from='cache.example.org' "
        "id='items1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='notes/a'>"
        f"<item id='ae890ac52d0df67ed7cfdf51b644e901'>{payload}</item></items></pubsub></iq>"
    )
    await cellar.idle()
    assert service.asked == []


async def test_everybody_is_answered_from_an_open_node(held: Cellar, service: Service) -> None:
    answer = await held.result(items("notes/a"), sender="stranger@far.example/away")
    assert item_ids(answer) == IDS
    assert service.asked == []


@pytest.mark.parametrize(("number", "found"), [(1, IDS[-1:]), (3, IDS[-3:]), (7, IDS), (99, IDS)])
async def test_max_items_gives_the_newest(
    held: Cellar, service: Service, number: int, found: list[str]
) -> None:
    """Section 6.5.7."""
    assert item_ids(await held.result(items("notes/a", max_items=number))) == found
    assert service.asked == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["i2"], ["i2"]),
        (["i5", "i1"], ["i5", "i1"]),
        (["i5", "i1", "i5"], ["i5", "i1", "i5"]),
        (["none", "i3", "neither"], ["i3"]),
        (["none"], []),
    ],
)
async def test_items_by_id_come_as_the_service_gives_them(
    held: Cellar, service: Service, asked: list[str], found: list[str]
) -> None:
    """Section 6.5.8: in the order asked, duplicates kept, missing ones left out."""
    assert item_ids(await held.result(items("notes/a", ids=asked))) == found
    assert service.asked == []


PAGES = [
    ("<max>3</max>", IDS[:3], ("i1", "0", "i3", "7")),
    ("<max>3</max><after>i3</after>", IDS[3:6], ("i4", "3", "i6", "7")),
    ("<max>3</max><after>i6</after>", IDS[6:], ("i7", "6", "i7", "7")),
    ("<max>3</max><after>i7</after>", [], (None, None, None, "7")),
    ("<max>2</max><before/>", IDS[5:], ("i6", "5", "i7", "7")),
    ("<max>2</max><before>i6</before>", IDS[3:5], ("i4", "3", "i5", "7")),
    ("<max>2</max><before>i1</before>", [], (None, None, None, "7")),
    ("<max>2</max><index>4</index>", IDS[4:6], ("i5", "4", "i6", "7")),
    ("<max>2</max><index>99</index>", [], (None, None, None, "7")),
    ("<max>0</max>", [], (None, None, None, "7")),
    ("<max>99</max>", IDS, ("i1", "0", "i7", "7")),
    ("", IDS, ("i1", "0", "i7", "7")),
]


@pytest.mark.parametrize(("page", "found", "said"), PAGES)
async def test_the_proxy_pages_for_a_service_that_does_not(
    held: Cellar, service: Service, page: str, found: list[str], said: tuple[str | None, ...]
) -> None:
    """XEP-0059 sections 2.1 to 2.7, with item ids as tokens."""
    answer = await held.result(items("notes/a", page=page))
    assert (item_ids(answer), page_of(answer)) == (found, said)
    assert service.asked == []


@pytest.mark.parametrize("page", ["<after>none</after>", "<max>3</max><before>none</before>"])
async def test_an_unknown_token_is_item_not_found(
    held: Cellar, service: Service, page: str
) -> None:
    """XEP-0059 section 2.2, example 7."""
    answer = await held.answer(items("notes/a", page=page))
    assert answer.condition == "cancel/item-not-found"
    assert service.asked == []


@pytest.mark.parametrize("page", ["<max>-1</max>", "<max>x</max>", "<index>-3</index>"])
async def test_a_page_that_cannot_be_one_is_a_bad_request(
    held: Cellar, service: Service, page: str
) -> None:
    answer = await held.answer(items("notes/a", page=page))
    assert answer.condition == "modify/bad-request"
    assert service.asked == []


async def test_an_empty_node_is_answered_empty(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/empty")
    answer = await cellar.result(items("notes/empty"))
    assert item_ids(answer) == []
    answer = await cellar.result(items("notes/empty", max_items=3))
    assert item_ids(answer) == []
    assert service.asked == []


async def test_an_empty_node_has_an_empty_page(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/full", ["i1", "i2"])
    await cellar.holds(service, "notes/empty")
    answer = await cellar.result(items("notes/empty", page="<max>5</max>"))
    assert page_of(answer) == (None, None, None, "0")
    assert service.asked == []


async def test_with_paging_as_the_service_a_page_is_ignored_where_it_ignores_it(
    start, service: Service
) -> None:
    cellar = await start("[cache]\npaging = 'service'\n")
    await cellar.holds(service, "notes/a", IDS)
    answer = await cellar.result(items("notes/a", page="<max>2</max>"))
    assert item_ids(answer) == IDS
    assert page_of(answer) is None
    assert service.asked == []


async def test_what_stands_on_the_iq_itself_is_understood(held: Cellar, service: Service) -> None:
    held.receives(
        "<iq type='get' from='juliet@capulet.lit/x' to='Cache.Example.org' id='' xml:lang='it'>"
        f"{items('notes/a', max_items=1)}</iq>"
    )
    answer = await held.next()
    assert (answer.kind, answer.sender, answer.id) == ("result", "Cache.Example.org", "")
    assert service.asked == []


class TestPagingService:
    """A held node of a service that pages is paged in the service's order."""

    async def test_pages_come_from_the_database(
        self, cellar: Cellar, paging_service: Service
    ) -> None:
        await cellar.holds(paging_service, "notes/a", IDS)
        first = await cellar.result(items("notes/a", page="<max>3</max>"))
        assert page_of(first) == ("pubcellar:0:i1", "0", "pubcellar:2:i3", "7")
        after = "<max>3</max><after>pubcellar:2:i3</after>"
        second = await cellar.result(items("notes/a", page=after))
        assert item_ids(second) == IDS[3:6]
        last = await cellar.result(items("notes/a", page="<max>3</max><before/>"))
        assert item_ids(last) == IDS[4:]
        assert paging_service.asked == []

    async def test_a_token_that_the_service_issued_is_forwarded(
        self, cellar: Cellar, paging_service: Service
    ) -> None:
        await cellar.holds(paging_service, "notes/a", IDS)
        answer = await cellar.result(items("notes/a", page="<max>2</max><after>t-0002</after>"))
        assert item_ids(answer) == IDS[3:5]
        assert len(paging_service.asked) == 1

    async def test_ids_come_in_stored_order_once(
        self, cellar: Cellar, paging_service: Service
    ) -> None:
        await cellar.holds(paging_service, "notes/a", IDS)
        answer = await cellar.result(items("notes/a", ids=["i5", "i1", "i5"]))
        assert item_ids(answer) == ["i1", "i5"]
        assert paging_service.asked == []
