"""What is understood of a read; everything else is forwarded (docs/architecture.md)."""

import pytest

from pubcellar.core.namespaces import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, NS_RSM
from pubcellar.core.values import (
    ItemsQuestion,
    NodeInfoQuestion,
    NodeItemsQuestion,
    OptionsQuestion,
    OtherQuestion,
    PageRequest,
    Question,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
    SubscriptionsQuestion,
)
from pubcellar.xmpp.questions import question
from pubcellar.xmpp.stanzas import parse_element


def info(attributes: str = "", content: str = "") -> str:
    return f"<query xmlns='{NS_DISCO_INFO}' {attributes}>{content}</query>"


def disco(attributes: str = "", content: str = "") -> str:
    return f"<query xmlns='{NS_DISCO_ITEMS}' {attributes}>{content}</query>"


def pubsub(content: str, attributes: str = "") -> str:
    return f"<pubsub xmlns='{NS_PUBSUB}' {attributes}>{content}</pubsub>"


def page(content: str, attributes: str = "") -> str:
    return f"<set xmlns='{NS_RSM}' {attributes}>{content}</set>"


ITEMS = "<items node='n'/>"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (info(), ServiceInfoQuestion()),
        (info("node='n'"), NodeInfoQuestion("n")),
        (info("", " \n"), ServiceInfoQuestion()),
        (disco(), ServiceItemsQuestion()),
        (disco("node='n'"), NodeItemsQuestion("n")),
        (disco("node='a b&lt;&#10;'"), NodeItemsQuestion("a b<\n")),
        (disco("node='n'", page("<max>3</max>")), NodeItemsQuestion("n", PageRequest(max=3))),
        (disco("", page("<max>3</max>")), ServiceItemsQuestion(PageRequest(max=3))),
        (pubsub(ITEMS), ItemsQuestion("n")),
        (pubsub(f" \n{ITEMS}\t"), ItemsQuestion("n")),
        (pubsub("<items node='n' max_items='1'/>"), ItemsQuestion("n", max_items=1)),
        (pubsub("<items node='n' max_items='007'/>"), ItemsQuestion("n", max_items=7)),
        (
            pubsub("<items node='n'><item id='b'/> <item id='a'/><item id='b'/></items>"),
            ItemsQuestion("n", item_ids=("b", "a", "b")),
        ),
        (
            pubsub("<items node='n' max_items='2'><item id='b'/></items>"),
            ItemsQuestion("n", max_items=2, item_ids=("b",)),
        ),
        (pubsub(ITEMS + page("")), ItemsQuestion("n", page=PageRequest())),
        (pubsub(page("<max>3</max>") + ITEMS), ItemsQuestion("n", page=PageRequest(max=3))),
    ],
)
def test_what_is_understood(payload: str, expected: Question) -> None:
    assert question(parse_element(payload)) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", PageRequest()),
        (" \n", PageRequest()),
        ("<max>0</max>", PageRequest(max=0)),
        ("<max>999999999</max>", PageRequest(max=999999999)),
        ("<max>3</max><after>t</after>", PageRequest(max=3, after="t")),
        ("<after> t </after>", PageRequest(after=" t ")),
        ("<before/>", PageRequest(before="")),
        ("<before></before><max>3</max>", PageRequest(max=3, before="")),
        ("<before>t</before>", PageRequest(before="t")),
        ("<index>0</index>", PageRequest(index=0)),
        ("<max>3</max> <index>7</index>", PageRequest(max=3, index=7)),
    ],
)
def test_every_form_of_a_page_is_understood(content: str, expected: PageRequest) -> None:
    """XEP-0059 sections 2.1 to 2.7."""
    assert question(parse_element(pubsub(ITEMS + page(content)))) == ItemsQuestion(
        "n", page=expected
    )
    assert question(parse_element(disco("", page(content)))) == ServiceItemsQuestion(expected)


