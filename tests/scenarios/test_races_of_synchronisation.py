"""Changes and other work that meet a node while it is fetched."""

import asyncio
from collections.abc import Callable

import pytest
from playbook import Cellar, Sent, Service, item_ids, items, listing
from playbook.cellar import JULIET, ROMEO
from playbook.comparing import is_held_as_the_service_has_it
from playbook.stanzas import PUBSUB

from pubcellar.core.counters import Happened
from pubcellar.core.values import NodeKey
from pubcellar.proxy.node_entry import Work

NODE = "notes/a"
KEY = NodeKey("pubsub.example.org", NODE)
IDS = [f"i{number:02}" for number in range(25)]


def note(text: str) -> str:
    return f"<note xmlns='urn:example:note'>{text}</note>"


async def begun(cellar: Cellar, service: Service) -> None:
    """Let a client read the node of a service that the test lets answer step by step."""
    service.has(NODE, IDS)
    cellar.asks(items(NODE))
    asked = await cellar.next()
    cellar.receives(service.reply(asked.element)[0])
    answer = await cellar.next()
    if answer.kind == "get":
        # The first of what is asked behind it was quicker.
        first, answer = answer, await cellar.next()
        cellar._sent.appendleft(first)
    assert answer.kind == "result"
    service.asked.clear()


async def up_to(cellar: Cellar, service: Service, words: str, times: int = 1) -> Sent:
    """Let the service answer until it is asked something that begins so; return that."""
    while True:
        sent = await cellar.next()
        replies = service.reply(sent.element)
        if service.asked[-1].startswith(words):
            times -= 1
            if not times:
                return sent
        for reply in replies:
            cellar.receives(reply)


async def is_as_the_service_has_it(cellar: Cellar, service: Service) -> None:
    await is_held_as_the_service_has_it(cellar, service, NODE)


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


class TestEventWhileItsNodeIsPaged:
    @pytest.mark.parametrize("gone", ["i03", "i12", "i24"])
    @pytest.mark.parametrize("is_heard_first", [True, False])
    async def test_threat_3_a_retract_of_an_item_on_a_page_still_to_come_does_not_raise_it_again(
        self, cellar: Cellar, paging_service: Service, gone: str, is_heard_first: bool
    ) -> None:
        """The page that still shows it was made before the retract, and comes before or after."""
        await begun(cellar, paging_service)
        sent = await up_to(cellar, paging_service, f"items {NODE} max=10")
        first = paging_service.reply(sent.element)[0]
        cellar.receives(first)
        sent = await cellar.next()
        page = paging_service.reply(sent.element)[0]
        event = paging_service.retract(NODE, gone)
        for one in (event, page) if is_heard_first else (page, event):
            cellar.receives(one)
        cellar.stands_behind(paging_service)
        await cellar.settled()
        await is_as_the_service_has_it(cellar, paging_service)
        assert gone not in item_ids(await cellar.result(items(NODE)))

    @pytest.mark.parametrize("again", ["i03", "i12", "i24"])
    async def test_a_republish_is_not_undone_by_a_page_from_before_it(
        self, cellar: Cellar, paging_service: Service, again: str
    ) -> None:
        await begun(cellar, paging_service)
        sent = await up_to(cellar, paging_service, f"items {NODE} max=10")
        cellar.receives(paging_service.reply(sent.element)[0])
        sent = await cellar.next()
        page = paging_service.reply(sent.element)[0]
        event = paging_service.publish(NODE, again, note("NEW"))
        cellar.receives(event)
        cellar.receives(page)
        cellar.stands_behind(paging_service)
        await cellar.settled()
        await is_as_the_service_has_it(cellar, paging_service)

    @pytest.mark.parametrize("words", [f"items {NODE} id=", f"list {NODE}"])
    async def test_neither_is_it_where_items_are_fetched_by_id(
        self, cellar: Cellar, service: Service, words: str
    ) -> None:
        await begun(cellar, service)
        sent = await up_to(cellar, service, words)
        answer = service.reply(sent.element)[0]
        events = [service.retract(NODE, "i20"), service.publish(NODE, "i21", note("NEW"))]
        for one in (*events, answer):
            cellar.receives(one)
        cellar.stands_behind(service)
        await cellar.settled()
        await is_as_the_service_has_it(cellar, service)


