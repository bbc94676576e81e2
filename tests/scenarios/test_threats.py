"""What others send to harm: replies, events and sizes that are not what they seem."""

import pytest
from playbook import PUBSUB, Cellar, Service, item_ids, items

from pubcellar.core.counters import Happened

GOOD = (
    f"<pubsub xmlns='{PUBSUB}'><items node='x'><item id='good'><n xmlns='urn:n'/></item></items>"
    "</pubsub>"
)
FORGED = GOOD.replace("good", "forged")
EVENT = "http://jabber.org/protocol/pubsub#event"
FORGED_ITEM = "<items node='notes/a'><item id='forged'><n xmlns='urn:n'/></item></items>"


class TestForgedReplies:
    """Replies are matched by id, sender and address (threat 1)."""

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("from", "mallory@evil.example"),
            ("from", "pubsub.example.org/x"),
            ("id", "guessed"),
            ("to", "cache.example.org"),
            ("to", r"romeo\40montague.lit@cache.example.org/orchard"),
        ],
    )
    @pytest.mark.parametrize("type_", ["result", "error"])
    async def test_they_disturb_no_request(
        self, cellar: Cellar, field: str, value: str, type_: str
    ) -> None:
        id_ = cellar.asks(items("x"))
        asked = await cellar.next()
        right = {"id": asked.id, "from": asked.recipient, "to": asked.sender}
        forged = {**right, field: value}
        attributes = " ".join(f"{name}='{one}'" for name, one in forged.items())
        cellar.receives(f"<iq type='{type_}' {attributes}>{FORGED}</iq>")
        await cellar.idle()
        cellar.answers(asked, GOOD)
        answer = await cellar.next()
        assert (answer.id, item_ids(answer.element)) == (id_, ["good"])
        unmatched = Happened.REPLY_UNMATCHED if field == "id" else Happened.REPLY_FOREIGN
        assert cellar.counted(unmatched) == 1

    async def test_a_second_reply_is_dropped(self, cellar: Cellar) -> None:
        cellar.asks(items("x"))
        asked = await cellar.next()
        cellar.answers(asked, GOOD)
        cellar.answers(asked, FORGED)
        assert item_ids((await cellar.next()).element) == ["good"]
        assert cellar.counted(Happened.REPLY_UNMATCHED) == 1

    async def test_a_late_reply_is_dropped(self, cellar: Cellar) -> None:
        cellar.asks(items("x"))
        asked = await cellar.next()
        await cellar.advance(11)
        assert (await cellar.next()).condition == "wait/remote-server-timeout"
        cellar.answers(asked, GOOD)
        await cellar.idle()
        assert cellar.counted(Happened.REPLY_UNMATCHED) == 1

    async def test_ids_are_not_to_be_guessed(self, cellar: Cellar) -> None:
        ids = set()
        for number in range(20):
            cellar.asks(items(f"n{number}"))
            ids.add((await cellar.next()).id)
        assert len(ids) == 20
        assert min(len(one) for one in ids) >= 22


def message(action: str = FORGED_ITEM, **attributes: str) -> str:
    given = {"from": "pubsub.example.org", "to": "cache.example.org", "type": "headline"}
    written = " ".join(f"{k}='{v}'" for k, v in {**given, **attributes}.items())
    return f"<message {written}><event xmlns='{EVENT}'>{action}</event></message>"


WRAPPED = f"<forwarded xmlns='urn:xmpp:forward:0'>{message()}</forwarded>"