@pytest.mark.parametrize(
    "payload",
    [
        "<query xmlns='urn:other'/>",
        f"<other xmlns='{NS_DISCO_INFO}'/>",
        f"<pubsub xmlns='{NS_PUBSUB}#owner'><configure node='n'/></pubsub>",
        info("other='x'"),
        info("xml:lang='de'"),
        info("", "text"),
        info("", "<x/>"),
        info("", "<x xmlns='jabber:x:data'/>"),
        disco("other='x'"),
        disco("", "text"),
        disco("", "<x/>"),
        disco("", page("") + page("")),
        disco("", page("") + "text"),
        pubsub(""),
        pubsub(page("")),
        pubsub("<affiliations/>"),
        pubsub("<default/>"),
        pubsub(ITEMS, "other='x'"),
        pubsub(ITEMS + "text"),
        pubsub(ITEMS + ITEMS),
        pubsub(ITEMS + "<options/>"),
        pubsub(ITEMS + "<order xmlns='urn:xmpp:order-by:1' field='creation'/>"),
        pubsub(ITEMS + "<query xmlns='urn:xmpp:mam:2'/>"),
        pubsub("<items xmlns='urn:other' node='n'/>"),
        pubsub("<items/>"),
        pubsub("<items node=''/>"),
        pubsub("<items node='n' subid='s'/>"),
        pubsub("<items node='n' xml:lang='de'/>"),
        pubsub("<items node='n' xmlns:x='urn:x' x:max_items='3'/>"),
        pubsub("<items node='n'>text</items>"),
        pubsub("<items node='n'><item/></items>"),
        pubsub("<items node='n'><item id=''/></items>"),
        pubsub("<items node='n'><item id='a' other='x'/></items>"),
        pubsub("<items node='n'><item id='a'>text</item></items>"),
        pubsub("<items node='n'><item id='a'><x/></item></items>"),
        pubsub("<items node='n'><item id='a'/>text</items>"),
        pubsub("<items node='n'><item xmlns='urn:other' id='a'/></items>"),
        pubsub("<items node='n'><retract id='a'/></items>"),
        *(
            pubsub(f"<items node='n' max_items='{number}'/>")
            for number in ("0", "-1", "+1", "1.0", "", " 1", "x", "1e3", "٣", "10000000000")
        ),
        *(
            pubsub(ITEMS + page(content))
            for content in (
                "text",
                "<max>1</max>text",
                "<max>1</max><max>2</max>",
                "<max other='x'>1</max>",
                "<max>1<x/></max>",
                "<other/>",
                "<max xmlns='urn:other'>1</max>",
                "<after/>",
                "<after></after>",
                "<after>a</after><before>b</before>",
                "<after>a</after><before/>",
                "<after>a</after><index>1</index>",
                "<before/><index>1</index>",
                "<count>1</count>",
                "<first>a</first>",
            )
        ),
        pubsub(ITEMS + page("", "other='x'")),
        pubsub(ITEMS + page("") + page("")),
    ],
)
def test_what_is_not_completely_understood_is_forwarded(payload: str) -> None:
    assert question(parse_element(payload)) == OtherQuestion()


@pytest.mark.parametrize("name", ["max", "index"])
@pytest.mark.parametrize("number", ["-1", "", "x", "1.5", "+1", "٣", "0x10"])
def test_a_number_in_a_page_that_cannot_be_one_is_said_to_be_wrong(name: str, number: str) -> None:
    for payload in (
        pubsub(ITEMS + page(f"<{name}>{number}</{name}>")),
        disco("node='n'", page(f"<{name}>{number}</{name}>")),
    ):
        asked = question(parse_element(payload))
        assert isinstance(asked, OtherQuestion)
        assert asked.invalid_page is not None
        assert f"<{name}/>" in asked.invalid_page


def test_a_page_that_is_wrong_and_unknown_is_forwarded_without_a_verdict() -> None:
    payload = pubsub(ITEMS + page("<max>-1</max><other/>"))
    assert question(parse_element(payload)) == OtherQuestion()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("<subscriptions/>", SubscriptionsQuestion()),
        ("<subscriptions node='n'/>", SubscriptionsQuestion("n")),
        ("<options node='n' jid='J@X/r' subid='7'/>", OptionsQuestion("n", "j@x/r", "7")),
        ("<options node='n' jid='@'/>", OptionsQuestion("n", None)),
        ("<subscriptions other='1'/>", OtherQuestion()),
        ("<subscriptions><x/></subscriptions>", OtherQuestion()),
        ("<options node='n' jid='j'/><x/>", OtherQuestion()),
    ],
)
def test_what_is_asked_of_subscriptions(asked: str, expected: object) -> None:
    assert question(parse_element(pubsub(asked))) == expected