CHANGES: list[Callable[[Service], list[str]]] = [
    lambda s: [s.publish(NODE, "i05", note("1")), s.publish(NODE, "i05", note("2"))],
    lambda s: [s.publish(NODE, "new", note("1")), s.retract(NODE, "new")],
    lambda s: [s.retract(NODE, "i05"), s.publish(NODE, "i05", note("2"))],
    lambda s: [s.purge(NODE), s.publish(NODE, "after", note("2"))],
    lambda s: [s.publish(NODE, "before", note("1")), s.purge(NODE)],
]


class TestEventsOutOfOrderWithOurOwnReads:
    """What an answer shows, and what a notification says, in either order of arrival."""

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("heard", ["before", "between", "after"])
    async def test_an_item_that_is_fetched_is_what_it_was_last(
        self, cellar: Cellar, either: Service, change, heard: str
    ) -> None:
        await begun(cellar, either)
        sent = await up_to(cellar, either, f"items {NODE} {'max=10' if either.pages else 'id='}")
        answer = either.reply(sent.element)[0]
        first, second = change(either)
        order = {
            "before": [first, second, answer],
            "between": [first, answer, second],
            "after": [answer, first, second],
        }
        for one in order[heard]:
            cellar.receives(one)
        cellar.stands_behind(either)
        await cellar.settled()
        await is_as_the_service_has_it(cellar, either)

    async def test_an_item_announced_without_payload_is_fetched_as_it_is_then(
        self, cellar: Cellar, service: Service
    ) -> None:
        """It is published again while it is fetched, and the older answer comes last."""
        await cellar.holds(service, NODE, IDS)
        cellar.stands_aside(service)
        cellar.receives(service.announce(NODE, "i05"))
        sent = await up_to(cellar, service, f"items {NODE} id=i05")
        answer = service.reply(sent.element)[0]
        cellar.receives(service.publish(NODE, "i05", note("NEW")))
        cellar.receives(answer)
        cellar.stands_behind(service)
        await cellar.settled()
        await cellar.advance(3)
        await is_as_the_service_has_it(cellar, service)


class TestTwoSynchronisations:
    async def test_two_clients_set_off_one(self, cellar: Cellar, either: Service) -> None:
        cellar.stands_behind(either).has(NODE, IDS)
        for sender in (JULIET, ROMEO):
            cellar.asks(items(NODE), sender=sender)
        for _ in range(2):
            assert item_ids((await cellar.next()).element) == IDS
        await cellar.settled()
        await is_as_the_service_has_it(cellar, either)
        assert cellar.counted(Happened.SYNCHRONISED) == 1

    async def test_one_that_is_asked_for_during_another_is_a_part_of_it(
        self, cellar: Cellar, service: Service
    ) -> None:
        await begun(cellar, service)
        sent = await up_to(cellar, service, f"list {NODE}")
        proxy = cellar.component.proxy
        entry = proxy._nodes.entry(KEY)
        worker = entry.worker
        entry.ask(Work.SYNCHRONISE, is_doubtful=True)
        proxy._workers.wake(KEY)
        assert entry.worker is worker
        reply = service.reply(sent.element)[0]
        cellar.stands_behind(service)
        cellar.receives(reply)
        await cellar.settled()
        await is_as_the_service_has_it(cellar, service)
        assert service.nodes[NODE].subscribers == {"cache.example.org"}

    async def test_what_a_synchronisation_from_before_a_loss_has_got_is_not_published_by_it(
        self, cellar: Cellar, service: Service
    ) -> None:
        """The stream was down while it waited; its answer comes through all the same."""
        await begun(cellar, service)
        sent = await up_to(cellar, service, f"items {NODE} id=")
        answer = service.reply(sent.element)[0]
        cellar.component.proxy.service_in_doubt(KEY.service)
        service.publish(NODE, "i05", note("UNHEARD"))
        cellar.stands_behind(service)
        cellar.receives(answer)
        for _ in range(5):
            await cellar.advance(3)
        await is_as_the_service_has_it(cellar, service)


