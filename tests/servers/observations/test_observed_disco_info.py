"""docs/servers.md, "disco#info of a node"."""

from typing import Any
from xml.etree.ElementTree import Element

import pytest
from component_client import ComponentClient
from harness import Client
from harness.stanzas import NS_DATA_FORM, NS_DISCO_INFO, form_fields
from spelling import spelled

pytestmark = pytest.mark.servers

IDENTITY = f".//{{{NS_DISCO_INFO}}}identity"
FEATURE = f".//{{{NS_DISCO_INFO}}}feature"
FORM = f".//{{{NS_DATA_FORM}}}x"
FIELD = f".//{{{NS_DATA_FORM}}}field"
OPTION = f"{{{NS_DATA_FORM}}}option"


def form_types(xml: Element) -> list[str]:
    return [form_fields(form)["FORM_TYPE"] for form in xml.iterfind(FORM)]


def field_names(xml: Element) -> list[str]:
    """Return the names of the first form's fields without what they begin with."""
    form = xml.find(FORM)
    assert form is not None
    names = [field.get("var", "") for field in form.iterfind(FIELD)]
    return [name.removeprefix("pubsub#") for name in names if name != "FORM_TYPE"]


@pytest.mark.observed("info-1", everywhere=[("pubsub", "leaf")])
async def test_identity(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(service, node_name)
    xml = (await reader.disco_info(service, node_name)).xml
    identities = [(each.get("category"), each.get("type")) for each in xml.iterfind(IDENTITY)]
    assert identities == expected


@pytest.mark.observed(
    "info-2",
    prosody=["title", "description", "type", "access_model", "publish_model"],
    ejabberd=[
        *("title", "type", "description", "owner", "publisher"),
        *("access_model", "publish_model", "num_subscribers"),
    ],
)
async def test_fields_of_the_metadata(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(service, node_name)
    xml = (await reader.disco_info(service, node_name)).xml
    assert field_names(xml) == expected


@pytest.mark.observed("info-3", prosody=0, mnesia=23, sql=24)
async def test_features(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(service, node_name)
    xml = (await reader.disco_info(service, node_name)).xml
    assert len(xml.findall(FEATURE)) == expected


@pytest.mark.observed("info-4", everywhere=1)
async def test_owner_stranger_and_component(
    expected: Any,
    service: str,
    owner: Client,
    reader: Client,
    component: ComponentClient,
    node_name: str,
) -> None:
    await owner.create(service, node_name)
    clients = (owner, reader, component)
    replies = [await client.disco_info(service, node_name) for client in clients]
    answers = {spelled(reply.payload) for reply in replies if reply.payload is not None}
    assert len(answers) == expected


@pytest.mark.observed("info-5", everywhere="whitelist")
async def test_closed_node_asked_for_by_a_stranger(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(service, node_name, {"pubsub#access_model": "whitelist"})
    reply = await reader.disco_info(service, node_name)
    assert form_fields(reply.xml)["pubsub#access_model"] == expected


@pytest.mark.observed("info-6", prosody=[None, None], ejabberd=["0", "1"])
async def test_number_of_subscribers_counts_a_component(
    expected: Any,
    service: str,
    owner: Client,
    component: ComponentClient,
    node_name: str,
) -> None:
    await owner.create(service, node_name)
    before = form_fields((await component.disco_info(service, node_name)).xml)
    await component.subscribe(service, node_name)
    after = form_fields((await component.disco_info(service, node_name)).xml)
    assert [fields.get("pubsub#num_subscribers") for fields in (before, after)] == expected


@pytest.mark.observed("info-7", prosody=(0, False), ejabberd=(5, True))
async def test_options_and_labels(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(service, node_name)
    xml = (await reader.disco_info(service, node_name)).xml
    field = xml.find(f"{FIELD}[@var='pubsub#access_model']")
    assert field is not None
    assert (len(field.findall(OPTION)), "label" in field.attrib) == expected


@pytest.mark.observed(
    "info-8",
    prosody=["http://jabber.org/protocol/pubsub#meta-data"],
    ejabberd=[
        "http://jabber.org/protocol/pubsub#meta-data",
        "http://jabber.org/network/serverinfo",
    ],
)
async def test_forms(
    expected: Any, service: str, owner: Client, reader: Client, node_name: str
) -> None:
    await owner.create(service, node_name)
    xml = (await reader.disco_info(service, node_name)).xml
    assert form_types(xml) == expected
    assert all(len(form) == 1 for form in xml.findall(FORM)[1:]), "the other forms are empty"
