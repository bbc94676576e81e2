"""What a proxy goes through before it is killed: all that makes it write, in one script."""

import random

from harness.client import Client
from harness.counting_service import CountingService
from harness.following import answered_by, post
from harness.killing import MortalProxy, Unreachable
from harness.stanzas import NS_PUBSUB, Reply
from harness.waiting import wait_until

LARGE = "urn:xmpp:microblog:0"
PURGED = f"{LARGE}:comments/purged"
CLOSED = f"{LARGE}:comments/closed"
MADE_ANEW = f"{LARGE}:comments/made-anew"
EVICTED = f"{LARGE}:comments/evicted"
"""The node read the longest ago, which nobody asks for any more."""
SET_ASIDE = "notes/set-aside"
UNWANTED = "unwanted"
"""The node that no analyser wants."""

ITEMS = {
    EVICTED: 5,
    LARGE: 120,
    PURGED: 30,
    CLOSED: 12,
    MADE_ANEW: 12,
    SET_ASIDE: 0,
    UNWANTED: 0,
}
"""All nodes there are, and how many Atom entries they have in the beginning."""

CACHE = {
    "page_size": 20,
    "verify_every": "3s",
    "access_verify_every": "2s",
    "retry_after": "1s",
    "retry_at_most": "2s",
    "max_nodes": len(ITEMS) - 1,
}
"""Clocks so short that they strike during the life, and one node too few."""

NOTES = [{"name": "notes", "type": "note", "node": "notes", "to_sync": True}]

ABSENT = ("wait", "remote-server-timeout")
"""What Prosody says of a component that is not connected."""


async def ask(client: Client, to: str, payload: str) -> Reply:
    """Return the answer. Raises: Unreachable, if nobody is there."""
    reply = await client.request("get", to, payload)
    if (reply.error_type, reply.condition) == ABSENT:
        raise Unreachable
    return reply


def note(text: str) -> str:
    """Return a payload that none of the analysers that are built in takes."""
    return f"<note xmlns='urn:example:note'>{text}</note>"


def newest(node: str) -> str:
    return f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}' max_items='3'/></pubsub>"


class ScriptedLife:
    """A service's nodes, a proxy and a reader of theirs; `proxy.jid` has the service's alias `to`.

    The service changes by itself with `change_silently`, as `chance` decides.
    """

    def __init__(
        self, service: CountingService, proxy: MortalProxy, reader: Client, chance: random.Random
    ) -> None:
        self.service = service
        self.proxy = proxy
        self.reader = reader
        self.chance = chance
        self.to = f"{service.jid}@{proxy.jid}"
        self._changes = 0
        for node, items in ITEMS.items():
            service.create(node, items=items)
        for node in (SET_ASIDE, UNWANTED):
            service.publish(node, "one", note("one"))

    async def run(self) -> None:
        """Begin with a proxy that was never started, and end with one that runs."""
        await self.proxy.start()
        for node in (EVICTED, LARGE, SET_ASIDE, PURGED, CLOSED):
            await self._until_cached(node)
        await self._follow_items()
        self.service.purge(PURGED)
        self.service.publish(PURGED, "after", post("After the purge"))
        await self._until_cached(PURGED)
        self.service.configure(CLOSED, "whitelist")
        await self._until_unsubscribed(CLOSED)
        await self._until_cached(MADE_ANEW)
        self.service.delete(MADE_ANEW)
        self.service.create(MADE_ANEW, items=ITEMS[MADE_ANEW])
        await self._until_cached(MADE_ANEW)
        self.service.publish(LARGE, "unheard", post("Nobody was told"), notify=False)
        await wait_until(
            lambda: "kind=items" in self.proxy.log(), "verification to find what nobody told"
        )
        # One node more than there may be.
        await self._read(UNWANTED)
        await self._until_unsubscribed(EVICTED)
        await self._until_cached(LARGE)
        self.proxy.configure({"analyser": []})
        await self.proxy.restart()
        await self._until_unsubscribed(SET_ASIDE)
        for node in (LARGE, PURGED, SET_ASIDE):
            await self._read(node)
        await self._until_cached(LARGE)
        self.service.publish(LARGE, "last", post("The last one"))
        await self._until_cached(LARGE)

    async def _follow_items(self) -> None:
        """Publish, publish again (twice, to be learnt from), without payload, and retract."""
        self.service.publish(LARGE, "new", post("New"))
        for item_id in ("item-5", "item-7", "item-9"):
            self.service.publish(LARGE, item_id, post(f"{item_id}, again"))
            await self._until_cached(LARGE)
        self.service.publish(LARGE, "bare", post("Bare"), with_payload=False)
        self.service.retract(LARGE, "item-1", "new")
        await self._until_cached(LARGE)

    def change_silently(self) -> None:
        """Do some of what a proxy that is dead cannot hear of."""
        self._changes += 1
        name = f"silent-{self._changes}"
        changes = [
            lambda: self.service.publish(LARGE, name, post(name), notify=False),
            lambda: self._republish(name),
            lambda: self.service.retract(LARGE, self._some_item(), notify=False),
            lambda: self.service.publish(PURGED, name, post(name), notify=False),
            lambda: self.service.publish(SET_ASIDE, name, note(name), notify=False),
            lambda: self.service.configure(CLOSED, "whitelist", notify=False),
            self._make_anew,
        ]
        for change in self.chance.sample(changes, self.chance.randint(0, 4)):
            change()

    def _republish(self, text: str) -> None:
        self.service.publish(LARGE, self._some_item(), post(text), notify=False)

    def _make_anew(self) -> None:
        self.service.delete(MADE_ANEW, notify=False)
        self.service.create(MADE_ANEW, items=self.chance.randint(1, 20))

    def _some_item(self) -> str:
        return self.chance.choice(self.service.nodes[LARGE].items).item_id

    async def _read(self, node: str) -> None:
        await ask(self.reader, self.to, newest(node))

    async def _until_cached(self, node: str) -> None:
        async def is_cached() -> bool:
            await self._read(node)
            return answered_by(self.proxy, node)[-1] == "cache"

        await wait_until(is_cached, f"{node} to be answered from the cache", 60)

    async def _until_unsubscribed(self, node: str) -> None:
        await wait_until(
            lambda: self.proxy.jid not in self.service.nodes[node].subscribers,
            f"the subscription to {node} to be ended",
            60,
        )
