"""docs/servers.md, "Order of items": which items an answer holds, and how they are ordered."""

from typing import Any

import pytest
from filling import publish_six
from harness import Client, Reply
from harness.stanzas import form_fields, pubsub, submit_form
from spelling import entry, ids_or_error, items_request, said

pytestmark = pytest.mark.servers

BAD_REQUEST = "modify/bad-request"


@pytest.mark.observed("order-1", everywhere=["i0", "i1", "i2", "i3", "i4", "i5"])
async def test_all_items(expected: Any, service: str, reader: Client, six_items: str) -> None:
    assert (await reader.items(service, six_items)).ids == expected


@pytest.mark.observed(
    "order-2",
    prosody=["i3", "i4", "i5"],
    mnesia=["i3", "i4", "i5"],
    sql=["i5", "i4", "i3"],
)
async def test_newest_items(expected: Any, service: str, reader: Client, six_items: str) -> None:
    assert (await reader.items(service, six_items, max_items=3)).ids == expected


@pytest.mark.observed(
    "order-3",
    prosody=["i0", "i2", "i3", "i4", "i5", "i1"],
    ejabberd=["i0", "i1", "i2", "i3", "i4", "i5"],
)
async def test_all_items_after_one_was_published_again(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await publish_six(owner, service, node_name)
    await owner.publish(service, node_name, "i1", entry("again"))
    assert (await reader.items(service, node_name)).ids == expected


@pytest.mark.observed("order-4", prosody=["i5", "i1"], mnesia=["i4", "i5"], sql=["i5", "i4"])
async def test_newest_items_after_an_old_one_was_published_again(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await publish_six(owner, service, node_name)
    await owner.publish(service, node_name, "i1", entry("again"))
    assert (await reader.items(service, node_name, max_items=2)).ids == expected


async def with_max_items(
    value: str, ids: list[str], service: str, reader: Client, node: str
) -> list[str] | str:
    return ids_or_error(await reader.request("get", service, items_request(node, ids, value)))


@pytest.mark.observed("order-5", prosody=["i5"], ejabberd=[])
async def test_newest_items_none(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await with_max_items("0", [], service, reader, six_items) == expected


@pytest.mark.observed("order-6", prosody=["i5"], ejabberd=BAD_REQUEST)
async def test_newest_items_fewer_than_none(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await with_max_items("-1", [], service, reader, six_items) == expected


@pytest.mark.observed("order-7", prosody=["i0", "i1", "i2", "i3", "i4", "i5"], ejabberd=BAD_REQUEST)
async def test_newest_items_of_a_number_that_is_none(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await with_max_items("x", [], service, reader, six_items) == expected


@pytest.mark.observed("order-8", prosody=["i4", "i1", "i4"], ejabberd=["i1", "i4"])
async def test_items_by_id_in_another_order_and_twice(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert (await reader.items(service, six_items, ids=["i4", "i1", "i4"])).ids == expected


@pytest.mark.observed("order-9", everywhere=["i1"])
async def test_items_by_id_some_of_them_missing(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert (await reader.items(service, six_items, ids=["none", "i1"])).ids == expected


@pytest.mark.observed("order-10", everywhere=[])
async def test_items_by_id_all_of_them_missing(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert (await reader.items(service, six_items, ids=["none", "no"])).ids == expected


@pytest.mark.observed("order-11", everywhere=["i0"])
async def test_one_item_by_id_with_max_items(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await with_max_items("1", ["i0"], service, reader, six_items) == expected


@pytest.mark.observed("order-12", prosody=["i0"], ejabberd=["i5"])
async def test_two_items_by_id_with_max_items_of_one(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await with_max_items("1", ["i0", "i5"], service, reader, six_items) == expected


@pytest.mark.observed("order-13", prosody=["i0", "i1"], ejabberd=[])
async def test_old_items_by_id_with_max_items(
    expected: Any, service: str, reader: Client, six_items: str
) -> None:
    assert await with_max_items("2", ["i0", "i1"], service, reader, six_items) == expected


@pytest.mark.observed("order-14", prosody="20", ejabberd="1000")
async def test_items_that_a_node_keeps_by_default(
    expected: Any, service: str, owner: Client, node_name: str
) -> None:
    await owner.create(service, node_name)
    payload, _ = pubsub("configure", node_name, owner=True)
    form = (await owner.request("get", service, payload)).or_raise()
    assert form_fields(form.xml)["pubsub#max_items"] == expected


async def configured(owner: Client, service: str, node: str, max_items: str) -> Reply:
    await owner.create(service, node)
    payload, action = pubsub("configure", node, owner=True)
    action.append(submit_form({"pubsub#max_items": max_items}))
    return await owner.request("set", service, payload)


@pytest.mark.observed("order-15", prosody=BAD_REQUEST, ejabberd="result")
async def test_node_that_is_to_keep_no_items(
    expected: Any, service: str, owner: Client, node_name: str
) -> None:
    assert said(await configured(owner, service, node_name, "0")) == expected


@pytest.mark.observed("order-16", prosody=BAD_REQUEST, ejabberd="wait/resource-constraint")
async def test_node_that_is_to_keep_more_items_than_the_service_allows(
    expected: Any, service: str, owner: Client, node_name: str
) -> None:
    assert said(await configured(owner, service, node_name, "100001")) == expected
