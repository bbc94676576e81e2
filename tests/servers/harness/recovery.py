"""What a proxy owes after a start, whatever it has been through: right answers, then held nodes."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from harness.client import Client
from harness.comparing import canonical
from harness.counting_service import CountingService
from harness.following import answered_by
from harness.payloads import everything
from harness.proxy_process import ProxyProcess
from harness.scripted_life import EVICTED, ITEMS, ask, newest, note
from harness.stanzas import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_PUBSUB,
    NS_RSM,
    Reply,
    read_page,
)
from harness.waiting import wait_until

NODES = [node for node in ITEMS if node != EVICTED]

PAGE = 45

MOST_WALKS = 5

DEADLINE_SECONDS = 60

STRAY_ITEMS = """
    SELECT node.name, count(*) FROM pubsub_item item JOIN pubsub_node node ON node.id = item.node_id
    WHERE item.generation <> node.generation GROUP BY node.name
"""
MISCOUNTED = """
    SELECT node.name, node.item_count, node.size_bytes,
           count(item.id), coalesce(sum(item.size_bytes), 0)
    FROM pubsub_node node LEFT JOIN pubsub_item item
        ON item.node_id = node.id AND item.generation = node.generation
    GROUP BY node.id, node.name, node.item_count, node.size_bytes
    HAVING node.item_count <> count(item.id)
        OR node.size_bytes <> coalesce(sum(item.size_bytes), 0)
