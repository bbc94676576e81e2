"""Paging (XEP-0059): the proxy pages for services that do not, held or forwarded alike."""

import pytest
from harness import Client, CountingService, ErrorReply, ProxyProcess, ThrowAwayServer
from harness.comparing import answers
from harness.following import answered_by, fill, fill_at_once, post, until_cached, until_held
from harness.payloads import paged
from harness.stanzas import Page, page_request
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.shares_proxy]


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


@pytest.mark.thorough
async def test_thousand_items_in_pages_of_every_size(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    ids = await fill_at_once(owner, server.service, node_name, 1000)
    await until_held(reader, proxy, node_name)
    await until_cached(reader, proxy, node_name)

    for size in (17, 333, 1000, 5000):
        assert await walked(reader, proxy.jid, node_name, size) == ids, size
        assert await walked_back(reader, proxy.jid, node_name, size) == ids, size
    assert "service" not in answered_by(proxy, node_name)[-50:]


@pytest.mark.parametrize("is_held", [False, True], ids=["forwarded", "held"])
class TestEveryForm:
    """Prosody ignores `<set/>`; asked through the proxy it seems to know it.

    What is forwarded to ejabberd, ejabberd pages: then the answer is ejabberd's own.
    """

    async def prepared(
        self,
        is_held: bool,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node: str,
    ) -> str:
        if is_held:
            await fill(owner, server.service, node, 5)
            await until_held(reader, proxy, node)
            return node
        node = f"not-for-any-analyser-{node.rpartition('-')[2]}"
        await owner.create(server.service, node)
        for number in range(1, 6):
            note = f"<note xmlns='urn:example:note'>{number}</note>"
            await owner.publish(server.service, node, f"post-{number}", note)
        return node

    async def test_first_next_last_previous_index_and_count(
        self,
        is_held: bool,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """XEP-0059 sections 2.1 to 2.7."""
        node = await self.prepared(is_held, server, proxy, owner, reader, node_name)
        is_ours = is_held or not server.facts.pages

        async def ask(max_: int | None = None, **form: object) -> tuple[list[str], Page]:
            page = page_request(max_, **form)
            answer = await reader.items(proxy.jid, node, page=page)
            assert answer.page is not None
            if not is_ours:
                theirs = await reader.items(server.service, node, page=page)
                assert (answer.ids, answer.page) == (theirs.ids, theirs.page)
            return answer.ids, answer.page

        def check(answered: list[str], expected: list[str]) -> None:
            # ejabberd in SQL turns its pages around where they are asked for backwards.
            assert not is_ours or answered == expected

        ids, first = await ask(2)
        check(ids, ["post-1", "post-2"])
        assert (first.index, first.count) == (0, 5)
        if is_ours:
            # Where the service pages too, ours are marked.
            ends = [str(end).rpartition(":")[2] for end in (first.first, first.last)]
            assert ends == ["post-1", "post-2"]
        ids, following = await ask(2, after=first.last)
        check(ids, ["post-3", "post-4"])
        ids, end = await ask(2, after=following.last)
        check(ids, ["post-5"])
        if is_ours:
            assert end.index == 4
        ids, beyond = await ask(2, after=end.last)
        check(ids, [])
        assert (beyond.count, beyond.first, beyond.last) == (5, None, None)
        ids, last = await ask(2, before="")
        check(ids, ["post-4", "post-5"])
        ids, _ = await ask(2, before=last.first)
        check(ids, ["post-2", "post-3"])
        ids, _ = await ask(2, before=first.first)
        check(ids, [])
        ids, jump = await ask(2, index=3)
        check(ids, ["post-4", "post-5"])
        assert jump.index == 3
        ids, counted = await ask(0)
        check(ids, [])
        assert counted.count == 5
        assert answered_by(proxy, node)[-1] == ("cache" if is_held else "service")

    async def test_index_beyond_the_end_is_an_empty_page(
        self,
        is_held: bool,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        node = await self.prepared(is_held, server, proxy, owner, reader, node_name)
        if is_held or not server.facts.pages:
            beyond = await reader.items(proxy.jid, node, page=page_request(2, index=99))
            assert beyond.ids == []
            assert beyond.page is not None
            assert beyond.page.count == 5
        else:
            ours, theirs = await answers(
                reader, proxy.jid, server.service, paged(node, "<max>2</max><index>99</index>")
            )
            assert ours == theirs

    async def test_unknown_token_is_not_found_or_for_the_service_to_judge(
        self,
        is_held: bool,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """XEP-0059 section 2.2: a silently wrong page would be worse.

        Where the service pages, a token that is none of ours may be one of its own.
        """
        node = await self.prepared(is_held, server, proxy, owner, reader, node_name)
        for where in ("after", "before"):
            payload = paged(node, f"<max>2</max><{where}>no-such-item</{where}>")
            ours, theirs = await answers(reader, proxy.jid, server.service, payload)
            if server.facts.pages:
                assert ours == theirs
                assert answered_by(proxy, node)[-1] == "service"
            else:
                assert ours == "cancel/item-not-found/None"

    async def test_impossible_numbers_are_bad_requests(
        self,
        is_held: bool,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        node = await self.prepared(is_held, server, proxy, owner, reader, node_name)
        for inner in ("<max>-1</max>", "<max>many</max>", "<index>-4</index>"):
            reply = await reader.request("get", proxy.jid, paged(node, inner))
            assert (reply.error_type, reply.condition) == ("modify", "bad-request")

    async def test_disco_items_of_the_node_come_in_pages_too(
        self,
        is_held: bool,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        node = await self.prepared(is_held, server, proxy, owner, reader, node_name)
        whole = (await reader.disco_items(server.service, node)).ids
        assert sorted(whole) == ["post-1", "post-2", "post-3", "post-4", "post-5"]
        page = await reader.disco_items(proxy.jid, node, page=page_request(2))
        assert page.ids == whole[:2]
        assert page.page is not None
        assert page.page.count == 5
        following = await reader.disco_items(
            proxy.jid, node, page=page_request(9, after=page.page.last)
        )
        assert following.ids == whole[2:]


async def test_order_of_pages_is_the_service_s_also_after_items_were_published_again(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    await fill(owner, server.service, node_name, 7)
    await owner.publish(server.service, node_name, "post-3", post("Post 3, before it is held"))
    await until_held(reader, proxy, node_name)
    for item_id in ("post-2", "post-5", "post-7", "post-1"):
        await owner.publish(server.service, node_name, item_id, post(f"{item_id}, again"))
        theirs = (await reader.items(server.service, node_name)).ids

        assert await walked(reader, proxy.jid, node_name, 3) == theirs

    async def is_paged_from_the_cache() -> bool:
        await reader.items(proxy.jid, node_name, page=page_request(3))
        return answered_by(proxy, node_name)[-1] == "cache"

    await wait_until(is_paged_from_the_cache, "a page from the cache")
    assert await walked(reader, proxy.jid, node_name, 3) == theirs
    assert await walked_back(reader, proxy.jid, node_name, 3) == theirs
    assert "service" not in answered_by(proxy, node_name)[-6:]


async def test_paging_by_the_service_alone_makes_of_set_what_the_service_does(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    """Prosody ignores it."""
    proxy.configure({"cache": {"paging": "service"}})
    await proxy.restart()
    await fill(owner, server.service, node_name, 4)
    theirs = await reader.items(server.service, node_name, page=page_request(2))
    forwarded = await reader.items(proxy.jid, node_name, page=page_request(2))
    await until_held(reader, proxy, node_name)

    held = await reader.items(proxy.jid, node_name, page=page_request(2))

    assert forwarded.ids == held.ids == theirs.ids
    assert forwarded.page == theirs.page
    assert (held.page is None) is (theirs.page is None)
    assert answered_by(proxy, node_name)[-1] == "cache"


@pytest.mark.only_server("ejabberd", reason="Prosody never pages, so it issues no tokens")
async def test_token_that_the_server_issued_is_read_by_it_when_the_node_is_held(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    await fill(owner, server.service, node_name, 6)
    issued = await reader.items(proxy.jid, node_name, page=page_request(2))
    assert issued.page is not None
    assert issued.page.last not in issued.ids
    await until_held(reader, proxy, node_name)

    following = await reader.items(
        proxy.jid, node_name, page=page_request(2, after=issued.page.last)
    )

    assert following.ids == ["post-3", "post-4"]
    assert answered_by(proxy, node_name)[-1] == "service"


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
