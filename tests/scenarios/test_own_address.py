"""What is asked of the proxy itself, and what it refuses (XEP-0030, 0092, 0199)."""

import pytest
from playbook import DISCO_INFO, PUBSUB, Cellar, Service, info, items, listing

PING = "<ping xmlns='urn:xmpp:ping'/>"
VERSION = "<query xmlns='jabber:iq:version'/>"


async def test_ping_is_answered(cellar: Cellar) -> None:
    """XEP-0199 section 4.2."""
    id_ = cellar.asks(PING)
    await cellar.sends(
        f"<iq type='result' id='{id_}' from='cache.example.org' to='juliet@capulet.lit/balcony'/>"
    )
    await cellar.idle()


async def test_version_names_the_software(cellar: Cellar) -> None:
    """XEP-0092 section 3."""
    answer = await cellar.result(VERSION)
    assert answer.findtext(".//{jabber:iq:version}name") == "Pubcellar"
    await cellar.idle()


async def test_a_service_address_answers_ping_too(cellar: Cellar) -> None:
    await cellar.result(PING, to="other.example.org@cache.example.org")
    await cellar.idle()


class TestServiceInfo:
    """disco#info of the service, XEP-0060 section 5.1."""

    async def test_it_is_merged_with_our_own(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service)
        answer = await cellar.result(info())
        identities = [
            (one.get("category"), one.get("type"))
            for one in answer.iter(f"{{{DISCO_INFO}}}identity")
        ]
        assert identities == [("pubsub", "service"), ("component", "generic")]
        features = {one.get("var") for one in answer.iter(f"{{{DISCO_INFO}}}feature")}
        assert {PUBSUB, DISCO_INFO, "urn:xmpp:ping", f"{PUBSUB}#rsm"} <= features

    async def test_it_is_shared_and_kept_for_service_max_age(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service)
        await cellar.result(info())
        await cellar.result(info(), sender="romeo@montague.lit/x")
        assert len(service.asked) == 1
        await cellar.advance(301)
        await cellar.result(info())
        assert len(service.asked) == 2

    async def test_it_is_answered_stale_while_the_service_is_away(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service)
        first = await cellar.result(info())
        service.refusal = ("wait", "remote-server-timeout")
        await cellar.advance(301)
        again = await cellar.result(info())
        assert len(again[0]) == len(first[0])

    async def test_without_the_service_our_own_part_is_given(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).refusal = ("cancel", "remote-server-not-found")
        answer = await cellar.result(info())
        assert [one.get("category") for one in answer.iter(f"{{{DISCO_INFO}}}identity")] == [
            "component"
        ]
        refused = await cellar.answer(info(), to="pubsub.example.org@cache.example.org")
        assert refused.condition == "cancel/remote-server-not-found"

    async def test_an_answer_that_is_none_is_not_kept(self, cellar: Cellar) -> None:
        id_ = cellar.asks(info())
        cellar.answers(await cellar.next(), "")
        answer = await cellar.next()
        assert answer.id == id_
        cellar.asks(info())
        assert (await cellar.next()).recipient == "pubsub.example.org"

    async def test_it_does_not_promise_paging_where_paging_is_the_service_s(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\npaging = 'service'\n")
        cellar.stands_behind(service)
        answer = await cellar.result(info())
        features = {one.get("var") for one in answer.iter(f"{{{DISCO_INFO}}}feature")}
        assert f"{PUBSUB}#rsm" not in features


class TestServiceItems:
    """disco#items of the service, XEP-0060 section 5.2."""

    async def test_each_bare_jid_has_its_own_list(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).has("n1")
        await cellar.result(listing())
        await cellar.result(listing(), sender="juliet@capulet.lit/chamber")
        assert len(service.asked) == 1
        await cellar.result(listing(), sender="romeo@montague.lit/x")
        assert len(service.asked) == 2

    async def test_it_is_kept_for_service_max_age(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).has("n1")
        await cellar.result(listing())
        await cellar.advance(301)
        await cellar.result(listing())
        assert len(service.asked) == 2

    async def test_it_is_shared_where_the_operator_says_so(self, start, service: Service) -> None:
        cellar = await start(upstream="node_list = 'shared'\n")
        cellar.stands_behind(service).has("n1")
        await cellar.result(listing())
        await cellar.result(listing(), sender="romeo@montague.lit/x")
        assert len(service.asked) == 1

    async def test_it_can_be_paged(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).has("n1")
        service.has("n2")
        answer = await cellar.result(listing(page="<max>1</max><after>n1</after>"))
        assert [one.get("node") for one in answer.iter() if one.get("node")] == ["n2"]


class TestRefused:
    @pytest.mark.parametrize("type_", ["get", "set"])
    @pytest.mark.parametrize("to", ["cache.example.org", "other.example.org@cache.example.org"])
    async def test_unknown_requests_are_service_unavailable(
        self, cellar: Cellar, type_: str, to: str
    ) -> None:
        answer = await cellar.answer("<query xmlns='urn:unknown'/>", type_=type_, to=to)
        assert answer.condition == "cancel/service-unavailable"
        await cellar.idle()

    @pytest.mark.parametrize(
        "to",
        [
            "pubsub.evil.example@cache.example.org",
            r"juliet\40capulet.lit@cache.example.org",
            "cache.example.org@cache.example.org",
            r"pubsub.example.org\20@cache.example.org",
            r"pubsub.example.org\5c20@cache.example.org",
            r"x\2fpubsub.example.org@cache.example.org",
        ],
    )
    @pytest.mark.parametrize("payload", [items("x"), info(), listing(), PING])
    async def test_services_not_allowed_are_item_not_found_and_nothing_leaves(
        self, cellar: Cellar, to: str, payload: str
    ) -> None:
        answer = await cellar.answer(payload, to=to)
        assert answer.condition == "cancel/item-not-found"
        await cellar.idle()

    async def test_an_address_is_normalised_first(self, cellar: Cellar) -> None:
        cellar.asks(items("x"), to="Other.Example.ORG@cache.example.org")
        assert (await cellar.next()).recipient == "other.example.org"

    @pytest.mark.parametrize(
        "sender",
        [
            "cache.example.org",
            "cache.example.org/x",
            r"juliet\40capulet.lit@cache.example.org/x",
            r"juliet\5c40capulet.lit\40cache.example.org@proxy.example.net/x",
        ],
    )
    async def test_loops_are_refused(self, cellar: Cellar, sender: str) -> None:
        answer = await cellar.answer(items("x"), sender=sender)
        assert answer.condition == "cancel/not-allowed"
        await cellar.idle()

    @pytest.mark.parametrize("payload", [items("x"), info(), info("x"), listing(), PING])
    async def test_nothing_is_at_a_resource(self, cellar: Cellar, payload: str) -> None:
        answer = await cellar.answer(payload, to="cache.example.org/x")
        assert answer.condition == "cancel/service-unavailable"
        await cellar.idle()

    @pytest.mark.parametrize("payload", ["", items("x") + items("y")])
    async def test_a_request_has_exactly_one_child(self, cellar: Cellar, payload: str) -> None:
        """RFC 6120 section 8.2.3."""
        answer = await cellar.answer(payload)
        assert answer.condition == "modify/bad-request"
        await cellar.idle()

    async def test_presence_and_messages_get_no_answer(self, cellar: Cellar) -> None:
        for stanza in ("presence", "message"):
            cellar.receives(f"<{stanza} from='juliet@capulet.lit/x' to='cache.example.org'/>")
        await cellar.idle()

    async def test_too_many_requests_are_refused_at_once(self, start) -> None:
        cellar = await start(upstream="max_requests = 2\n")
        for number in range(2):
            cellar.asks(items(f"n{number}"))
            await cellar.next()
        answer = await cellar.answer(items("n3"))
        assert answer.condition == "wait/resource-constraint"


async def test_an_answer_in_one_language_is_not_given_to_those_who_ask_in_another(
    cellar: Cellar,
) -> None:
    """XEP-0030 section 3.1: identities may be named in several languages."""
    question = "<query xmlns='http://jabber.org/protocol/disco#info'/>"

    async def ask(lang: str) -> None:
        cellar.receives(
            f"<iq type='get' id='{lang}' xml:lang='{lang}' from='juliet@capulet.lit/balcony'"
            f" to='cache.example.org'>{question}</iq>"
        )

    for lang in ("de", "it"):
        await ask(lang)
        asked = await cellar.next()
        assert asked.kind == "get", "the other language's answer must not be used"
        cellar.answers(
            asked,
            "<query xmlns='http://jabber.org/protocol/disco#info'>"
            f"<identity category='pubsub' type='service' name='{lang}' xml:lang='{lang}'/></query>",
        )
        assert (await cellar.next()).kind == "result"
    await ask("it")
    assert (await cellar.next()).kind == "result"
