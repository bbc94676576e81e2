"""Event notifications. Stanzas: XEP-0060 sections 7 and 8, and what real services send."""

import pytest
from hypothesis import given

from pubcellar.core.events import (
    Change,
    Configured,
    Deleted,
    Event,
    NotUnderstood,
    Published,
    Purged,
    Retracted,
    SubscriptionChanged,
)
from pubcellar.core.namespaces import NS_PUBSUB, NS_PUBSUB_EVENT
from pubcellar.core.values import BareJID, Item, NodeKey, SubscriptionState
from pubcellar.xmpp.events import events
from pubcellar.xmpp.results import items_list
from pubcellar.xmpp.stanzas import parse_stanza
from xmpp.xml_trees import NASTY, assert_same, elements

SERVICE = BareJID("pubsub.shakespeare.lit")
OURS = BareJID("cache.shakespeare.lit")


def message(content: str, type_: str = "headline") -> list[Event]:
    """Return the events of a message that holds `content`."""
    raw = f"<message type='{type_}' from='{SERVICE}' to='{OURS}'>{content}</message>"
    return events(parse_stanza(raw.encode(), {}), SERVICE, OURS)


def changes(actions: str) -> tuple[Change, ...]:
    """Return the changes of the one node that `actions` in an event are about."""
    (event,) = message(f"<event xmlns='{NS_PUBSUB_EVENT}'>{actions}</event>")
    assert event.key == NodeKey(SERVICE, "n")
    assert event.recipient == OURS
    return event.changes


def published(item_xml: str) -> Item:
    """Return the item that an event with `item_xml` says was published."""
    (change,) = changes(f"<items node='n'>{item_xml}</items>")
    assert isinstance(change, Published)
    return change.item


def fetched(item_xml: str) -> Item:
    """Return the item that an items answer with `item_xml` holds."""
    raw = f"<iq><pubsub xmlns='{NS_PUBSUB}'><items node='n'>{item_xml}</items></pubsub></iq>"
    ((item,), _) = items_list(parse_stanza(raw.encode(), {})[0])
    return item


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ("<purge node='n'/>", [Purged()]),
        ("<delete node='n'/>", [Deleted()]),
        ("<delete node='n'><redirect uri='xmpp:a@b'/></delete>", [Deleted()]),
        ("<configuration node='n'/>", [Configured()]),
        (
            "<configuration node='n'><x xmlns='jabber:x:data' type='result'/></configuration>",
            [Configured()],
        ),
        ("<items node='n'><retract id='a'/></items>", [Retracted("a")]),
        ("<items node='n'><retract id='a' publisher='b@c'/></items>", [Retracted("a")]),
        (
            "<items node='n'><retract id='a'/><retract id='b'/><retract id='c'/></items>",
            [Retracted("a"), Retracted("b"), Retracted("c")],
        ),
        pytest.param(
            "<items node='n'><retract id='k2k1k0'/></items>",
            [Retracted("k2k1k0")],
            id="ids run together by ejabberd",
        ),
        *(
            (
                f"<subscription node='n' subscription='{state}'/>",
                [SubscriptionChanged(state)],
            )
            for state in SubscriptionState
        ),
        ("<subscription node='n' jid='x'/>", [SubscriptionChanged(SubscriptionState.NONE)]),
        (
            "<purge node='n'/><items node='n'><retract id='a'/></items><delete node='n'/>",
            [Purged(), Retracted("a"), Deleted()],
        ),
    ],
)
def test_every_kind_of_change_is_understood(actions: str, expected: list[Change]) -> None:
    assert changes(actions) == tuple(expected)


@pytest.mark.parametrize(
    "actions",
    [
        "<items node='n'/>",
        "<items node='n'>text</items>",
        "<items node='n'><retract/></items>",
        "<items node='n'><retract id=''/></items>",
        "<items node='n'><item/></items>",
        "<items node='n'><item id=''/></items>",
        "<items node='n'><something id='a'/></items>",
        "<items node='n'><item xmlns='urn:other' id='a'/></items>",
        "<items node='n'><item xmlns='http://jabber.org/protocol/pubsub' id='a'/></items>",
        "<items node='n'><item id='a'><message xmlns='jabber:client'/></item></items>",
        "<items node='n'><item id='a'><iq xmlns='jabber:component:accept'/></item></items>",
        "<subscription node='n' subscription='something'/>",
        "<something node='n'/>",
        "<purge xmlns='urn:other' node='n'/>",
        "<collection node='n'/>",
    ],
)
def test_what_is_not_understood_puts_the_node_in_doubt(actions: str) -> None:
    assert changes(actions) == (NotUnderstood(),)


def test_what_is_understood_beside_something_unknown_still_counts() -> None:
    assert changes("<items node='n'><retract id='a'/><odd/><retract id='b'/></items>") == (
        Retracted("a"),
        NotUnderstood(),
        Retracted("b"),
    )


