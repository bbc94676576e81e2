"""Requests and their replies. Time is Twisted's fake clock."""

import asyncio
import base64

import pytest
from twisted.internet.task import Clock

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import (
    UpstreamAnswerTooLarge,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.xmpp.stanzas import Element, name_of, parse_stanza
from pubcellar.xmpp.tracker import Tracker

ALIAS = r"juliet\40capulet.lit@cache.example.org/balcony"
SERVICE = "pubsub.example.org"
TIMEOUT = 10.0


class Wire:
    """A tracker, its clock, and what it sent."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.tracker = Tracker(self.clock, TIMEOUT, self.counters)
        self.sent: list[Element] = []
        if is_open:
            self.tracker.opened(lambda raw: self.sent.append(parse_stanza(raw, {})))

    async def ask(self, to: str = SERVICE, sender: str = ALIAS) -> "asyncio.Task[Element]":
        """Return a request that has been sent, and waits."""
        before = len(self.sent)
        task = asyncio.ensure_future(
            self.tracker.request("get", sender=sender, to=to, payload="<a xmlns='urn:a'/>")
        )
        await asyncio.sleep(0)
        assert len(self.sent) == before + 1
        return task

    @property
    def id(self) -> str:
        """The id of what was sent last."""
        return self.sent[-1].get("id", "")


def reply(name: str = "r") -> Element:
    return parse_stanza(f"<iq type='result'><{name}/></iq>".encode(), {})


async def is_waiting(task: "asyncio.Task[Element]") -> bool:
    for _ in range(3):
        await asyncio.sleep(0)
    return not task.done()


class TestRequest:
    async def test_it_is_sent_as_it_was_given(self) -> None:
        wire = Wire()
        task = asyncio.ensure_future(
            wire.tracker.request(
                "set", sender=ALIAS, to=SERVICE, payload="<a xmlns='urn:a'/>", lang="de"
            )
        )
        await asyncio.sleep(0)
        (stanza,) = wire.sent
        assert stanza.get("type") == "set"
        assert stanza.get("from") == ALIAS
        assert stanza.get("to") == SERVICE
        assert stanza.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
        assert stanza[0].tag == "{urn:a}a"
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        await task
        assert wire.counters[Happened.UPSTREAM_REQUEST] == 1

    async def test_the_reply_is_what_was_received(self) -> None:
        wire = Wire()
        task = await wire.ask()
        answer = reply()
        wire.tracker.received(wire.id, SERVICE, ALIAS, answer)
        assert await task is answer
        assert len(wire.tracker) == 0
        assert wire.clock.getDelayedCalls() == []

    async def test_replies_may_come_in_any_order(self) -> None:
        wire = Wire()
        tasks = [await wire.ask() for _ in range(5)]
        ids = [stanza.get("id", "") for stanza in wire.sent]
        assert len(wire.tracker) == 5
        for number in (3, 0, 4, 1, 2):
            wire.tracker.received(ids[number], SERVICE, ALIAS, reply(f"r{number}"))
        answers = await asyncio.gather(*tasks)
        assert [name_of(answer[0]) for answer in answers] == [f"r{number}" for number in range(5)]

    async def test_ids_are_random_and_never_the_same(self) -> None:
        wire = Wire()
        tasks = [await wire.ask() for _ in range(200)]
        ids = {stanza.get("id", "") for stanza in wire.sent}
        assert len(ids) == 200
        numbers = [base64.urlsafe_b64decode(f"{id_}==") for id_ in ids]
        assert all(len(number) * 8 >= 128 for number in numbers)
        # Every bit is 0 in some ids and 1 in others: nothing in them is fixed, or counts.
        assert all(
            0 < sum(number[byte] >> bit & 1 for number in numbers) < 200
            for byte in range(16)
            for bit in range(8)
        )
        wire.tracker.closed()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def test_a_refused_reply_fails_its_request(self) -> None:
        wire = Wire()
        task = await wire.ask()
        wire.tracker.refused(wire.id, SERVICE, ALIAS, UpstreamAnswerTooLarge("too large"))
        with pytest.raises(UpstreamAnswerTooLarge):
            await task
        assert len(wire.tracker) == 0
        assert wire.clock.getDelayedCalls() == []

    async def test_what_cannot_be_sent_leaves_nothing_behind(self) -> None:
        wire = Wire()

        def breaks(raw: bytes) -> None:
            raise OSError("broken")

        wire.tracker.opened(breaks)
        with pytest.raises(OSError, match="broken"):
            await wire.tracker.request("get", sender=ALIAS, to=SERVICE, payload="")
        assert len(wire.tracker) == 0
        assert wire.clock.getDelayedCalls() == []

    async def test_a_requester_that_goes_away_leaves_nothing_behind(self) -> None:
        wire = Wire()
        task = await wire.ask()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(wire.tracker) == 0
        assert wire.clock.getDelayedCalls() == []
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        assert wire.counters[Happened.REPLY_UNMATCHED] == 1


class TestStrayReplies:
    @pytest.mark.parametrize(
        ("sender", "recipient"),
        [
            pytest.param("pubsub.evil.org", ALIAS, id="from somebody else"),
            pytest.param(f"{SERVICE}/x", ALIAS, id="from a resource"),
            pytest.param(f"evil@{SERVICE}", ALIAS, id="from a user of the service's domain"),
            pytest.param(SERVICE, "cache.example.org", id="to the component"),
            pytest.param(SERVICE, ALIAS.partition("/")[0], id="to another resource"),
            pytest.param(SERVICE, "romeo\\40a.lit@cache.example.org", id="to another alias"),
            pytest.param(ALIAS, SERVICE, id="the wrong way round"),
        ],
    )
    @pytest.mark.parametrize("is_readable", [True, False])
    async def test_a_foreign_reply_is_counted_and_disturbs_nothing(
        self, sender: str, recipient: str, is_readable: bool
    ) -> None:
        """The right id alone is not enough: ids may leak, addresses are the server's word."""
        wire = Wire()
        task = await wire.ask()
        if is_readable:
            wire.tracker.received(wire.id, sender, recipient, reply())
        else:
            wire.tracker.refused(wire.id, sender, recipient, UpstreamAnswerTooLarge("x"))
        assert await is_waiting(task)
        assert wire.counters[Happened.REPLY_FOREIGN] == 1
        assert wire.counters[Happened.REPLY_UNMATCHED] == 0
        answer = reply()
        wire.tracker.received(wire.id, SERVICE, ALIAS, answer)
        assert await task is answer

    @pytest.mark.parametrize("id_", ["", "1", "guessed"])
    async def test_a_reply_to_nothing_is_counted_and_disturbs_nothing(self, id_: str) -> None:
        wire = Wire()
        task = await wire.ask()
        wire.tracker.received(id_, SERVICE, ALIAS, reply())
        assert await is_waiting(task)
        assert wire.counters[Happened.REPLY_UNMATCHED] == 1
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        await task

    async def test_a_second_reply_is_counted_and_dropped(self) -> None:
        wire = Wire()
        task = await wire.ask()
        first = reply()
        wire.tracker.received(wire.id, SERVICE, ALIAS, first)
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        assert await task is first
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        assert wire.counters[Happened.REPLY_UNMATCHED] == 2

    async def test_a_late_reply_is_counted_and_dropped(self) -> None:
        wire = Wire()
        task = await wire.ask()
        wire.clock.advance(TIMEOUT)
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        with pytest.raises(UpstreamTimeout):
            await task
        assert wire.counters[Happened.REPLY_UNMATCHED] == 1


class TestTimeout:
    async def test_a_request_waits_for_so_long_and_no_longer(self) -> None:
        wire = Wire()
        task = await wire.ask()
        wire.clock.advance(TIMEOUT - 0.001)
        assert await is_waiting(task)
        wire.clock.advance(0.001)
        with pytest.raises(UpstreamTimeout, match=SERVICE):
            await task
        assert wire.counters[Happened.UPSTREAM_TIMEOUT] == 1
        assert len(wire.tracker) == 0

    async def test_every_request_has_its_own(self) -> None:
        wire = Wire()
        first = await wire.ask()
        wire.clock.advance(TIMEOUT / 2)
        second = await wire.ask()
        wire.clock.advance(TIMEOUT / 2)
        with pytest.raises(UpstreamTimeout):
            await first
        assert await is_waiting(second)
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        await second
        wire.clock.advance(2 * TIMEOUT)
        assert wire.counters[Happened.UPSTREAM_TIMEOUT] == 1


class TestOffline:
    async def test_without_a_stream_a_request_is_refused_at_once(self) -> None:
        wire = Wire(is_open=False)
        with pytest.raises(UpstreamUnreachable):
            await wire.tracker.request("get", sender=ALIAS, to=SERVICE, payload="")
        assert len(wire.tracker) == 0
        assert wire.clock.getDelayedCalls() == []
        assert wire.counters[Happened.UPSTREAM_REQUEST] == 0

    async def test_losing_the_stream_fails_all_that_wait(self) -> None:
        wire = Wire()
        tasks = [await wire.ask() for _ in range(3)]
        wire.tracker.closed()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [UpstreamUnreachable] * 3
        assert len(wire.tracker) == 0
        assert wire.clock.getDelayedCalls() == []
        with pytest.raises(UpstreamUnreachable):
            await wire.tracker.request("get", sender=ALIAS, to=SERVICE, payload="")
        assert len(wire.sent) == 3

    async def test_a_new_stream_knows_nothing_of_the_old_one(self) -> None:
        wire = Wire()
        old = await wire.ask()
        old_id = wire.id
        wire.tracker.closed()
        with pytest.raises(UpstreamUnreachable):
            await old
        wire.tracker.opened(lambda raw: wire.sent.append(parse_stanza(raw, {})))
        new = await wire.ask()
        wire.tracker.received(old_id, SERVICE, ALIAS, reply())
        assert await is_waiting(new)
        wire.tracker.received(wire.id, SERVICE, ALIAS, reply())
        await new

    async def test_closing_twice_is_closing_once(self) -> None:
        wire = Wire()
        wire.tracker.closed()
        wire.tracker.closed()
        assert len(wire.tracker) == 0
