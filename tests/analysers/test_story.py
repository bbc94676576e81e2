"""Stories (XEP-0501) as Movim publishes them, and as nobody should."""

import pytest
from builtin_parsing import builtin, key, parsed
from published import STORY

from pubcellar.core.ports import Verdict

NODE = "urn:xmpp:pubsub-social-feed:stories:0"
ATOM = "http://www.w3.org/2005/Atom"


@pytest.mark.parametrize("namespace", [None, ATOM])
async def test_stories_are_held_and_are_no_blog(namespace: str | None) -> None:
    verdict = await builtin().analyse(key(NODE), namespace)
    assert verdict == Verdict("story", "story", None, True)


async def test_a_story_is_one_enclosure() -> None:
    assert await parsed("story", NODE, STORY) == {
        "atom_id": "story-1",
        "title": "On the river",
        "published": "2026-03-01T09:30:00Z",
        "attachments": [
            {
                "uri": "https://upload.capulet.lit/river.jpg",
                "title": "Story",
                "media_type": "image/jpeg",
            }
        ],
    }


@pytest.mark.parametrize("payload", ["", "<entry/>", f"<feed xmlns='{ATOM}'/>"])
async def test_anything_else_says_nothing(payload: str) -> None:
    assert await parsed("story", NODE, payload) == {}
