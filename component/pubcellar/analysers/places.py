"""Where an event takes place: on earth (XEP-0080), online, or both (XEP-0471 section 6.4)."""

from typing import TypedDict

from lxml import etree

from pubcellar.analysers.numbers import decimal_between
from pubcellar.analysers.payload import children
from pubcellar.analysers.plain_text import one_line, text_within
from pubcellar.analysers.results import present
from pubcellar.analysers.xmpp_uri import address
from pubcellar.core.namespaces import NS_CONFERENCE, NS_EVENTS, NS_GEOLOC, NS_URL_DATA

MAX_ONLINE = 10

_EVENT = f"{{{NS_EVENTS}}}"
_GEO = f"{{{NS_GEOLOC}}}"


class Online(TypedDict):
    """A virtual meeting; `room` is a chat room's address (XEP-0249)."""

    name: str | None
    software: str | None
    uri: str | None
    room: str | None
    instructions: str | None


class Place(TypedDict):
    """One `<location/>`; `latitude` and `longitude` are decimal degrees (XEP-0080)."""

    id: str | None
    text: str | None
    description: str | None
    building: str | None
    floor: str | None
    room: str | None
    street: str | None
    area: str | None
    locality: str | None
    region: str | None
    postal_code: str | None
    country: str | None
    country_code: str | None
    latitude: float | None
    longitude: float | None
    uri: str | None
    online: list[Online]


def place(location: etree._Element) -> Place:
    """Return what a `<location/>` says."""
    geoloc = location.find(f"{_GEO}geoloc")
    online = [_online(each) for each in children(location, f"{_EVENT}online", MAX_ONLINE)]
    values: Place = {
        "id": one_line(location.get("id")),
        "text": _said(geoloc, "text"),
        "description": _said(geoloc, "description"),
        "building": _said(geoloc, "building"),
        "floor": _said(geoloc, "floor"),
        "room": _said(geoloc, "room"),
        "street": _said(geoloc, "street"),
        "area": _said(geoloc, "area"),
        "locality": _said(geoloc, "locality"),
        "region": _said(geoloc, "region"),
        "postal_code": _said(geoloc, "postalcode"),
        "country": _said(geoloc, "country"),
        "country_code": _said(geoloc, "countrycode"),
        "latitude": decimal_between(-90, _said(geoloc, "lat"), 90),
        "longitude": decimal_between(-180, _said(geoloc, "lon"), 180),
        "uri": _said(geoloc, "uri"),
        "online": [each for each in online if each],
    }
    return present(values)


def _said(geoloc: etree._Element | None, name: str) -> str | None:
    return None if geoloc is None else one_line(geoloc.findtext(f"{_GEO}{name}"))


def _online(online: etree._Element) -> Online:
    software = online.find(f"{_EVENT}software")
    link = online.find(f"{{{NS_URL_DATA}}}url-data")
    room = online.find(f"{{{NS_CONFERENCE}}}x")
    values: Online = {
        "name": one_line(online.findtext(f"{_EVENT}name")),
        "software": None if software is None else one_line(software.get("name")),
        "uri": None if link is None else one_line(link.get("target")),
        "room": None if room is None else address(room.get("jid")),
        "instructions": text_within(online.find(f"{_EVENT}instructions")),
    }
    return present(values)
