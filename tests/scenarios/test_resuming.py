"""A synchronisation that is interrupted goes on, and fetches only what is missing or may differ."""

from collections.abc import Awaitable, Callable

import pytest
from lxml import etree
from playbook import Cellar, Service, items
from playbook.analysers import stored_items
from playbook.comparing import is_held_as_the_service_has_it

from pubcellar.core.counters import Happened
from pubcellar.core.values import BareJID, NodeKey

NODE = "notes/a"
IDS = [f"i{number:02}" for number in range(40)]
REST = IDS[10:]
KEY = NodeKey(BareJID("pubsub.example.org"), NODE)
AGAIN = 31


def note(text: str) -> str:
    return f"<note xmlns='urn:example:note'>{text}</note>"


async def learns(cellar: Cellar, service: Service) -> None:
    """Let the proxy see twice where the service puts what is published again."""
    await cellar.holds(service, "notes/learn", ["l1", "l2", "l3"])
    for one in ("l1", "l2"):
        cellar.receives(service.publish("notes/learn", one))
        await cellar.settled()
        await cellar.advance(3)
    service.asked.clear()


async def interrupted(
    cellar: Cellar,
    service: Service,
    refusal: tuple[str, str] = ("wait", "resource-constraint"),
) -> None:
    """Let a synchronisation stage ten of the items, and be refused the others."""
    await learns(cellar, service)
    cellar.stands_behind(service).has(NODE, IDS)
    stop = f"items {NODE} max=100" if service.pages else f"items {NODE} id=i10"
    service.refusals[stop] = refusal
    await cellar.result(items(NODE))
    await cellar.settled()
    assert await cellar.state(NODE) in ("failed", "syncing")
    service.refusals.clear()
    service.asked.clear()
    service.answered = []


def fetched(service: Service) -> list[str]:
    """Return the ids of all items fetched for us since, but to see the order or who may read."""
    found = []
    for asked, given in service.answered:
        wanted = asked.split(" id=")[1:]
        is_ours = asked.startswith(f"items {NODE}") and " for " not in asked
        is_probe = "newest=" in asked or asked.endswith(" max=1")
        if is_ours and not is_probe and len(set(wanted)) == len(wanted):
            found += given
    return found


def counted(service: Service) -> Service:
    """Let the service remember which items it gave in answer to what."""
    reply = service.reply
    service.answered = []

    def counting(request):
        sent = reply(request)
        if sent:
            answer = etree.fromstring(sent[0])
            names = [one.get("id") for one in answer.iter("{*}item") if one.get("id")]
            service.answered.append((service.asked[-1], names))
        return sent

    service.reply = counting
    return service


async def live(cellar: Cellar, service: Service) -> None:
    """Let the proxy go on until the node is LIVE, and answer as the service would."""
    for _ in range(20):
        if await cellar.state(NODE) == "live":
            break
        await cellar.advance(3)
    await is_held_as_the_service_has_it(cellar, service, NODE)


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return counted(paging_service if request.param == "with paging" else service)


class TestNothingLost:
    """The service refused once, and our stream was up: all that is staged is believed."""

    async def test_only_what_is_missing_is_fetched(self, cellar: Cellar, either: Service) -> None:
        await interrupted(cellar, either)
        await cellar.advance(AGAIN)
        assert sorted(fetched(either)) == REST
        await live(cellar, either)

    @pytest.mark.parametrize(
        "change",
        [
            lambda s: s.publish(NODE, "i03", note("NEW")),
            lambda s: s.publish(NODE, "i20", note("NEW")),
            lambda s: s.publish(NODE, "new"),
            lambda s: s.announce(NODE, "i03"),
            lambda s: s.retract(NODE, "i03"),
            lambda s: s.retract(NODE, "i39", "i00", "i20"),
            lambda s: s.purge(NODE),
        ],
    )
    async def test_what_was_notified_meanwhile_is_accounted_for(
        self, cellar: Cellar, either: Service, change: Callable[[Service], str]
    ) -> None:
        await interrupted(cellar, either)
        cellar.receives(change(either))
        await cellar.settled()
        await cellar.advance(AGAIN)
        found = fetched(either)
        assert not (set(IDS[:10]) - {"i03"}) & set(found)
        await live(cellar, either)

    async def test_a_deletion_meanwhile_ends_it(self, cellar: Cellar, either: Service) -> None:
        await interrupted(cellar, either)
        cellar.receives(either.delete(NODE))
        await cellar.advance(AGAIN)
        assert await cellar.record(NODE) is None

    async def test_it_goes_on_as_often_as_it_is_refused(
        self, cellar: Cellar, service: Service
    ) -> None:
        counted(service)
        await interrupted(cellar, service)
        for stop in ("i20", "i30"):
            service.refusals[f"items {NODE} id={stop}"] = ("wait", "resource-constraint")
        await cellar.advance(AGAIN)
        service.refusals.clear()
        await cellar.advance(2 * AGAIN)
        await live(cellar, service)
        assert not set(IDS[:10]) & set(fetched(service))

    async def test_one_time_out_loses_nothing(self, cellar: Cellar, either: Service) -> None:
        await learns(cellar, either)
        either.unanswered = (f"items {NODE} {'max=100' if either.pages else 'id=i10'}",)
        cellar.stands_behind(either).has(NODE, IDS)
        await cellar.result(items(NODE))
        await cellar.advance(11)
        assert await cellar.state(NODE) == "failed"
        either.unanswered = ()
        either.answered.clear()
        await cellar.advance(AGAIN)
        assert not set(IDS[:10]) & set(fetched(either))
        await live(cellar, either)


