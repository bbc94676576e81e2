"""Who may use the proxy, and how much of it (XEP-0060 section 14, threat 10)."""

import pytest
from playbook import Cellar, Service, info, items, listing
from playbook.cellar import JULIET, ROMEO

from pubcellar.core.counters import Happened

FEW = "[access]\nmax_requests_per_minute = 3\n"
WAIT = "wait/resource-constraint"


async def use_up(cellar: Cellar, sender: str = JULIET) -> None:
    for number in range(3):
        answer = await cellar.answer(items(f"n{number}"), sender=sender)
        assert answer.condition == "cancel/item-not-found"


async def test_threat_10_so_many_requests_are_forwarded_in_a_minute_and_no_more(
    start, service: Service
) -> None:
    cellar = await start(FEW)
    cellar.stands_behind(service)
    await use_up(cellar)
    service.asked.clear()
    for question in (items("n4"), info("n4"), listing(), "<pubsub xmlns='urn:other'/>"):
        answer = await cellar.answer(question)
        assert answer.condition in (WAIT, "cancel/service-unavailable")
    assert service.asked == []
    assert cellar.counted(Happened.OVER_QUOTA) == 3
    await cellar.advance(20)
    assert (await cellar.answer(items("n5"))).condition == "cancel/item-not-found"
    assert (await cellar.answer(items("n6"))).condition == WAIT


async def test_another_resource_is_the_same_person_and_others_are_not(
    start, service: Service
) -> None:
    cellar = await start(FEW)
    cellar.stands_behind(service)
    await use_up(cellar)
    answer = await cellar.answer(items("n4"), sender="juliet@capulet.lit/chamber")
    assert answer.condition == WAIT
    await use_up(cellar, ROMEO)


async def test_what_is_answered_from_the_cache_does_not_count(start, service: Service) -> None:
    cellar = await start(FEW)
    await cellar.holds(service, "notes/a", ["i1"], sender=ROMEO)
    await use_up(cellar)
    for _ in range(10):
        await cellar.result(items("notes/a"))


async def test_what_is_joined_does_not_count_and_nobody_pays_for_others(start) -> None:
    cellar = await start(FEW)
    for _ in range(10):
        cellar.asks(items("n"))
    asked = await cellar.next()
    await cellar.idle()
    cellar.refuses(asked, "item-not-found")
    for _ in range(10):
        assert (await cellar.next()).condition == "cancel/item-not-found"
    cellar.asks(items("m"))
    assert (await cellar.next()).kind == "get"


@pytest.mark.parametrize("sender", ["juliet@capulet.lit/balcony", "capulet.lit"])
async def test_domains_can_be_exempted(start, service: Service, sender: str) -> None:
    cellar = await start(
        FEW + "exempt = ['capulet.lit']\n", upstream="max_requests_per_requester = 2\n"
    )
    cellar.stands_behind(service)
    for number in range(10):
        answer = await cellar.answer(items(f"n{number}"), sender=sender)
        assert answer.condition == "cancel/item-not-found"
    cellar.stands_aside(service)
    for number in range(5):
        cellar.asks(items(f"m{number}"), sender=sender)
        assert (await cellar.next()).kind == "get"


ONLY_CAPULETS = "[access]\nrequesters = ['*@capulet.lit']\n"


@pytest.mark.parametrize(
    ("question", "type_"),
    [
        (items("notes/a"), "get"),
        (info(), "get"),
        (listing(), "get"),
        ("<ping xmlns='urn:xmpp:ping'/>", "get"),
        ("<query xmlns='jabber:iq:version'/>", "get"),
        ("<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'/></pubsub>", "set"),
        ("<whatever xmlns='urn:example:whatever'/>", "get"),
    ],
)
@pytest.mark.parametrize("to", ["cache.example.org", r"juliet\40capulet.lit@cache.example.org"])
async def test_threat_4_who_is_not_among_the_requesters_gets_nothing_at_all(
    start, service: Service, question: str, type_: str, to: str
) -> None:
    cellar = await start(ONLY_CAPULETS)
    await cellar.holds(service, "notes/a", ["i1"])
    answer = await cellar.answer(question, sender=ROMEO, type_=type_, to=to)
    assert answer.condition == "auth/forbidden"
    assert service.asked == []
    await cellar.idle()
    assert cellar.counted(Happened.REFUSED) == 1


async def test_services_are_no_requesters(start, service: Service) -> None:
    """What they answer and notify of is taken, whoever may ask."""
    cellar = await start(ONLY_CAPULETS)
    await cellar.holds(service, "notes/a", ["i1"])
    cellar.receives(service.publish("notes/a", "i2"))
    await cellar.settled()
    assert (await cellar.record("notes/a")).item_count == 2
