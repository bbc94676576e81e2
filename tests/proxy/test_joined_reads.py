"""A read that comes after a notification is not given what was asked for before it."""

import asyncio
from datetime import timedelta
from typing import Any

from pubcellar.core.answering import Paging
from pubcellar.core.counters import Counters
from pubcellar.core.entitlements import Entitlements
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.values import BareJID, FullJID, ItemsQuestion, Request, Requester
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.forwarding import Forwarding

JULIET = Requester(FullJID("juliet@capulet.lit/balcony"), BareJID("juliet@capulet.lit"))
SERVICE = BareJID("pubsub.example.org")
READ = Request(JULIET, SERVICE, SERVICE, ItemsQuestion("notes"), "<pubsub/>", None)


class Ports:
    """A service that answers when it is let, and all else that forwarding needs."""

    def __init__(self) -> None:
        self.limits: Any = self
        self.clock: Any = self
        self.entitlements = Entitlements(timedelta(0))
        self.paging = Paging.XEP
        self.counters = Counters()
        self.forwarder: Any = self
        self.asked = 0
        self.may_answer = asyncio.Event()

    def now(self) -> Any:
        return None

    def turn(self) -> int:
        return 0

    def recall(self, *_: object) -> None:
        return None

    def node_seen(self, *_: object) -> None:
        return None

    async def admit(self, *_: object, **__: object) -> None:
        return None

    async def forward(self, *_: object) -> ForwardedAnswer:
        self.asked += 1
        await self.may_answer.wait()
        return ForwardedAnswer("<pubsub/>", 9)


async def asked_for(*arrivals: int) -> int:
    """Return how many requests reads come to, each after so many notifications."""
    ports: Any = Ports()
    forwarding = Forwarding(ports, ports, ports, Doubts())
    reads = [forwarding.forward(READ, arrivals=number) for number in arrivals]
    waiting = asyncio.gather(*reads)
    ports.may_answer.set()
    await waiting
    return int(ports.asked)


async def test_equal_reads_are_joined() -> None:
    assert await asked_for(1, 1) == 1


async def test_reads_before_and_after_a_notification_are_not() -> None:
    assert await asked_for(1, 2, 2) == 2