"""
STATES = "SELECT name, state, subscription FROM pubsub_node"


def questions(ids: list[str]) -> dict[str, str]:
    """Return the payloads of all kinds of reads, by kind, with `{}` for the node."""
    some = "".join(f"<item id='{item_id}'/>" for item_id in ids)
    return {
        "all items": everything("{}"),
        "the newest items": newest("{}"),
        "items by id": f"<pubsub xmlns='{NS_PUBSUB}'><items node='{{}}'>{some}</items></pubsub>",
        "disco#items": f"<query xmlns='{NS_DISCO_ITEMS}' node='{{}}'/>",
        "disco#info": f"<query xmlns='{NS_DISCO_INFO}' node='{{}}'/>",
    }


def page_payload(node: str, asked: str) -> str:
    return (
        f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}'/>"
        f"<set xmlns='{NS_RSM}'><max>{PAGE}</max>{asked}</set></pubsub>"
    )


class Recovery:
    """Asks a proxy, right after its start, until it holds what it is to hold.

    Nothing changes at the service meanwhile: every answer that is not the service's own is wrong.

    Args:
        held: the nodes that are to be held in the end.
    """

    def __init__(
        self, service: CountingService, proxy: ProxyProcess, reader: Client, held: set[str]
    ) -> None:
        self.service = service
        self.proxy = proxy
        self.reader = reader
        self.held = held
        self.to = f"{service.jid}@{proxy.jid}"
        self._right: dict[tuple[str, str], str] = {}
        self._by_cache: Mapping[str, set[str]] = defaultdict(set)

    async def run(self, *, asks_at_once: bool) -> None:
        """Return when all is as if the proxy had never been killed.

        What it holds is to become current whether it is asked for it, `asks_at_once`, or not.

        Raises: AssertionError, TimeoutError.
        """
        await self._learn_what_is_right()
        if asks_at_once:
            await self._ask_everything_at_once()
        else:
            await wait_until(
                lambda: "on the way" not in self._untidy(), "nodes to be live", DEADLINE_SECONDS
            )
        await wait_until(self._is_held, f"{self.held} to be held", DEADLINE_SECONDS)
        try:
            await wait_until(lambda: not self._untidy(), "tidiness", DEADLINE_SECONDS)
        except TimeoutError:
            untidy = self._untidy()
            assert not untidy, untidy
        for node in self.held:
            await self._follows(node)

    def _kinds(self, node: str) -> dict[str, str]:
        found = self.service.nodes.get(node)
        ids = [item.item_id for item in found.items[::5]] if found else []
        return {kind: text.format(node) for kind, text in questions([*ids, "absent"]).items()}

    async def _learn_what_is_right(self) -> None:
        for node in NODES:
            for kind, payload in self._kinds(node).items():
                reply = await self.reader.request("get", self.service.jid, payload)
                self._right[node, kind] = canonical(reply)

    async def _ask_everything_at_once(self) -> None:
        """Ask all there is to ask before anything is held again."""
        asked = [(node, kind, text) for node in NODES for kind, text in self._kinds(node).items()]
        replies = await asyncio.gather(*(ask(self.reader, self.to, text) for *_, text in asked))
        for (node, kind, _), reply in zip(asked, replies, strict=True):
            self._judge(node, kind, reply)

    def _judge(self, node: str, kind: str, reply: Reply) -> None:
        answer = canonical(reply)
        by = (answered_by(self.proxy, node) or ["nobody"])[-1]
        assert answer == self._right[node, kind], f"{kind} of {node!r}, answered by {by}"

    async def _is_held(self) -> bool:
        """Ask what no answer came from the cache to yet; tell whether one has come to all."""
        for node in NODES:
            kinds = self._kinds(node)
            left = kinds.keys() - self._by_cache[node]
            for kind in left:
                self._judge(node, kind, await ask(self.reader, self.to, kinds[kind]))
                if answered_by(self.proxy, node)[-1:] == ["cache"]:
                    self._by_cache[node].add(kind)
            if left:
                await self._check_pages(node)
        return all(len(self._by_cache[node]) == len(self._kinds(node)) for node in self.held)

    async def _check_pages(self, node: str) -> None:
        """Whoever pages, the pages together are all items (XEP-0059)."""
        if not self._right[node, "all items"].startswith("<"):
            return
        found: list[str] | None = None
        for _ in range(MOST_WALKS):
            found = await self._walk(node)
            if found is not None:
                break
        stored = self.service.nodes[node].items
        assert found == [spelled_item(item.as_element(NS_PUBSUB)) for item in stored], node

    async def _walk(self, node: str) -> list[str] | None:
        """Return the items of page after page; None where a page gave a token that is not known.

        The cache and the service have tokens of their own, and the node may go from one to the
        other between two pages.
        """
        found: list[str] = []
        after: str | None = None
        while True:
            asked = f"<after>{after}</after>" if after else ""
            reply = await ask(self.reader, self.to, page_payload(node, asked))
            if after and reply.condition == "item-not-found":
                return None
            page = read_page(reply.or_raise().xml[0])
            found += spelled(reply)
            after = None if page is None else page.last
            if after is None:
                return found

    def _untidy(self) -> dict[str, object]:
        """Return what does not agree within the database, or between it and the service."""
        rows = {name: (state, subscription) for name, state, subscription in self._query(STATES)}
        live = {name for name, (state, _) in rows.items() if state == "live"}
        known = {name for name, (_, subscription) in rows.items() if subscription != "none"}
        subscribers = {name: node.subscribers for name, node in self.service.nodes.items()}
        subscribed = {name for name, them in subscribers.items() if them == [self.proxy.jid]}
        found: dict[str, object] = {
            "on the way": {n: s for n, (s, _) in rows.items() if s not in ("live", "no_sync")},
            "not held": self.held - live,
            "subscribers": {name: them for name, them in subscribers.items() if len(them) > 1},
            "subscribed to, and not held": subscribed - live,
            "held, and not subscribed to": live - subscribed,
            "subscriptions on record": known ^ subscribed,
            "staged items": self._query(STRAY_ITEMS),
            "miscounted": self._query(MISCOUNTED),
        }
        return {name: what for name, what in found.items() if what}

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.proxy.query(statement)

    async def _follows(self, node: str) -> None:
        """A notification still reaches the proxy."""
        self.service.publish(node, "in the end", note("In the end"))

        async def is_there() -> bool:
            reply = await ask(self.reader, self.to, everything(node))
            is_cached = answered_by(self.proxy, node)[-1] == "cache"
            return is_cached and canonical(reply) == canonical(
                await self.reader.request("get", self.service.jid, everything(node))
            )

        await wait_until(is_there, f"{node} to follow the service", DEADLINE_SECONDS)


def spelled(reply: Reply) -> list[str]:
    assert reply.payload is not None
    return [spelled_item(item) for item in reply.payload.iter(f"{{{NS_PUBSUB}}}item")]


def spelled_item(item: Any) -> str:
    return ElementTree.canonicalize(ElementTree.tostring(item), rewrite_prefixes=True)