class TestDeletedAndMadeAgain:
    """Under the same name, with the same ids: what was fetched before is another node's."""

    @pytest.mark.parametrize("words", ["subscribe", "list", f"items {NODE} id="])
    async def test_while_it_is_fetched(self, cellar: Cellar, service: Service, words: str) -> None:
        await begun(cellar, service)
        sent = await up_to(cellar, service, words)
        answer = service.reply(sent.element)[0]
        event = service.delete(NODE)
        service.has(NODE, IDS, payload=note("another"))
        cellar.stands_behind(service)
        cellar.receives(event)
        cellar.receives(answer)
        await cellar.settled()
        for _ in range(3):
            await cellar.result(items(NODE))
            await cellar.settled()
        await is_as_the_service_has_it(cellar, service)
        assert service.nodes[NODE].subscribers == {"cache.example.org"}

    async def test_while_it_is_held(self, cellar: Cellar, either: Service) -> None:
        await cellar.holds(either, NODE, IDS)
        cellar.receives(either.delete(NODE))
        either.has(NODE, IDS, payload=note("another"))
        await cellar.settled()
        for _ in range(2):
            answer = await cellar.result(items(NODE))
            assert [one[0].text for one in answer.iter(f"{{{PUBSUB}}}item")] == ["another"] * 25
            await cellar.settled()
        await is_as_the_service_has_it(cellar, either)


class TestEvictionWhileReading:
    async def test_a_read_gets_all_of_the_node_or_is_forwarded(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\nmax_nodes = 2\n")
        await cellar.holds(service, NODE, IDS)
        cellar.store.hold("page")
        cellar.asks(items(NODE))
        await cellar.until(lambda: "page" in cellar.store.held)
        entry = cellar.component.proxy._nodes.entry(KEY)
        entry.ask(Work.EVICT, is_doubtful=True)
        cellar.component.proxy._workers.wake(KEY)
        await cellar.until(lambda: entry.record is None)
        cellar.store.release("page")
        answer = await cellar.next()
        assert (answer.kind, item_ids(answer.element)) == ("result", IDS)

    async def test_a_node_that_is_dropped_while_it_is_fetched_leaves_nothing(
        self, cellar: Cellar, service: Service
    ) -> None:
        await begun(cellar, service)
        sent = await up_to(cellar, service, f"items {NODE} id=")
        entry = cellar.component.proxy._nodes.entry(KEY)
        entry.ask(Work.EVICT, is_doubtful=True)
        reply = service.reply(sent.element)[0]
        cellar.stands_behind(service)
        cellar.receives(reply)
        await cellar.settled()
        state = await cellar.state(NODE)
        assert state in ("", "live")
        if state:
            await is_as_the_service_has_it(cellar, service)


class TestListedInAnotherOrderWhileReading:
    async def test_a_read_sees_one_order_or_the_other(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, NODE, IDS)
        gate = asyncio.Event()
        page = cellar.store._store.page
        orders = [IDS, [*IDS[1:], IDS[0]]]

        async def slowly(*given, **named):
            await gate.wait()
            return await page(*given, **named)

        cellar.store._store.page = slowly
        cellar.asks(items(NODE))
        cellar.asks(listing(NODE))
        await asyncio.sleep(0)
        cellar.receives(service.publish(NODE, IDS[0]))
        gate.set()
        await cellar.settled()
        for _ in range(2):
            answer = await cellar.next()
            found = item_ids(answer.element)
            assert found in orders or found[::-1] in orders
        del cellar.store._store.page
        await cellar.advance(3)
        await is_as_the_service_has_it(cellar, service)
