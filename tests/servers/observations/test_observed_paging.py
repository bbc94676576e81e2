"""docs/servers.md, "Paging": what `<set/>` (XEP-0059) comes to in requests for items and disco."""

import re
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from harness import Client, Reply
from harness.stanzas import NS_DISCO_INFO, NS_RSM, element, page_request, read_page
from spelling import item_ids, items_request, local_name, said

pytestmark = pytest.mark.servers

ALL = ["i0", "i1", "i2", "i3", "i4", "i5"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
BAD_REQUEST = "modify/bad-request"


def told(reply: Reply) -> Any:
    """Return ids, and `count` and `index` of the `<set/>` if there is one; or the error."""
    if reply.is_error:
        return said(reply)
    assert reply.payload is not None
    page = read_page(reply.payload)
    return item_ids(reply) if page is None else (item_ids(reply), page.count, page.index)


async def page_of(reader: Client, service: str, node: str, page: Element) -> Any:
    return told(await reader.request("get", service, items_request(node, page=page)))


@pytest.mark.observed("paging-1", prosody=ALL, ejabberd=(["i0", "i1"], 6, 0))
async def test_first_page(expected: Any, service: str, reader: Client, six_items: str) -> None:
    assert await page_of(reader, service, six_items, page_request(2)) == expected


@pytest.mark.observed("paging-2", prosody=[], mnesia=[], sql=["service", "node"])
async def test_what_disco_says_of_paging(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(service, node_name)
    told_by = {"service": None, "node": node_name}
    answers = {name: (await reader.disco_info(service, node)).xml for name, node in told_by.items()}
    path = f".//{{{NS_DISCO_INFO}}}feature[@var='{NS_RSM}']"
    assert [name for name, xml in answers.items() if xml.find(path) is not None] == expected


@pytest.mark.observed("paging-3", prosody=[], ejabberd=["time", "time"])
async def test_what_stands_for_an_item(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    page = (await reader.items(service, six_items, page=page_request(2))).page
    ends = () if page is None else (page.first or "", page.last or "")
    assert ["time" if TIME.fullmatch(end) else end for end in ends] == expected


@pytest.mark.observed("paging-4", prosody=["items"], ejabberd=["set", "items"])
async def test_where_the_page_is_described(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    answer = await reader.items(service, six_items, page=page_request(2))
    assert [local_name(each) for each in answer.reply.payload or ()] == expected


@pytest.mark.observed("paging-5", prosody=ALL, ejabberd=([], 6, None))
async def test_page_of_no_items(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await page_of(reader, service, six_items, page_request(0)) == expected


@pytest.mark.observed(
    "paging-6", prosody=ALL, mnesia=(["i4", "i5"], 6, 4), sql=(["i5", "i4"], 6, 0)
)
async def test_last_page(expected: Any, service: str, reader: Client, six_items: str) -> None:
    assert await page_of(reader, service, six_items, page_request(2, before="")) == expected


@pytest.mark.observed(
    "paging-7", prosody=ALL, mnesia=(["i2", "i3"], 6, 2), sql=(["i2", "i3"], 6, 0)
)
async def test_page_after_another(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    first = await reader.items(service, six_items, page=page_request(2))
    after = first.page.last if first.page else "i1"
    assert await page_of(reader, service, six_items, page_request(2, after=after)) == expected


@pytest.mark.observed(
    "paging-8", prosody=ALL, mnesia=(["i2", "i3"], 6, 2), sql=(["i3", "i2"], 6, 0)
)
async def test_page_before_another(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    wanted = page_request(1, index=4)
    page = (await reader.items(service, six_items, page=wanted)).page
    before = page.first if page else "i4"
    assert await page_of(reader, service, six_items, page_request(2, before=before)) == expected


@pytest.mark.observed("paging-9", prosody=ALL, ejabberd=([], 6, None))
async def test_page_after_an_unknown_one(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await page_of(reader, service, six_items, page_request(2, after="i1")) == expected


@pytest.mark.observed(
    "paging-10", prosody=ALL, mnesia=(["i4", "i5"], 6, 4), sql=(["i5", "i4"], 6, 0)
)
async def test_page_before_an_unknown_one(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await page_of(reader, service, six_items, page_request(2, before="i4")) == expected


@pytest.mark.observed("paging-11", prosody=ALL, ejabberd=(["i2", "i3"], 6, 2))
async def test_page_by_position(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await page_of(reader, service, six_items, page_request(2, index=2)) == expected


@pytest.mark.observed(
    "paging-12", prosody=ALL, mnesia="wait/internal-server-error", sql=([], 6, None)
)
async def test_page_beyond_the_end(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await page_of(reader, service, six_items, page_request(2, index=99)) == expected


@pytest.mark.observed("paging-13", prosody=ALL, ejabberd=BAD_REQUEST)
@pytest.mark.parametrize("page", ["<max>x</max>", "<max>2</max><index>-1</index>"])
async def test_page_that_cannot_be(
    expected: Any, page: str, service: str, reader: Client, six_items: str
) -> None:
    request = element(f"<set xmlns='{NS_RSM}'>{page}</set>")
    assert await page_of(reader, service, six_items, request) == expected


@pytest.mark.observed("paging-14", prosody=ALL, mnesia=(ALL, 6, -44), sql=(ALL[::-1], 6, 0))
async def test_newest_items_more_than_there_are(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    request = items_request(six_items, max_items="50")
    assert told(await reader.request("get", service, request)) == expected


@pytest.mark.observed("paging-15", everywhere=None)
async def test_page_of_the_nodes_of_a_service(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    for number in range(3):
        await owner.create(service, f"{node_name}/{number}")
    answer = await reader.disco_items(service, page=page_request(2))
    assert answer.page is expected
    assert len(answer.elements) > 2


@pytest.mark.observed("paging-16", prosody=(6, None), ejabberd=(2, 6))
async def test_page_of_the_items_of_a_node_in_disco(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    answer = await reader.disco_items(service, six_items, page=page_request(2))
    assert (len(answer.elements), answer.page and answer.page.count) == expected


@pytest.mark.observed("paging-17", prosody=[ALL], ejabberd=[ALL[:4], ALL[4:]])
async def test_all_pages_one_after_the_other(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    pages = await reader.all_pages(service, six_items, 4)
    assert [page.ids for page in pages] == expected
