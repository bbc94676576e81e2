"""What is held is answered as the real service answers it; what is not held, it answers itself."""

import pytest
from harness import Client, ProxyProcess, ThrowAwayServer
from harness.comparing import answers
from harness.following import answered_by, fill, post, until_held
from harness.payloads import by_id, disco, items_request
from harness.stanzas import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB_OWNER
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.shares_proxy]


async def test_first_read_is_forwarded_and_later_ones_come_from_the_database(
    server: ThrowAwayServer, proxy: ProxyProcess, owner: Client, reader: Client, node_name: str
) -> None:
    await fill(owner, server.service, node_name, 5)

    first = await reader.items(proxy.jid, node_name)

    assert first.ids == ["post-1", "post-2", "post-3", "post-4", "post-5"]
    assert first.reply.sender == proxy.jid
    assert answered_by(proxy, node_name) == ["service"]
    await until_held(reader, proxy, node_name)
    await server.take_service_away()
    try:
        held = await reader.items(proxy.jid, node_name)
    finally:
        await server.bring_service_back()
    assert held.ids == first.ids
    assert answered_by(proxy, node_name)[-1] == "cache"


class TestHeldNodeIsAnsweredAsTheServiceAnswersIt:
    """Every form of a question about items and nodes, each answer held against the service's."""

    FORMS = (
        ("plain", lambda node: items_request(node)),
        ("one id", lambda node: by_id(node, "post-2")),
        ("several ids", lambda node: by_id(node, "post-5", "post-1", "post-3")),
        ("duplicate ids", lambda node: by_id(node, "post-2", "post-2", "post-1", "post-2")),
        ("missing ids are left out", lambda node: by_id(node, "no-such", "post-1", "neither")),
        ("all ids missing: an empty list", lambda node: by_id(node, "no-such", "neither")),
        ("disco#items of the node", lambda node: disco(NS_DISCO_ITEMS, node)),
    )
    # ejabberd puts a `<set/>` before the items of these; what ours says is in test_order.py.
    NEWEST = (
        ("max_items: the newest", lambda node: items_request(node, "", "max_items='3'")),
        ("max_items beyond all", lambda node: items_request(node, "", "max_items='99'")),
    )
    FORWARDED = (
        ("max_items='0'", lambda node: items_request(node, "", "max_items='0'")),
        ("max_items='-1'", lambda node: items_request(node, "", "max_items='-1'")),
        ("max_items='x'", lambda node: items_request(node, "", "max_items='x'")),
        (
            "ids with max_items",
            lambda node: items_request(node, "<item id='post-1'/>", "max_items='2'"),
        ),
        ("an unknown attribute", lambda node: items_request(node, "", "unheard='of'")),
        ("an unknown child", lambda node: items_request(node, "<unheard xmlns='x:y'/>")),
        (
            "affiliations, as owner's request",
            lambda node: (
                f"<pubsub xmlns='{NS_PUBSUB_OWNER}'><affiliations node='{node}'/></pubsub>"
            ),
        ),
    )

    async def test_in_every_form(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        await fill(owner, server.service, node_name, 6, **{"pubsub#title": "Six <posts> & more"})
        await owner.publish(server.service, node_name, "post-2", post("Post 2, republished"))
        await until_held(reader, proxy, node_name)
        for name, payload in self.FORMS:
            ours, theirs = await answers(reader, proxy.jid, server.service, payload(node_name))
            assert ours == theirs, name
            assert answered_by(proxy, node_name)[-1] == "cache", name
        for name, payload in self.NEWEST:
            ours, theirs = await answers(
                reader, proxy.jid, server.service, payload(node_name), without_page=True
            )
            assert ours == theirs, name
            assert answered_by(proxy, node_name)[-1] == "cache", name

    async def test_disco_info_of_the_node_within_the_bound(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        """ejabberd counts subscribers in it, also the proxy, which asked before it subscribed."""
        proxy.configure({"cache": {"access_verify_every": "1s"}})
        await proxy.restart()
        await fill(owner, server.service, node_name, 2, **{"pubsub#title": "Two <posts> & more"})
        await until_held(reader, proxy, node_name)

        async def is_the_same() -> bool:
            payload = disco(NS_DISCO_INFO, node_name)
            ours, theirs = await answers(reader, proxy.jid, server.service, payload)
            return ours == theirs and answered_by(proxy, node_name)[-1] == "cache"

        await wait_until(is_the_same, "the answer from the cache to be the service's")

    async def test_what_is_not_understood_is_forwarded(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        await fill(owner, server.service, node_name, 4)
        await until_held(reader, proxy, node_name)
        for name, payload in self.FORWARDED:
            before = answered_by(proxy, node_name).count("cache")
            ours, theirs = await answers(reader, proxy.jid, server.service, payload(node_name))
            assert ours == theirs, name
            assert answered_by(proxy, node_name).count("cache") == before, name

    async def test_forty_ids_at_once(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        await fill(owner, server.service, node_name, 60)
        await until_held(reader, proxy, node_name)
        wanted = [f"post-{number}" for number in range(45, 5, -1)]

        answer = await reader.items(proxy.jid, node_name, ids=wanted)

        assert set(answer.ids) == set(wanted)
        assert answer.ids == (await reader.items(server.service, node_name, ids=wanted)).ids
        assert answered_by(proxy, node_name)[-1] == "cache"

    async def test_xml_of_an_item_is_not_changed(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        await fill(owner, server.service, node_name, 1)
        entry = (
            "<entry xmlns='http://www.w3.org/2005/Atom' xml:lang='de'><title type='xhtml'>"
            "<div xmlns='http://www.w3.org/1999/xhtml'>Grüße &amp; &lt;Küsse&gt; "
            "<x:b xmlns:x='urn:x' x:a='&#10;1&#9;2'>\U0001f37a</x:b></div></title>"
            "<plain xmlns=''>nowhere</plain></entry>"
        )
        await owner.publish(server.service, node_name, "odd", entry)
        await until_held(reader, proxy, node_name)

        ours, theirs = await answers(
            reader, proxy.jid, server.service, by_id(node_name, "odd", "post-1")
        )

        assert ours == theirs
        assert "\U0001f37a" in ours


class TestErrorsAreTheService_s:  # noqa: N801
    async def test_unknown_node_and_unknown_service(
        self, server: ThrowAwayServer, proxy: ProxyProcess, reader: Client
    ) -> None:
        for payload in (
            items_request("no-such-node"),
            disco(NS_DISCO_INFO, "no-such-node"),
            disco(NS_DISCO_ITEMS, "no-such-node"),
        ):
            ours, theirs = await answers(reader, proxy.jid, server.service, payload)
            assert ours == theirs == "cancel/item-not-found/None"

        refused = await reader.request(
            "get", f"pubsub.evil.example@{proxy.jid}", items_request("n")
        )
        assert (refused.error_type, refused.condition) == ("cancel", "item-not-found")
        assert refused.sender == f"pubsub.evil.example@{proxy.jid}"

    async def test_closed_node_is_refused_to_strangers_and_never_held(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        closed = {"pubsub#access_model": "whitelist"}
        await fill(owner, server.service, node_name, 3, **closed)

        for _ in range(3):
            ours, theirs = await answers(
                reader, proxy.jid, server.service, items_request(node_name)
            )
            assert ours == theirs == server.facts.closed_answer
        assert "cache" not in answered_by(proxy, node_name)
