"""Attachments (XEP-0470) as clients publish them, and as nobody should."""

from typing import Any

import pytest
from builtin_parsing import builtin, key, parsed
from published import ATTACHMENT_NODE, REACTIONS

from pubcellar.core.ports import Verdict

NS = "urn:xmpp:pubsub-attachments:1"
TARGET = {"service": "juliet@capulet.lit", "node": "urn:xmpp:microblog:0", "item": "balcony-afd1"}
ROMEO = "romeo@montague.lit"


@pytest.mark.parametrize(("node", "namespace"), [(ATTACHMENT_NODE, None), ("likes", NS)])
async def test_attachments_are_held(node: str, namespace: str | None) -> None:
    verdict = await builtin().analyse(key(node), namespace)
    assert verdict == Verdict("attachment", "attachment", None, True)


async def test_what_somebody_attached_and_to_what() -> None:
    assert await parsed("attachment", ATTACHMENT_NODE, REACTIONS, ROMEO) == {
        "target": TARGET,
        "attached_by": ROMEO,
        "is_noticed": True,
        "noticed_at": "2026-07-11T12:07:24Z",
        "reactions": ["🔨", "👷🏽‍♀️"],
        "reacted_at": "2026-07-11T12:07:48Z",
        "rsvp": {"attending": ["yes"]},
    }


async def test_attachments_without_their_namespace_are_understood() -> None:
    """As the examples of the XEP have them."""
    payload = "<attachments><noticed/><reactions><reaction>🎉</reaction></reactions></attachments>"
    assert await parsed("attachment", ATTACHMENT_NODE, payload, ROMEO) == {
        "target": TARGET,
        "attached_by": ROMEO,
        "is_noticed": True,
        "reactions": ["🎉"],
    }


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", {}),
        ("<noticed timestamp='now'/>", {"is_noticed": True}),
        ("<reactions/>", {}),
        (f"<reactions><reaction/><reaction>{'🎉' * 65}</reaction></reactions>", {}),
        ("<reaction>🎉</reaction>", {}),
        ("<reactions xmlns='urn:xmpp:reactions:0'><reaction>🎉</reaction></reactions>", {}),
        ("<rsvp><x xmlns='jabber:x:data'><field var='a'><value>b</value></field></x></rsvp>", {}),
    ],
)
async def test_what_is_there_and_makes_sense_is_kept(inside: str, expected: dict[str, Any]) -> None:
    payload = f"<attachments xmlns='{NS}'>{inside}</attachments>"
    result = await parsed("attachment", "likes", payload, "no address")
    assert result == {"is_noticed": False, **expected}


@pytest.mark.parametrize(
    "node",
    [NS, f"{NS}/", f"{NS}/xmpp:juliet@capulet.lit", f"{NS}/https://a.lit/?;node=b", f"{NS}/%00"],
)
async def test_a_node_that_names_no_item_gives_no_target(node: str) -> None:
    assert "target" not in await parsed("attachment", node, REACTIONS)


async def test_an_item_without_attachments_says_nothing() -> None:
    assert await parsed("attachment", ATTACHMENT_NODE, "<attachments xmlns='urn:x'/>") == {}


async def test_answers_that_overdo_it_are_left_out() -> None:
    long = "\U0001f600" * 1000
    fields = f"<field var='{{}}'><value>{long}</value></field>"
    form = "".join(fields.format(number) for number in range(500))
    reactions = "".join(f"<reaction>{number}</reaction>" for number in range(500))
    result = await parsed(
        "attachment",
        ATTACHMENT_NODE,
        f"<attachments xmlns='{NS}'><reactions>{reactions}</reactions>"
        f"<rsvp xmlns='urn:xmpp:calendar-events:0'><x xmlns='jabber:x:data'>{form}</x></rsvp>"
        "</attachments>",
    )
    assert len(result["reactions"]) == 100 and "rsvp" not in result
