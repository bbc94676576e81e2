"""Subscriptions of users at the proxy's addresses (XEP-0060 sections 6.1 to 6.3)."""

import pytest
from playbook import PUBSUB, Cellar, Service, items, subscribe
from playbook.cellar import CACHE, JULIET, ROMEO
from playbook.privileges import BELIEVED, granted, inner_iq, payload_name, refusal, wrapped_reply
from playbook.subscribing import (
    ALIAS,
    ALIAS_BARE,
    NODE,
    SERVICE,
    notification,
    recorded,
    subscribed,
)

from pubcellar.core.counters import Happened

USER = "juliet@capulet.lit"
SUBSCRIBE = subscribe(NODE, JULIET)
UNSUBSCRIBE = subscribe(NODE, JULIET, "unsubscribe")
SUBSCRIPTIONS = f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>"
NO_ITEMS = f"<pubsub xmlns='{PUBSUB}'><items node='{NODE}'/></pubsub>"
RECORDED = (NODE, JULIET, CACHE, "", "subscribed")


def subscription(jid: str, state: str = "subscribed", subid: str = "", node: str = NODE) -> str:
    named = f" subid='{subid}'" if subid else ""
    return f"<subscription node='{node}' jid='{jid}' subscription='{state}'{named}/>"


def answer(jid: str, state: str = "subscribed", subid: str = "") -> str:
    return f"<pubsub xmlns='{PUBSUB}'>{subscription(jid, state, subid)}</pubsub>"


def listed(*entries: str) -> str:
    return f"<pubsub xmlns='{PUBSUB}'><subscriptions>{''.join(entries)}</subscriptions></pubsub>"


class TestSubscribing:
    async def test_alias_reads_an_item_and_is_subscribed(self, cellar: Cellar) -> None:
        id_ = cellar.asks(SUBSCRIBE, type_="set")
        read = await cellar.sends(
            f"<iq type='get' id='*' from='{ALIAS}' to='{SERVICE}'>{items(NODE, max_items=1)}</iq>"
        )
        cellar.answers(read, NO_ITEMS)
        sent = await cellar.sends(
            f"<iq type='set' id='*' from='{ALIAS}' to='{SERVICE}'>{subscribe(NODE, ALIAS)}</iq>"
        )
        cellar.answers(sent, answer(ALIAS))
        await cellar.sends(
            f"<iq type='result' id='{id_}' from='{CACHE}' to='{JULIET}'>{answer(JULIET)}</iq>"
        )
        assert await recorded(cellar) == [RECORDED]

    @pytest.mark.parametrize(
        ("condition", "type_"), [("item-not-found", "cancel"), ("forbidden", "auth")]
    )
    async def test_nobody_subscribes_to_what_their_alias_may_not_read(
        self, cellar: Cellar, condition: str, type_: str
    ) -> None:
        """Some services make a node that somebody subscribes to."""
        cellar.asks(SUBSCRIBE, type_="set")
        cellar.refuses(await cellar.next(), condition, type_)
        assert (await cellar.next()).condition == f"{type_}/{condition}"
        await cellar.idle()
        assert await recorded(cellar) == []

    async def test_refused_subscription_is_not_recorded(self, cellar: Cellar) -> None:
        cellar.asks(SUBSCRIBE, type_="set")
        cellar.answers(await cellar.next(), NO_ITEMS)
        cellar.refuses(await cellar.next(), "forbidden", "auth")
        assert (await cellar.next()).condition == "auth/forbidden"
        assert await recorded(cellar) == []

    @pytest.mark.parametrize("state", ["pending", "unconfigured", "subscribed"])
    async def test_state_and_subid_are_recorded_as_the_service_says(
        self, cellar: Cellar, state: str
    ) -> None:
        cellar.asks(SUBSCRIBE, type_="set")
        cellar.answers(await cellar.next(), NO_ITEMS)
        cellar.answers(await cellar.next(), answer(ALIAS, state, "7"))
        assert 'subid="7"' in repr(await cellar.next())
        assert await recorded(cellar) == [(NODE, JULIET, CACHE, "7", state)]

    async def test_bare_address_and_another_resource_are_ones_own(
        self, cellar: Cellar, service: Service
    ) -> None:
        await subscribed(cellar, service, jid=USER)
        await subscribed(cellar, service, jid=f"{USER}/chamber")
        assert service.nodes[NODE].subscribers == {ALIAS_BARE, f"{ALIAS_BARE}/chamber"}
        assert [one[1] for one in await recorded(cellar)] == [USER, f"{USER}/chamber"]

    async def test_somebody_elses_address_is_for_the_service_to_refuse(
        self, cellar: Cellar
    ) -> None:
        cellar.asks(subscribe(NODE, ROMEO), type_="set")
        cellar.answers(await cellar.next(), NO_ITEMS)
        sent = await cellar.next()
        assert f'jid="{ROMEO}"' in repr(sent)
        cellar.refuses(sent, "bad-request", "modify", f"<invalid-jid xmlns='{PUBSUB}#errors'/>")
        refused = await cellar.next()
        assert refused.condition == "modify/bad-request"
        assert "invalid-jid" in repr(refused)
        assert await recorded(cellar) == []

    async def test_without_the_database_nobody_subscribes(
        self, cellar: Cellar, service: Service
    ) -> None:
        """What the alias is sent could not be passed on."""
        cellar.stands_behind(service).has(NODE, ["i1"])
        cellar.store.is_broken = True
        refused = await cellar.answer(SUBSCRIBE, type_="set")
        assert refused.condition == "wait/internal-server-error"
        assert service.nodes[NODE].subscribers == set()

    async def test_subscription_again_that_is_refused_ends_nothing(
        self, cellar: Cellar, service: Service
    ) -> None:
        await subscribed(cellar, service)
        service.nodes[NODE].refuses_subscriptions = True
        refused = await cellar.answer(SUBSCRIBE, type_="set")
        assert refused.condition == "auth/forbidden"
        assert await recorded(cellar) == [RECORDED]


