"""In whose name requests go out: as the user where their server grants it, else by alias."""

import logging

import pytest
from playbook import DISCO_INFO, PUBSUB, Cellar, item_ids, items
from playbook.cellar import CACHE, JULIET, ROMEO
from playbook.privileges import (
    ALL,
    BELIEVED,
    CLIENT,
    advertisement,
    granted,
    inner_iq,
    refusal,
    wrapped_reply,
)

from pubcellar.core.counters import Happened

ALIAS = r"juliet\40capulet.lit@cache.example.org/balcony"
USER = "juliet@capulet.lit"
SERVICE = "pubsub.example.org"
ANSWER = (
    f"<pubsub xmlns='{PUBSUB}'><items node='x'><item id='good'><n xmlns='urn:n'/></item></items>"
    "</pubsub>"
)
MISSING = "wait/service-unavailable"


@pytest.fixture
def believing(start, wait_for_coroutine) -> Cellar:
    """Return a component that believes Juliet's server, which has granted nothing yet."""
    return wait_for_coroutine(start(BELIEVED))


async def asked_as(cellar: Cellar, payload: str = items("x"), sender: str = JULIET) -> str:
    """Ask something, and return whom it goes to: the service, or the user's server."""
    cellar.asks(payload, sender=sender)
    sent = await cellar.next()
    cellar.refuses(sent, "bad-request", "modify")
    await cellar.next()
    return sent.recipient


class TestActingAsTheUser:
    async def test_request_is_sent_by_the_users_server_and_answered_from_our_address(
        self, believing: Cellar
    ) -> None:
        cellar = await granted(believing)
        id_ = cellar.asks(items("x"))
        sent = await cellar.next()
        assert (sent.sender, sent.recipient, sent.kind) == (CACHE, USER, "get")
        inner = inner_iq(sent)
        assert dict(inner.attrib) == {"type": "get", "to": SERVICE, "id": inner.get("id")}
        assert len(inner.get("id", "")) >= 22
        assert inner.get("id") != sent.id
        assert inner[0].find(f"{{{PUBSUB}}}items").get("node") == "x"
        cellar.receives(wrapped_reply(sent, ANSWER))
        answer = await cellar.next()
        assert (answer.id, answer.sender, answer.recipient) == (id_, CACHE, JULIET)
        assert item_ids(answer.element) == ["good"]
        assert cellar.counted(Happened.ACTED_AS_USER) == 1

    @pytest.mark.parametrize("is_nested", [True, False])
    async def test_each_namespace_and_type_is_granted_for_itself(
        self, believing: Cellar, is_nested: bool
    ) -> None:
        said = advertisement({PUBSUB: "get", DISCO_INFO: "set"}, is_nested=is_nested)
        cellar = await granted(believing, said)
        assert await asked_as(cellar) == USER
        # Of disco#info only the set is granted.
        assert await asked_as(cellar, f"<query xmlns='{DISCO_INFO}' node='x'/>") == SERVICE

    async def test_error_of_the_service_is_relayed_as_it_came(self, believing: Cellar) -> None:
        cellar = await granted(believing)
        cellar.asks(items("x"))
        sent = await cellar.next()
        error = refusal("not-allowed").replace(
            "</error>", f"<closed-node xmlns='{PUBSUB}#errors'/></error>"
        )
        cellar.receives(wrapped_reply(sent, error, inner_type="error"))
        answer = await cellar.next()
        assert answer.condition == "cancel/not-allowed"
        assert b"<closed-node" in answer.raw
        assert CLIENT.encode() not in answer.raw

    async def test_users_of_other_servers_go_out_by_alias(self, believing: Cellar) -> None:
        cellar = await granted(believing)
        assert await asked_as(cellar, sender=ROMEO) == SERVICE

    async def test_reads_of_one_person_by_two_names_are_not_joined(self, believing: Cellar) -> None:
        cellar = believing
        cellar.asks(items("x"))
        by_alias = await cellar.next()
        assert by_alias.sender == ALIAS
        await granted(cellar)
        cellar.asks(items("x"))
        as_user = await cellar.next()
        assert as_user.recipient == USER
        # What the stranger is refused says nothing of the user, either.
        cellar.refuses(by_alias, "forbidden", "auth")
        assert (await cellar.next()).condition == "auth/forbidden"
        cellar.receives(wrapped_reply(as_user, ANSWER))
        assert item_ids((await cellar.next()).element) == ["good"]

    async def test_refusal_of_the_alias_is_not_remembered_for_the_user(
        self, believing: Cellar
    ) -> None:
        cellar = believing
        cellar.asks(items("x"))
        cellar.refuses(await cellar.next(), "forbidden", "auth")
        assert (await cellar.next()).condition == "auth/forbidden"
        await granted(cellar)
        assert await asked_as(cellar) == USER


