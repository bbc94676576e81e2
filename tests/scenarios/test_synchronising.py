"""A node is fetched whole while its service goes on living."""

import pytest
from playbook import Cellar, Sent, Service, item_ids, items, listing

IDS = [f"i{number}" for number in range(1, 16)]


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


async def asked_by_step(cellar: Cellar, service: Service, node: str, ids: list[str]) -> None:
    """Let a client read a node of a service that answers step by step."""
    service.has(node, ids)
    cellar.asks(items(node))
    asked = await cellar.next()
    cellar.receives(service.reply(asked.element)[0])
    assert (await cellar.next()).kind == "result"
    service.asked.clear()


async def up_to(cellar: Cellar, service: Service, words: str) -> Sent:
    """Let the service answer until it is asked something that begins so; return that."""
    while True:
        sent = await cellar.next()
        replies = service.reply(sent.element)
        if service.asked[-1].startswith(words):
            return sent
        cellar.receives(replies[0])


async def finished(cellar: Cellar, service: Service, last: Sent, reply: str | None = None) -> None:
    cellar.stands_behind(service)
    cellar.receives(reply or service.reply(last.element)[0])
    await cellar.settled()


async def test_all_items_are_held_in_the_order_of_the_service(
    cellar: Cellar, either: Service
) -> None:
    await cellar.holds(either, "notes/a", IDS)
    assert item_ids(await cellar.result(items("notes/a"))) == IDS
    found = item_ids(await cellar.result(listing("notes/a")))
    assert found == (IDS if either.pages else IDS[::-1])
    assert either.asked == []


async def test_the_proxy_subscribes_before_it_fetches_and_reads_before_it_subscribes(
    cellar: Cellar, either: Service
) -> None:
    cellar.stands_behind(either).has("notes/a", IDS)
    await cellar.result(items("notes/a"))
    await cellar.settled()
    ours = [asked for asked in either.asked if " for " not in asked]
    subscribe = ours.index("subscribe notes/a")
    assert ours[0] == "info notes/a"
    assert any(asked.startswith("items") for asked in ours[:subscribe])
    assert not any(asked.startswith("list") for asked in ours[:subscribe])
    assert either.nodes["notes/a"].subscribers == {"cache.example.org"}


async def test_a_service_that_pages_is_fetched_by_pages(
    cellar: Cellar, paging_service: Service
) -> None:
    cellar.stands_behind(paging_service).has("notes/a", IDS)
    await cellar.result(items("notes/a"))
    await cellar.settled()
    assert "items notes/a max=10" in paging_service.asked
    assert any("after=t-0009" in asked for asked in paging_service.asked)


async def test_readers_are_forwarded_meanwhile(cellar: Cellar, service: Service) -> None:
    await asked_by_step(cellar, service, "notes/a", IDS)
    sent = await up_to(cellar, service, "list")
    id_ = cellar.asks(items("notes/a"))
    forwarded = await cellar.next()
    assert forwarded.sender.startswith("juliet")
    cellar.receives(service.reply(forwarded.element)[0])
    assert (await cellar.next()).id == id_
    await finished(cellar, service, sent)
    assert await cellar.state("notes/a") == "live"


class TestEventsMeanwhile:
    """What happens during a synchronisation is in its result."""

    @pytest.mark.parametrize(
        ("pages", "at"),
        [
            (False, "subscribe"),
            (False, "list"),
            (False, "items notes/a id="),
            (True, "subscribe"),
            (True, "items notes/a max=10"),
            (True, "list"),
        ],
    )
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda s: s.retract("notes/a", "i15"), IDS[:-1]),
            (lambda s: s.retract("notes/a", "i1"), IDS[1:]),
            (lambda s: s.retract("notes/a", "i14", "i2"), [IDS[0], *IDS[2:13], IDS[14]]),
            (lambda s: s.publish("notes/a", "new"), [*IDS, "new"]),
            (lambda s: s.announce("notes/a", "new"), [*IDS, "new"]),
            (lambda s: s.purge("notes/a"), []),
            (lambda s: s.publish("notes/a", "i15", "<changed xmlns='urn:c'/>"), None),
        ],
    )
    @pytest.mark.parametrize("answered", ["before", "after"])
    async def test_they_are_replayed(
        self, cellar: Cellar, pages: bool, at: str, change, expected, answered: str
    ) -> None:
        """Nothing rises again, nothing is lost, whether the answer under way knows or not."""
        either = Service(pages=pages)
        await asked_by_step(cellar, either, "notes/a", IDS)
        sent = await up_to(cellar, either, at)
        old = either.reply(sent.element)[0]
        event = change(either)
        # A service answers and notifies over one stream: what an answer does not show comes later.
        if answered == "before":
            cellar.receives(event)
            await finished(cellar, either, sent)
        else:
            cellar.stands_behind(either)
            cellar.receives(old)
            cellar.receives(event)
            await cellar.settled()
        assert await cellar.state("notes/a") == "live", await cellar.record("notes/a")
        either.asked.clear()
        answer = await cellar.result(items("notes/a"))
        assert item_ids(answer) == (expected or list(either.nodes["notes/a"].items))
        assert either.asked == []
        if expected is None:
            assert answer.find(".//{urn:c}changed") is not None

    async def test_a_deletion_ends_it(self, cellar: Cellar, either: Service) -> None:
        await asked_by_step(cellar, either, "notes/a", IDS)
        sent = await up_to(cellar, either, "list")
        reply = either.reply(sent.element)[0]
        cellar.receives(either.delete("notes/a"))
        await finished(cellar, either, sent, reply)
        assert await cellar.record("notes/a") is None

    async def test_a_change_of_configuration_is_looked_at(
        self, cellar: Cellar, either: Service
    ) -> None:
        await asked_by_step(cellar, either, "notes/a", IDS)
        sent = await up_to(cellar, either, "list")
        cellar.receives(either.configure("notes/a", "whitelist"))
        await finished(cellar, either, sent, either.event("<x/>"))
        either.nodes["notes/a"].admits_everybody = True
        cellar.receives(either.reply(sent.element)[0])
        await cellar.settled()
        assert (await cellar.record("notes/a")).access_model != "open"


