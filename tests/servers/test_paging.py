"""Paging (XEP-0059): the proxy pages for services that do not, held or forwarded alike."""

import pytest
from harness import Client, CountingService, ErrorReply, Items, ProxyProcess, ThrowAwayProsody
from harness.following import answered_by, fill, fill_at_once, until_cached, until_held
from harness.stanzas import NS_PUBSUB, NS_RSM, page_request

pytestmark = pytest.mark.servers


async def walked(reader: Client, to: str, node: str, size: int) -> list[str]:
    return [one for page in await reader.all_pages(to, node, size) for one in page.ids]


async def walked_back(reader: Client, to: str, node: str, size: int) -> list[str]:
    """Walk from the last page to the first with `<before/>`; return all ids in order."""
    found: list[str] = []
    before = ""
    while True:
        page = await reader.items(to, node, page=page_request(size, before=before))
        assert page.page is not None
        found = [*page.ids, *found]
        if not page.ids:
            return found
        before = page.page.first or ""


async def test_thousand_items_in_pages_of_every_size(
    prosody: ThrowAwayProsody, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    ids = await fill_at_once(owner, prosody.service, node_name, 1000)
    await until_held(reader, proxy, node_name)
    await until_cached(reader, proxy, node_name)

    for size in (7, 50, 100, 333, 1000, 5000):
        assert await walked(reader, proxy.jid, node_name, size) == ids, size
        assert await walked_back(reader, proxy.jid, node_name, size) == ids, size
    assert "service" not in answered_by(proxy, node_name)[-50:]


@pytest.mark.parametrize("is_held", [False, True], ids=["forwarded", "held"])
class TestEveryForm:
    """Prosody ignores `<set/>`; asked through the proxy it seems to know it."""

    async def prepared(
        self,
        is_held: bool,
        prosody: ThrowAwayProsody,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node: str,
    ) -> str:
        if is_held:
            await fill(owner, prosody.service, node, 5)
            await until_held(reader, proxy, node)
            return node
        node = f"not-for-any-analyser-{node.rpartition('-')[2]}"
        await owner.create(prosody.service, node)
        for number in range(1, 6):
            note = f"<note xmlns='urn:example:note'>{number}</note>"
            await owner.publish(prosody.service, node, f"post-{number}", note)
        return node

    async def test_first_next_last_previous_index_and_count(
        self,
        is_held: bool,
        prosody: ThrowAwayProsody,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """XEP-0059 sections 2.1 to 2.7."""
        node = await self.prepared(is_held, prosody, proxy, owner, reader, node_name)

        async def ask(max_: int | None = None, **form: object) -> Items:
            return await reader.items(proxy.jid, node, page=page_request(max_, **form))

        first = await ask(2)
        assert first.ids == ["post-1", "post-2"]
        assert first.page is not None
        assert (first.page.first, first.page.index) == ("post-1", 0)
        assert (first.page.last, first.page.count) == ("post-2", 5)
        assert (await ask(2, after="post-2")).ids == ["post-3", "post-4"]
        end = await ask(2, after="post-4")
        assert end.ids == ["post-5"]
        assert end.page is not None
        assert end.page.index == 4
        beyond = await ask(2, after="post-5")
        assert beyond.ids == []
        assert beyond.page is not None
        assert (beyond.page.count, beyond.page.first, beyond.page.last) == (5, None, None)
        assert (await ask(2, before="")).ids == ["post-4", "post-5"]
        assert (await ask(2, before="post-4")).ids == ["post-2", "post-3"]
        assert (await ask(2, before="post-1")).ids == []
        jump = await ask(2, index=3)
        assert jump.ids == ["post-4", "post-5"]
        assert jump.page is not None
        assert jump.page.index == 3
        assert (await ask(2, index=99)).ids == []
        counted = await ask(0)
        assert counted.ids == []
        assert counted.page is not None
        assert counted.page.count == 5
        assert answered_by(proxy, node)[-1] == ("cache" if is_held else "service")

    async def test_unknown_token_is_not_found(
        self,
        is_held: bool,
        prosody: ThrowAwayProsody,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """XEP-0059 section 2.2: a silently wrong page would be worse."""
        node = await self.prepared(is_held, prosody, proxy, owner, reader, node_name)
        for form in ({"after": "no-such-item"}, {"before": "no-such-item"}):
            with pytest.raises(ErrorReply) as refused:
                await reader.items(proxy.jid, node, page=page_request(2, **form))
            assert refused.value.reply.condition == "item-not-found"

    async def test_impossible_numbers_are_bad_requests(
        self,
        is_held: bool,
        prosody: ThrowAwayProsody,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        node = await self.prepared(is_held, prosody, proxy, owner, reader, node_name)
        for inner in ("<max>-1</max>", "<max>many</max>", "<index>-4</index>"):
            reply = await reader.request(
                "get",
                proxy.jid,
                f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}'/>"
                f"<set xmlns='{NS_RSM}'>{inner}</set></pubsub>",
            )
            assert (reply.error_type, reply.condition) == ("modify", "bad-request")

    async def test_disco_items_of_the_node_come_in_pages_too(
        self,
        is_held: bool,
        prosody: ThrowAwayProsody,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        node = await self.prepared(is_held, prosody, proxy, owner, reader, node_name)
        page = await reader.disco_items(proxy.jid, node, page=page_request(2))
        assert page.ids == ["post-5", "post-4"]
        assert page.page is not None
        assert page.page.count == 5
        following = await reader.disco_items(proxy.jid, node, page=page_request(9, after="post-4"))
        assert following.ids == ["post-3", "post-2", "post-1"]


async def test_paging_by_the_service_alone_ignores_set_where_prosody_does(
    prosody: ThrowAwayProsody, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    proxy.configure({"cache": {"paging": "service"}})
    await proxy.restart()
    await fill(owner, prosody.service, node_name, 4)
    forwarded = await reader.items(proxy.jid, node_name, page=page_request(2))
    await until_held(reader, proxy, node_name)

    held = await reader.items(proxy.jid, node_name, page=page_request(2))

    assert forwarded.ids == held.ids == ["post-1", "post-2", "post-3", "post-4"]
    assert forwarded.page is None
    assert held.page is None
    assert answered_by(proxy, node_name)[-1] == "cache"


async def test_service_that_pages_is_paged_from_the_cache_and_keeps_its_own_tokens(
    counting_service: CountingService, proxy: ProxyProcess, reader: Client
) -> None:
    """A token that the service issued before the node was held goes on being its own to read."""
    node = "urn:xmpp:microblog:0"
    counting_service.pages = counting_service.advertises_paging = True
    counting_service.create(node, items=250)
    to = f"{counting_service.jid}@{proxy.jid}"
    issued = await reader.items(to, node, page=page_request(10))
    assert issued.page is not None
    assert issued.page.last not in issued.ids, "the service's tokens are no item ids"
    await until_held(reader, proxy, node, to)
    ids = (await reader.items(to, node)).ids
    counting_service.forget()

    assert await walked(reader, to, node, 100) == ids
    assert counting_service.received == []
    following = await reader.items(to, node, page=page_request(10, after=issued.page.last))

    assert following.ids == ids[10:20]
    assert len(counting_service.received) == 1


@pytest.mark.parametrize("is_held", [False, True], ids=["forwarded", "held"])
async def test_answer_larger_than_a_stanza_may_be_is_cut_at_an_item(
    is_held: bool, counting_service: CountingService, proxy: ProxyProcess, reader: Client
) -> None:
    """XEP-0060 section 6.5.4; design: the stream is never lost to a large answer."""
    proxy.configure({"cache": {"max_stanza_bytes": "64KiB", "max_item_bytes": "60KiB"}})
    await proxy.restart()
    node = "urn:xmpp:microblog:0" if is_held else "big"
    counting_service.create(node)
    entry = f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{'x' * 10_000}</title></entry>"
    for number in range(20):
        counting_service.publish(node, f"item-{number}", entry)
    to = f"{counting_service.jid}@{proxy.jid}"
    if is_held:
        await until_held(reader, proxy, node, to)

    whole = await reader.items(to, node)
    assert whole.page is not None
    assert whole.ids == [f"item-{number}" for number in range(len(whole.ids))]
    assert 0 < len(whole.ids) < 20
    assert whole.page.count == 20
    rest = whole
    ids = list(whole.ids)
    while rest.page and rest.page.last:
        rest = await reader.items(to, node, page=page_request(None, after=rest.page.last))
        ids += rest.ids

    assert ids == [f"item-{number}" for number in range(20)]


async def test_single_item_too_large_is_refused_naming_the_service(
    counting_service: CountingService, proxy: ProxyProcess, reader: Client
) -> None:
    proxy.configure({"cache": {"max_stanza_bytes": "64KiB", "max_item_bytes": "60KiB"}})
    await proxy.restart()
    node = "urn:xmpp:microblog:0"
    counting_service.create(node)
    counting_service.publish(node, "giant", f"<giant xmlns='urn:x'>{'x' * 100_000}</giant>")
    to = f"{counting_service.jid}@{proxy.jid}"

    for _ in range(3):
        with pytest.raises(ErrorReply) as refused:
            await reader.items(to, node)
        assert refused.value.reply.condition == "not-acceptable"
        assert counting_service.jid in (refused.value.reply.text or "")
