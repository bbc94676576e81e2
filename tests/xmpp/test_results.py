"""What services answer. Stanzas: XEP-0060 sections 5 and 6, and docs/protocol.md."""

import pytest

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.namespaces import NS_DATA_FORM, NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, NS_RSM
from pubcellar.core.values import DiscoItem, PageInfo, SubscriptionState
from pubcellar.xmpp import results
from pubcellar.xmpp.stanzas import parse_element, parse_stanza
from xmpp.xml_trees import assert_same

SET = f"<set xmlns='{NS_RSM}'><first index='2'>t1</first><last>t2</last><count>9</count></set>"
PAGE = PageInfo(count=9, first="t1", last="t2", first_index=2)


def pubsub(content: str) -> str:
    return f"<pubsub xmlns='{NS_PUBSUB}'>{content}</pubsub>"


def query(content: str) -> str:
    return f"<query xmlns='{NS_DISCO_ITEMS}' node='n'>{content}</query>"


class TestItemsList:
    def test_items_come_in_their_order_with_what_they_say(self) -> None:
        payload = parse_element(
            pubsub(
                "<items node='n'><item id='b' publisher='x@y'><e xmlns='urn:e'/></item>"
                "<item id='a'/></items>"
            )
        )
        (first, second), page = results.items_list(payload)
        assert (first.item_id, first.publisher, first.payload_namespace) == ("b", "x@y", "urn:e")
        assert (second.item_id, second.publisher, second.has_payload) == ("a", None, False)
        assert page is None
        assert_same(
            f"<item xmlns='{NS_PUBSUB}' id='b' publisher='x@y'><e xmlns='urn:e'/></item>", first.xml
        )

    @pytest.mark.parametrize("content", [f"<items node='n'/>{SET}", f"{SET}<items node='n'/>"])
    def test_a_set_may_stand_before_or_behind_the_list(self, content: str) -> None:
        assert results.items_list(parse_element(pubsub(content))) == ((), PAGE)

    @pytest.mark.parametrize(
        "payload",
        [
            "<other xmlns='urn:x'/>",
            "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><items node='n'/></pubsub>",
            pubsub(""),
            pubsub(SET),
            pubsub("<items/><items/>"),
            pubsub("<items/><more/>"),
            pubsub("<subscriptions/>"),
            pubsub("<items xmlns='urn:x'/>"),
            pubsub("<items><item/></items>"),
            pubsub("<items><item id=''/></items>"),
            pubsub("<items><item xmlns='urn:x' id='a'/></items>"),
            pubsub("<items><retract id='a'/></items>"),
            *(
                pubsub(f"<items><item id='a'><iq xmlns='{namespace}'/></item></items>")
                for namespace in (
                    "jabber:client",
                    "jabber:server",
                    "jabber:component:accept",
                    "http://etherx.jabber.org/streams",
                )
            ),
        ],
    )
    def test_what_is_no_plain_list_is_none(self, payload: str) -> None:
        with pytest.raises(UpstreamAnswerInvalid):
            results.items_list(parse_element(payload))

    def test_an_empty_result_is_no_list(self) -> None:
        with pytest.raises(UpstreamAnswerInvalid):
            results.items_list(None)


class TestDiscoItemsList:
    def test_items_come_in_their_order(self) -> None:
        payload = parse_element(
            query("<item jid='p' node='n' name='N'/><item jid='p' name=''/><item jid='q'/>")
        )
        assert results.disco_items_list(payload) == (
            (DiscoItem("p", "n", "N"), DiscoItem("p", None, ""), DiscoItem("q")),
            None,
        )

    def test_a_set_is_no_item(self) -> None:
        assert results.disco_items_list(parse_element(query(SET))) == ((), PAGE)

    @pytest.mark.parametrize(
        "payload",
        [
            f"<query xmlns='{NS_DISCO_INFO}'/>",
            query("<item/>"),
            query("<item node='n'/>"),
            query("<item jid='p' other='x'/>"),
            query("<item jid='p' xml:lang='de'/>"),
            query("<item jid='p'><x/></item>"),
            query("<other jid='p'/>"),
            query("<item xmlns='urn:x' jid='p'/>"),
        ],
    )
    def test_what_is_no_plain_list_is_none(self, payload: str) -> None:
        with pytest.raises(UpstreamAnswerInvalid):
            results.disco_items_list(parse_element(payload))

    def test_an_empty_result_is_no_list(self) -> None:
        with pytest.raises(UpstreamAnswerInvalid):
            results.disco_items_list(None)


class TestPageInfo:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("<first index='2'>t1</first><last>t2</last><count>9</count>", PAGE),
            ("<count>9</count>", PageInfo(count=9)),
            ("", PageInfo()),
            ("<first>a</first><last>b</last>", PageInfo(first="a", last="b")),
            ("<first index='-44'>a</first>", PageInfo(first="a", first_index=-44)),
            ("<first index='x'>a</first><count>many</count>", PageInfo(first="a")),
            ("<first/><last/><count/>", PageInfo(first="", last="")),
            ("<first xmlns='urn:x'>a</first><other/>", PageInfo()),
        ],
    )
    def test_what_can_be_read_is(self, content: str, expected: PageInfo) -> None:
        assert (
            results.page_info(parse_element(f"<set xmlns='{NS_RSM}'>{content}</set>")) == expected
        )