class TestForgedEvents:
    """Events are believed only from the service, for the node, at our address (threat 2)."""

    @pytest.mark.parametrize(
        "forged",
        [
            message(**{"from": "mallory@evil.example"}),
            message(**{"from": "pubsub.example.org/x"}),
            message(**{"from": "someone@pubsub.example.org"}),
            message(**{"from": "other.example.org"}),
            message(to=r"juliet\40capulet.lit@cache.example.org"),
            message(to="other.example.org@cache.example.org"),
            message(to="cache.example.org/x"),
            message(type="error"),
            message(FORGED_ITEM.replace("notes/a", "notes/b")),
            message(FORGED_ITEM.replace("notes/a", "notes/A")),
            f"<message from='pubsub.example.org' to='cache.example.org'>{WRAPPED}</message>",
            "<message from='pubsub.example.org' to='cache.example.org'>"
            f"<received xmlns='urn:xmpp:carbons:2'>{WRAPPED}</received></message>",
            "<message from='pubsub.example.org' to='cache.example.org'>"
            f"<result xmlns='urn:xmpp:mam:2'>{WRAPPED}</result></message>",
            f"<iq from='pubsub.example.org' to='cache.example.org' type='result' id='x'>"
            f"<event xmlns='{EVENT}'>{FORGED_ITEM}</event></iq>",
        ],
    )
    async def test_they_change_nothing(self, cellar: Cellar, service: Service, forged: str) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        cellar.receives(forged)
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1"]
        assert service.asked == []
        assert await cellar.record("notes/b") is None

    @pytest.mark.parametrize(
        "forged",
        [
            message(**{"from": "mallory@evil.example"}),
            message(FORGED_ITEM.replace("notes/a", "notes/b")),
        ],
    )
    async def test_they_are_counted_and_cost_the_database_nothing(
        self, cellar: Cellar, service: Service, forged: str
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        cellar.store.is_broken = True
        cellar.receives(forged)
        await cellar.settled()
        assert cellar.counted(Happened.EVENT_IGNORED) == 1
        assert cellar.counted(Happened.STORE_UNAVAILABLE) == 0

    async def test_a_forged_deletion_forgets_nothing(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        cellar.receives(message("<delete node='notes/a'/>", **{"from": "mallory@evil.example"}))
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"


class TestSizes:
    """Stanzas over the caps cost a stanza, not the stream (threat 7)."""

    CAPS = "max_received_bytes = '64KiB'\nmax_received_depth = 16\n"
    MORE = "[cache]\nmax_item_bytes = '32KiB'\n"

    @pytest.mark.parametrize(
        "payload", [f"<x xmlns='urn:x'>{'x' * 70_000}</x>", "<x xmlns='urn:x'>" * 20 + "</x>" * 20]
    )
    async def test_an_oversized_request_is_refused_and_the_stream_lives(
        self, start, payload: str
    ) -> None:
        cellar = await start(self.MORE, component=self.CAPS)
        answer = await cellar.answer(payload)
        assert answer.condition == "modify/policy-violation"
        await cellar.result("<ping xmlns='urn:xmpp:ping'/>")

    async def test_an_oversized_reply_fails_its_request_alone(self, start) -> None:
        cellar = await start(self.MORE, component=self.CAPS)
        cellar.asks(items("x"))
        id_ = cellar.asks(items("y"))
        first, _ = await cellar.next(), await cellar.next()
        cellar.answers(first, f"<x xmlns='urn:x'>{'x' * 70_000}</x>")
        answer = await cellar.next()
        assert answer.condition == "modify/not-acceptable"
        assert answer.id != id_
        await cellar.idle()

    async def test_an_oversized_event_puts_the_service_in_doubt(
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

    async def test_an_oversized_message_of_a_stranger_sets_nothing_off(self, start) -> None:
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
        "<iq xmlns='jabber:client' type='set'/>",
        "<message xmlns='jabber:component:accept'/>",
        "<x xmlns='http://etherx.jabber.org/streams'/>",
    ],
)
async def test_an_item_that_holds_a_stanza_is_not_held(
    cellar: Cellar, service: Service, payload: str
) -> None:
    """Threat 8."""
    cellar.stands_behind(service).has("notes/a", ["i1"], payload=payload)
    await cellar.answer(items("notes/a"))
    await cellar.settled()
    assert await cellar.state("notes/a") != "live"


async def test_markup_in_names_stays_text(cellar: Cellar, service: Service) -> None:
    """Threats 8 and 11."""
    node = "notes/' or 1=1 --<x/>&\"%_"
    await cellar.holds(service, node, ["a'b", "<i2>", "%"])
    assert item_ids(await cellar.result(items(node))) == ["a'b", "<i2>", "%"]
    answer = await cellar.result(items(node, page="<after>&lt;i2&gt;</after>"))
    assert item_ids(answer) == ["%"]
    answer = await cellar.answer(items(node, page="<after>' or 1=1 --</after>"))
    assert answer.condition == "cancel/item-not-found"
    assert service.asked == []
