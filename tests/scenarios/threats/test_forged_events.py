"""Notifications that are not what they seem: forged, wrapped, replayed (threats 2, 3, 12, 13)."""

import pytest
from playbook import Cellar, Service, info, item_ids, items

from pubcellar.core.counters import Happened

ALIAS = r"juliet\40capulet.lit@cache.example.org/balcony"
EVENT = "http://jabber.org/protocol/pubsub#event"
FORGED_ITEM = "<items node='notes/a'><item id='forged'><n xmlns='urn:n'/></item></items>"


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
    async def test_threat_2_they_change_nothing(
        self, cellar: Cellar, service: Service, forged: str
    ) -> None:
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
    async def test_threat_2_they_are_counted_and_cost_the_database_nothing(
        self, cellar: Cellar, service: Service, forged: str
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        cellar.store.is_broken = True
        cellar.receives(forged)
        await cellar.settled()
        assert cellar.counted(Happened.EVENT_IGNORED) == 1
        assert cellar.counted(Happened.STORE_UNAVAILABLE) == 0

    async def test_threat_2_a_forged_deletion_forgets_nothing(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        cellar.receives(message("<delete node='notes/a'/>", **{"from": "mallory@evil.example"}))
        await cellar.settled()
        assert await cellar.state("notes/a") == "live"

    @pytest.mark.parametrize(
        "wrapper",
        [
            "<sent xmlns='urn:xmpp:carbons:2'>{}</sent>",
            "<received xmlns='urn:xmpp:carbons:2'>{}</received>",
            "<privilege xmlns='urn:xmpp:privilege:2'>{}</privilege>",
            "<event xmlns='urn:xmpp:event:0'>{}</event>",
            "<body>{}</body>",
        ],
    )
    async def test_threat_2_what_is_wrapped_is_somebody_else_s(
        self, cellar: Cellar, service: Service, wrapper: str
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"])
        wrapped = wrapper.format(WRAPPED)
        cellar.receives(
            f"<message from='pubsub.example.org' to='cache.example.org'>{wrapped}</message>"
        )
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1"]
        assert service.asked == []


class TestReplayedEvents:
    """What came too late, or a second time, undoes nothing (threat 3)."""

    async def test_threat_3_a_retract_and_the_item_again_end_as_the_service_has_it(
        self, cellar: Cellar, service: Service
    ) -> None:
        """The item came back only on the way: what contradicts the service is found by looking."""
        await cellar.holds(service, "notes/a", ["i1"])
        published = service.publish("notes/a", "i2")
        cellar.receives(published)
        cellar.receives(service.retract("notes/a", "i2"))
        cellar.receives(published)
        await cellar.settled()
        await cellar.advance(16 * 60)
        await cellar.result(items("notes/a"))
        await cellar.settled()
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1"]


class TestPoisoning:
    """What tells of others, or of somebody's capabilities, changes nothing (threats 12 and 13)."""

    @pytest.mark.parametrize("type_", ["", " type='unavailable'", " type='subscribe'"])
    async def test_threat_12_capabilities_are_not_believed_since_none_are_read(
        self, cellar: Cellar, service: Service, type_: str
    ) -> None:
        """XEP-0115 section 8.1; the same by XEP-0390, with any hash."""
        cellar.stands_behind(service)
        before = await cellar.result(info())
        node, ver = "http://prosody.im", "q07IKJEyjvHSyhy//CH0CxmKi8w="
        caps = (
            f"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='{node}' ver='{ver}'/>"
            "<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>AA==</hash>"
            "</c>"
        )
        for sender in ("pubsub.example.org", "mallory@evil.example/x"):
            cellar.receives(
                f"<presence{type_} from='{sender}' to='cache.example.org'>{caps}</presence>"
            )
        await cellar.idle()
        after = await cellar.result(info())
        assert [one.get("var") for one in after.iter()] == [one.get("var") for one in before.iter()]

    async def test_threat_12_one_service_s_disco_is_never_given_for_another_s(
        self, cellar: Cellar, service: Service
    ) -> None:
        other = cellar.stands_behind(Service("other.example.org", pages=True))
        cellar.stands_behind(service)
        await cellar.result(info(), to="other.example.org@cache.example.org")
        await cellar.result(info())
        assert (other.asked, service.asked) == (other.asked[:1], ["info for " + ALIAS])

    @pytest.mark.parametrize(
        "sender", ["pubsub.example.org", "mallory@evil.example", "capulet.lit"]
    )
    async def test_threat_13_results_of_an_archive_that_was_not_asked_are_ignored(
        self, cellar: Cellar, service: Service, sender: str
    ) -> None:
        """XEP-0313 section 11: nothing here ever asks an archive."""
        await cellar.holds(service, "notes/a", ["i1"])
        result = f"<result xmlns='urn:xmpp:mam:2' queryid='f27' id='28482'>{WRAPPED}</result>"
        for to in ("cache.example.org", ALIAS):
            cellar.receives(f"<message from='{sender}' to='{to}'>{result}</message>")
            cellar.receives(
                f"<iq type='result' id='f27' from='{sender}' to='{to}'>"
                "<fin xmlns='urn:xmpp:mam:2' complete='true'/></iq>"
            )
        await cellar.idle()
        assert item_ids(await cellar.result(items("notes/a"))) == ["i1"]
        assert service.asked == []
