"""Stanzas that are too much, or more than they seem (threats 7 and 8)."""

from xml.sax.saxutils import escape

import pytest
from playbook import PUBSUB, Cellar, Service, canonical, item_ids, items
from playbook.stanzas import parsed

from pubcellar.core.counters import Happened
from pubcellar.xmpp.addresses import requester

EVENT = "http://jabber.org/protocol/pubsub#event"
PING = "<ping xmlns='urn:xmpp:ping'/>"


def message(action: str, **attributes: str) -> str:
    given = {"from": "pubsub.example.org", "to": "cache.example.org", "type": "headline"}
    written = " ".join(f"{k}='{v}'" for k, v in {**given, **attributes}.items())
    return f"<message {written}><event xmlns='{EVENT}'>{action}</event></message>"


class TestSizes:
    """Stanzas over the caps cost a stanza, not the stream (threat 7)."""

    CAPS = "max_received_bytes = '64KiB'\nmax_received_depth = 16\n"
    MORE = "[cache]\nmax_item_bytes = '32KiB'\n"

    @pytest.mark.parametrize(
        "payload", [f"<x xmlns='urn:x'>{'x' * 70_000}</x>", "<x xmlns='urn:x'>" * 20 + "</x>" * 20]
    )
    async def test_threat_7_an_oversized_request_is_refused_and_the_stream_lives(
        self, start, payload: str
    ) -> None:
        cellar = await start(self.MORE, component=self.CAPS)
        answer = await cellar.answer(payload)
        assert answer.condition == "modify/policy-violation"
        await cellar.result("<ping xmlns='urn:xmpp:ping'/>")

    async def test_threat_7_an_oversized_reply_fails_its_request_alone(self, start) -> None:
        cellar = await start(self.MORE, component=self.CAPS)
        cellar.asks(items("x"))
        id_ = cellar.asks(items("y"))
        asked = [await cellar.next(), await cellar.next()]
        (first,) = (one for one in asked if b"'x'" in one.raw or b'"x"' in one.raw)
        cellar.answers(first, f"<x xmlns='urn:x'>{'x' * 70_000}</x>")
        answer = await cellar.next()
        assert answer.condition == "modify/not-acceptable"
        assert answer.id != id_
        await cellar.idle()

    async def test_threat_7_an_oversized_event_puts_the_service_in_doubt(
        self, start, service: Service
    ) -> None:
        cellar = await start(self.MORE, component=self.CAPS)
        await cellar.holds(service, "notes/a", ["i1"])
        large = f"<n xmlns='urn:n'>{'x' * 70_000}</n>"
        event = service.publish("notes/a", "i2", large)
        service.has("notes/a", ["i1", "i2"])
        cellar.receives(event)
        await cellar.settled()
        assert "subscribe notes/a" in service.asked
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1", "i2"]
        assert await cellar.state("notes/a") == "live"

    async def test_threat_7_an_oversized_message_of_a_stranger_sets_nothing_off(
        self, start
    ) -> None:
        cellar = await start(self.MORE, component=self.CAPS)
        calls: list[str] = []
        store = cellar.store._store
        kept = store.make_stale
        store.make_stale = lambda *given: calls.append("make_stale") or kept(*given)
        for number in range(3):
            deep = "<x xmlns='urn:x'>" * 20 + "</x>" * 20
            cellar.receives(message(deep, **{"from": f"mallory{number}@evil.example"}))
        await cellar.settled()
        assert calls == []

    @pytest.mark.parametrize(
        "payload",
        [
            "<x xmlns='urn:x'>" + "<a/>" * 2000 + "</x>",
            f"<x xmlns='urn:x' a='{'x' * 60_000}'>{'&lt;' * 3000}</x>",
            f"<{'x' * 66_000}/>",
            "<x xmlns='urn:x'>" + "<a>" * 10_000 + "</a>" * 10_000 + "</x>",
        ],
        ids=["many elements", "a long attribute", "a long name", "very deep"],
    )
    @pytest.mark.parametrize("kind", ["request", "message", "presence", "result"])
    async def test_threat_7_a_bomb_costs_one_stanza_whatever_kind_it_is(
        self, start, payload: str, kind: str
    ) -> None:
        caps = self.CAPS + "max_received_elements = 1000\n"
        cellar: Cellar = await start(self.MORE, component=caps)
        if kind == "request":
            assert (await cellar.answer(payload)).condition == "modify/policy-violation"
        else:
            name = "iq" if kind == "result" else kind
            cellar.receives(
                f"<{name} type='result' id='x' from='mallory@evil.example' to='cache.example.org'>"
                f"{payload}</{name}>"
            )
        await cellar.idle()
        assert cellar.counted(Happened.STANZA_TOO_LARGE) == 1
        await cellar.result(PING)

    @pytest.mark.parametrize(
        "text",
        [
            "<!DOCTYPE x [<!ENTITY a 'a'><!ENTITY b '&a;&a;'>]>",
            "<x>&bomb;</x>",
            "<x>&#0;</x>",
            "<?xml-stylesheet href='x'?>",
            "<!-- -->",
            "<x>\ufffe</x>",
        ],
    )
    async def test_threat_7_what_no_stream_may_hold_ends_it_and_the_next_one_works(
        self, cellar: Cellar, text: str
    ) -> None:
        """RFC 6120 section 11.1; no server passes it on, and what is broken cannot go on."""
        cellar.asks(items("x"))
        await cellar.next()
        cellar.receives(f"<iq type='get' id='1' from='a@b.c/d' to='cache.example.org'>{text}</iq>")
        assert cellar._protocol.transport.disconnecting
        cellar.disconnect()
        await cellar.reconnect()
        await cellar.idle()
        await cellar.result(PING)

    async def test_threat_7_an_address_longer_than_any_is_no_address(self, cellar: Cellar) -> None:
        """RFC 7622 section 3.1: nobody has one, and to keep or to normalise it would cost much."""
        before = requester.cache_info().currsize
        for number in range(3):
            for sender in (f"{number}{'x' * 2000}@evil.example", f"a@evil.example/{'x' * 2000}"):
                answer = await cellar.answer(PING, sender=sender)
                assert answer.condition == "modify/bad-request"
        assert requester.cache_info().currsize <= before + 1, "only our own address is new"