class TestQuota:
    MORE = "\n[access]\nmax_subscriptions_per_requester = 2\n"

    async def test_over_it_one_is_refused(self, start, service: Service) -> None:
        cellar = await start(self.MORE)
        for node in ("notes/1", "notes/2"):
            await subscribed(cellar, service, node=node)
        service.has(NODE, ["i1"])
        refused = await cellar.answer(SUBSCRIBE, type_="set")
        assert refused.condition == "wait/policy-violation"
        assert "too-many-subscriptions" in repr(refused)
        assert service.nodes[NODE].subscribers == set()
        assert cellar.counted(Happened.OVER_QUOTA) == 1

    async def test_what_one_has_can_be_asked_for_again(self, start, service: Service) -> None:
        cellar = await start(self.MORE)
        for node in ("notes/1", "notes/2", "notes/1"):
            await subscribed(cellar, service, node=node)

    async def test_others_have_their_own(self, start, service: Service) -> None:
        cellar = await start(self.MORE)
        for node in ("notes/1", "notes/2"):
            await subscribed(cellar, service, node=node)
        await subscribed(cellar, service, jid=ROMEO, sender=ROMEO)

    async def test_exempt_domains_have_none(self, start, service: Service) -> None:
        cellar = await start(self.MORE + 'exempt = ["capulet.lit"]\n')
        for node in ("notes/1", "notes/2", "notes/3"):
            await subscribed(cellar, service, node=node)


