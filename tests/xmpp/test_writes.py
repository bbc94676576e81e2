"""What is understood of a write, and what is not, so that it puts more in doubt."""

import pytest

from pubcellar.core.namespaces import NS_PUBSUB, NS_PUBSUB_OWNER
from pubcellar.core.writes import Write, WriteKind
from pubcellar.xmpp.stanzas import parse_element
from pubcellar.xmpp.writes import write

FORM = "<x xmlns='jabber:x:data' type='submit'/>"
ITEM = "<item id='i'><note xmlns='urn:example:note'/></item>"


def pubsub(content: str, attributes: str = "") -> str:
    return f"<pubsub xmlns='{NS_PUBSUB}' {attributes}>{content}</pubsub>"


def owner(content: str) -> str:
    return f"<pubsub xmlns='{NS_PUBSUB_OWNER}'>{content}</pubsub>"


def read(payload: str) -> Write:
    return write(parse_element(payload))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (pubsub("<create node='n'/>"), Write(WriteKind.CREATE, "n")),
        (pubsub("<create/>"), Write(WriteKind.CREATE)),
        (
            pubsub(f"<create node='n'/><configure>{FORM}</configure>"),
            Write(WriteKind.CREATE, "n"),
        ),
        (
            pubsub("<retract node='n' notify='1'><item id='a'/><item id='b'/></retract>"),
            Write(WriteKind.RETRACT, "n", item_ids=("a", "b")),
        ),
        (owner("<purge node='n'/>"), Write(WriteKind.PURGE, "n")),
        (owner("<delete node='n'/>"), Write(WriteKind.DELETE, "n")),
        (owner("<delete node='n'><redirect uri='x'/></delete>"), Write(WriteKind.DELETE, "n")),
        (owner(f"<configure node='n'>{FORM}</configure>"), Write(WriteKind.CONFIGURE, "n")),
        (owner("<affiliations node='n'/>"), Write(WriteKind.AFFILIATIONS, "n")),
        (owner("<subscriptions node='n'/>"), Write(WriteKind.SUBSCRIPTIONS, "n")),
        (
            pubsub("<subscribe node='n' jid='a@b'/>"),
            Write(WriteKind.SUBSCRIBE, "n", jid="a@b"),
        ),
        (
            pubsub("<subscribe node='n' jid='a@b' x='y'/><options/>"),
            Write(WriteKind.SUBSCRIBE, "n", jid="a@b"),
        ),
        (
            pubsub("<unsubscribe node='n' jid='a@b' subid='7'/>"),
            Write(WriteKind.UNSUBSCRIBE, "n", jid="a@b", subid="7"),
        ),
        (
            pubsub("<options node='n' jid='a@b/c' subid='7'/>"),
            Write(WriteKind.OPTIONS, "n", jid="a@b/c", subid="7"),
        ),
    ],
)
def test_what_the_xep_has_is_understood(payload: str, expected: Write) -> None:
    assert read(payload) == expected


def test_published_items_come_with_their_ids_and_payloads() -> None:
    understood = read(pubsub(f"<publish node='n'>{ITEM}<item/></publish>"))
    assert (understood.kind, understood.node) == (WriteKind.PUBLISH, "n")
    assert [item.item_id for item in understood.items] == ["i", ""]
    assert understood.items[0].payload_namespace == "urn:example:note"
    assert not understood.touches_access


def test_options_of_a_publish_may_change_the_node() -> None:
    """XEP-0060 section 7.1.5."""
    payload = pubsub(f"<publish node='n'>{ITEM}</publish><publish-options>{FORM}</publish-options>")
    understood = read(payload)
    assert understood.kind is WriteKind.PUBLISH
    assert understood.touches_access


@pytest.mark.parametrize(
    "payload",
    [
        pubsub("<publish node='n'/>"),
        pubsub(f"<publish node='n' x='1'>{ITEM}</publish>"),
        pubsub(f"<publish node='n'>{ITEM}<future/></publish>"),
        pubsub(f"<publish node='n'>{ITEM.replace('<item', '<item x=' + chr(39) * 2)}</publish>"),
        pubsub(f"<publish node='n'>{ITEM}</publish><future xmlns='urn:future'/>"),
        pubsub(f"<publish node='n'>{ITEM}</publish>", "x='1'"),
        pubsub(f"<publish node='n'>{ITEM}</publish><configure/>"),
        pubsub("<retract node='n'/>"),
        pubsub("<retract node='n'><item/></retract>"),
        pubsub("<retract node='n'><item id='a' x='1'/></retract>"),
        pubsub("<create node='n' type='collection'/>"),
        owner("<purge node='n'><future/></purge>"),
        owner("<purge node='n' x='1'/>"),
    ],
)
def test_with_something_unknown_all_of_the_node_is_in_doubt(payload: str) -> None:
    assert read(payload) == Write(WriteKind.OTHER, "n")


@pytest.mark.parametrize(
    "payload",
    [
        pubsub(""),
        pubsub("<future node='n'/>"),
        pubsub(f"<publish>{ITEM}</publish>"),
        pubsub("<publish node='n'/><publish node='m'/>"),
        pubsub("<publish node='n'/><create node='m'/>"),
        pubsub("<subscribe node='n' jid='a@b'/><publish node='m'/>"),
        pubsub("<purge node='n'/>"),
        pubsub("<items node='n'/>"),
        pubsub("<publish xmlns='urn:other' node='n'/>"),
        owner("<purge/>"),
        owner("<configure/>"),
        owner("<default/>"),
    ],
)
def test_where_the_node_is_not_certain_all_of_the_service_is(payload: str) -> None:
    assert read(payload) == Write(WriteKind.OTHER)
