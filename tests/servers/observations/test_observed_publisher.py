"""docs/servers.md, "The publisher attribute"; `expose_publisher` is set in conf/prosody.cfg.lua."""

from typing import Any

import pytest
from harness import Client
from harness.stanzas import NS_PUBSUB_EVENT
from hearing import Ear

pytestmark = pytest.mark.servers

EVENT_ITEM = f".//{{{NS_PUBSUB_EVENT}}}item"


async def publishers(ear: Ear, reader: Client) -> tuple[str | None, str | None]:
    """Publish an item; return which address of the publisher the event and a read tell."""
    (event,) = await ear.events(ear.publish("i0"))
    in_event = event.xml.find(EVENT_ITEM)
    assert in_event is not None
    (in_answer,) = (await reader.items(ear.service, ear.node)).elements
    names = {ear.owner.jid: "full", ear.owner.bare_jid: "bare"}
    told = [each.get("publisher") for each in (in_event, in_answer)]
    return names.get(told[0] or "", told[0]), names.get(told[1] or "", told[1])


@pytest.mark.observed("publisher-1", prosody=("bare", "bare"), ejabberd=(None, None))
async def test_by_default(expected: Any, ear: Ear, reader: Client) -> None:
    await ear.listen()
    assert await publishers(ear, reader) == expected


@pytest.mark.observed("publisher-2", prosody=("bare", "bare"), ejabberd=("full", "full"))
async def test_where_the_configuration_asks_for_it(expected: Any, ear: Ear, reader: Client) -> None:
    await ear.listen(itemreply="publisher")
    assert await publishers(ear, reader) == expected


@pytest.mark.observed("publisher-3", prosody="cache.localhost", ejabberd=None)
async def test_component(expected: Any, ear: Ear, reader: Client) -> None:
    await ear.listen(publish_model="open")
    await ear.component.publish(ear.service, ear.node, "i0", "<entry xmlns='urn:example'/>")
    (item,) = (await reader.items(ear.service, ear.node)).elements
    assert item.get("publisher") == expected
