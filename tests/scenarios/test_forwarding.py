"""Reads that the cache cannot answer go to the service in the requester's alias."""

import pytest
from playbook import PUBSUB, RSM, Cellar, Service, info, item, item_ids, items, listing

ALIAS = r"juliet\40capulet.lit@cache.example.org/balcony"
SERVICE = "pubsub.example.org"
FULL = "juliet@capulet.lit/balcony"


async def test_an_unknown_node_is_forwarded_at_once_under_the_alias(cellar: Cellar) -> None:
    """XEP-0060 example 75; the answer comes from the address that was asked."""
    id_ = cellar.asks(items("other"))
    asked = await cellar.sends(
        rf"""<iq type='get' id='*' from='{ALIAS}' to='{SERVICE}'>
        <pubsub xmlns='{PUBSUB}'><items node='other'/></pubsub></iq>"""
    )
    assert len(asked.id) >= 22
    assert asked.id != id_
    payload = (
        f"<pubsub xmlns='{PUBSUB}'><items node='other'><item id='1'><odd xmlns='urn:odd'/>"
        "</item></items></pubsub>"
    )
    cellar.answers(asked, payload)
    await cellar.sends(
        f"<iq type='result' id='{id_}' from='cache.example.org' to='{FULL}'>{payload}</iq>"
    )
    await cellar.idle()


async def test_a_service_behind_its_own_address_is_asked_and_answers_from_there(
    cellar: Cellar,
) -> None:
    id_ = cellar.asks(items("x"), to="other.example.org@cache.example.org")
    asked = await cellar.next()
    assert asked.recipient == "other.example.org"
    cellar.answers(asked, f"<pubsub xmlns='{PUBSUB}'><items node='x'>{item('i')}</items></pubsub>")
    answer = await cellar.next()
    assert (answer.id, answer.sender) == (id_, "other.example.org@cache.example.org")


NOT_UNDERSTOOD = [
    items("notes/a", max_items=0),
    items("notes/a", max_items=-1),
    items("notes/a", max_items="x"),
    items("notes/a", max_items=2, ids=["i1"]),
    items("notes/a", max_items=2, page="<max>1</max>"),
    items("notes/a", page="<max>1</max><after>i1</after><before>i3</before>"),
    items("notes/a", page="<max>1</max><future/>"),
    items("notes/a").replace("node=", "subid='7' node="),
    items("notes/a").replace("<items", "<items x:new='1' xmlns:x='urn:x'"),
    items("notes/a").replace("</pubsub>", "<order xmlns='urn:xmpp:order-by:1'/></pubsub>"),
    items("notes/a").replace("</items>", "<future xmlns='urn:future'/></items>"),
    items("notes/a", ids=["i1"]).replace("/></items>", "><x/></item></items>"),
    f"<pubsub xmlns='{PUBSUB}'><items node='notes/a'/><items node='notes/b'/></pubsub>",
    f"<pubsub xmlns='{PUBSUB}'><items/></pubsub>",
    f"<pubsub xmlns='{PUBSUB}'><subscriptions node='notes/a'/></pubsub>",
    f"<pubsub xmlns='{PUBSUB}'><affiliations/></pubsub>",
    f"<pubsub xmlns='{PUBSUB}'><default/></pubsub>",
    f"<pubsub xmlns='{PUBSUB}#owner'><configure node='notes/a'/></pubsub>",
    info("notes/a").replace("node=", "future='1' node="),
    listing("notes/a").replace("</query>", "<future xmlns='urn:future'/></query>"),
]


@pytest.mark.parametrize("payload", NOT_UNDERSTOOD)
async def test_what_is_not_understood_is_forwarded_untouched_even_for_a_held_node(
    cellar: Cellar, service: Service, payload: str
) -> None:
    """What the cache does not completely understand, it forwards."""
    await cellar.holds(service, "notes/a", ["i1", "i2", "i3"])
    cellar.stands_aside(service)
    id_ = cellar.asks(payload)
    asked = await cellar.sends(
        f"<iq type='get' id='*' from='{ALIAS}' to='{SERVICE}'>{payload}</iq>"
    )
    cellar.refuses(asked, "bad-request", "modify")
    answer = await cellar.next()
    assert (answer.id, answer.condition) == (id_, "modify/bad-request")
    await cellar.idle()


