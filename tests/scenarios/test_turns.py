"""Nodes are fetched by turns: a slow service does not keep others waiting, nor one that is busy."""

from playbook import Service, item_ids, items
from playbook.cellar import address_of

NODE = "notes/a"
IDS = [f"i{number:02}" for number in range(30)]


async def test_a_quick_service_has_its_turn_between_two_answers_of_a_slow_one(start) -> None:
    cellar = await start("[cache]\nmax_synchronisations = 1\n")
    slow, quick = Service(pages=True), Service("other.example.org")
    slow.has(NODE, IDS)
    cellar.asks(items(NODE))
    while True:
        sent = await cellar.next()
        if sent.kind == "result":
            continue
        answer = slow.reply(sent.element)[0]
        if slow.asked[-1].startswith(f"items {NODE} max=100"):
            break
        cellar.receives(answer)
    cellar.stands_behind(quick).has(NODE, ["q1"])
    assert item_ids(await cellar.result(items(NODE), to=address_of(quick))) == ["q1"]
    await cellar.advance(6)
    assert await cellar.state(NODE, quick.jid) == "syncing"
    cellar.receives(answer)
    await cellar.settled()
    assert await cellar.state(NODE, quick.jid) == "live"
    assert await cellar.state(NODE) == "syncing"
    cellar.stands_behind(slow)
    sent = await cellar.next()
    cellar.receives(slow.reply(sent.element)[0])
    await cellar.settled()
    assert await cellar.state(NODE) == "live"


async def test_one_service_does_not_take_all_there_is(start) -> None:
    cellar = await start("[cache]\nmax_synchronisations_per_service = 1\n")
    slow, quick = Service(), Service("other.example.org")
    cellar.stands_behind(slow).unanswered = ("list ",)
    for number in range(6):
        slow.has(f"notes/{number}", IDS)
        await cellar.result(items(f"notes/{number}"))
    await cellar.settled()
    assert len([asked for asked in slow.asked if asked.startswith("list ")]) == 1
    await cellar.holds(quick, NODE, ["q1"])


async def test_what_changes_all_the_time_is_put_off_and_goes_on_later(
    start, service: Service
) -> None:
    """Nothing new comes of it; so it is not for ever that others wait for it."""
    cellar = await start("[cache]\nsynchronisation_patience = '20s'\n")
    reply = service.reply

    def busy(request):
        sent = reply(request)
        if service.asked[-1].startswith("list "):
            cellar.clock.advance(8)
            return [service.publish(NODE, "i03"), *sent]
        return sent

    service.has(NODE, IDS)
    cellar.stands_behind(service)
    service.reply = busy
    await cellar.result(items(NODE))
    await cellar.settled()
    record = await cellar.record(NODE)
    assert (record.state, "nothing new has come" in record.reason) == ("failed", True)
    service.reply = reply
    service.asked.clear()
    await cellar.advance(31)
    assert await cellar.state(NODE) == "live"
    assert f"items {NODE} id=i03" in service.asked
    assert not [asked for asked in service.asked if "id=i04" in asked]


async def test_ids_too_long_for_one_question_are_asked_for_by_several(start) -> None:
    cellar = await start("[cache]\nmax_stanza_bytes = '64KiB'\nmax_item_bytes = '16KiB'\n")
    service = Service()
    long = [f"{number:0900}" for number in range(90)]
    service.has(NODE, long)
    cellar.stands_behind(service)
    await cellar.result(items(NODE, max_items=5))
    await cellar.settled()
    assert await cellar.state(NODE) == "live"
    assert (await cellar.record(NODE)).item_count == 90
