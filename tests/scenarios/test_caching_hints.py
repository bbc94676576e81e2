"""Each of the caching hints in a node's metadata makes a difference (XEP-0460)."""

from typing import Any

import pytest
from playbook import Cellar, Service, canonical, item_ids, items

from pubcellar.core.counters import Happened

IDS = [f"i{number}" for number in range(1, 13)]
CHANGED = "<changed xmlns='urn:example:changed'/>"
CACHING = "{urn:xmpp:pubsub-caching:0}"
ROMEO = "romeo@montague.lit/orchard"
DUE = 13 * 60


async def held(cellar: Cellar, service: Service, **hints: str) -> None:
    """Hold a node whose service gives these hints; underscores stand for hyphens."""
    say(cellar.stands_behind(service), **hints)
    await cellar.result(items("notes/a"))
    await cellar.settled()
    assert await cellar.state("notes/a") == "live", await cellar.record("notes/a")
    await cellar.advance(1)
    service.asked.clear()


def say(service: Service, **hints: str) -> None:
    node = service.nodes.get("notes/a") or service.has("notes/a", IDS)
    node.meta_data = {_var(name): value for name, value in hints.items()}


def _var(name: str) -> str:
    if name in ("max_items", "item_expire"):
        return f"pubsub#{name}"
    return CACHING + name.replace("_", "-")


def changed_in_place(service: Service, item_id: str) -> None:
    held = service.nodes["notes/a"].items[item_id]
    service.nodes["notes/a"].items[item_id] = held.replace(f">{item_id}<", ">Other<")


def compared(service: Service) -> int:
    """Return how many items were asked for to be compared."""
    batches = [one.split(" id=")[1:] for one in service.asked if " id=" in one]
    return sum(len(ids) for ids in batches if len(ids) == len(set(ids)))


NOT_TO_BE_HELD = [
    {"persistence": "transient"},
    {"consistent_items": "false"},
    {"consistent_set": "0"},
]


class TestNotHeld:
    """`persistence`, `consistent-items` and `consistent-set`."""

    @pytest.mark.parametrize("hints", NOT_TO_BE_HELD)
    async def test_a_node_that_is_not_the_same_for_all_is_forwarded(
        self, cellar: Cellar, service: Service, hints: dict[str, str]
    ) -> None:
        say(cellar.stands_behind(service), **hints)
        for sender in ("juliet@capulet.lit/balcony", ROMEO):
            service.asked.clear()
            await cellar.result(items("notes/a"), sender=sender)
            assert any(one.startswith("items notes/a for") for one in service.asked)
            await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, record.item_count) == ("no_sync", 0)
        assert service.nodes["notes/a"].subscribers == set()

    @pytest.mark.parametrize("hints", NOT_TO_BE_HELD)
    async def test_a_held_node_that_becomes_so_is_given_up_within_a_minute(
        self, cellar: Cellar, service: Service, hints: dict[str, str]
    ) -> None:
        await held(cellar, service)
        say(service, **hints)
        await cellar.advance(61)
        await cellar.result(items("notes/a"))
        assert any("for juliet" in one for one in service.asked)
        await cellar.settled()
        assert await cellar.state("notes/a") == "no_sync"
        assert cellar.counted(Happened.DRIFT_ACCESS) == 1

    async def test_no_hint_opens_a_node_that_is_not_open(
        self, cellar: Cellar, service: Service
    ) -> None:
        say(
            cellar.stands_behind(service),
            persistence="persistent",
            consistent_items="true",
            consistent_set="true",
            allowed_for_suggestions="true",
        )
        node = service.nodes["notes/a"]
        node.access_model = "whitelist"
        node.members |= {"cache.example.org", r"juliet\40capulet.lit@cache.example.org"}
        await cellar.result(items("notes/a"))
        await cellar.settled()
        await cellar.result(items("notes/a"))
        answer = await cellar.answer(items("notes/a"), sender="romeo@montague.lit/orchard")
        assert answer.condition == "auth/forbidden"