class TestNothingHeard:
    """Our stream, or we, were away: what is staged is believed where the service proves it."""

    @pytest.fixture(params=["restarted", "killed", "disconnected", "forgotten"])
    def lose(self, request: pytest.FixtureRequest) -> Callable[[Cellar], Awaitable[None]]:
        async def lose(cellar: Cellar) -> None:
            match request.param:
                case "restarted":
                    await cellar.restart()
                case "killed":
                    await cellar.kill()
                    await cellar.start()
                case "disconnected":
                    cellar.disconnect()
                    await cellar.reconnect()
                case "forgotten":  # what came in the meantime, for want of room
                    cellar.component.proxy._nodes.entry(KEY).inbox.clear()
                    cellar.component.proxy._nodes.unfollow(KEY)
                    await cellar.advance(AGAIN)

        return lose

    async def test_only_what_is_missing_is_fetched(self, cellar: Cellar, service: Service, lose):
        await interrupted(cellar, counted(service))
        await lose(cellar)
        await live(cellar, service)
        # The newest staged one is compared.
        assert sorted(fetched(service)) == ["i09", *REST]
        assert cellar.counted(Happened.SYNCHRONISATION_RESUMED) == 1

    @pytest.mark.parametrize(
        ("again", "anew"),
        [
            (["i03"], ["i03"]),
            (["i00"], ["i00"]),
            (["i09"], ["i09"]),
            (["i08", "i09"], ["i08", "i09"]),
            (["i09", "i08"], ["i08", "i09"]),
            (["i04", "i06", "i05"], ["i04", "i05", "i06"]),
            (IDS[:10], IDS[:10]),
            (IDS[9::-1], IDS[:10]),
            (IDS, IDS[:10]),
            (["i30", "i03", "new"], ["i03"]),
        ],
    )
    async def test_what_was_published_again_is_fetched_again(
        self, cellar: Cellar, service: Service, again: list[str], anew: list[str]
    ) -> None:
        await interrupted(cellar, counted(service))
        for one in again:
            service.publish(NODE, one, note("NEW"))
        await cellar.restart()
        await live(cellar, service)
        found = set(fetched(service))
        assert set(anew) <= found
        kept = [one for one in IDS[:10] if one not in anew]
        # Some of the newest have been compared.
        assert not set(kept[:-3]) & found

    @pytest.mark.parametrize("gone", [["i03"], ["i09"], IDS[:10], ["i20"], IDS])
    async def test_what_was_retracted_does_not_come_back(
        self, cellar: Cellar, service: Service, gone: list[str], lose
    ) -> None:
        await interrupted(cellar, counted(service))
        service.retract(NODE, *gone)
        await lose(cellar)
        await live(cellar, service)

    @pytest.mark.parametrize(
        ("unheard", "at", "heard"),
        [
            # All that hides the one nobody told of has been published again since, as it was.
            (["i05"], "subscribe", ["i06", "i07", "i08", "i09"]),
            # The last one was another meanwhile, and is what it was again.
            (["i08", "i09"], "items", ["i09"]),
        ],
    )
    async def test_what_is_published_as_it_was_while_it_goes_on_proves_nothing(
        self, cellar: Cellar, service: Service, unheard: list[str], at: str, heard: list[str]
    ) -> None:
        await interrupted(cellar, counted(service))
        for one in unheard:
            service.publish(NODE, one, note("NEW"))
        reply, late = service.reply, list(heard)

        def replying(request):
            sent = reply(request)
            if service.asked[-1] in (f"subscribe {NODE}", f"items {NODE} id=i09"):
                if service.asked[-1].startswith(at):
                    sent = [service.publish(NODE, one) for one in late] + reply(request)
                    late.clear()
            return sent

        service.reply = replying
        await cellar.restart()
        await live(cellar, service)

    async def test_a_node_deleted_and_made_again_is_fetched_anew(
        self, cellar: Cellar, service: Service, lose
    ) -> None:
        """Our subscription went with the first one; ids, order and newest item are the same."""
        await interrupted(cellar, counted(service))
        service.delete(NODE)
        service.has(NODE, IDS)
        service.nodes[NODE].items["i03"] = service.nodes[NODE].items["i03"].replace("i03", "NEW")
        service.nodes[NODE].items["i03"] = f"<item id='i03'>{note('NEW')}</item>"
        await lose(cellar)
        await live(cellar, service)
        assert set(IDS) <= set(fetched(service))

    async def test_where_items_published_again_stay_all_is_fetched_anew(
        self, cellar: Cellar, paging_service: Service, lose
    ) -> None:
        await interrupted(cellar, counted(paging_service))
        paging_service.publish(NODE, "i03", note("NEW"))
        await lose(cellar)
        await live(cellar, paging_service)
        assert set(IDS) <= set(fetched(paging_service))
        assert cellar.counted(Happened.SYNCHRONISATION_RESUMED) == 0

    async def test_where_it_is_not_known_what_they_do_all_is_fetched_anew(
        self, cellar: Cellar, service: Service, monkeypatch: pytest.MonkeyPatch, lose
    ) -> None:
        monkeypatch.setattr("test_resuming.learns", holds_another)
        await interrupted(cellar, counted(service))
        await lose(cellar)
        await live(cellar, service)
        assert set(IDS) <= set(fetched(service))

    async def test_what_was_staged_without_a_subscription_is_not_believed(
        self, cellar: Cellar, service: Service
    ) -> None:
        """It was not all there at one moment, as far as we know."""
        await learns(cellar, service)
        stands = cellar.stands_behind(counted(service)).has(NODE, IDS)
        stands.refuses_subscriptions = stands.says_subscribed = True
        service.refusals[f"items {NODE} id=i10"] = ("wait", "resource-constraint")
        await cellar.result(items(NODE))
        await cellar.settled()
        service.refusals.clear()
        stands.refuses_subscriptions = False
        service.answered.clear()
        await cellar.restart()
        await live(cellar, service)
        assert set(IDS) <= set(fetched(service))

    async def test_what_another_analyser_has_parsed_is_fetched_anew(
        self, cellar: Cellar, service: Service
    ) -> None:
        await interrupted(cellar, counted(service))
        await cellar.restart(analysers=OTHER_ANALYSER)
        await live(cellar, service)
        assert set(IDS) <= set(fetched(service))

    async def test_it_is_killed_again_and_again_and_comes_to_its_end(
        self, cellar: Cellar, service: Service
    ) -> None:
        await interrupted(cellar, counted(service))
        for stop in ("i20", "i30"):
            service.refusals[f"items {NODE} id={stop}"] = ("wait", "resource-constraint")
            await cellar.kill()
            await cellar.start()
            await cellar.settled()
            service.refusals.clear()
        await cellar.restart()
        await live(cellar, service)
        assert set(fetched(service)) & set(IDS[:9]) == set()


async def holds_another(cellar: Cellar, service: Service) -> None:
    """Let the proxy see all habits of the service but where it puts what is published again."""
    await cellar.holds(service, "notes/learn", ["l1", "l2", "l3"])
    service.asked.clear()


OTHER_ANALYSER = "[[analyser]]\nname = 'diary'\ntype = 'x'\nnode = 'notes/'\nto_sync = true\n"


async def test_what_nobody_goes_on_with_is_deleted_after_a_day(
    cellar: Cellar, service: Service
) -> None:
    await interrupted(cellar, service)
    assert len(stored_items(cellar)) == 13
    service.refusal = ("cancel", "internal-server-error")
    for _ in range(3):
        await cellar.advance(40_000)
        await cellar.advance(61)
    assert len(stored_items(cellar)) == 3
    service.refusal = None
    await cellar.advance(3700)
    await live(cellar, service)
