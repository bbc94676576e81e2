"""Reading nodes through the proxy, all the time: what was answered, when, and by whom."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from harness.client import Client
from harness.stanzas import NS_DISCO_ITEMS, NS_PUBSUB, Reply, element
from harness.waiting import wait_until
from slixmpp import Iq
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from faults.answers import NONE, Answer, read_answer

PAUSE_SECONDS = 0.04

PATIENCE_SECONDS = 2
"""How long an answer is waited for though a fault may have made sure that there will be none."""

SOME_IDS = ("item-2", "item-5", "absent")

_SOME = "".join(f"<item id='{item_id}'/>" for item_id in SOME_IDS)

ODD = "ids with max_items"
"""What services treat differently, and the proxy therefore never answers itself."""

QUESTIONS = {
    "all items": f"<pubsub xmlns='{NS_PUBSUB}'><items node='{{}}'/></pubsub>",
    "newest items": f"<pubsub xmlns='{NS_PUBSUB}'><items node='{{}}' max_items='3'/></pubsub>",
    "items by id": f"<pubsub xmlns='{NS_PUBSUB}'><items node='{{}}'>{_SOME}</items></pubsub>",
    "disco#items": f"<query xmlns='{NS_DISCO_ITEMS}' node='{{}}'/>",
    ODD: f"<pubsub xmlns='{NS_PUBSUB}'><items node='{{}}' max_items='2'>{_SOME}</items></pubsub>",
}
"""Payloads by the names of the questions, with `{}` for the node."""

HELD = [name for name in QUESTIONS if name != ODD]
"""The questions about a held node that are answered from the cache."""


@dataclass
class Read:
    """One get, and what came of it. Times are of `time.monotonic`.

    Attributes:
        requester, id: what tells its stanzas from others.
        node, question: what was asked.
        asked_at: when it was sent.
        answered_at: when its answer was there; None if there was none.
        answer: that.
        condition: of the error that it was.
        by: who answered, as the proxy has logged it: service, cache, stale; None if it has not.
    """

    requester: str
    id: str
    node: str
    question: str
    asked_at: float
    answered_at: float | None = None
    answer: Answer = NONE
    condition: str | None = None
    by: str | None = None


class LogFollower:
    """Reads a log as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._answerers: dict[tuple[str, str], str] = {}

    def answerer(self, requester: str, node: str) -> str | None:
        """Return who answered the last read of that node by them, and forget that."""
        with self._path.open("rb") as log:
            log.seek(self._position)
            new = log.read()
        end = new.rfind(b"\n") + 1
        self._position += end
        for line in new[:end].decode(errors="replace").splitlines():
            said = line.partition("answered by=")[2].split(maxsplit=3)
            if len(said) == 4:
                who = said[1].removeprefix("requester=")
                self._answerers[who, said[3].removeprefix("node=").strip("'")] = said[0]
        return self._answerers.pop((requester, node), None)


class Asker:
    """Asks in a client's name, and hears every reply, be it one too many.

    Attributes:
        waiting: the ids of what has been asked and nothing has come of yet.
    """

    def __init__(self, client: Client, to: str, log: LogFollower) -> None:
        self.client = client
        self.to = to
        self._log = log
        self._replies: dict[str, list[tuple[float, Element]]] = defaultdict(list)
        self.waiting: set[str] = set()
        every_iq = MatchXPath("{jabber:client}iq")
        client.stream.register_handler(Callback("every iq", every_iq, self._hear))

    def _hear(self, iq: Iq) -> None:
        if iq["type"] in ("result", "error"):
            self._replies[iq["id"]].append((time.monotonic(), iq.xml))

    def answered_twice(self) -> list[str]:
        """Return the ids that more than one reply has come to, and forget the replies."""
        replies = dict(self._replies)
        for id_ in replies.keys() - self.waiting:
            del self._replies[id_]
        return [id_ for id_, them in replies.items() if len(them) > 1]

    async def ask(
        self, node: str, question: str, is_lost: Callable[[Read], bool], deadline_seconds: float
    ) -> Read:
        """Return what came of a question: an answer, or none: for a fault, or in time."""
        iq = self.client.stream.make_iq(ito=self.to, itype="get")
        iq.xml.append(element(QUESTIONS[question].format(node)))
        read = Read(self.client.jid, iq["id"], node, question, time.monotonic())
        self.waiting.add(read.id)
        self.client.stream.send_xml(iq.xml)
        try:
            await self._until_settled(read, is_lost, deadline_seconds)
        finally:
            self.waiting.discard(read.id)
        answerer = self._log.answerer(self.client.bare_jid, node)
        if read.id in self._replies:
            read.answered_at, xml = self._replies[read.id][0]
            reply = Reply(xml)
            read.answer = read_answer(reply)
            read.condition = reply.condition if reply.is_error else None
            read.by = None if reply.is_error else answerer
        return read

    async def _until_settled(
        self, read: Read, is_lost: Callable[[Read], bool], deadline_seconds: float
    ) -> None:
        patient_until = read.asked_at + PATIENCE_SECONDS

        def is_settled() -> bool:
            is_impatient = time.monotonic() > patient_until
            return read.id in self._replies or (is_impatient and is_lost(read))

        with suppress(TimeoutError):
            await wait_until(is_settled, "an answer", deadline_seconds)


class Reading:
    """Reads one node over and over.

    Attributes:
        reads: what came of each read, in the order in which they ended.
        latest: the last one of each question.
    """

    def __init__(self, ask: Callable[[str], Awaitable[Read]], chance: random.Random) -> None:
        self._ask = ask
        self._chance = chance
        self.reads: list[Read] = []
        self.latest: dict[str, Read] = {}

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            for question in self._chance.sample(list(QUESTIONS), len(QUESTIONS)):
                read = await self._ask(question)
                self.reads.append(read)
                self.latest[question] = read
                await asyncio.sleep(PAUSE_SECONDS)

    def behind(self, since: float, answers: Mapping[str, Answer]) -> list[str]:
        """Return the questions that since then the cache has not answered as the service does."""
        return [name for name in HELD if not self._is_current(name, since, answers[name])]

    def _is_current(self, question: str, since: float, answer: Answer) -> bool:
        read = self.latest.get(question)
        is_cached = read is not None and read.asked_at > since and read.by == "cache"
        return is_cached and read.answer == answer