class TestUnsubscribing:
    async def test_alias_is_unsubscribed_and_the_record_ends(
        self, cellar: Cellar, service: Service
    ) -> None:
        await subscribed(cellar, service)
        await cellar.result(UNSUBSCRIBE, type_="set")
        assert service.nodes[NODE].subscribers == set()
        assert await recorded(cellar) == []

    @pytest.mark.parametrize("condition", ["item-not-found", "unexpected-request"])
    async def test_record_of_what_the_service_does_not_have_ends(
        self, cellar: Cellar, service: Service, condition: str
    ) -> None:
        await subscribed(cellar, service)
        service.refusals["unsubscribe"] = ("cancel", condition)
        assert (await cellar.answer(UNSUBSCRIBE, type_="set")).condition == f"cancel/{condition}"
        assert await recorded(cellar) == []

    async def test_of_several_only_the_named_one_ends(self, cellar: Cellar) -> None:
        for subid in ("7", "8"):
            cellar.asks(SUBSCRIBE, type_="set")
            cellar.answers(await cellar.next(), NO_ITEMS)
            cellar.answers(await cellar.next(), answer(ALIAS, subid=subid))
            await cellar.next()
        cellar.asks(subscribe(NODE, JULIET, "unsubscribe", "8"), type_="set")
        cellar.answers(await cellar.next())
        await cellar.next()
        assert [one[3] for one in await recorded(cellar)] == ["7"]


class TestWhatNobodyAnswered:
    async def test_time_out_is_asked_about_later(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).has(NODE, ["i1"])
        service.unanswered = ("subscribe ",)
        cellar.asks(SUBSCRIBE, type_="set")
        await cellar.advance(11)
        assert (await cellar.next()).condition == "wait/remote-server-timeout"
        assert await recorded(cellar) == [(NODE, JULIET, CACHE, "", "none")]
        service.nodes[NODE].subscribers.add(ALIAS)
        await cellar.advance(61)
        await cellar.advance(61)
        assert await recorded(cellar) == [RECORDED]

    async def test_what_did_not_come_to_be_is_forgotten(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).has(NODE, ["i1"])
        service.unanswered = ("subscribe ",)
        cellar.asks(SUBSCRIBE, type_="set")
        await cellar.advance(11)
        await cellar.next()
        await cellar.advance(61)
        await cellar.advance(61)
        assert await recorded(cellar) == []

    async def test_unsubscription_without_answer_is_asked_about_too(
        self, cellar: Cellar, service: Service
    ) -> None:
        await subscribed(cellar, service)
        service.unanswered = ("unsubscribe ",)
        cellar.asks(UNSUBSCRIBE, type_="set")
        await cellar.advance(11)
        await cellar.next()
        await cellar.advance(61)
        await cellar.advance(61)
        assert await recorded(cellar) == [RECORDED]

    async def test_killed_between_request_and_result(self, cellar: Cellar) -> None:
        """The record is there before the request is, so that nothing is lost."""
        cellar.asks(SUBSCRIBE, type_="set")
        cellar.answers(await cellar.next(), NO_ITEMS)
        await cellar.next()
        await cellar.kill()
        await cellar.restart()
        assert await recorded(cellar) == [(NODE, JULIET, CACHE, "", "none")]
        cellar.receives(notification())
        assert (await cellar.next()).recipient == JULIET
        await cellar.advance(61)
        asked = await cellar.next()
        assert (asked.sender, asked.recipient) == (ALIAS, SERVICE)
        cellar.answers(asked, listed(subscription(ALIAS, subid="7")))
        await cellar.settled()
        assert await recorded(cellar) == [(NODE, JULIET, CACHE, "7", "subscribed")]


