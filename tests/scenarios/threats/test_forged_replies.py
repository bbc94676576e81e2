"""Replies that are not what they seem (threat 1), and services that never reply (threat 17)."""

import pytest
from playbook import DISCO_INFO, PUBSUB, Cellar, info, item_ids, items

from pubcellar.core.counters import Happened

GOOD = (
    f"<pubsub xmlns='{PUBSUB}'><items node='x'><item id='good'><n xmlns='urn:n'/></item></items>"
    "</pubsub>"
)
FORGED = GOOD.replace("good", "forged")


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
    async def test_threat_1_they_disturb_no_request(
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

    async def test_threat_1_a_second_reply_is_dropped(self, cellar: Cellar) -> None:
        cellar.asks(items("x"))
        asked = await cellar.next()
        cellar.answers(asked, GOOD)
        cellar.answers(asked, FORGED)
        assert item_ids((await cellar.next()).element) == ["good"]
        assert cellar.counted(Happened.REPLY_UNMATCHED) == 1

    async def test_threat_1_a_late_reply_is_dropped(self, cellar: Cellar) -> None:
        cellar.asks(items("x"))
        asked = await cellar.next()
        await cellar.advance(11)
        assert (await cellar.next()).condition == "wait/remote-server-timeout"
        cellar.answers(asked, GOOD)
        await cellar.idle()
        assert cellar.counted(Happened.REPLY_UNMATCHED) == 1

    async def test_threat_1_ids_are_not_to_be_guessed(self, cellar: Cellar) -> None:
        ids = set()
        for number in range(20):
            cellar.asks(items(f"n{number}"))
            ids.add((await cellar.next()).id)
        assert len(ids) == 20
        assert min(len(one) for one in ids) >= 22

    async def test_threat_1_the_right_id_of_another_request_is_no_key(self, cellar: Cellar) -> None:
        """Who is asked something knows one id, and nothing that another service was asked."""
        cellar.asks(items("x"))
        other = cellar.asks(items("y"), to="other.example.org@cache.example.org")
        first, second = await cellar.next(), await cellar.next()
        forged = {"id": first.id, "from": second.recipient, "to": second.sender}
        attributes = " ".join(f"{name}='{value}'" for name, value in forged.items())
        cellar.receives(f"<iq type='result' {attributes}>{FORGED}</iq>")
        await cellar.idle()
        cellar.answers(second, GOOD)
        answer = await cellar.next()
        assert (answer.id, item_ids(answer.element)) == (other, ["good"])


class TestServicesThatNeverReply:
    """Every request is answered, and in time (threat 17)."""

    @pytest.mark.parametrize("payload", [items("x"), info("x"), info()])
    async def test_threat_17_who_asks_a_service_that_hangs_is_told_so(
        self, cellar: Cellar, payload: str
    ) -> None:
        id_ = cellar.asks(payload, to="other.example.org@cache.example.org")
        await cellar.next()
        await cellar.advance(11)
        answer = await cellar.next()
        assert (answer.id, answer.condition) == (id_, "wait/remote-server-timeout")
        assert len(cellar.component.door._in_flight) == 0

    @pytest.mark.parametrize("type_", ["get", "set"])
    async def test_threat_17_what_a_server_would_delegate_is_answered_and_tells_nothing(
        self, cellar: Cellar, type_: str
    ) -> None:
        """XEP-0355 section 4.2; nobody delegates anything to us, and no account shows in this."""
        asked = f"<iq xmlns='jabber:client' type='get' id='1'><query xmlns='{DISCO_INFO}'/></iq>"
        forwarded = f"<forwarded xmlns='urn:xmpp:forward:0'>{asked}</forwarded>"
        delegation = f"<delegation xmlns='urn:xmpp:delegation:2'>{forwarded}</delegation>"
        answer = await cellar.answer(delegation, type_=type_, sender="capulet.lit")
        assert answer.condition == "cancel/service-unavailable"
        await cellar.idle()
