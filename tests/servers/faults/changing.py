"""The owner's side: nodes, how they are changed at the service itself, and what they are then."""

import random
import time
from collections.abc import Mapping

from harness.client import Client
from harness.following import post

from faults.answers import Answer, read_answer
from faults.history import Mark, NodeHistory, State
from faults.reading import QUESTIONS

IDS = [f"item-{number}" for number in range(1, 13)]
FIRST_IDS = IDS[:6]
FEWEST, MOST = 3, 10
"""How many items a node has, but for a purge."""

PURGED_IN = 0.04
"""How often a change is a purge."""


class Owner:
    """Changes nodes directly at the service, one after the other.

    Attributes:
        client: the owner's; another one after a restart of the server.
        histories: of each node.
    """

    def __init__(self, client: Client, service: str, chance: random.Random) -> None:
        self.client = client
        self.service = service
        self.histories: dict[str, NodeHistory] = {}
        self._chance = chance
        self._ids: dict[str, list[str]] = {}
        self._changes = 0

    async def create(self, node: str) -> None:
        """Create a node with a few items."""
        await self.client.create(self.service, node, {"pubsub#max_items": "1000"})
        for item_id in FIRST_IDS:
            await self.client.publish(self.service, node, item_id, post(f"{node} {item_id}"))
        self._ids[node] = list(FIRST_IDS)
        now = time.monotonic()
        first = State(("created", ""), now, now, await self._answers(node))
        self.histories[node] = NodeHistory(node, first)

    async def change(self) -> None:
        """Change some node, and learn what it is then."""
        node = self._chance.choice(list(self.histories))
        begun_at = time.monotonic()
        mark = await self._change(node)
        done_at = time.monotonic()
        state = State(mark, begun_at, done_at, await self._answers(node))
        self.histories[node].changed(state)

    async def look_again(self, since: float) -> None:
        """Learn what nodes are after the server was killed: it may have lost what it had said."""
        for node, history in self.histories.items():
            answers = await self._answers(node)
            state = State(("server killed", ""), since, time.monotonic(), answers)
            history.changed(state)
            self._ids[node] = (await self.client.items(self.service, node)).ids

    async def _change(self, node: str) -> Mark:
        ids = self._ids[node]
        if self._chance.random() < PURGED_IN:
            await self.client.purge(self.service, node)
            ids.clear()
            return ("purge", "")
        if len(ids) > FEWEST and self._chance.random() < len(ids) / MOST / 2:
            item_id = ids.pop(self._chance.randrange(len(ids)))
            await self.client.retract(self.service, node, item_id)
            return ("retracted", item_id)
        new = [item_id for item_id in IDS if item_id not in ids]
        is_new = not ids or (len(ids) < MOST and self._chance.random() < 0.5)
        item_id = self._chance.choice(new if is_new else ids)
        self._changes += 1
        title = f"{node} {item_id} changed {self._changes}"
        if is_new:
            ids.append(item_id)
        await self.client.publish(self.service, node, item_id, post(title))
        return ("published", title)

    async def _answers(self, node: str) -> Mapping[str, Answer]:
        return {
            name: read_answer(await self.client.request("get", self.service, payload.format(node)))
            for name, payload in QUESTIONS.items()
        }