class TestActingAsTheUser:
    """Where the user's server lets us act for them (XEP-0356)."""

    @pytest.fixture
    def privileged(self, start, wait_for_coroutine) -> Cellar:
        async def begin() -> Cellar:
            return await granted(await start(BELIEVED))

        return wait_for_coroutine(begin())

    async def test_alias_is_subscribed_all_the_same(
        self, privileged: Cellar, service: Service
    ) -> None:
        await subscribed(privileged, service)
        assert service.nodes[NODE].subscribers == {ALIAS}
        assert await recorded(privileged) == [RECORDED]

    @pytest.mark.parametrize("condition", ["forbidden", "not-allowed", "not-authorized"])
    @pytest.mark.parametrize("is_readable", [True, False])
    async def test_where_the_alias_is_refused_the_user_is_subscribed_directly(
        self, privileged: Cellar, condition: str, is_readable: bool
    ) -> None:
        id_ = privileged.asks(SUBSCRIBE, type_="set")
        if is_readable:
            privileged.answers(await privileged.next(), NO_ITEMS)
        privileged.refuses(await privileged.next(), condition, "auth")
        sent = await privileged.next()
        assert sent.recipient == USER
        assert payload_name(inner_iq(sent)) == "pubsub"
        assert f'jid="{JULIET}"' in repr(sent)
        privileged.receives(wrapped_reply(sent, answer(JULIET)))
        answered = await privileged.next()
        assert (answered.kind, answered.id) == ("result", id_)
        assert await recorded(privileged) == []

    async def test_node_that_is_not_there_is_not_made_in_the_users_name(
        self, privileged: Cellar
    ) -> None:
        privileged.asks(SUBSCRIBE, type_="set")
        privileged.refuses(await privileged.next(), "item-not-found")
        assert (await privileged.next()).condition == "cancel/item-not-found"
        await privileged.idle()

    async def test_who_is_subscribed_directly_unsubscribes_as_themselves(
        self, privileged: Cellar
    ) -> None:
        privileged.asks(UNSUBSCRIBE, type_="set")
        assert (await privileged.next()).recipient == USER

    @pytest.mark.parametrize("type_", ["get", "set"])
    async def test_options_are_those_of_whoever_is_subscribed(
        self, privileged: Cellar, service: Service, type_: str
    ) -> None:
        options = subscribe(NODE, JULIET, "options")
        privileged.asks(options, type_=type_)
        direct = await privileged.next()
        assert direct.recipient == USER
        privileged.receives(wrapped_reply(direct, ""))
        await privileged.next()
        await subscribed(privileged, service)
        privileged.stands_aside(service)
        privileged.asks(options, type_=type_)
        sent = await privileged.next()
        assert (sent.sender, sent.recipient) == (ALIAS, SERVICE)
        assert f'jid="{ALIAS}"' in repr(sent)
        privileged.answers(sent, subscribe(NODE, ALIAS, "options"))
        assert f'jid="{JULIET}"' in repr(await privileged.next())

    async def test_list_has_the_subscriptions_of_both(
        self, privileged: Cellar, service: Service
    ) -> None:
        await subscribed(privileged, service)
        privileged.stands_aside(service)
        privileged.asks(SUBSCRIPTIONS)
        of_alias = await privileged.next()
        assert of_alias.sender == ALIAS
        other = subscription(f"{ALIAS_BARE}/chamber", node="notes/b")
        privileged.answers(of_alias, listed(subscription(ALIAS, subid="7"), other))
        own = await privileged.next()
        direct = subscription(USER, node="notes/closed")
        privileged.receives(wrapped_reply(own, listed(direct)))
        answered = await privileged.next()
        entries = answered.element.iter(f"{{{PUBSUB}}}subscription")
        found = [(one.get("node"), one.get("jid"), one.get("subid")) for one in entries]
        assert found == [
            ("notes/closed", USER, None),
            (NODE, JULIET, "7"),
            ("notes/b", f"{USER}/chamber", None),
        ]

    async def test_whose_list_is_refused_is_given_their_aliases(
        self, privileged: Cellar, service: Service
    ) -> None:
        await subscribed(privileged, service)
        privileged.stands_aside(service)
        privileged.asks(SUBSCRIPTIONS)
        privileged.answers(await privileged.next(), listed(subscription(ALIAS)))
        own = await privileged.next()
        privileged.receives(wrapped_reply(own, refusal("forbidden"), inner_type="error"))
        assert f'jid="{JULIET}"' in repr(await privileged.next())
