"""Answers as XML. Sections: XEP-0030 section 3, XEP-0059 section 2, XEP-0060 sections 5 and 6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.core.errors import StoreUnavailable
from pubcellar.core.namespaces import (
    FEATURE_PUBSUB_RSM,
    NS_DATA_FORM,
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_ORDER_BY,
    NS_PING,
    NS_PUBSUB,
    NS_RSM,
    NS_VERSION,
)
from pubcellar.core.values import (
    Answer,
    DiscoItem,
    DiscoItemsAnswer,
    Item,
    ItemsAnswer,
    PageInfo,
    Relayed,
    ServiceInfoAnswer,
)
from pubcellar.xmpp import render, results
from pubcellar.xmpp.stanzas import Element, iq, parse_element, parse_stanza, qualified
from xmpp.xml_trees import NASTY, TEXTS, assert_same, elements


def sent(answer: Answer) -> Element:
    """Return the answer as whoever gets it reads it."""
    raw = iq("result", id_="1", sender="a@b", recipient="c@d", payload=render.payload(answer))
    (payload,) = parse_stanza(raw, {})
    return payload


def stored(item_id: str, payload: str = "") -> Item:
    item = parse_element(f"<item xmlns='{NS_PUBSUB}'>{payload}</item>")
    item.set("id", item_id)
    return results.item(item)


class TestItems:
    def test_items_stand_in_their_order_in_the_node_s_list(self) -> None:
        held = (stored("b"), stored("a", "<e xmlns='urn:e'/>"))
        payload = sent(ItemsAnswer("n", held))
        assert payload.tag == qualified(NS_PUBSUB, "pubsub")
        (items,) = payload
        assert dict(items.attrib) == {"node": "n"}
        assert results.items_list(payload) == (
            (stored("b"), stored("a", "<e xmlns='urn:e'/>")),
            None,
        )

    @pytest.mark.parametrize("page", [None, PageInfo(count=0), PageInfo()])
    def test_a_list_may_be_empty(self, page: PageInfo | None) -> None:
        assert results.items_list(sent(ItemsAnswer("n", (), page))) == ((), page)

    @pytest.mark.parametrize("payload", NASTY.values(), ids=NASTY)
    def test_an_item_is_given_as_it_is_held(self, payload: str) -> None:
        item = stored("1", payload)
        ((given_back,), _) = results.items_list(sent(ItemsAnswer("n", (item,))))
        assert_same(item.xml, given_back.xml)

    @given(st.lists(elements(), min_size=1, max_size=3))
    def test_any_items_are_given_as_they_are_held(self, payloads: list[str]) -> None:
        items = tuple(stored(str(number), payload) for number, payload in enumerate(payloads))
        given_back, _ = results.items_list(sent(ItemsAnswer("n", items)))
        for before, after in zip(items, given_back, strict=True):
            assert_same(before.xml, after.xml)

    @given(TEXTS)
    def test_any_name_of_a_node_is_written_safely(self, node: str) -> None:
        (items,) = sent(ItemsAnswer(node, ()))
        assert items.get("node") == node

    @pytest.mark.parametrize(
        "xml",
        [
            "",
            "<item",
            "<item/><item/>",
            "</items><items>",
            "<item><!-- c --></item>",
            "<!DOCTYPE item><item/>",
            "<x:item/>",
        ],
    )
    def test_what_is_no_item_any_more_never_leaves(self, xml: str) -> None:
        with pytest.raises(StoreUnavailable):
            render.payload(ItemsAnswer("n", (stored("a"), Item("b", xml))))

    def test_what_stands_before_an_item_in_the_database_never_leaves(self) -> None:
        answer = ItemsAnswer("n", (Item("b", "<?xml version='1.0'?><!-- c --><item id='b'/>"),))
        assert "<?" not in render.payload(answer)
        assert "<!" not in render.payload(answer)


class TestPage:
    @pytest.mark.parametrize(
        "page",
        [
            PageInfo(count=9, first="a", last="b", first_index=2),
            PageInfo(count=9, first="a", last="b"),
            PageInfo(count=0),
            PageInfo(first="<&>\r\n", last="\"'", first_index=0),
            PageInfo(),
        ],
    )
    def test_a_set_is_read_as_it_was_meant(self, page: PageInfo) -> None:
        assert results.items_list(sent(ItemsAnswer("n", (), page)))[1] == page
        assert results.disco_items_list(sent(DiscoItemsAnswer("n", (), page)))[1] == page

    def test_the_parts_stand_in_the_order_of_the_schema(self) -> None:
        element = render.page_element(PageInfo(count=9, first="a", last="b", first_index=2))
        assert [child.tag for child in element] == [
            qualified(NS_RSM, name) for name in ("first", "last", "count")
        ]


class TestDiscoItems:
    @pytest.mark.parametrize("node", [None, "", "a<b'\"&\n"])
    def test_items_are_read_as_they_were_meant(self, node: str | None) -> None:
        items = (DiscoItem("p", "n", "N"), DiscoItem("p", None, "<&\"'\n"), DiscoItem("q"))
        payload = sent(DiscoItemsAnswer(node, items))
        assert payload.tag == qualified(NS_DISCO_ITEMS, "query")
        assert payload.get("node") == node
        assert results.disco_items_list(payload) == (items, None)


SERVICE_INFO = f"""<query xmlns='{NS_DISCO_INFO}'>
  <identity category='pubsub' type='service' name='Prosody PubSub'/>
  <identity category='pubsub' type='pep' xml:lang='de' name='Eigenes'/>
  <feature var='{NS_DISCO_INFO}'/>
  <feature var='{NS_PUBSUB}'/>
  <feature var='{NS_PUBSUB}#retrieve-items'/>
  <feature var='{NS_ORDER_BY}'/>
  <feature var='jabber:iq:register'/>
  <feature var='urn:xmpp:mam:2'/>
  <feature var='http://jabber.org/protocol/commands'/>
  <feature var='jabber:iq:last'/>
  <feature/>
  <x xmlns='{NS_DATA_FORM}' type='result'><field var='FORM_TYPE' type='hidden'>
    <value>http://jabber.org/network/serverinfo</value></field></x>