class TestGrantsThatAreMissing:
    async def test_what_was_taken_back_means_wait_and_not_an_alias(self, believing: Cellar) -> None:
        cellar = await granted(believing)
        await granted(cellar, advertisement({}))
        answer = await cellar.answer(items("x"))
        assert answer.condition == MISSING
        assert "administrator" in answer.text
        assert cellar.counted(Happened.PRIVILEGE_MISSING) == 1
        await granted(cellar)
        assert await asked_as(cellar) == USER

    async def test_a_restart_remembers_who_granted_and_waits_a_moment_for_it(
        self, believing: Cellar
    ) -> None:
        cellar = await granted(believing)
        await cellar.restart()
        cellar.asks(items("x"))
        await cellar.idle()
        await granted(cellar)
        assert (await cellar.next()).recipient == USER

    async def test_after_that_moment_it_means_wait(self, believing: Cellar) -> None:
        cellar = await granted(believing)
        await cellar.restart()
        cellar.asks(items("x"))
        await cellar.idle()
        await cellar.advance(2)
        assert (await cellar.next()).condition == MISSING
        # Nobody waits twice.
        assert (await cellar.answer(items("x"))).condition == MISSING

    async def test_what_was_granted_ends_with_our_stream(self, believing: Cellar) -> None:
        cellar = await granted(believing)
        cellar.disconnect()
        await cellar.reconnect()
        cellar.asks(items("x"))
        await cellar.advance(2)
        assert (await cellar.next()).condition == MISSING

    async def test_an_administrator_may_have_them_served_by_aliases(
        self, start, believing: Cellar
    ) -> None:
        await granted(believing)
        await believing.stop()
        decided = BELIEVED + 'alias_hosts = ["capulet.lit"]\n'
        cellar = await start(decided)
        assert await asked_as(cellar) == SERVICE
        await granted(cellar)
        assert await asked_as(cellar) == SERVICE

    async def test_server_that_refuses_after_all_means_wait(
        self, believing: Cellar, caplog: pytest.LogCaptureFixture
    ) -> None:
        cellar = await granted(believing)
        for _ in range(2):
            cellar.asks(items("x"))
            cellar.refuses(await cellar.next(), "forbidden", "auth")
            assert (await cellar.next()).condition == MISSING
        assert sum("and refuses" in line for line in caplog.messages) == 1

    async def test_with_a_database_that_fails_users_are_acted_for_as_before(
        self, believing: Cellar
    ) -> None:
        cellar = believing
        cellar.store.broken |= {"record_permissions", "permissions"}
        await granted(cellar)
        assert await asked_as(cellar) == USER
        cellar.store.broken.clear()
        assert await asked_as(cellar) == USER
        await cellar.restart()
        cellar.asks(items("x"))
        await cellar.advance(2)
        assert (await cellar.next()).condition == MISSING


