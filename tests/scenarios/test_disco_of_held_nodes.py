"""disco#info and disco#items of a LIVE node come from the database (XEP-0060 5.3 to 5.5)."""

from playbook import Cellar, Service, info, item_ids, listing, page_of

IDS = ["i1", "i2", "i3"]


async def test_info_of_a_node_is_what_the_service_says(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    cellar.receives(
        "<iq type='get' id='info2' from='romeo@montague.lit/x' to='cache.example.org'>"
        "<query xmlns='http://jabber.org/protocol/disco#info' node='notes/a'/></iq>"
    )
    await cellar.sends(
        f"""<iq type='result' id='info2' to='romeo@montague.lit/x' from='cache.example.org'>
        {service._node_info("notes/a", service.nodes["notes/a"])}</iq>"""
    )
    await cellar.idle()
    assert service.asked == []


async def test_items_of_a_node_come_in_the_order_of_the_service(
    cellar: Cellar, service: Service
) -> None:
    """Section 5.5; Prosody lists the newest first."""
    await cellar.holds(service, "notes/a", IDS)
    cellar.receives(
        "<iq type='get' id='items2' from='romeo@montague.lit/x' to='cache.example.org'>"
        "<query xmlns='http://jabber.org/protocol/disco#items' node='notes/a'/></iq>"
    )
    await cellar.sends(
        """<iq type='result' id='items2' to='romeo@montague.lit/x' from='cache.example.org'>
        <query xmlns='http://jabber.org/protocol/disco#items' node='notes/a'>
        <item jid='pubsub.example.org' name='i3'/><item jid='pubsub.example.org' name='i2'/>
        <item jid='pubsub.example.org' name='i1'/></query></iq>"""
    )
    assert service.asked == []


async def test_items_of_a_node_can_be_paged(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    answer = await cellar.result(listing("notes/a", "<max>2</max>"))
    assert (item_ids(answer), page_of(answer)) == (["i3", "i2"], ("i3", "0", "i2", "3"))
    answer = await cellar.result(listing("notes/a", "<max>2</max><after>i2</after>"))
    assert item_ids(answer) == ["i1"]
    assert service.asked == []


async def test_an_unknown_token_is_item_not_found(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    answer = await cellar.answer(listing("notes/a", "<after>none</after>"))
    assert answer.condition == "cancel/item-not-found"
    assert service.asked == []


async def test_info_with_something_unknown_in_it_is_forwarded(
    cellar: Cellar, service: Service
) -> None:
    await cellar.holds(service, "notes/a", IDS)
    await cellar.result(info("notes/a").replace("/>", "><future xmlns='urn:f'/></query>"))
    assert len(service.asked) == 1
