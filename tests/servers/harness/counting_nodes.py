"""The nodes of the counting service: what they hold, and pages of it."""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

from harness.stanzas import NS_RSM, Payload, element


@dataclass
class StoredItem:
    """One item; the token stands for its place in pages, and has nothing to do with its id."""

    item_id: str
    payload: Element
    token: str
    publisher: str | None = None

    def as_element(self, namespace: str, with_payload: bool = True) -> Element:
        item = Element(f"{{{namespace}}}item", {"id": self.item_id})
        if self.publisher is not None:
            item.set("publisher", self.publisher)
        if with_payload:
            item.append(self.payload)
        return item


@dataclass
class StoredNode:
    """One node, its items oldest first, its subscribers and who may read it."""

    name: str
    access_model: str = "open"
    members: set[str] = field(default_factory=set)
    subscribers: list[str] = field(default_factory=list)
    items: list[StoredItem] = field(default_factory=list)
    meta_data: dict[str, str] = field(default_factory=dict)
    tokens_given: int = 0

    def may_read(self, bare_jid: str) -> bool:
        return self.access_model == "open" or bare_jid in self.members

    def put(self, item_id: str, payload: Payload, publisher: str | None) -> StoredItem:
        """Store an item as the newest, in place of the one with that id."""
        self.remove([item_id])
        self.tokens_given += 1
        token = f"2026-01-01T00:00:00.{self.tokens_given:06}Z"
        item = StoredItem(item_id, element(payload), token, publisher)
        self.items.append(item)
        return item

    def remove(self, item_ids: list[str]) -> None:
        self.items = [item for item in self.items if item.item_id not in item_ids]


class UnknownToken(Exception):
    """A page was asked for after or before a token that no item has."""


def page_of(items: list[StoredItem], request: Element) -> tuple[list[StoredItem], Element]:
    """Return the page that a `<set/>` asks for, and the `<set/>` that goes with it (XEP-0059).

    Raises: UnknownToken.
    """
    size = _integer(request, "max")
    size = len(items) if size is None else size
    after, before = (request.find(f"{{{NS_RSM}}}{name}") for name in ("after", "before"))
    start = _integer(request, "index") or 0
    if after is not None:
        start = _place(items, after.text) + 1
    elif before is not None:
        end = _place(items, before.text) if before.text else len(items)
        start, size = max(0, end - size), min(size, end)
    page = items[start : start + size]
    answer = Element(f"{{{NS_RSM}}}set")
    if page:
        SubElement(answer, f"{{{NS_RSM}}}first", {"index": str(start)}).text = page[0].token
        SubElement(answer, f"{{{NS_RSM}}}last").text = page[-1].token
    SubElement(answer, f"{{{NS_RSM}}}count").text = str(len(items))
    return page, answer


def _place(items: list[StoredItem], token: str | None) -> int:
    for place, item in enumerate(items):
        if item.token == token:
            return place
    raise UnknownToken(token)


def _integer(request: Element, name: str) -> int | None:
    text = request.findtext(f"{{{NS_RSM}}}{name}")
    return None if text is None else int(text)
