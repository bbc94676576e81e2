"""Whatever comes in (threats 1, 4, 7, 8, 9 and 10), four things stay true.

The stream goes on; each request gets exactly one answer; nothing is sent in a foreign name, or to a
service that is not allowed; and nothing is left in memory of what was asked.
"""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from exploring import explore
from hostile import BYTES, CACHE, SERVICES, STANZAS, Incoming
from hypothesis import strategies as st
from playbook import Cellar, Sent, Service, item_ids, items
from playbook.stanzas import STANZAS as NS_STANZAS


class Server:
    """Passes on what is right, answers for the services, and keeps what users are answered."""

    def __init__(self, cellar: Cellar, seed: int) -> None:
        self.cellar = cellar
        self.answers: Counter[tuple[str, str]] = Counter()
        self._random = random.Random(seed)

    async def run(self) -> None:
        """Take what is sent until nothing more is, whatever time-outs have to pass for that."""
        for _ in range(2):
            await self.cellar.settled()
            while self.cellar._sent:
                self._take(self.cellar._sent.popleft())
                await self.cellar.settled()
            await self.cellar.advance(11)

    def _take(self, sent: Sent) -> None:
        assert sent.sender.partition("/")[0].rpartition("@")[2] == CACHE, sent
        if sent.kind in ("get", "set"):
            assert sent.recipient in SERVICES, sent
            self._reply(sent)
        else:
            self.answers[sent.id, sent.recipient] += 1

    def _reply(self, asked: Sent) -> None:
        payload = asked.raw.decode().partition(">")[2].removesuffix("</iq>")
        for _ in range(self._random.choice((0, 1, 1, 1, 2))):
            match self._random.randrange(5):
                case 0:
                    self.cellar.refuses(asked, self._random.choice(("forbidden", "item-not-found")))
                case 1:
                    self.cellar.receives(
                        f"<iq type='result' id='{asked.id}' from='evil.example' to='{CACHE}'/>"
                    )
                case 2:
                    self.cellar.answers(asked, f"<error xmlns='{NS_STANZAS}'/>")
                case _:
                    self.cellar.answers(asked, payload)


def left(cellar: Cellar) -> list[object]:
    """Return what is still kept of requests; what the component asks for itself goes on."""
    door, proxy = cellar.component.door, cellar.component.proxy
    waiting = [key for key in door._tracker._pending if r"\40" in key.sender]
    kept = [*door._in_flight, *door._in_flight_of, *door._bytes_of, *range(door._bytes)]
    return [*kept, *waiting, *proxy._forwarding._joining._running]


@pytest.fixture
def fuzzed(start, service: Service, wait_for_coroutine) -> Cellar:
    """Return a component that holds a node, and of which nothing is to be learnt about quotas."""
    cellar: Cellar = wait_for_coroutine(start())
    wait_for_coroutine(cellar.holds(service, "notes/a", ["i1", "i2"]))
    cellar.stands_aside(service)
    return cellar


async def test_threats_1_4_8_and_9_any_stanzas_leave_the_door_as_it_was(fuzzed: Cellar) -> None:
    async def check(example: tuple[Sequence[Incoming], int]) -> None:
        stanzas, seed = example
        server = Server(fuzzed, seed)
        for one in stanzas:
            fuzzed.receives(one.xml)
        await server.run()
        assert not fuzzed._protocol.transport.disconnecting
        for one in stanzas:
            answered = server.answers[one.id, one.sender]
            assert answered == one.answers or (one.answers is None and answered <= 1), one
        assert sum(server.answers.values()) <= len(stanzas)
        assert left(fuzzed) == []

    await explore(st.tuples(STANZAS, st.integers(0, 2**32)), check)


async def test_threat_7_any_bytes_end_the_stream_at_most(fuzzed: Cellar, service: Service) -> None:
    async def check(data: bytes) -> None:
        server = Server(fuzzed, 0)
        fuzzed._protocol.dataReceived(data)
        await server.run()
        # What was left open by the last bytes would swallow what comes next.
        fuzzed.disconnect()
        await fuzzed.reconnect()
        await server.run()
        assert left(fuzzed) == []

    await explore(BYTES, check)
    fuzzed.stands_behind(service)
    await fuzzed.settled()
    assert item_ids(await fuzzed.result(items("notes/a"))) == ["i1", "i2"]
