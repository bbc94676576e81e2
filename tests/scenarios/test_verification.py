"""What nobody announces is found by looking, within a bound."""

import pytest
from playbook import Cellar, Service, canonical, info, item_ids, items

from pubcellar.core.counters import Happened

IDS = [f"i{number}" for number in range(1, 6)]


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


class TestAccess:
    """Every `access_verify_every`, 60 seconds."""

    async def test_it_is_verified_before_the_next_answer(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.advance(61)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert service.asked == ["info notes/a"]
        await cellar.result(items("notes/a"))
        assert service.asked == ["info notes/a"]

    async def test_without_readers_nobody_is_asked(self, cellar: Cellar, service: Service) -> None:
        await cellar.holds(service, "notes/a", IDS)
        for _ in range(5):
            await cellar.advance(61)
        assert service.asked == []

    async def test_a_node_read_all_the_time_is_verified_behind_its_answers(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.advance(31)
        cellar.stands_aside(service)
        await cellar.result(items("notes/a"))
        asked = await cellar.next()
        assert (asked.sender, asked.kind) == ("cache.example.org", "get")
        cellar.receives(service.reply(asked.element)[0])
        await cellar.idle()

    @pytest.mark.parametrize("model", ["whitelist", "future", None])
    async def test_a_node_closed_silently_is_not_answered_after_the_bound(
        self, cellar: Cellar, either: Service, model: str | None
    ) -> None:
        await cellar.holds(either, "notes/a", IDS)
        either.nodes["notes/a"].access_model = model
        await cellar.advance(61)
        answer = await cellar.answer(items("notes/a"))
        assert (answer.condition == "auth/forbidden") is (model == "whitelist")
        assert either.asked[-1].endswith(r"for juliet\40capulet.lit@cache.example.org/balcony") or (
            "items notes/a for" in " ".join(either.asked)
        )
        await cellar.settled()
        record = await cellar.record("notes/a")
        if either.pages and model == "whitelist":
            # We are subscribed, and so let in; others are not answered from what we hold.
            assert (record.state, record.item_count) == ("live", len(IDS))
            answer = await cellar.answer(items("notes/a"), sender="romeo@montague.lit/orchard")
            assert answer.condition == "auth/forbidden"
            return
        assert (record.state, record.item_count) == ("no_sync", 0)
        assert either.nodes["notes/a"].subscribers == set()

    async def test_a_forwarded_read_that_is_refused_lets_nobody_read_on(
        self, cellar: Cellar, either: Service
    ) -> None:
        """What the service tells one reader contradicts what we believe of the node."""
        await cellar.holds(either, "notes/a", IDS)
        either.nodes["notes/a"].access_model = "whitelist"
        forwarded = items("notes/a", ids=["i1"], max_items=1)
        assert (await cellar.answer(forwarded)).condition == "auth/forbidden"
        assert (await cellar.answer(items("notes/a"))).condition == "auth/forbidden"
        await cellar.settled()
        assert await cellar.state("notes/a") == ("live" if either.pages else "no_sync")

    async def test_an_outcast_does_not_keep_others_from_being_answered(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.nodes["notes/a"].outcasts.add(r"juliet\40capulet.lit@cache.example.org/balcony")
        forwarded = items("notes/a", ids=["i1"], max_items=1)
        for second in range(10):
            assert (await cellar.answer(forwarded)).condition == "auth/forbidden"
            await cellar.advance(1)
            await cellar.settled()
            service.asked.clear()
            answer = await cellar.result(items("notes/a"), sender="romeo@montague.lit/orchard")
            assert item_ids(answer) == IDS
            assert not second or "info notes/a" not in service.asked

    async def test_a_proxy_that_is_refused_gives_the_node_up(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusals["info notes/a"] = ("auth", "forbidden")
        await cellar.advance(61)
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert any("for juliet" in asked for asked in service.asked)
        await cellar.settled()
        assert await cellar.state("notes/a") == "no_sync"

    async def test_a_node_deleted_silently_is_forgotten(
        self, cellar: Cellar, either: Service
    ) -> None:
        """ejabberd does not announce deletions by default."""
        await cellar.holds(either, "notes/a", IDS)
        either.delete("notes/a")
        await cellar.advance(61)
        answer = await cellar.answer(items("notes/a"))
        assert answer.condition == "cancel/item-not-found"
        await cellar.settled()
        assert await cellar.record("notes/a") is None

    async def test_metadata_changed_silently_is_found(
        self, cellar: Cellar, either: Service
    ) -> None:
        await cellar.holds(either, "notes/a", IDS)
        either.configure("notes/a", title="Silently")
        await cellar.advance(61)
        answer = await cellar.result(info("notes/a"))
        assert "Silently" in [one.text for one in answer.iter()]
        assert cellar.counted(Happened.DRIFT_REPAIRED) == 1


class TestContents:
    """Every `verify_every`, 15 minutes, for nodes read in the last day."""

    @pytest.mark.parametrize(
        "silently",
        [
            lambda s: s.retract("notes/a", "i1"),
            lambda s: s.retract("notes/a", "i2", "i5"),
            lambda s: s.publish("notes/a", "new"),
            lambda s: (s.publish("notes/a", "new"), s.retract("notes/a", "i3")),
            lambda s: s.purge("notes/a"),
            lambda s: s.nodes["notes/a"].subscribers.clear(),
        ],
    )
    async def test_what_changed_silently_is_repaired(
        self, cellar: Cellar, either: Service, silently
    ) -> None:
        await cellar.holds(either, "notes/a", IDS)
        silently(either)
        await cellar.advance(13 * 60)
        expected = list(either.nodes["notes/a"].items)
        assert cellar.counted(Happened.DRIFT_REPAIRED) == 1
        assert item_ids(await cellar.result(items("notes/a"))) == expected
        assert await cellar.state("notes/a") == "live"
        assert either.nodes["notes/a"].subscribers == {"cache.example.org"}

    async def test_agreement_costs_three_questions(self, cellar: Cellar, service: Service) -> None:
        """Where a republished item is known to move; the newest of them was compared before."""
        await cellar.holds(service, "notes/a", IDS)
        for one in IDS[:2]:
            cellar.receives(service.publish("notes/a", one))
            await cellar.settled()
        await cellar.advance(13 * 60)
        service.asked.clear()
        await cellar.advance(13 * 60)
        assert service.asked[:3] == [
            "items notes/a newest=1",
            "subscriptions notes/a",
            "list notes/a",
        ]
        assert cellar.counted(Happened.DRIFT_REPAIRED) == 0

    async def test_unverified_contents_are_not_given_after_the_bound(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusals["subscriptions"] = ("wait", "resource-constraint")
        service.refusals["subscribe"] = ("wait", "resource-constraint")
        service.publish("notes/a", "silently")
        await cellar.advance(16 * 60)
        answer = await cellar.result(items("notes/a"))
        assert item_ids(answer) == [*IDS, "silently"]

    async def test_nodes_that_nobody_reads_are_left_alone(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        await cellar.advance(2)
        await cellar.advance(25 * 3600)
        await cellar.advance(2)
        assert service.asked == []

    async def test_an_item_that_grew_too_large_gives_the_node_up_quietly(
        self, start, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        cellar = await start("[cache]\nmax_item_bytes = '1KiB'\n")
        await cellar.holds(service, "notes/a", IDS)
        service.publish("notes/a", "large", f"<n xmlns='urn:n'>{'x' * 2000}</n>")
        await cellar.advance(13 * 60)
        assert await cellar.state("notes/a") == "no_sync"
        assert "Traceback" not in caplog.text

    async def test_doubt_that_comes_meanwhile_is_not_forgotten(
        self, start, service: Service
    ) -> None:
        """Notifications are lost while the listing is being compared."""
        cellar = await start(
            component="max_received_bytes = '64KiB'\n", more="[cache]\nmax_item_bytes = '32KiB'\n"
        )
        await cellar.holds(service, "notes/a", IDS)
        cellar.stands_aside(service)
        cellar.clock.advance(13 * 60)
        while service.asked[-1:] != ["list notes/a"]:
            reply = service.reply((await cellar.next()).element)[0]
            if service.asked[-1] == "list notes/a":
                cellar.store.hold("service")
            cellar.receives(reply)
        await cellar.until(lambda: "service" in cellar.store.held)
        service.publish("notes/a", "lost")
        cellar.stands_behind(service)
        cellar.receives(service.event(f"<x xmlns='urn:x'>{'x' * 70_000}</x>"))
        await cellar.settled()
        cellar.store.release("service")
        await cellar.settled()
        await cellar.advance(2)
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS, "lost"]


async def test_a_subscription_that_is_one_in_name_only_is_made_again(
    cellar: Cellar, service: Service
) -> None:
    """Prosody says "subscribed" of a node that was deleted and created again, and sends nothing."""
    await cellar.holds(service, "notes/a", IDS)
    subscribers = service.nodes["notes/a"].subscribers
    service.has("notes/a", ["new"]).says_subscribed = True
    await cellar.advance(13 * 60)
    await cellar.settled()
    assert item_ids(await cellar.result(items("notes/a"))) == ["new"]
    assert service.nodes["notes/a"].subscribers == subscribers == {"cache.example.org"}


@pytest.mark.parametrize("and_then", ["i4", "i2"])
async def test_a_republish_is_found_though_something_newer_came(
    cellar: Cellar, service: Service, and_then: str
) -> None:
    """Where a republished item moves to the newest end; nobody told us of either."""
    await cellar.holds(service, "notes/a", ["i1", "i2", "i3"])
    service.publish("notes/a", "i1", "<changed xmlns='urn:c'/>")
    service.publish("notes/a", and_then)
    await cellar.advance(13 * 60)
    await cellar.settled()
    service.asked.clear()
    assert "urn:c" in canonical(await cellar.result(items("notes/a")))
    assert service.asked == ["info notes/a"]
