"""Public subscriptions (XEP-0465) as services list them, and as nobody should."""

from typing import Any

import pytest
from builtin_parsing import builtin, key, parsed
from published import SUBSCRIBER, SUBSCRIPTION

from pubcellar.core.ports import Verdict

SUBSCRIPTIONS = "urn:xmpp:pps:subscriptions:0"
SUBSCRIBERS = "urn:xmpp:pps:subscribers:0/urn:xmpp:microblog:0"


@pytest.mark.parametrize(
    ("node", "namespace", "subtype"),
    [
        (SUBSCRIPTIONS, None, "subscriptions"),
        (SUBSCRIBERS, None, "subscribers"),
        ("friends", "urn:xmpp:pps:0", None),
    ],
)
async def test_both_kinds_of_nodes_are_held(
    node: str, namespace: str | None, subtype: str | None
) -> None:
    verdict = await builtin().analyse(key(node), namespace)
    assert verdict == Verdict("public-subscriptions", "subscriptions", subtype, True)


async def test_what_somebody_is_subscribed_to() -> None:
    assert await parsed("public-subscriptions", SUBSCRIPTIONS, SUBSCRIPTION) == {
        "service": "benvolio@montague.lit",
        "node": "urn:xmpp:microblog:0",
    }


async def test_who_is_subscribed() -> None:
    result = await parsed("public-subscriptions", SUBSCRIBERS, SUBSCRIBER)
    assert result == {"subscriber": "mercutio@escalus.lit"}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("", {}),
        ("<subscription xmlns='urn:xmpp:pps:0'/>", {}),
        ("<subscription xmlns='urn:xmpp:pps:0' jid=' ' node='a'/>", {"node": "a"}),
        ("<subscriber xmlns='urn:xmpp:pps:0' jid='a b'/>", {}),
        (f"<subscriber xmlns='urn:xmpp:pps:0' jid='{'a' * 3072}'/>", {}),
        ("<subscription xmlns='urn:xmpp:pubsub:subscription' node='a'/>", {}),
        ("<subscriber/>", {}),
    ],
)
async def test_what_is_there_and_makes_sense_is_kept(
    payload: str, expected: dict[str, Any]
) -> None:
    assert await parsed("public-subscriptions", SUBSCRIPTIONS, payload) == expected
