"""Pubsub sets go through to the service, in the requester's alias, and their answers come back."""

import pytest
from playbook import (
    PUBSUB,
    Cellar,
    Service,
    canonical,
    configuration,
    create,
    item,
    items,
    owned,
    publish,
    retract,
)
from playbook.cellar import CACHE, JULIET, ROMEO
from playbook.stanzas import OWNER, parsed

ALIAS = r"juliet\40capulet.lit@cache.example.org/balcony"
ALIAS_BARE = r"juliet\40capulet.lit@cache.example.org"
OTHERS = r"romeo\40montague.lit@cache.example.org"
SERVICE = "pubsub.example.org"
OPTIONS = f"<publish-options>{configuration(access_model='open')}</publish-options>"

UNTOUCHED = [
    publish("n", "i1", "i2"),
    publish("n", "i1", options=OPTIONS),
    publish("n", ""),
    retract("n", "i1"),
    create("n"),
    create(),
    create("n").replace('<create node="n"/>', "<create node='n'/><configure/>"),
    owned("configure", "n", configuration(title="T")),
    owned("delete", "n", "<redirect uri='xmpp:x'/>"),
    owned("purge", "n"),
    owned("affiliations", "n", "<affiliation jid='romeo@montague.lit' affiliation='owner'/>"),
    (
        f"<pubsub xmlns='{PUBSUB}'><unsubscribe node='n' jid='romeo@montague.lit/x' subid='7'/>"
        "</pubsub>"
    ),
    f"<pubsub xmlns='{PUBSUB}'><future xmlns='urn:future' jid='juliet@capulet.lit'/></pubsub>",
    f"<pubsub xmlns='{OWNER}'/>",
]


@pytest.mark.parametrize("payload", UNTOUCHED)
async def test_a_set_goes_out_as_it_came_in_the_alias(cellar: Cellar, payload: str) -> None:
    """XEP-0060 sections 6 to 8."""
    id_ = cellar.asks(payload, type_="set")
    asked = await cellar.sends(
        f"<iq type='set' id='*' from='{ALIAS}' to='{SERVICE}'>{payload}</iq>"
    )
    cellar.answers(asked, "<anything xmlns='urn:any'/>")
    await cellar.sends(
        f"<iq type='result' id='{id_}' from='{CACHE}' to='{JULIET}'>"
        "<anything xmlns='urn:any'/></iq>"
    )
    await cellar.idle()
    assert len(cellar.component.proxy._doubts) == 0


async def test_a_refusal_is_relayed_with_all_it_says(cellar: Cellar) -> None:
    id_ = cellar.asks(publish("n", "i1"), type_="set")
    asked = await cellar.next()
    error = "<payload-too-big xmlns='http://jabber.org/protocol/pubsub#errors'/>"
    cellar.refuses(asked, "not-acceptable", "modify", more=error)
    answer = await cellar.next()
    assert (answer.id, answer.condition) == (id_, "modify/not-acceptable")
    assert "payload-too-big" in repr(answer)


async def test_two_equal_writes_are_two(cellar: Cellar) -> None:
    """Only reads are joined."""
    for _ in range(2):
        cellar.asks(publish("n", "i1"), type_="set")
    first, second = await cellar.next(), await cellar.next()
    assert first.id != second.id
    await cellar.idle()


async def test_a_write_at_the_address_of_no_service_is_refused(cellar: Cellar) -> None:
    answer = await cellar.answer(
        publish("n", "i1"), to="elsewhere.example.org@cache.example.org", type_="set"
    )
    assert answer.condition == "cancel/item-not-found"
    await cellar.idle()


async def test_threat_4_a_write_never_carries_rights_of_ours(
    cellar: Cellar, service: Service
) -> None:
    """Confused deputy: whatever the kind, and whoever asks, an alias of theirs is the sender."""
    cellar.stands_behind(service)
    for payload in UNTOUCHED:
        for sender in (JULIET, ROMEO):
            await cellar.answer(payload, sender=sender, type_="set")
    senders = {one.rpartition(" for ")[2] for one in service.asked if " for " in one}
    assert senders == {ALIAS, rf"{OTHERS}/orchard"}
    assert not [one for one in service.asked if " for " not in one and "publish" in one]


async def test_threat_4_an_alias_of_ours_cannot_write(cellar: Cellar) -> None:
    answer = await cellar.answer(publish("n", "i1"), sender=ALIAS, type_="set")
    assert answer.condition == "cancel/not-allowed"
    await cellar.idle()


SUBSCRIBE = f"<pubsub xmlns='{PUBSUB}'><subscribe node='n' jid='{{}}'/></pubsub>"