</query>"""


class TestServiceInfo:
    def identities(self, payload: Element) -> list[str | None]:
        return [each.get("name") for each in payload.iter(qualified(NS_DISCO_INFO, "identity"))]

    def features(self, payload: Element) -> list[str]:
        return [each.get("var", "") for each in payload.iter(qualified(NS_DISCO_INFO, "feature"))]

    def test_the_service_s_identities_come_before_our_own(self) -> None:
        payload = sent(ServiceInfoAnswer(SERVICE_INFO, pages=False))
        assert self.identities(payload) == ["Prosody PubSub", "Eigenes", "Pubcellar"]
        languages = [
            each.get(qualified("http://www.w3.org/XML/1998/namespace", "lang"))
            for each in payload.iter(qualified(NS_DISCO_INFO, "identity"))
        ]
        assert languages == [None, "de", None]

    def test_only_features_that_we_forward_are_passed_on(self) -> None:
        features = self.features(sent(ServiceInfoAnswer(SERVICE_INFO, pages=False)))
        assert features == [
            NS_DISCO_INFO,
            NS_PUBSUB,
            f"{NS_PUBSUB}#retrieve-items",
            NS_ORDER_BY,
            NS_DISCO_ITEMS,
            NS_PING,
            NS_VERSION,
        ]

    @pytest.mark.parametrize("var", [NS_RSM, FEATURE_PUBSUB_RSM])
    def test_paging_is_promised_where_we_page_and_once(self, var: str) -> None:
        promised = SERVICE_INFO.replace("jabber:iq:last", var)
        for payload in (None, SERVICE_INFO, promised):
            features = self.features(sent(ServiceInfoAnswer(payload, pages=True)))
            assert features.count(var) == 1
        assert var not in self.features(sent(ServiceInfoAnswer(SERVICE_INFO, pages=False)))
        assert var in self.features(sent(ServiceInfoAnswer(promised, pages=False)))

    def test_forms_are_kept_behind_the_features(self) -> None:
        payload = sent(ServiceInfoAnswer(SERVICE_INFO, pages=False))
        (form,) = payload.iter(qualified(NS_DATA_FORM, "x"))
        assert payload[-1] is form
        (original,) = parse_element(SERVICE_INFO).iter(qualified(NS_DATA_FORM, "x"))
        assert_same(original, form)

    def test_without_a_service_we_stand_alone(self) -> None:
        payload = sent(ServiceInfoAnswer(None, pages=False))
        assert self.identities(payload) == ["Pubcellar"]
        assert self.features(payload) == [NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VERSION]

    def test_a_stored_answer_that_is_no_xml_any_more_never_leaves(self) -> None:
        with pytest.raises(StoreUnavailable):
            render.payload(ServiceInfoAnswer("<query", pages=False))


@pytest.mark.parametrize("payload", ["", "<a xmlns='urn:a'>é</a>"])
def test_what_is_relayed_is_not_touched(payload: str) -> None:
    assert render.payload(Relayed(payload)) == payload