async def test_a_refusal_is_relayed_with_all_it_says(cellar: Cellar) -> None:
    """XEP-0060 example 87: type, condition, application condition and text."""
    id_ = cellar.asks(items("closed"))
    asked = await cellar.next()
    error = (
        "<error type='auth' by='pubsub.example.org'>"
        "<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='it'>vietato &lt;</text>"
        "<presence-subscription-required xmlns='http://jabber.org/protocol/pubsub#errors'/>"
        "</error>"
    )
    cellar.receives(
        f"<iq type='error' id='{asked.id}' from='{SERVICE}' to='{asked.sender}'>"
        f"{items('closed')}{error}</iq>"
    )
    await cellar.sends(
        f"<iq type='error' id='{id_}' from='cache.example.org' to='{FULL}'>{error}</iq>"
    )
    await cellar.idle()
    assert await cellar.state("closed") == ""


async def test_the_language_goes_along(cellar: Cellar) -> None:
    cellar.receives(
        f"<iq type='get' xml:lang='it' id='1' from='{FULL}' to='cache.example.org'>"
        f"{items('x')}</iq>"
    )
    asked = await cellar.next()
    assert asked.element.get("{http://www.w3.org/XML/1998/namespace}lang") == "it"


async def test_a_service_that_does_not_answer_ends_in_a_time_out(cellar: Cellar) -> None:
    id_ = cellar.asks(items("x"))
    await cellar.next()
    await cellar.advance(11)
    answer = await cellar.next()
    assert (answer.id, answer.condition) == (id_, "wait/remote-server-timeout")
    await cellar.idle()


async def test_an_address_too_long_for_an_alias_is_refused(cellar: Cellar) -> None:
    sender = f"{'@'.join(['x' * 1020])}@capulet.lit/x"
    answer = await cellar.answer(items("x"), sender=sender)
    assert answer.condition == "cancel/not-allowed"
    await cellar.idle()


class TestPagingForAServiceThatDoesNot:
    """`paging = "xep"`: forwarded lists are paged too, held or not."""

    async def test_a_forwarded_list_is_paged(self, cellar: Cellar, service: Service) -> None:
        cellar.stands_behind(service).has("other", ["i1", "i2", "i3"])
        answer = await cellar.result(items("other", page="<max>1</max><after>i1</after>"))
        assert item_ids(answer) == ["i2"]
        assert answer.findtext(f".//{{{RSM}}}count") == "3"

    async def test_an_unknown_token_is_item_not_found(
        self, cellar: Cellar, service: Service
    ) -> None:
        cellar.stands_behind(service).has("other", ["i1", "i2", "i3"])
        answer = await cellar.answer(items("other", page="<after>none</after>"))
        assert answer.condition == "cancel/item-not-found"

    async def test_paging_as_the_service_relays_what_it_answers(
        self, start, service: Service
    ) -> None:
        cellar = await start("[cache]\npaging = 'service'\n")
        cellar.stands_behind(service).has("other", ["i1", "i2", "i3"])
        answer = await cellar.result(items("other", page="<max>1</max>"))
        assert item_ids(answer) == ["i1", "i2", "i3"]
        assert answer.find(f".//{{{RSM}}}set") is None

    async def test_paging_as_the_service_forwards_an_invalid_page(self, start) -> None:
        cellar = await start("[cache]\npaging = 'service'\n")
        cellar.asks(items("other", page="<max>-1</max>"))
        assert (await cellar.next()).recipient == SERVICE


async def test_a_service_that_pages_pages_by_itself(
    cellar: Cellar, paging_service: Service
) -> None:
    cellar.stands_behind(paging_service).has("other", ["i1", "i2", "i3"])
    answer = await cellar.result(items("other", page="<max>1</max><after>t-0000</after>"))
    assert item_ids(answer) == ["i2"]
    assert answer.findtext(f".//{{{RSM}}}last") == "t-0001"