def info(*forms: str) -> str:
    return f"<query xmlns='{NS_DISCO_INFO}'><identity/>{''.join(forms)}</query>"


def form(form_type: str, *fields: str) -> str:
    return (
        f"<x xmlns='{NS_DATA_FORM}' type='result'><field var='FORM_TYPE' type='hidden'>"
        f"<value>{form_type}</value></field>{''.join(fields)}</x>"
    )


META_DATA = "http://jabber.org/protocol/pubsub#meta-data"
OPEN = "<field var='pubsub#access_model'><value>open</value></field>"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (info(form(META_DATA, OPEN)), "open"),
        (info(form(META_DATA, OPEN.replace("open", "whitelist"))), "whitelist"),
        (info(form(META_DATA)), None),
        (info(), None),
        pytest.param(info(form("urn:other", OPEN)), None, id="a field of another form"),
        pytest.param(
            info(form("http://jabber.org/network/serverinfo"), form(META_DATA, OPEN)),
            "open",
            id="behind another form",
        ),
        pytest.param(
            info(form(META_DATA, OPEN.replace("<v", "<option><value>x</value></option><v"))),
            "open",
            id="with options, as on ejabberd",
        ),
        pytest.param(
            info(form(META_DATA, "<field var='pubsub#access_model'/>")), None, id="without a value"
        ),
        pytest.param(
            info(form(META_DATA, "<field var='pubsub#access_model'><value/></field>")),
            "",
            id="with an empty value",
        ),
        pytest.param(
            info(f"<x xmlns='{NS_DATA_FORM}'>{OPEN}</x>"), None, id="in a form without a type"
        ),
        pytest.param(
            info(form(META_DATA, OPEN.replace("open", "whitelist"), OPEN)), None, id="contradictory"
        ),
    ],
)
def test_the_access_model_is_that_of_the_metadata_form(payload: str, expected: str | None) -> None:
    """XEP-0060 section 5.4."""
    assert results.access_model(parse_element(payload)) == expected


def test_all_fields_of_the_metadata_form_are_read_and_of_no_other() -> None:
    payload = info(
        form("urn:other", "<field var='a'><value>elsewhere</value></field>"),
        form(
            META_DATA,
            "<field var='a'><value>1</value><value>2</value></field>",
            "<field var='{urn:b}c'><option><value>x</value></option><value/></field>",
            "<field var='a'><value>3</value></field>",
            "<field><value>nameless</value></field>",
        ),
    )
    assert results.meta_data(parse_element(payload)) == {
        "FORM_TYPE": [META_DATA],
        "a": ["1", "2", "3"],
        "{urn:b}c": [""],
        "": ["nameless"],
    }
    assert results.meta_data(parse_element(info())) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<subscription node='n' jid='j' subscription='subscribed'/>", "subscribed"),
        ("<subscription node='n' jid='j' subscription='pending'/>", "pending"),
        ("<subscription node='n' jid='j' subscription='unconfigured'/>", "unconfigured"),
        ("<subscription node='n' jid='j' subscription='none'/>", "none"),
        ("<subscription node='n' jid='j' subscription='odd'/>", "none"),
        ("<subscription node='n' jid='j'/>", "subscribed"),
        ("", "subscribed"),
    ],
)
def test_the_answer_to_a_subscription_says_its_state(content: str, expected: str) -> None:
    """XEP-0060 section 6.1.2; an empty result is a success too."""
    state = results.subscription_state(parse_element(pubsub(content)))
    assert state is SubscriptionState(expected)
    assert results.subscription_state(None) is SubscriptionState.SUBSCRIBED


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("", "none"),
        ("<subscription node='n' jid='me' subscription='subscribed'/>", "subscribed"),
        ("<subscription jid='me' subscription='subscribed'/>", "subscribed"),
        ("<subscription node='n' jid='me' subscription='pending'/>", "pending"),
        ("<subscription node='n' jid='other' subscription='subscribed'/>", "none"),
        ("<subscription node='m' jid='me' subscription='subscribed'/>", "none"),
        ("<subscription node='n' jid='me/x' subscription='subscribed'/>", "none"),
        (
            "<subscription node='n' jid='me' subscription='pending' subid='1'/>"
            "<subscription node='n' jid='me' subscription='subscribed' subid='2'/>",
            "subscribed",
        ),
    ],
)
def test_our_own_subscription_is_found_in_the_list(entries: str, expected: str) -> None:
    """XEP-0060 section 5.6."""
    payload = parse_element(pubsub(f"<subscriptions node='n'>{entries}</subscriptions>"))
    assert results.own_subscription(payload, "n", "me") is SubscriptionState(expected)


def test_an_empty_result_lists_no_subscription() -> None:
    assert results.own_subscription(None, "n", "me") is SubscriptionState.NONE


def test_the_payload_of_a_result_is_its_child() -> None:
    assert results.payload_of(parse_stanza(b"<iq/>", {})) is None
    payload = results.payload_of(parse_stanza(b"<iq><a xmlns='urn:a'/></iq>", {}))
    assert payload is not None
    assert payload.tag == "{urn:a}a"