class TestStableItems:
    async def test_true_makes_comparing_unnecessary(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service, stable_items="true")
        await cellar.advance(DUE)
        assert "list notes/a" in service.asked
        assert compared(service) == 0

    async def test_true_also_after_a_lost_stream(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service, stable_items="true")
        cellar.disconnect()
        await cellar.reconnect()
        assert await cellar.state("notes/a") == "live"
        assert compared(service) == 0

    async def test_true_is_not_believed_once_a_republish_has_stayed_in_place(
        self, cellar: Cellar, service: Service
    ) -> None:
        """What is seen weighs more than what is said."""
        await held(cellar, service, stable_items="true")
        stayed = service.publish("notes/a", "i5")
        order = sorted(service.nodes["notes/a"].items, key=IDS.index)
        service.nodes["notes/a"].items = {one: service.nodes["notes/a"].items[one] for one in order}
        cellar.receives(stayed)
        await cellar.settled()
        changed_in_place(service, "i3")
        await cellar.advance(DUE)
        assert "Other" in canonical(await cellar.result(items("notes/a")))

    @pytest.mark.parametrize("hints", [{}, {"stable_items": "perhaps"}, {"stable_items": "false"}])
    async def test_otherwise_all_are_compared(
        self, cellar: Cellar, service: Service, hints: dict[str, str]
    ) -> None:
        await held(cellar, service, **hints)
        changed_in_place(service, "i3")
        await cellar.advance(DUE)
        assert "Other" in canonical(await cellar.result(items("notes/a")))

    async def test_false_means_to_compare_although_republished_items_are_known_to_move(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, stable_items="false")
        for one in ("i1", "i2"):
            cellar.receives(service.publish("notes/a", one))
            await cellar.settled()
        await cellar.advance(DUE)
        service.asked.clear()
        await cellar.advance(DUE)
        assert compared(service) == 12

    async def test_false_means_to_look_where_a_new_item_was_put(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, stable_items="false")
        event = service.publish("notes/a", "old letter")
        node = service.nodes["notes/a"]
        node.items = {"old letter": node.items.pop("old letter"), **node.items}
        cellar.receives(event)
        await cellar.settled()
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == ["old letter", *IDS]
        assert service.asked == []


class TestAlwaysNotify:
    @pytest.mark.parametrize("spelling", ["always_notify", "alway_notify"])
    async def test_true_makes_comparing_unnecessary_while_we_are_subscribed(
        self, cellar: Cellar, paging_service: Service, spelling: str
    ) -> None:
        await held(cellar, paging_service, **{spelling: "true"})
        await cellar.advance(DUE)
        assert "list notes/a" in paging_service.asked
        assert compared(paging_service) == 0
        assert not [one for one in paging_service.asked if "max=10" in one]

    async def test_true_does_not_help_after_a_loss(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service, always_notify="true")
        cellar.disconnect()
        changed_in_place(service, "i3")
        await cellar.reconnect()
        assert "Other" in canonical(await cellar.result(items("notes/a")))

    async def test_nor_where_our_subscription_was_lost(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, always_notify="true")
        service.nodes["notes/a"].subscribers.clear()
        changed_in_place(service, "i3")
        await cellar.advance(DUE)
        assert "Other" in canonical(await cellar.result(items("notes/a")))
        assert cellar.counted(Happened.DRIFT_SUBSCRIPTION) == 1

    async def test_ids_are_looked_at_all_the_same(self, cellar: Cellar, service: Service) -> None:
        await held(cellar, service, always_notify="true")
        service.retract("notes/a", "i3")
        await cellar.advance(DUE)
        assert "i3" not in item_ids(await cellar.result(items("notes/a")))
        assert cellar.counted(Happened.DRIFT_ITEMS) == 1


