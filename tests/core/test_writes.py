"""Whether what is held is what was published."""

import pytest

from pubcellar.core.namespaces import NS_PUBSUB
from pubcellar.core.writes import Write, WriteKind, fingerprint


def item(inner: str, attributes: str = "") -> str:
    return f"<item xmlns='{NS_PUBSUB}' {attributes}>{inner}</item>"


PAYLOAD = "<a xmlns='urn:a' x='1' y='2'>t &amp; &gt;</a>"


@pytest.mark.parametrize(
    "same",
    [
        item(PAYLOAD, "id='1'"),
        item(PAYLOAD, "id='1' publisher='a&quot;&gt;@b'"),
        item('<a y="2" x="1" xmlns="urn:a">t &#38; ></a>', "id='2'"),
        f"<item xmlns='{NS_PUBSUB}' xmlns:unused='urn:u'>{PAYLOAD}</item>",
    ],
)
def test_the_same_payload_is_known_again(same: str) -> None:
    assert fingerprint(same) == fingerprint(item(PAYLOAD))


@pytest.mark.parametrize(
    "other",
    [
        item(""),
        item(PAYLOAD.replace("x='1'", "x='2'")),
        item(PAYLOAD.replace("x='1' ", "x='1' publisher='p' ")),
        item(PAYLOAD.replace("urn:a", "urn:b")),
        item(PAYLOAD.replace("t ", "t  ")),
        item(PAYLOAD + PAYLOAD),
    ],
)
def test_another_payload_is_not(other: str) -> None:
    assert fingerprint(other) != fingerprint(item(PAYLOAD))


def test_what_is_no_xml_is_like_nothing() -> None:
    assert fingerprint("<item") is None


@pytest.mark.parametrize("kind", WriteKind)
def test_kinds_that_can_change_who_may_read(kind: WriteKind) -> None:
    touches = kind in {"create", "configure", "delete", "affiliations", "subscriptions", "other"}
    assert Write(kind, "n").touches_access is touches
    assert Write(kind, "n", may_configure=True).touches_access
