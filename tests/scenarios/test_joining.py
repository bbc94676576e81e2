"""Reads in flight are joined where one answer serves all."""

from playbook import Cellar, Service, items
from playbook.cellar import JULIET, ROMEO

ANSWER = (
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='other'>"
    "<item id='i1'><n xmlns='urn:n'/></item></items></pubsub>"
)


async def test_equal_reads_of_one_requester_are_one_request(cellar: Cellar) -> None:
    first = cellar.asks(items("other"))
    second = cellar.asks(items("other"), sender="juliet@capulet.lit/chamber")
    asked = await cellar.next()
    await cellar.idle()
    cellar.answers(asked, ANSWER)
    answers = {(await cellar.next()).id, (await cellar.next()).id}
    assert answers == {first, second}
    await cellar.idle()


async def test_different_reads_are_not_joined(cellar: Cellar) -> None:
    cellar.asks(items("other"))
    cellar.asks(items("other", max_items=3))
    assert (await cellar.next()).id != (await cellar.next()).id


async def test_of_an_unknown_node_everybody_asks_in_their_own_name(cellar: Cellar) -> None:
    cellar.asks(items("other"), sender=JULIET)
    cellar.asks(items("other"), sender=ROMEO)
    senders = {(await cellar.next()).sender, (await cellar.next()).sender}
    assert senders == {
        r"juliet\40capulet.lit@cache.example.org/balcony",
        r"romeo\40montague.lit@cache.example.org/orchard",
    }


async def test_of_an_unknown_node_one_analysis_runs(cellar: Cellar, service: Service) -> None:
    service.has("notes/a", ["i1"])
    cellar.asks(items("notes/a"), sender=JULIET)
    cellar.asks(items("notes/a"), sender=ROMEO)
    first, second = await cellar.next(), await cellar.next()
    cellar.stands_behind(service)
    for asked in (first, second):
        cellar.receives(service.reply(asked.element)[0])
    assert {(await cellar.next()).kind, (await cellar.next()).kind} == {"result"}
    await cellar.idle()
    assert service.asked.count("info notes/a") == 1
    assert service.asked.count("subscribe notes/a") == 1


async def stale(cellar: Cellar, service: Service) -> None:
    """Let an open node be in doubt, with a service that is slow to say more."""
    await cellar.holds(service, "notes/a", ["i1", "i2"])
    cellar.stands_aside(service)
    cellar.receives(service.event("<items node='notes/a'><retract id='unheard-of'/></items>"))
    assert (await cellar.next()).sender == "cache.example.org"


async def test_of_an_open_node_in_doubt_equal_reads_of_all_are_joined(
    cellar: Cellar, service: Service
) -> None:
    await stale(cellar, service)
    cellar.asks(items("notes/a"), sender=JULIET)
    asked = await cellar.next()
    cellar.asks(items("notes/a"), sender=ROMEO)
    await cellar.idle()
    cellar.receives(service.reply(asked.element)[0])
    answers = {(await cellar.next()).recipient, (await cellar.next()).recipient}
    assert answers == {JULIET, ROMEO}


async def test_who_joined_somebody_that_is_refused_asks_again_in_their_own_name(
    cellar: Cellar, service: Service
) -> None:
    await stale(cellar, service)
    cellar.asks(items("notes/a"), sender=JULIET)
    asked = await cellar.next()
    cellar.asks(items("notes/a"), sender=ROMEO)
    await cellar.settled()
    cellar.refuses(asked, "forbidden", "auth")
    sent = [await cellar.next(), await cellar.next()]
    refused = next(one for one in sent if one.kind == "error")
    again = next(one for one in sent if one.kind == "get")
    assert (refused.recipient, refused.condition) == (JULIET, "auth/forbidden")
    assert again.sender == r"romeo\40montague.lit@cache.example.org/orchard"
    cellar.receives(service.reply(again.element)[0])
    assert (await cellar.next()).recipient == ROMEO


async def test_a_time_out_is_everybody_s_who_joined(cellar: Cellar, service: Service) -> None:
    """Nobody waits for a second one, and no flood of requests follows the first."""
    await stale(cellar, service)
    cellar.asks(items("notes/a"), sender=JULIET)
    await cellar.next()
    cellar.asks(items("notes/a"), sender=ROMEO)
    await cellar.advance(11)
    sent = [await cellar.next() for _ in range(3)]
    assert {one.recipient for one in sent if one.kind != "get"} == {JULIET, ROMEO}
    (probe,) = [one for one in sent if one.kind == "get"]
    assert probe.sender == "cache.example.org"
    await cellar.idle()
