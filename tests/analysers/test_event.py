"""Calendar events (XEP-0471) as clients publish them, and as nobody should."""

from typing import Any

import pytest
from builtin_parsing import builtin, key, parsed
from published import BALL, COFFEE

from pubcellar.core.ports import Verdict

NODE = "urn:xmpp:calendar-events:0"


def event(inside: str) -> str:
    return f"<event xmlns='{NODE}'>{inside}</event>"


@pytest.mark.parametrize(
    ("node", "namespace"),
    [(NODE, None), (f"{NODE}/balls", None), ("agenda", NODE)],
)
async def test_agendas_are_held(node: str, namespace: str | None) -> None:
    verdict = await builtin().analyse(key(node), namespace)
    assert verdict == Verdict("event", "event", None, True)


async def test_the_list_of_invitees_is_not_an_agenda() -> None:
    """It may be for the organisers alone (section 6.6.1)."""
    assert await builtin().analyse(key("urn:xmpp:calendar-events:invitees:0/ball"), None) is None


async def test_an_event_with_everything() -> None:
    assert await parsed("event", NODE, BALL, "ball") == {
        "name": "Masked ball",
        "language": "en",
        "start": "2026-12-15T20:00:00Z",
        "end": "2026-12-16T02:00:00Z",
        "description": "Come all!",
        "categories": [{"term": "ball", "wikidata": "Q478515"}, {"term": "dance"}],
        "locations": [
            {
                "id": "main",
                "text": "Ring twice.",
                "description": "The old house",
                "building": "A",
                "floor": "1",
                "room": "Hall",
                "street": "Via Cappello 23",
                "area": "Centre",
                "locality": "Verona",
                "region": "Veneto",
                "postal_code": "37121",
                "country": "Italy",
                "country_code": "IT",
                "latitude": 45.4418,
                "longitude": 10.9983,
                "uri": "https://capulet.lit/way",
                "online": [
                    {
                        "name": "Stream",
                        "software": "Jitsi Meet",
                        "uri": "https://jitsi.capulet.lit/ball",
                        "room": "ball@muc.capulet.lit",
                        "instructions": "Click,\nthen wait.",
                    }
                ],
            }
        ],
        "head_picture": {
            "name": "hall.jpg",
            "media_type": "image/jpeg",
            "size_bytes": 120354,
            "description": "The hall.",
            "uri": "https://files.capulet.lit/1/hall.jpg",
        },
        "rsvp": [
            {
                "var": "attending",
                "label": "Attending",
                "options": ["maybe", "yes"],
                "is_required": True,
            },
            {"var": "participants_number", "is_required": False},
        ],
        "invitees": {
            "service": "pubsub.capulet.lit",
            "node": "urn:xmpp:calendar-events:invitees:0/ball",
        },
        "comments": {
            "service": "pubsub.capulet.lit",
            "node": "urn:xmpp:microblog:0:comments/ball",
        },
        "blog": {"service": "pubsub.capulet.lit", "node": "ball-blog"},
        "schedule": {
            "service": "pubsub.capulet.lit",
            "node": "urn:xmpp:calendar-events:0/ball-schedule",
        },
        "attachments": [
            {
                "name": "menu.pdf",
                "media_type": "application/pdf",
                "size_bytes": 50123,
                "description": "Dinner.",
                "uri": "https://files.capulet.lit/2/menu.pdf",
            }
        ],
        "website": "https://ball.capulet.lit",
        "status": "confirmed",
        "languages": ["it", "en"],
        "wheelchair": "partial",
    }


async def test_an_event_of_whole_days_that_stands_for_another() -> None:
    """XEP-0082 section 3.1; XEP-0471 section 6.9."""
    assert await parsed("event", NODE, COFFEE, "coffee") == {
        "name": "Coffee",
        "start": "2026-09-05",
        "end": "2026-09-06",
        "external": {
            "service": "pubsub.capulet.lit",
            "node": "urn:xmpp:calendar-events:0/balls",
            "item": "ball",
        },
    }


async def test_starts_sort_as_the_times_do() -> None:
    written = ["2026-09-05", "2026-09-05T00:30:00+01:00", "2026-09-05T00:10:00Z", "2026-09-06"]
    starts = [
        (await parsed("event", NODE, event(f"<start>{start}</start>")))["start"]
        for start in written
    ]
    assert sorted(starts) == [
        "2026-09-04T23:30:00Z",
        "2026-09-05",
        "2026-09-05T00:10:00Z",
        "2026-09-06",
    ]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", {}),
        ("<name/><start/><end/><location/><rsvp/><extra/><head-picture/><attachments/>", {}),
        ("<name> </name><name>b</name>", {"name": "b"}),
        ("<start>tomorrow</start><end>2026-02-30</end>", {}),
        ("<start>2026-01-01T10:00:00</start>", {}),
        ("<start>20260101</start>", {}),
        ("<invitees node='a'/><blog jid='a b' node='c'/><comments jid='a.lit'/>", {}),
        ("<external jid='a.lit' node='b'/><schedule jid='a.lit' node=''/>", {}),
        (
            "<location><geoloc xmlns='http://jabber.org/protocol/geoloc'>"
            "<lat>91</lat><lon>1e2</lon></geoloc></location>",
            {},
        ),
        (
            "<location><geoloc xmlns='http://jabber.org/protocol/geoloc'>"
            "<lat>-0.5</lat><lon>NaN</lon></geoloc></location>",
            {"locations": [{"latitude": -0.5}]},
        ),
        ("<location><geoloc><lat>1</lat></geoloc></location>", {}),
        ("<location><online><x xmlns='jabber:x:conference' jid='a b'/></online></location>", {}),
        ("<category term='a'><category term='b'/></category>", {"categories": [{"term": "a"}]}),
        ("<name xmlns='urn:example:other'>foreign</name>", {}),
        ("<name><name>nested</name></name>", {}),
        ("<rsvp><x xmlns='jabber:x:data'><field/><field var='FORM_TYPE'/></x></rsvp>", {}),
    ],
)
async def test_what_is_there_and_makes_sense_is_kept(inside: str, expected: dict[str, Any]) -> None:
    assert await parsed("event", NODE, event(inside)) == expected


@pytest.mark.parametrize("payload", ["", "<event/>", f"<name xmlns='{NODE}'>a</name>"])
async def test_an_item_without_event_says_nothing(payload: str) -> None:
    assert await parsed("event", NODE, payload) == {}


async def test_an_event_that_overdoes_everything_keeps_what_matters_most() -> None:
    long = "\U0001f600" * 1000
    geoloc = "".join(f"<{name}>{long}</{name}>" for name in ("text", "street", "area", "region"))
    result = await parsed(
        "event",
        NODE,
        event(
            f"<name>{long}</name><start>2026-01-01T00:00:00Z</start>"
            f"<description type='text'>{long * 40}</description>"
            + f"<category term='{long}'/>"
            * 500
            + f"<location><geoloc xmlns='http://jabber.org/protocol/geoloc'>{geoloc}</geoloc>"
            "</location>"
            * 100
            + "<rsvp><x xmlns='jabber:x:data'>"
            + f"<field var='{long}' label='{long}'/>" * 500
            + "</x></rsvp><attachments>"
            + "<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'>"
            f"<name>{long}</name><desc>{long}</desc></file></file-sharing>" * 500 + "</attachments>"
        ),
    )
    assert result["name"] == long and result["start"] == "2026-01-01T00:00:00Z"
    assert len(result["description"]) == 16 * 1024
