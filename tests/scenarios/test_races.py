"""What happens at the worst moment: between a commit and what is remembered of it, in a listing."""

import asyncio
from collections.abc import Callable

import pytest
from lxml import etree
from playbook import Cellar, Service, info, item_ids, items, listing
from playbook.cellar import CACHE, JULIET, ROMEO

import pubcellar.proxy.proxy
from pubcellar.core.values import NodeKey
from pubcellar.proxy.node_entry import Work

KEY = NodeKey("pubsub.example.org", "notes/a")


def note(text: str) -> str:
    return f"<note xmlns='urn:example:note'>{text}</note>"


def held_back(cellar: Cellar, method: str) -> tuple[asyncio.Event, Callable[[], None]]:
    """Let calls of the store's method end in the database, and return only once released."""
    inner = getattr(cellar.store._store, method)
    gate, is_done = asyncio.Event(), asyncio.Event()

    async def call(*arguments, **named):
        result = await inner(*arguments, **named)
        is_done.set()
        await gate.wait()
        return result

    def release() -> None:
        gate.set()
        delattr(cellar.store._store, method)

    setattr(cellar.store._store, method, call)
    return is_done, release


async def test_a_node_that_is_just_deleted_is_not_answered_as_empty(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", ["i1", "i2"])
    is_deleted, release = held_back(cellar, "forget_node")
    cellar.receives(service.delete("notes/a"))
    await is_deleted.wait()
    cellar.asks(items("notes/a"), sender=ROMEO)
    answer = await cellar.next()
    release()
    assert answer.kind == "error"


async def test_a_node_known_to_be_closed_is_not_answered_while_it_is_dropped(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", ["i1", "i2"])
    cellar.store.hold("save_node_without_items")
    cellar.receives(service.configure("notes/a", access_model="whitelist"))
    await cellar.until(lambda: "save_node_without_items" in cellar.store.held)
    cellar.asks(items("notes/a"), sender=ROMEO)
    answer = await cellar.next()
    cellar.store.release("save_node_without_items")
    assert answer.kind == "error"


async def test_a_record_read_before_a_loss_was_noted_is_not_believed_after_it(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", ["i1", "i2"])
    cellar.disconnect()
    await cellar.until(lambda: bool(cellar.clock.reactor.tcpClients), advancing=5)
    cellar.store.hold("make_stale")
    connecting = asyncio.ensure_future(cellar.connect())
    await cellar.until(lambda: "make_stale" in cellar.store.held)
    is_read, release = held_back(cellar, "node")
    proxy = cellar.component.proxy
    proxy._workers.wake(KEY)
    await is_read.wait()
    cellar.store.release("make_stale")
    await cellar.until(lambda: proxy._nodes.is_trusted(KEY.service))
    release()
    await connecting
    await cellar.settled()
    await cellar.advance(5)
    cellar.receives(service.publish("notes/a", "i3"))
    await cellar.settled()
    assert item_ids(await cellar.result(items("notes/a"))) == ["i1", "i2", "i3"]
    assert await cellar.state("notes/a") == "live"


async def test_changes_too_many_to_keep_are_fetched(
    cellar: Cellar, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubcellar.proxy.nodes, "MOST_CHANGES", 3)
    service.has("notes/a", [f"i{number}" for number in range(6)])
    cellar.stands_behind(service)
    cellar.store.hold("stage")
    await cellar.result(items("notes/a"))
    await cellar.until(lambda: "stage" in cellar.store.held)
    for number in range(4):
        cellar.receives(service.publish("notes/a", f"i{number}", note("NEW")))
    cellar.store.release("stage")
    await cellar.settled()
    for _ in range(20):
        if await cellar.state("notes/a") == "live":
            break
        await cellar.advance(5)
    answer = etree.tostring(await cellar.result(items("notes/a"))).decode()
    assert await cellar.state("notes/a") == "live"
    assert answer.count("NEW") == 4


async def test_a_republish_behind_the_listing_teaches_no_wrong_order(
    cellar: Cellar, service: Service
) -> None:
    service.has("notes/a", ["i1", "i2", "i3"])
    cellar.stands_behind(service)
    answer, seen = service.reply, []

    def reply(request):
        sent = answer(request)
        if service.asked[-1] == "list notes/a":
            seen.append(request)
            if len(seen) == 2:
                sent = [*sent, service.publish("notes/a", "i1")]
        return sent

    service.reply = reply
    await cellar.result(items("notes/a", max_items=2))
    await cellar.settled()
    await cellar.advance(3)
    for _ in range(2):
        assert item_ids(await cellar.result(items("notes/a"))) == ["i2", "i3", "i1"]
        assert item_ids(await cellar.result(items("notes/a", max_items=1))) == ["i1"]
        assert item_ids(await cellar.result(listing("notes/a"))) == ["i1", "i3", "i2"]
        await cellar.advance(600)


async def test_a_republish_that_nobody_told_of_is_found(cellar: Cellar, service: Service) -> None:
    """Promise 3, at a service that moves what is republished to the newest end."""
    await cellar.holds(service, "notes/a", ["i1", "i2"])
    service.publish("notes/a", "i2", note("NEW"))
    for _ in range(3):
        await cellar.advance(600)
        await cellar.answer(items("notes/a"))
        await cellar.settled()
    assert "NEW" in etree.tostring(await cellar.result(items("notes/a"))).decode()


async def test_after_an_absence_nobody_gets_what_somebody_else_was_let_see(
    cellar: Cellar, service: Service
) -> None:
    """Promise 2: reads of different people are joined only within `access_verify_every`."""
    await cellar.holds(service, "notes/a", ["i1", "i2"])
    cellar.disconnect()
    await cellar.advance(7200)
    cellar.stands_aside(service)
    await cellar.reconnect()
    cellar.asks(items("notes/a"), sender=JULIET)
    cellar.asks(items("notes/a"), sender=ROMEO)
    asked = [await cellar.next() for _ in range(3)]
    names = {one.sender.partition("@")[0] for one in asked if one.sender != CACHE}
    assert names == {r"juliet\40capulet.lit", r"romeo\40montague.lit"}


async def test_nothing_is_sent_to_a_service_that_is_no_longer_allowed(
    start, service: Service
) -> None:
    from pubcellar.config import load_settings

    cellar = await start()
    other = Service("other.example.org")
    await cellar.holds(other, "notes/a", ["i1"])
    await cellar.stop()
    source = cellar.settings.source
    source.write_text(source.read_text().replace(', "other.example.org"', ""))
    cellar.settings = load_settings(source, {})
    other.asked.clear()
    await cellar.start()
    for _ in range(3):
        await cellar.advance(2)
    assert other.asked == []
    assert await cellar.store.count_nodes() == 0


async def test_reads_of_unknown_nodes_leave_nothing_in_memory(
    cellar: Cellar, service: Service
) -> None:
    """threat 10."""
    cellar.stands_behind(service)
    for number in range(20):
        await cellar.answer(items(f"no-such-node-{number}"))
    await cellar.settled()
    assert len(cellar.component.proxy._nodes._entries) == 0


async def test_a_read_does_not_wait_for_work_that_is_not_its_own(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", ["i1", "i2"])
    cellar.stands_aside(service)
    cellar.clock.advance(61)
    proxy = cellar.component.proxy
    proxy._nodes.entry(KEY).ask(Work.VERIFY_IDS, is_doubtful=False)
    proxy._workers.wake(KEY)
    await cellar.next()
    cellar.asks(items("notes/a"))
    asked = await cellar.next()
    assert asked.sender == r"juliet\40capulet.lit@cache.example.org/balcony"


@pytest.mark.parametrize("resource", ["\U0001f4f1", "₿", "\u05d0 1"])
async def test_characters_younger_than_stringprep_are_no_reason_not_to_answer(
    cellar: Cellar, service: Service, resource: str
) -> None:
    sender = f"juliet@capulet.lit/{resource}"
    service.has("notes/a", ["i1"])
    cellar.stands_behind(service)
    cellar.asks(info("notes/a"), sender=sender)
    answer = await cellar.next()
    assert (answer.kind, answer.recipient) == ("result", sender)


async def test_what_grows_when_it_is_written_is_not_sent(cellar: Cellar) -> None:
    """One stanza larger than the server takes would end the stream for everybody."""
    node = "&quot;" * 200_000
    cellar.asks(f"<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>")
    answer = await cellar.next()
    assert answer.condition == "modify/policy-violation"
