"""A service with any habits of order and paging (core/traits.py), and what it would answer.

Its tokens are times, as ejabberd's are: they outlive the item that they were made for. What it
cannot read it answers as ejabberd does: with an empty page, or with the last one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from random import Random
from typing import Any

from lxml import etree

from playbook.service import Node, Service
from playbook.stanzas import DISCO_ITEMS, RSM, Element

TIME = "time-"


@dataclass(frozen=True)
class Habits:
    """How a service, or one of its nodes, orders what it gives.

    Attributes:
        pages: whether it answers `<set/>` on items with one of its own.
        pages_ids: whether it does so for disco#items too.
        plain_newest_first, newest_newest_first, disco_newest_first, pages_newest_first: the order
            of plain answers, of `max_items`, of disco#items, and of pages.
        ids: "requested", with duplicates; "stored", in the order of plain answers, each once; or
            "requested once".
        republish_moves: a republished item becomes the newest.
        sets: whether it adds `<set/>` to `max_items`.
        turns_pages: pages that are asked for backwards are turned around, and have no index.
        takes_oldest: `max_items` takes the oldest.
        shuffles: every list comes in an order of its own.
    """

    pages: bool = False
    pages_ids: bool = False
    plain_newest_first: bool = False
    newest_newest_first: bool = False
    disco_newest_first: bool = False
    pages_newest_first: bool = False
    ids: str = "requested"
    republish_moves: bool = True
    sets: bool = False
    turns_pages: bool = False
    takes_oldest: bool = False
    shuffles: bool = False

    def __str__(self) -> str:
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        flags = [name for name, value in given.items() if value is True]
        return ",".join([*flags, self.ids]).replace("_newest_first", "-newest-first")


PROSODY = Habits(disco_newest_first=True)
EJABBERD = Habits(pages=True, pages_ids=True, ids="stored", republish_moves=False, sets=True)
EJABBERD_SQL = replace(EJABBERD, newest_newest_first=True, turns_pages=True)


@dataclass
class _Times:
    """When each item was created, or had last moved."""

    of: dict[str, int] = field(default_factory=dict)
    now: int = 0

    def tick(self, item_id: str) -> None:
        self.now += 1
        self.of[item_id] = self.now


class HabitualService(Service):
    """A service whose nodes have the given habits, some of them perhaps habits of their own."""

    def __init__(self, habits: Habits, jid: str = "pubsub.example.org") -> None:
        super().__init__(jid, pages=habits.pages)
        self.habits = habits
        self.of_node: dict[str, Habits] = {}
        self._times: dict[str, _Times] = {}
        self._random = Random(0)

    def habits_of(self, node: str) -> Habits:
        return self.of_node.get(node, self.habits)

    def has(self, node: str, ids: Iterable[str] = (), **more: Any) -> Node:
        made = super().has(node, list(ids), **more)
        self._times[node] = _Times()
        for item_id in made.items:
            self._times[node].tick(item_id)
        return made

    def publish(self, node: str, item_id: str, payload: str | None = None) -> str:
        held = self.nodes[node].items
        moves = self.habits_of(node).republish_moves
        if item_id not in held or moves:
            held.pop(item_id, None)
            self._times[node].tick(item_id)
        self.pages = True  # which leaves it where it is
        try:
            return super().publish(node, item_id, payload)
        finally:
            self.pages = self.habits.pages

    def ids(self, node: str, *, newest_first: bool = False) -> list[str]:
        """Return the ids of a node's items, the oldest first if not said otherwise."""
        found = list(self.nodes[node].items)
        if self.habits_of(node).shuffles:
            self._random.shuffle(found)
        return found[::-1] if newest_first else found

    # What it answers

    def _answer(self, request: Element, payload: Element) -> str | tuple[str, str]:
        node, page = payload.get("node", ""), payload.find(f"{{{RSM}}}set")
        answer = super()._answer(request, payload)
        is_list = payload.tag == f"{{{DISCO_ITEMS}}}query" and node in self.nodes
        if not is_list or page is None or not self.habits_of(node).pages_ids:
            return answer
        ids, paged = self._page_of(node, page)
        found = "".join(f"<item jid='{self.jid}' name='{one}'/>" for one in ids)
        return f"<query xmlns='{DISCO_ITEMS}' node='{node}'>{paged}{found}</query>"

    def _item_list(self, sender: str, name: str, node: Node) -> str | tuple[str, str]:
        shown = Node(dict.fromkeys(self.ids(name), ""), node.access_model)
        if self.habits_of(name).disco_newest_first == self.pages:
            shown.items = dict(reversed(shown.items.items()))
        return super()._item_list(sender, name, shown)

    def _items(
        self, sender: str, child: Element, name: str, node: Node, page: Element | None
    ) -> str | tuple[str, str]:
        habits = self.habits_of(name)
        wanted = [one.get("id", "") for one in child]
        limit = child.get("max_items", "")
        plain = self.ids(name, newest_first=habits.plain_newest_first)
        paged = ""
        if wanted:
            ids = self._by_id(habits, plain, [one for one in wanted if one in node.items])
        elif page is not None and habits.pages:
            ids, paged = self._page_of(name, page)
        elif limit.isdigit():
            ids = self.ids(name)
            ids = ids[: int(limit)] if habits.takes_oldest else ids[-int(limit) :]
            ids = ids[::-1] if habits.newest_newest_first else ids
            paged = self._set(name, ids, len(node.items) - int(limit)) if habits.sets else ""
        else:
            ids = plain
        found = "".join(node.items[one] for one in ids)
        space = "http://jabber.org/protocol/pubsub"
        return f"<pubsub xmlns='{space}'>{paged}<items node='{name}'>{found}</items></pubsub>"

    def _by_id(self, habits: Habits, plain: list[str], asked: list[str]) -> list[str]:
        if habits.ids == "requested":
            return asked
        once = list(dict.fromkeys(asked))
        return once if habits.ids == "requested once" else [one for one in plain if one in once]

    def _page_of(self, name: str, page: Element) -> tuple[list[str], str]:
        habits, times = self.habits_of(name), self._times[name]
        given = {etree.QName(one).localname: one.text or "" for one in page}
        ids = self.ids(name, newest_first=habits.pages_newest_first)
        size = int(given.get("max", len(ids)))
        sign = -1 if habits.pages_newest_first else 1
        places = [sign * times.of[one] for one in ids]
        start, stop = 0, len(ids)
        is_backwards = "before" in given
        token = given.get("before") or given.get("after") or ""
        if token.startswith(TIME):
            time = sign * int(token.removeprefix(TIME))
            start = sum(place <= time for place in places) if not is_backwards else 0
            stop = sum(place < time for place in places) if is_backwards else stop
        elif "after" in given:
            start = stop
        start = int(given.get("index", start))
        start, stop = (max(stop - size, 0), stop) if is_backwards else (start, start + size)
        part = ids[start:stop]
        if is_backwards and habits.turns_pages:
            return part[::-1], self._set(name, part[::-1], 0)
        return part, self._set(name, part, 0 if habits.turns_pages else start)

    def _set(self, name: str, ids: list[str], index: int) -> str:
        tokens = [f"{TIME}{self._times[name].of[one]}" for one in ids]
        ends = f"<first index='{index}'>{tokens[0]}</first><last>{tokens[-1]}</last>" if ids else ""
        return f"<set xmlns='{RSM}'><count>{len(self.nodes[name].items)}</count>{ends}</set>"
