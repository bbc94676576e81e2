"""docs/servers.md, "Events": what subscribers are told of a change, and what they are not."""

from typing import Any

import pytest
from harness import Client
from harness.stanzas import form_fields
from hearing import Ear
from spelling import entry, local_name

pytestmark = pytest.mark.servers

ITEM = "<items node='n'><item id='{0}'><entry/></item></items>"
ITEM_WITH_PUBLISHER = (
    "<items node='n'><item id='{0}' publisher='owner@localhost'><entry/></item></items>"
)
RETRACT = "<items node='n'><retract id='{0}'/></items>"
RETRACT_WITH_PUBLISHER = "<items node='n'><retract id='{0}' publisher='owner@localhost'/></items>"
DELETE = "<delete node='n'/>"
PURGE = "<purge node='n'/>"


class TestMessage:
    @pytest.mark.observed(
        "event-1", prosody=["from", "id", "to", "type"], ejabberd=["from", "to", "type"]
    )
    async def test_attributes(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        (event,) = await ear.events(ear.publish("i0"))
        assert sorted(event.xml.attrib) == expected
        assert event.xml.get("type") == "headline"
        assert event.sender == ear.service
        assert event.xml.get("to") == ear.component.name

    @pytest.mark.observed("event-2", everywhere=["event"])
    async def test_contents(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        (event,) = await ear.events(ear.publish("i0"))
        assert [local_name(each) for each in event.xml] == expected


class TestItem:
    @pytest.mark.observed(
        "event-3",
        prosody=[ITEM_WITH_PUBLISHER.format("i0")],
        ejabberd=[ITEM.format("i0")],
    )
    async def test_published(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        assert await ear.heard(ear.publish("i0")) == expected

    @pytest.mark.observed(
        "event-4",
        prosody=[ITEM_WITH_PUBLISHER.format("i0")],
        ejabberd=[ITEM.format("i0")],
    )
    async def test_published_again(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        await ear.publish("i0", "i1")
        assert await ear.heard(ear.publish("i0")) == expected

    @pytest.mark.observed(
        "event-5",
        prosody=["<items node='n'><item id='i0' publisher='owner@localhost'/></items>"],
        ejabberd=["<items node='n'><item id='i0'/></items>"],
    )
    async def test_published_where_payloads_are_not_delivered(
        self, expected: Any, ear: Ear
    ) -> None:
        await ear.listen(deliver_payloads="0")
        assert await ear.heard(ear.publish("i0")) == expected


class TestRetract:
    async def heard(self, ear: Ear, notify: str | None, **config: str) -> list[str]:
        await ear.listen(**config)
        await ear.publish("i0")
        return await ear.heard(ear.retract("i0", notify))

    @pytest.mark.observed("event-6", prosody=[], ejabberd=[RETRACT.format("i0")])
    async def test_not_saying_whether_to_notify(self, expected: Any, ear: Ear) -> None:
        assert await self.heard(ear, None) == expected

    @pytest.mark.observed("event-7", prosody=[], ejabberd=[RETRACT.format("i0")])
    async def test_saying_not_to_notify(self, expected: Any, ear: Ear) -> None:
        assert await self.heard(ear, "false") == expected

    @pytest.mark.observed(
        "event-8",
        prosody=[RETRACT_WITH_PUBLISHER.format("i0")],
        ejabberd=[RETRACT.format("i0")],
    )
    async def test_saying_to_notify(self, expected: Any, ear: Ear) -> None:
        assert await self.heard(ear, "true") == expected

    @pytest.mark.observed("event-9", prosody=[], ejabberd=[RETRACT.format("i0")])
    async def test_saying_to_notify_against_the_configuration(
        self, expected: Any, ear: Ear
    ) -> None:
        assert await self.heard(ear, "true", notify_retract="0") == expected

    @pytest.mark.observed("event-10", everywhere=[])
    async def test_not_saying_anything_as_the_configuration(self, expected: Any, ear: Ear) -> None:
        assert await self.heard(ear, None, notify_retract="0") == expected


class TestPurge:
    @pytest.mark.observed("event-11", everywhere=[PURGE])
    async def test_by_default(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        await ear.publish("i0")
        assert await ear.heard(ear.owner.purge(ear.service, ear.node)) == expected

    @pytest.mark.observed("event-12", prosody=[PURGE], ejabberd=[])
    async def test_without_notices_of_retracts(self, expected: Any, ear: Ear) -> None:
        await ear.listen(notify_retract="0")
        await ear.publish("i0")
        assert await ear.heard(ear.owner.purge(ear.service, ear.node)) == expected


class TestDelete:
    @pytest.mark.observed("event-13", prosody=[DELETE], ejabberd=[])
    async def test_by_default(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        assert await ear.heard(ear.owner.delete(ear.service, ear.node)) == expected

    @pytest.mark.observed("event-14", everywhere=[DELETE])
    async def test_with_notices(self, expected: Any, ear: Ear) -> None:
        await ear.listen(notify_delete="1")
        assert await ear.heard(ear.owner.delete(ear.service, ear.node)) == expected

    @pytest.mark.observed("event-15", everywhere=[])
    async def test_without_notices(self, expected: Any, ear: Ear) -> None:
        await ear.listen(notify_delete="0")
        assert await ear.heard(ear.owner.delete(ear.service, ear.node)) == expected


class TestConfigure:
    async def heard(self, ear: Ear, setting: str, value: str, **config: str) -> list[str]:
        await ear.listen(**config)
        change = {f"pubsub#{setting}": value}
        return await ear.heard(ear.owner.configure(ear.service, ear.node, change))

    @pytest.mark.observed("event-16", everywhere=[])
    async def test_by_default(self, expected: Any, ear: Ear) -> None:
        assert await self.heard(ear, "title", "A title") == expected

    @pytest.mark.observed("event-17", prosody=[], ejabberd=["open"])
    async def test_with_notices(self, expected: Any, ear: Ear) -> None:
        await ear.listen(notify_config="1")
        title = {"pubsub#title": "A title"}
        events = await ear.events(ear.owner.configure(ear.service, ear.node, title))
        assert {event.kind for event in events} <= {"configuration"}
        told = [form_fields(event.xml)["pubsub#access_model"] for event in events]
        assert told == expected

    @pytest.mark.observed("event-18", prosody=[], ejabberd=["<configuration node='n'/>"])
    async def test_with_notices_where_payloads_are_not_delivered(
        self, expected: Any, ear: Ear
    ) -> None:
        heard = await self.heard(ear, "title", "A title", notify_config="1", deliver_payloads="0")
        assert heard == expected

    @pytest.mark.observed("event-19", everywhere=[])
    async def test_of_the_access_model(self, expected: Any, ear: Ear) -> None:
        assert await self.heard(ear, "access_model", "whitelist") == expected

    @pytest.mark.observed("event-20", everywhere=[])
    async def test_of_somebodys_affiliation(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        jid = ear.component.name
        change = ear.owner.set_affiliation(ear.service, ear.node, jid, "publisher")
        assert await ear.heard(change) == expected


class TestEviction:
    """Which items go, and who is told, when there are more than `max_items`."""

    @pytest.mark.observed(
        "event-21",
        prosody=[ITEM_WITH_PUBLISHER.format("k3")],
        ejabberd=[ITEM.format("k3"), RETRACT.format("k0")],
    )
    async def test_by_default(self, expected: Any, ear: Ear) -> None:
        await ear.listen(max_items="3")
        await ear.publish("k0", "k1", "k2")
        assert await ear.heard(ear.publish("k3")) == expected

    @pytest.mark.observed(
        "event-22",
        prosody=[ITEM_WITH_PUBLISHER.format("k3")],
        ejabberd=[ITEM.format("k3")],
    )
    async def test_without_notices_of_retracts(self, expected: Any, ear: Ear) -> None:
        await ear.listen(max_items="3", notify_retract="0")
        await ear.publish("k0", "k1", "k2")
        assert await ear.heard(ear.publish("k3")) == expected

    @pytest.mark.observed("event-23", prosody=["k3", "k4"], ejabberd=["k0", "k1", "k2", "k3", "k4"])
    async def test_what_is_left_once_max_items_was_lowered(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        await ear.publish("k0", "k1", "k2", "k3", "k4")
        lower = {"pubsub#max_items": "2"}
        assert await ear.heard(ear.owner.configure(ear.service, ear.node, lower)) == []
        assert (await ear.owner.items(ear.service, ear.node)).ids == expected

    @pytest.mark.observed(
        "event-24",
        prosody=[ITEM_WITH_PUBLISHER.format("k4")],
        ejabberd=[ITEM.format("k4"), RETRACT.format("k2k1k0")],
    )
    async def test_of_several_at_once(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        await ear.publish("k0", "k1", "k2", "k3")
        await ear.owner.configure(ear.service, ear.node, {"pubsub#max_items": "2"})
        assert await ear.heard(ear.publish("k4")) == expected

    @pytest.mark.observed(
        "event-25", prosody=["k2", "k0", "k3"], mnesia=["k1", "k2", "k3"], sql=["k0", "k2", "k3"]
    )
    async def test_of_what_was_published_first_or_changed_first(
        self, expected: Any, ear: Ear
    ) -> None:
        await ear.listen(max_items="3")
        await ear.publish("k0", "k1", "k2", "k0", "k3")
        assert (await ear.owner.items(ear.service, ear.node)).ids == expected


class TestOrder:
    @pytest.mark.observed("event-26", everywhere=["message", "iq"])
    async def test_own_event_and_result_of_a_publish(self, expected: Any, ear: Ear) -> None:
        await ear.listen(publish_model="open")
        ear.component.received.clear()
        await ear.component.publish(ear.service, ear.node, "i0", entry("i0"))
        assert [local_name(each) for each in ear.component.received] == expected


class TestLastItem:
    """What comes with a subscription to a node that holds items."""

    @pytest.mark.observed("event-27", prosody=[], ejabberd=[ITEM.format("i1")])
    async def test_first_subscription(self, expected: Any, ear: Ear, owner: Client) -> None:
        await owner.create(ear.service, ear.node)
        await ear.publish("i0", "i1")
        subscription = ear.component.subscribe(ear.service, ear.node)
        assert await ear.heard(subscription) == expected

    @pytest.mark.observed("event-28", prosody=[], ejabberd=["event", "delay"])
    async def test_repeated_subscription(self, expected: Any, ear: Ear) -> None:
        await ear.listen()
        await ear.publish("i0")
        events = await ear.events(ear.component.subscribe(ear.service, ear.node))
        assert [local_name(each) for event in events for each in event.xml] == expected
