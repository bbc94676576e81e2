"""The order in which a held node is answered is its service's, whatever happens to the node.

The same is asked of service and proxy, and the ids in the answers compared, in their sequence.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from harness import Client, ErrorReply, ProxyProcess, ThrowAwayServer
from harness.comparing import answers
from harness.following import answered_by, fill, post, until_held
from harness.payloads import by_id, disco, items_request
from harness.stanzas import NS_DISCO_ITEMS, Items, page_request
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.shares_proxy]

FORMS: dict[str, Callable[[str], str]] = {
    "plain": items_request,
    "newest 1": lambda node: items_request(node, "", "max_items='1'"),
    "newest 3": lambda node: items_request(node, "", "max_items='3'"),
    "newest of all": lambda node: items_request(node, "", "max_items='99'"),
    "by id": lambda node: by_id(node, "post-5", "none", "post-2", "post-5", "post-8", "post-1"),
    "disco#items": lambda node: disco(NS_DISCO_ITEMS, node),
}


@dataclass(frozen=True)
class Asked:
    """A node at the service and at the proxy, and who asks for it."""

    server: ThrowAwayServer
    proxy: ProxyProcess
    reader: Client
    node: str

    async def page(self, to: str, **form: Any) -> Items:
        return await self.reader.items(to, self.node, page=page_request(**form))

    async def both(self, payload: str) -> tuple[str, str]:
        to = (self.proxy.jid, self.server.service)
        return await answers(self.reader, *to, payload, without_page=True)

    @property
    def answered_by(self) -> str:
        return answered_by(self.proxy, self.node)[-1]

    async def is_settled(self) -> bool:
        """Tell whether the service's whole list comes from the cache."""
        ours, theirs = await self.both(items_request(self.node))
        return ours == theirs and self.answered_by == "cache"

    async def pages(self, to: str, size: int) -> AsyncIterator[Items]:
        token = None
        while True:
            page = await self.page(to, max_items=size, after=token)
            yield page
            token = page.page and page.page.last
            if not token:
                return


async def compare_forms(asked: Asked, when: str) -> None:
    for name, payload in FORMS.items():
        ours, theirs = await asked.both(payload(asked.node))
        assert ours == theirs, (when, name)
        assert asked.answered_by == "cache", (when, name)


async def compare_pages(asked: Asked, when: str) -> None:
    """Prosody's pages are those of its plain list; ejabberd has its own, forwards at least."""
    service, proxy = asked.server.service, asked.proxy.jid
    whole = (await asked.reader.items(service, asked.node)).ids
    pages = [page async for page in asked.pages(proxy, 2)]
    assert [page.ids for page in pages if page.ids] == [
        whole[start : start + 2] for start in range(0, len(whole), 2)
    ], when
    assert {page.page.count for page in pages if page.page} == {len(whole)}
    assert [page.page.index for page in pages if page.page and page.ids] == list(
        range(0, len(whole), 2)
    )
    if asked.server.facts.pages:
        theirs = [page.ids async for page in asked.pages(service, 2)]
        assert [page.ids for page in pages] == theirs, when
    back: list[str] = []
    before: str | None = ""
    while before is not None:
        page = await asked.page(proxy, max_items=3, before=before)
        back = [*page.ids, *back]
        before = page.page and page.page.first
    assert back == whole, when
    assert (await asked.page(proxy, max_items=2, index=1)).ids == whole[1:3]
    assert asked.answered_by == "cache", when


async def test_every_form_before_and_after_everything_that_can_happen_to_an_item(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    asked = Asked(server, proxy, reader, node_name)
    service = server.service

    def publish(item_id: str, text: str) -> Callable[[], Any]:
        return lambda: owner.publish(service, node_name, item_id, post(text))

    await fill(owner, service, node_name, 6, **{"pubsub#max_items": "7"})
    await until_held(reader, proxy, node_name)
    steps = {
        "as it was": None,
        "an old item is published again": publish("post-2", "again"),
        "another one": publish("post-4", "again"),
        "a third one": publish("post-1", "again"),
        "a new item": publish("post-7", "new"),
        "one more than there is room for": publish("post-8", "overflowing"),
        "an item is retracted": lambda: owner.retract(service, node_name, "post-5"),
        "and published anew": publish("post-5", "back again"),
    }
    for when, step in steps.items():
        if step is not None:
            await step()
        await wait_until(asked.is_settled, f"the proxy to follow: {when}")
        await compare_forms(asked, when)
        await compare_pages(asked, when)


async def test_set_of_the_newest_items_is_the_service_s_or_better(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    """docs/protocol.md: ejabberd adds one; on Mnesia with a negative index where all fit."""
    await fill(owner, server.service, node_name, 5)
    await until_held(reader, proxy, node_name)
    for number in (1, 3, 5, 9):
        ours, theirs = [
            await reader.items(to, node_name, max_items=number)
            for to in (proxy.jid, server.service)
        ]
        assert answered_by(proxy, node_name)[-1] == "cache"
        assert ours.ids == theirs.ids
        assert (ours.page is None) is (theirs.page is None)
        if ours.page is None or theirs.page is None:
            continue
        assert ours.page.count == theirs.page.count == 5
        assert ours.page.index == max(0, theirs.page.index or 0)
        # Its tokens are times; each of ours says which item it is for.
        assert (ours.page.first or "").rpartition(":")[2] == ours.ids[0]
        assert (ours.page.last or "").rpartition(":")[2] == ours.ids[-1]


async def test_who_began_to_page_while_it_was_held_goes_on_where_it_is_forwarded(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    """ejabberd answers a token that is not its own with an empty page, without an error.

    `max_items` together with `<set/>` is always forwarded; both services let `<set/>` decide.
    """
    await fill(owner, server.service, node_name, 6)
    await until_held(reader, proxy, node_name)
    first = await reader.items(proxy.jid, node_name, page=page_request(2))
    assert first.page is not None
    assert answered_by(proxy, node_name)[-1] == "cache"

    async def onwards(**place: str | None) -> list[str]:
        page = page_request(2, **place)
        answer = await reader.items(proxy.jid, node_name, max_items=99, page=page)
        assert answered_by(proxy, node_name)[-1] == "service"
        return answer.ids

    assert await onwards(after=first.page.last) == ["post-3", "post-4"]
    third = await reader.items(proxy.jid, node_name, page=page_request(2, index=2))
    assert third.page is not None
    assert sorted(await onwards(before=third.page.first)) == ["post-1", "post-2"]

    await owner.retract(server.service, node_name, "post-2")
    with pytest.raises(ErrorReply) as refused:
        await onwards(after=first.page.last)
    assert refused.value.reply.condition == "item-not-found"