def test_nodes_of_one_message_are_told_apart_in_their_order() -> None:
    found = message(
        f"<event xmlns='{NS_PUBSUB_EVENT}'><purge node='b'/><purge node='a'/>"
        f"<delete node='b'/></event><event xmlns='{NS_PUBSUB_EVENT}'><delete node='a'/></event>"
    )
    assert [(event.key.node, event.changes) for event in found] == [
        ("b", (Purged(), Deleted())),
        ("a", (Purged(), Deleted())),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<body>hello</body>",
        f"<event xmlns='{NS_PUBSUB_EVENT}'/>",
        f"<event xmlns='{NS_PUBSUB_EVENT}'><purge/></event>",
        f"<event xmlns='{NS_PUBSUB_EVENT}'><purge node=''/></event>",
        "<event><purge node='n'/></event>",
        f"<event xmlns='{NS_PUBSUB}'><purge node='n'/></event>",
        pytest.param(
            "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>"
            f"<event xmlns='{NS_PUBSUB_EVENT}'><purge node='n'/></event></message></forwarded>",
            id="forwarded",
        ),
        pytest.param(
            "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
            f"<message xmlns='jabber:client'><event xmlns='{NS_PUBSUB_EVENT}'><purge node='n'/>"
            "</event></message></forwarded></sent>",
            id="carbon",
        ),
    ],
)
def test_a_message_without_an_event_of_its_own_about_a_node_says_nothing(content: str) -> None:
    assert message(content) == []


def test_what_tells_of_the_past_is_told_apart() -> None:
    """XEP-0060 section 6.1.7: the last item is sent to a new subscriber, with a delay."""
    event = f"<event xmlns='{NS_PUBSUB_EVENT}'><purge node='n'/></event>"
    delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-20T00:00:00Z'/>"
    assert [one.is_delayed for one in message(event)] == [False]
    assert [one.is_delayed for one in message(event + delay)] == [True]


def test_an_event_that_bounced_says_nothing() -> None:
    event = f"<event xmlns='{NS_PUBSUB_EVENT}'><purge node='n'/></event>"
    assert message(event, type_="error") == []
    assert len(message(event, type_="normal")) == 1


class TestPublished:
    def test_an_item_with_payload(self) -> None:
        item = published("<item id='i1' publisher='owner@localhost'><entry xmlns='urn:e'/></item>")
        assert (item.item_id, item.publisher) == ("i1", "owner@localhost")
        assert item.payload_namespace == "urn:e"

    @pytest.mark.parametrize("item_xml", ["<item id='i1'/>", "<item id='i1' publisher='a@b'/>"])
    def test_an_item_without_payload(self, item_xml: str) -> None:
        """XEP-0060 section 7.1.2.2."""
        assert not published(item_xml).has_payload

    @pytest.mark.parametrize("payload", NASTY.values(), ids=NASTY)
    def test_an_item_is_what_an_items_answer_would_give(self, payload: str) -> None:
        item_xml = f"<item id='1' publisher='a@b'>{payload}</item>"
        by_event, by_answer = published(item_xml), fetched(item_xml)
        assert_same(by_answer.xml, by_event.xml)
        assert by_event.publisher == by_answer.publisher
        assert by_event.payload_namespace == by_answer.payload_namespace

    @given(elements())
    def test_any_item_is_what_an_items_answer_would_give(self, payload: str) -> None:
        item_xml = f"<item id='1'>{payload}</item>"
        by_event, by_answer = published(item_xml), fetched(item_xml)
        assert_same(by_answer.xml, by_event.xml)
        assert by_event.payload_namespace == by_answer.payload_namespace

    def test_the_service_may_use_a_prefix(self) -> None:
        (event,) = message(
            f"<e:event xmlns:e='{NS_PUBSUB_EVENT}'><e:items node='n'><e:item id='1'>"
            "<entry xmlns='urn:e'/></e:item></e:items></e:event>"
        )
        (change,) = event.changes
        assert isinstance(change, Published)
        assert change.item.payload_namespace == "urn:e"
        assert NS_PUBSUB in change.item.xml

    @pytest.mark.parametrize("text", [f'xmlns="{NS_PUBSUB_EVENT}"', f"xmlns='{NS_PUBSUB_EVENT}'>"])
    def test_text_that_looks_like_a_declaration_is_left_alone(self, text: str) -> None:
        written = text.replace(">", "&gt;").replace('"', "&quot;").replace("'", "&apos;")
        item_xml = f'<item id="{written}"><a xmlns=\'urn:e\' b="{written}">{written}</a></item>'
        item = published(item_xml)
        assert item.item_id == text
        assert_same(fetched(item_xml).xml, item.xml)