async def test_an_order_is_not_learnt_from_an_answer_that_is_out_of_date(
    cellar: Cellar, service: Service
) -> None:
    """The oldest item becomes the newest after it was read, and before it is fetched."""
    await asked_by_step(cellar, service, "notes/a", IDS)
    sent = await up_to(cellar, service, "info")
    service.publish("notes/a", "i1")
    await finished(cellar, service, sent)
    assert await cellar.state("notes/a") == "live"
    for _ in range(2):
        assert item_ids(await cellar.result(items("notes/a"))) == [*IDS[1:], "i1"]
        await cellar.settled()


class TestFailures:
    async def test_a_failure_is_tried_again_later_and_later(
        self, cellar: Cellar, service: Service
    ) -> None:
        """FAILED, and SYNCING after a back-off."""
        cellar.stands_behind(service).has("notes/a", IDS)
        service.refusals["list"] = ("wait", "resource-constraint")
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert await cellar.state("notes/a") == "failed"
        await cellar.advance(20)
        assert service.asked.count("list notes/a") == 1
        await cellar.advance(12)
        assert service.asked.count("list notes/a") == 2
        await cellar.advance(32)
        assert service.asked.count("list notes/a") == 2
        service.refusals.clear()
        await cellar.advance(32)
        assert await cellar.state("notes/a") == "live"

    async def test_a_held_node_survives_a_temporary_refusal(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", IDS)
        service.refusals["info notes/a"] = ("wait", "internal-server-error")
        await cellar.advance(61)
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert await cellar.state("notes/a") == "stale"
        assert (await cellar.record("notes/a")).item_count == 15

    async def test_a_failed_node_is_forwarded(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).has("notes/a", IDS)
        service.refusals["list"] = ("wait", "resource-constraint")
        await cellar.result(items("notes/a"))
        await cellar.settled()
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        await cellar.settled()
        assert len(service.asked) == 1

    async def test_who_refuses_the_proxy_is_not_held(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).has("notes/a", IDS)
        service.refusals["info notes/a"] = ("auth", "forbidden")
        await cellar.result(items("notes/a"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert (record.state, "forbidden" in record.reason) == ("no_sync", True)

    async def test_a_subscription_that_is_refused_bounds_the_age(
        self, cellar: Cellar, service: Service
    ) -> None:
        """LIVE only for `max_age`, 5 minutes, after each fetch."""
        cellar.stands_behind(service).has("notes/a", IDS).refuses_subscriptions = True
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"
        service.asked.clear()
        await cellar.result(items("notes/a"))
        assert service.asked == []
        service.publish("notes/a", "silently")
        await cellar.advance(301)
        answer = await cellar.result(items("notes/a"))
        assert item_ids(answer) == [*IDS, "silently"]
        await cellar.settled()
        service.asked.clear()
        answer = await cellar.result(items("notes/a"))
        assert item_ids(answer) == [*IDS, "silently"]
        assert service.asked == []


class TestLimits:
    async def test_too_many_items_are_not_held(self, start, either: Service) -> None:
        cellar = await start("[cache]\nmax_items_per_node = 12\n")
        cellar.stands_behind(either).has("notes/a", IDS)
        await cellar.result(items("notes/a"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert record.state == "no_sync"
        assert "max_items_per_node" in record.reason
        assert either.nodes["notes/a"].subscribers == set()

    async def test_an_item_too_large_is_not_held(self, start, either: Service) -> None:
        cellar = await start("[cache]\nmax_item_bytes = '1KiB'\n")
        cellar.stands_behind(either).has(
            "notes/a", ["i1"], payload=f"<n xmlns='n'>{'x' * 2000}</n>"
        )
        await cellar.result(items("notes/a"))
        await cellar.settled()
        record = await cellar.record("notes/a")
        assert record.state == "no_sync"
        assert "max_item_bytes" in record.reason
        assert either.nodes["notes/a"].subscribers == set()

    async def test_beyond_max_nodes_the_least_recently_read_goes(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\nmax_nodes = 2\n")
        for node in ("notes/a", "notes/b"):
            await cellar.holds(service, node, ["i1"])
            await cellar.advance(2)
        await cellar.result(items("notes/a"))
        await cellar.advance(2)
        await cellar.holds(service, "notes/c", ["i1"])
        states = [await cellar.state(f"notes/{one}") for one in "abc"]
        assert states == ["live", "", "live"]
        assert service.nodes["notes/b"].subscribers == set()
        assert await cellar.store.count_nodes() == 2

    async def test_a_node_that_goes_is_known_for_as_long_as_it_is_subscribed_to(
        self, start, service: Service
    ) -> None:
        """Killed meanwhile, nobody would know what to unsubscribe from."""
        cellar = await start("[cache]\nmax_nodes = 1\n")
        await cellar.holds(service, "notes/a", ["i1"])
        service.is_silent = True
        await cellar.holds(Service("other.example.org"), "notes/b", ["i1"])
        assert any(asked.startswith("unsubscribe notes/a") for asked in service.asked)
        assert await cellar.state("notes/a") == "live"

        await cellar.kill()
        service.is_silent = False
        await cellar.start()
        await cellar.advance(2)

        # There is still one node too many, and this time it is told.
        assert not await cellar.state("notes/a")
        assert not service.nodes["notes/a"].subscribers