class TestPolicies:
    async def test_privileged_refuses_who_cannot_be_acted_for(self, start) -> None:
        cellar = await start(BELIEVED + 'identity = "privileged"\n')
        assert (await cellar.answer(items("x"), sender=ROMEO)).condition == "cancel/not-allowed"
        assert (await cellar.answer(items("x"))).condition == MISSING
        await granted(cellar)
        assert await asked_as(cellar) == USER

    async def test_alias_never_acts_as_the_user(self, start) -> None:
        cellar = await start(BELIEVED + 'identity = "alias"\n')
        await granted(cellar)
        assert await asked_as(cellar) == SERVICE

    async def test_server_of_another_version_is_named_once_and_served_by_aliases(
        self, believing: Cellar, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        older = (
            f"<message from='capulet.lit' to='{CACHE}'><privilege xmlns='urn:xmpp:privilege:1'>"
            "<perm access='message' type='outgoing'/></privilege></message>"
        )
        for _ in range(2):
            await granted(believing, older)
        assert await asked_as(believing) == SERVICE
        assert sum("urn:xmpp:privilege:1" in line for line in caplog.messages) == 1


class TestWhoIsBelieved:
    """Who could act for a user could make up answers of services to them (threats 4 and 1)."""

    async def test_threats_4_and_1_a_foreign_server_grants_nothing(
        self, believing: Cellar, caplog: pytest.LogCaptureFixture
    ) -> None:
        cellar = await granted(believing, advertisement(sender="evil.org"))
        assert await asked_as(cellar, sender="mallory@evil.org/x") == SERVICE
        assert sum("'evil.org'" in line for line in caplog.messages) == 1

    @pytest.mark.parametrize(
        "said",
        [
            advertisement(sender="juliet@capulet.lit"),
            advertisement(sender="capulet.lit/x"),
            advertisement(sender="sub.capulet.lit"),
            advertisement(to=r"juliet\40capulet.lit@cache.example.org"),
            advertisement(to="cache.example.org/x"),
            advertisement().replace("<message", "<message type='error'"),
            advertisement()
            .replace("<privilege", "<forwarded xmlns='urn:xmpp:forward:0'><privilege")
            .replace("</message>", "</forwarded></message>"),
            advertisement({"urn:other": "both"}),
            advertisement(dict.fromkeys(ALL, "none")),
        ],
        ids=range(9),
    )
    async def test_threats_4_and_1_only_the_servers_own_word_to_us_counts(
        self, believing: Cellar, said: str
    ) -> None:
        cellar = await granted(believing, said)
        assert await asked_as(cellar) == SERVICE

    async def test_threats_4_and_1_servers_that_advertise_make_no_log_without_end(
        self, believing: Cellar, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(50):
            believing.receives(advertisement(sender=f"s{number}.evil.org"))
        await believing.settled()
        assert sum("not believed" in line for line in caplog.messages) == 20


class TestForgedReplies:
    """A user's own client can send what looks like a wrapped reply (threats 1 and 4)."""

    @pytest.mark.parametrize(
        "changed",
        [
            {"outer_id": "guessed"},
            {"outer_from": JULIET},
            {"outer_from": "capulet.lit"},
            {"outer_to": ALIAS},
            {"inner_id": "guessed"},
            {"inner_from": "mallory@evil.org"},
            {"inner_from": f"{SERVICE}/x"},
            {"inner_from": ""},
            {"inner_to": "romeo@montague.lit"},
            {"inner_to": "@"},
            {"inner_type": "set"},
        ],
        ids=str,
    )
    async def test_threat_1_look_alike_of_a_wrapped_reply_does_not_end_the_wait(
        self, believing: Cellar, changed: dict[str, str]
    ) -> None:
        cellar = await granted(believing)
        cellar.asks(items("x"))
        sent = await cellar.next()
        forged = ANSWER.replace("good", "forged")
        cellar.receives(wrapped_reply(sent, forged, **changed))
        await cellar.idle()
        cellar.receives(wrapped_reply(sent, ANSWER, inner_to=JULIET))
        assert item_ids((await cellar.next()).element) == ["good"]

    async def test_threat_1_result_that_is_not_wrapped_does_not_end_the_wait(
        self, believing: Cellar
    ) -> None:
        cellar = await granted(believing)
        cellar.asks(items("x"))
        sent = await cellar.next()
        forged = ANSWER.replace("good", "forged")
        cellar.answers(sent, forged)
        two = wrapped_reply(sent, forged).replace(
            "</forwarded>", f"<iq xmlns='{CLIENT}'/></forwarded>"
        )
        cellar.receives(two)
        await cellar.idle()
        assert cellar.counted(Happened.REPLY_FOREIGN) == 2
        await cellar.advance(11)
        assert (await cellar.next()).condition == "wait/remote-server-timeout"