class TestMaxItems:
    async def test_all_that_must_be_gone_are_asked_for_at_once(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, max_items="12")
        events = [service.publish("notes/a", f"new{number}") for number in range(3)]
        service.retract("notes/a", "i1", "i2", "i3")
        for event in events:
            cellar.receives(event)
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == list(
            service.nodes["notes/a"].items
        )
        assert "items notes/a id=i1 id=i2 id=i3 id=i4" in service.asked
        assert cellar.counted(Happened.DRIFT_EVICTED) == 3

    async def test_fewer_than_before_has_the_oldest_looked_for_within_a_minute(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, max_items="20")
        say(service, max_items="9")
        service.retract("notes/a", "i1", "i2", "i3")
        await cellar.advance(61)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS[3:]
        await cellar.settled()
        assert cellar.counted(Happened.DRIFT_EVICTED) == 3

    @pytest.mark.parametrize("said", ["5", "max", "-1", "many"])
    async def test_what_is_wrong_drops_nothing_that_is_there(
        self, cellar: Cellar, service: Service, said: str
    ) -> None:
        await held(cellar, service, max_items=said)
        cellar.receives(service.publish("notes/a", "new"))
        await cellar.settled()
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "new"]
        assert service.asked == []

    async def test_a_wrong_number_does_not_hide_what_was_dropped(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, max_items="1000")
        event = service.publish("notes/a", "new")
        service.retract("notes/a", "i1")
        cellar.receives(event)
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS[1:], "new"]


class TestItemExpire:
    async def test_contents_are_believed_no_longer_than_items_live(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, item_expire="180")
        service.retract("notes/a", "i1", "i2")
        await cellar.advance(181)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS[2:]
        await cellar.settled()
        assert cellar.counted(Happened.DRIFT_ITEMS) == 1
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS[2:]
        assert not any("for juliet" in one for one in service.asked)

    @pytest.mark.parametrize("said", ["max", "0", "-3", "soon", "999999999"])
    async def test_otherwise_as_long_as_those_of_any_node(
        self, cellar: Cellar, service: Service, said: str
    ) -> None:
        await held(cellar, service, item_expire=said)
        await cellar.advance(181)
        await cellar.result(items("notes/a"))
        assert service.asked == ["info notes/a"]

    async def test_it_does_not_make_us_ask_all_the_time(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, item_expire="1")
        for _ in range(5):
            await cellar.advance(9)
            await cellar.result(items("notes/a"))
        assert not any("for juliet" in one or "list" in one for one in service.asked)


class TestSemiPersistent:
    @pytest.mark.parametrize("said", ["semi-persistent", "transient-with-last-item"])
    async def test_contents_are_believed_for_max_age_only(
        self, cellar: Cellar, service: Service, said: str
    ) -> None:
        service.has("notes/a", ["i1"])
        await held(cellar, service, persistence=said)
        service.purge("notes/a")
        await cellar.advance(5 * 60 + 1)
        assert item_ids(await cellar.result(items("notes/a"))) == []

    async def test_of_a_node_with_a_last_item_only_all_others_are_looked_for(
        self, cellar: Cellar, service: Service
    ) -> None:
        service.has("notes/a", ["i1"])
        await held(cellar, service, persistence="transient-with-last-item")
        event = service.publish("notes/a", "i2")
        service.retract("notes/a", "i1")
        cellar.receives(event)
        await cellar.settled()
        assert "items notes/a id=i1 id=i2" in service.asked
        assert item_ids(await cellar.result(items("notes/a"))) == ["i2"]


class TestPurge:
    """`purge-keep-last-item`; XEP-0060 section 8.5 leaves open whether the newest item stays."""

    @pytest.mark.parametrize("hints", [{}, *({"purge_keep_last_item": x} for x in ("1", "0", "?"))])
    @pytest.mark.parametrize("kept", [[], ["i12"]])
    async def test_what_is_left_is_what_the_service_has(
        self, cellar: Cellar, service: Service, hints: dict[str, str], kept: list[str]
    ) -> None:
        await held(cellar, service, **hints)
        await purged(cellar, service, kept)
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == kept
        assert service.asked == []

    async def test_the_newest_item_stays_and_is_not_fetched_where_that_is_said(
        self, cellar: Cellar, service: Service
    ) -> None:
        await held(cellar, service, purge_keep_last_item="true")
        cellar.store.broken.add("publish_staged")
        await purged(cellar, service, ["i12"])
        assert await cellar.state("notes/a") == "live"
        assert cellar.counted(Happened.DRIFT_REPAIRED) == 0
        assert item_ids(await cellar.result(items("notes/a"))) == ["i12"]


async def purged(cellar: Cellar, service: Service, kept: list[str]) -> None:
    node: Any = service.nodes["notes/a"]
    left = {one: node.items[one] for one in kept}
    event = service.purge("notes/a")
    node.items.update(left)
    cellar.receives(event)
    await cellar.settled()