@pytest.mark.parametrize(
    "payload",
    [
        "<iq xmlns='jabber:client' type='set'/>",
        "<message xmlns='jabber:component:accept'/>",
        "<x xmlns='http://etherx.jabber.org/streams'/>",
    ],
)
async def test_threat_8_an_item_that_holds_a_stanza_is_not_held(
    cellar: Cellar, service: Service, payload: str
) -> None:
    cellar.stands_behind(service).has("notes/a", ["i1"], payload=payload)
    await cellar.answer(items("notes/a"))
    await cellar.settled()
    assert await cellar.state("notes/a") != "live"


@pytest.mark.parametrize(
    "payload",
    [
        "<x xmlns='urn:x'><iq xmlns='jabber:client' type='set' from='admin@capulet.lit'/></x>",
        "<x xmlns='urn:x'>&lt;/item&gt;&lt;/stream:stream&gt;&lt;iq/&gt;</x>",
        "<x xmlns='urn:x'><![CDATA[</x></item></items></pubsub></iq><iq type='set'/>]]></x>",
        "<x xmlns='urn:x' a='&gt;&lt;/item&gt;&quot;&apos;/>'/>",
        "<p:x xmlns:p='urn:x' xmlns:q='urn:q' q:a='1'><x xmlns=''><p:y xmlns:p='urn:y'/></x></p:x>",
        "<x xmlns='urn:x' xmlns:stream='http://etherx.jabber.org/streams'><stream:stream/></x>",
        "<x xmlns='urn:x' xml:lang='de' xml:base='javascript:'>&#x85;&#13;&#10;\u2028\x7f</x>",
    ],
)
@pytest.mark.parametrize("is_held", [False, True])
async def test_threat_8_a_payload_comes_out_as_it_went_in_and_ends_where_it_ended(
    cellar: Cellar, service: Service, payload: str, is_held: bool
) -> None:
    if is_held:
        await cellar.holds(service, "notes/a", ["i1"], payload=payload)
    else:
        cellar.stands_behind(service).has("x", ["i1"], payload=payload)
    answer = await cellar.result(items("notes/a" if is_held else "x"))
    assert [one.tag for one in answer] == [f"{{{PUBSUB}}}pubsub"]
    (found,) = answer.iter(f"{{{PUBSUB}}}item")
    expected = parsed(f"<pubsub xmlns='{PUBSUB}'><item id='i1'>{payload}</item></pubsub>")[0]
    assert canonical(found) == canonical(expected)
    await cellar.idle()


@pytest.mark.parametrize(
    "hostile",
    [
        "' type='set' to='admin@capulet.lit",
        "\"/><iq type='set'/><x a=\"",
        "</iq></stream:stream>",
        "]]><!--",
        "\n\r\t",
    ],
)
async def test_threat_8_what_a_client_writes_stays_one_attribute_of_one_stanza(
    cellar: Cellar, hostile: str
) -> None:
    """In the id, the language, the node, an item's id, and in an unknown attribute."""
    written = escape(hostile, {"'": "&apos;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
    cellar.receives(
        f"<iq type='get' id='{written}' xml:lang='{written}' from='juliet@capulet.lit/balcony' "
        f"to='cache.example.org'><pubsub xmlns='{PUBSUB}'><items node='{written}' x='{written}'>"
        f"<item id='{written}'/></items></pubsub></iq>"
    )
    asked = await cellar.next()
    assert asked.recipient == "pubsub.example.org"
    assert asked.kind == "get"
    (wanted,) = asked.element[0]
    assert (wanted.get("node"), wanted.get("x"), wanted[0].get("id")) == (hostile,) * 3
    cellar.refuses(asked, "item-not-found")
    assert (await cellar.next()).id == hostile
    await cellar.idle()


async def test_threats_8_and_11_markup_in_names_is_text(cellar: Cellar, service: Service) -> None:
    node = "notes/' or 1=1 --<x/>&\"%_"
    await cellar.holds(service, node, ["a'b", "<i2>", "%"])
    assert item_ids(await cellar.result(items(node))) == ["a'b", "<i2>", "%"]
    answer = await cellar.result(items(node, page="<after>&lt;i2&gt;</after>"))
    assert item_ids(answer) == ["%"]
    answer = await cellar.answer(items(node, page="<after>' or 1=1 --</after>"))
    assert answer.condition == "cancel/item-not-found"
    assert service.asked == []
