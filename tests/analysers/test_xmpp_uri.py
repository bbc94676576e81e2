import pytest

from pubcellar.analysers.xmpp_uri import address, jid_of, pubsub_target


@pytest.mark.parametrize(
    ("uri", "jid"),
    [
        ("xmpp:juliet@capulet.lit", "juliet@capulet.lit"),
        ("XMPP:juliet@capulet.lit?message", "juliet@capulet.lit"),
        ("xmpp://guest@example.com/support@example.com?message", "support@example.com"),
        ("xmpp:nasty%20one@example.com", "nasty one@example.com"),
        ("mailto:juliet@capulet.lit", None),
        ("xmpp:", None),
        ("", None),
    ],
)
def test_the_address_of_an_xmpp_uri_is_told(uri: str, jid: str | None) -> None:
    assert jid_of(uri) == jid


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("xmpp:a.lit?;node=n%3A0;item=i%2F1", {"service": "a.lit", "node": "n:0", "item": "i/1"}),
        ("xmpp:a.lit?pubsub;action=retrieve;node=n", {"service": "a.lit", "node": "n"}),
        ("xmpp:a.lit?node=n", {"service": "a.lit", "node": "n"}),
        ("xmpp:a.lit?pubsub&node=n", {"service": "a.lit", "node": "n"}),
        ("xmpp:a.lit?;item=i", {}),
        ("xmpp:a.lit?;node=", {}),
        ("https://a.lit/?node=n", {}),
        ("tag:a.lit,2026:x", {}),
        ("", {}),
    ],
)
def test_a_node_and_item_are_told_where_the_uri_names_them(
    uri: str, target: dict[str, str]
) -> None:
    assert pubsub_target(uri) == target


@pytest.mark.parametrize("uri", ["xmpp:a.lit?;node=a%00b", "xmpp:a%00b?;node=c"])
def test_a_character_that_no_xml_can_hold_names_nothing(uri: str) -> None:
    assert pubsub_target(uri) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" juliet@capulet.lit ", "juliet@capulet.lit"),
        ("a" * 3071, "a" * 3071),
        ("é" * 1536, None),
        ("juliet capulet@lit", None),
        ("a\u00a0b", None),
        ("", None),
        (None, None),
    ],
)
def test_what_could_be_an_address_is_kept_as_it_is(text: str | None, expected: str | None) -> None:
    assert address(text) == expected