ANSWERS = [
    (
        f"<pubsub xmlns='{PUBSUB}'><subscription node='n' jid='{{}}' subid='7' "
        "subscription='subscribed'/></pubsub>"
    ),
    (
        f"<pubsub xmlns='{PUBSUB}'><subscriptions><subscription node='n' jid='{{}}' "
        "subid='7' subscription='subscribed'/></subscriptions></pubsub>"
    ),
    f"<pubsub xmlns='{PUBSUB}'><options node='n' jid='{{}}'/></pubsub>",
    (
        f"<pubsub xmlns='{OWNER}'><affiliations node='n'><affiliation jid='{{}}' "
        "affiliation='owner'/></affiliations></pubsub>"
    ),
    (
        f"<pubsub xmlns='{OWNER}'><subscriptions node='n'><subscription jid='{{}}' "
        "subscription='subscribed'/></subscriptions></pubsub>"
    ),
    (
        f"<pubsub xmlns='{PUBSUB}'><items node='n'><item id='i' publisher='{{}}'>"
        "<x xmlns='urn:x'/></item></items></pubsub>"
    ),
]


class TestAddressesInPayloads:
    @pytest.mark.parametrize(
        ("named", "sent"),
        [
            ("juliet@capulet.lit", ALIAS_BARE),
            ("juliet@capulet.lit/chamber", f"{ALIAS_BARE}/chamber"),
            ("Juliet@Capulet.lit/Chamber", f"{ALIAS_BARE}/Chamber"),
            ("romeo@montague.lit/x", "romeo@montague.lit/x"),
            ("juliet@capulet.lit.evil", "juliet@capulet.lit.evil"),
            ("@@", "@@"),
            (f"{OTHERS}/x", f"{OTHERS}/x"),
        ],
    )
    @pytest.mark.parametrize(
        ("type_", "payload"),
        [
            ("set", SUBSCRIBE.replace("subscribe", "unsubscribe")),
            ("get", SUBSCRIBE.replace("subscribe", "options")),
            (
                "set",
                owned("affiliations", "n", "<affiliation affiliation='none' jid='{}'/>"),
            ),
            (
                "set",
                owned("subscriptions", "n", "<subscription subscription='none' jid='{}'/>"),
            ),
        ],
    )
    async def test_requesters_are_their_aliases_to_the_service_and_nobody_else_is(
        self, cellar: Cellar, type_: str, payload: str, named: str, sent: str
    ) -> None:
        cellar.asks(payload.format(named), type_=type_)
        if "<subscribe " in payload:
            cellar.answers(
                await cellar.next(), f"<pubsub xmlns='{PUBSUB}'><items node='n'/></pubsub>"
            )
        await cellar.sends(
            f"<iq type='{type_}' id='*' from='{ALIAS}' to='{SERVICE}'>{payload.format(sent)}</iq>"
        )

    async def test_what_is_in_an_item_keeps_its_addresses(self, cellar: Cellar) -> None:
        payload = publish("n", "i", payload=SUBSCRIBE.format("juliet@capulet.lit"))
        cellar.asks(payload, type_="set")
        await cellar.sends(f"<iq type='set' id='*' from='{ALIAS}' to='{SERVICE}'>{payload}</iq>")

    @pytest.mark.parametrize(
        ("said", "shown"),
        [
            (ALIAS_BARE, "juliet@capulet.lit"),
            (f"{ALIAS_BARE}/chamber", "juliet@capulet.lit/chamber"),
            (OTHERS, OTHERS),
            ("romeo@montague.lit", "romeo@montague.lit"),
            (rf"x{ALIAS_BARE}", rf"x{ALIAS_BARE}"),
            (f"{ALIAS_BARE}.evil", f"{ALIAS_BARE}.evil"),
        ],
    )
    @pytest.mark.parametrize("answer", ANSWERS)
    async def test_to_themselves_they_are_who_they_are(
        self, cellar: Cellar, answer: str, said: str, shown: str
    ) -> None:
        """Other rows of lists pass as they are, and subids are kept."""
        cellar.asks(f"<pubsub xmlns='{PUBSUB}'><affiliations/></pubsub>")
        cellar.answers(await cellar.next(), answer.format(said))
        got = (await cellar.next()).element[0]
        expected = canonical(parsed(answer.format(shown)))
        assert canonical(got) == expected

    async def test_what_an_item_says_of_addresses_is_not_touched(self, cellar: Cellar) -> None:
        inner = ANSWERS[0].format(ALIAS_BARE)
        answer = (
            f"<pubsub xmlns='{PUBSUB}'><items node='n'><item id='i'>{inner}</item></items></pubsub>"
        )
        cellar.asks(items("n"))
        cellar.answers(await cellar.next(), answer)
        assert canonical((await cellar.next()).element[0]) == canonical(parsed(answer))

    async def test_from_the_database_publishers_are_shown_to_themselves_alone(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Also where one answer serves several people."""
        cellar.stands_behind(service).has("notes/a", ["i1"])
        held = item("i1").replace("<item ", f"<item publisher='{ALIAS}' ", 1)
        service.nodes["notes/a"].items["i1"] = held
        for _ in range(2):
            for sender, publisher in ((JULIET, JULIET), (ROMEO, ALIAS)):
                answer = await cellar.result(items("notes/a"), sender=sender)
                found = answer.find(f".//{{{PUBSUB}}}item")
                assert found is not None
                assert found.get("publisher") == publisher
            await cellar.settled()
        assert await cellar.state("notes/a") == "live"
