"""Too many, and what is made to be read as something else: threats 10, 11 and 18."""

import pytest
from playbook import Cellar, Service, info, item_ids, items, listing
from playbook.cellar import ROMEO

from pubcellar.core.counters import Happened

INJECTED = (
    "' or 1=1 --",
    '" or ""="',
    "i1'; drop table pubsub_item; --",
    "i1' union select sql from sqlite_master --",
    "%",
    "_",
    "\\",
    ":id",
    "?1",
    "{}",
    "$.secret",
    "i1\u02bc or 1=1",
    "pg_sleep(10)",
)


class TestFloods:
    """Threat 10."""

    async def test_threat_10_what_one_has_in_flight_is_bounded_in_bytes(
        self, cellar: Cellar
    ) -> None:
        """Small on the wire, large in memory: many elements, kept while a service is waited for."""
        wide = "<a/>" * 20_000
        payload = items("x").replace("<items", f"<x xmlns='urn:x'>{wide}</x><items")
        for _ in range(20):
            cellar.asks(payload)
        await cellar.settled()
        assert 0 < len(cellar.component.door._in_flight) < 8
        sent = [cellar._sent.popleft() for _ in range(len(cellar._sent))]
        refused = [one.condition for one in sent if one.kind == "error"]
        assert set(refused) == {"wait/resource-constraint"}
        cellar.asks(items("y"), sender=ROMEO)
        assert (await cellar.next()).kind == "get"

    async def test_threat_10_one_request_too_large_in_memory_is_refused_for_good(
        self, cellar: Cellar
    ) -> None:
        wide = "<a/>" * 100_000
        answer = await cellar.answer(f"<query xmlns='urn:x'>{wide}</query>")
        assert answer.condition == "modify/policy-violation"
        assert cellar.component.door._in_flight_of == {}

    async def test_threat_10_events_nobody_asked_for_leave_nothing(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        for number in range(300):
            node = f"<items node='n{number}'><item id='i'/></items>"
            event = f"<event xmlns='http://jabber.org/protocol/pubsub#event'>{node}</event>"
            for sender in (f"mallory{number}@evil.example", "pubsub.example.org"):
                cellar.receives(
                    f"<message from='{sender}' to='cache.example.org'>{event}</message>"
                )
        await cellar.settled()
        assert len(cellar.component.proxy._nodes._entries) <= 1
        assert await cellar.store.count_nodes() == 1
        assert cellar.counted(Happened.EVENT_IGNORED) > 0


class TestInjection:
    """Threat 11: whatever a text looks like, it is a text."""

    @pytest.mark.parametrize("text", INJECTED)
    async def test_threat_11_ids_and_tokens_name_one_item_or_none(
        self, cellar: Cellar, service: Service, text: str
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1", text, "i3"])
        wanted = text.replace("&", "&amp;").replace("<", "&lt;")
        assert item_ids(await cellar.result(items("notes/a", ids=[text]))) == [text]
        for page, expected in (
            (f"<after>{wanted}</after>", ["i3"]),
            (f"<before>{wanted}</before>", ["i1"]),
        ):
            assert item_ids(await cellar.result(items("notes/a", page=page))) == expected
            other = page.replace(wanted, f"{wanted}x")
            answer = await cellar.answer(items("notes/a", page=other))
            assert answer.condition == "cancel/item-not-found"
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1", text, "i3"]
        assert service.asked == []

    @pytest.mark.parametrize("text", INJECTED)
    async def test_threat_11_a_node_s_name_is_of_one_node(
        self, cellar: Cellar, service: Service, text: str
    ) -> None:
        await cellar.holds(service, "notes/a", ["secret"])
        await cellar.holds(service, f"notes/{text}", ["i1"])
        for payload in (items(f"notes/{text}"), listing(f"notes/{text}")):
            assert item_ids(await cellar.result(payload)) == ["i1"]
        await cellar.result(info(f"notes/{text}"))
        cellar.receives(service.delete(f"notes/{text}"))
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"


class TestDatabaseThatFails:
    """Threat 18: the proxy forwards, and neither refuses nor shows what it knows."""

    async def test_threat_18_reads_are_the_service_s_to_answer_and_quotas_still_hold(
        self, start, service: Service
    ) -> None:
        cellar: Cellar = await start(upstream="max_requests_per_requester = 1\n")
        await cellar.holds(service, "notes/a", ["i1"])
        cellar.store.is_broken = True
        service.nodes["notes/a"].outcasts.add(r"romeo\40montague.lit@cache.example.org/orchard")
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1"]
        refused = await cellar.answer(items("notes/a"), sender=ROMEO)
        assert refused.condition == "auth/forbidden"
        cellar.stands_aside(service)
        cellar.asks(items("x"))
        await cellar.next()
        over = await cellar.answer(items("y"))
        assert over.condition == "wait/resource-constraint"

    async def test_threat_18_errors_show_nothing_of_the_database(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        cellar.store.is_broken = True
        cellar.stands_aside(service)
        cellar.asks(items("notes/a"))
        asked = await cellar.next()
        cellar.refuses(asked, "internal-server-error", "wait")
        answer = await cellar.next()
        assert answer.condition == "wait/internal-server-error"
        assert not any(word in repr(answer).lower() for word in ("sql", "database", "cache.db"))
