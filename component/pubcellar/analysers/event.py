"""The built-in analyser of calendar events (XEP-0471)."""

from typing import TypedDict

from lxml import etree

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.files import FILE_SHARING, SharedFile, shared_file
from pubcellar.analysers.forms import FORM, FormQuestion, answers, questions
from pubcellar.analysers.payload import children, language_of, payload_of
from pubcellar.analysers.places import Place, place
from pubcellar.analysers.plain_text import one_line, text_of
from pubcellar.analysers.results import MAX_VALUES, bounded, present
from pubcellar.analysers.timestamps import utc_timestamp_or_date
from pubcellar.analysers.xmpp_uri import PubsubTarget, address
from pubcellar.core.namespaces import NS_EVENTS
from pubcellar.core.values import Item, NodeKey

MAX_LOCATIONS = 20

_EVENT = f"{{{NS_EVENTS}}}"


class Category(TypedDict):
    """What an event is about; `wikidata` is an entity of Wikidata (XEP-0471 section 6.3)."""

    term: str | None
    wikidata: str | None


class LinkedNode(TypedDict):
    """A node that belongs to an event (XEP-0471 section 6.6)."""

    service: str
    node: str


class Event(TypedDict):
    """What an event says; every key may be missing.

    `start` and `end` are in UTC, or dates alone. `rsvp` is the form that invitees fill in. The
    nodes, and `external`, another event that this one stands for, are as the publisher wrote them.
    """

    name: str | None
    language: str | None
    start: str | None
    end: str | None
    description: str | None
    categories: list[Category]
    locations: list[Place]
    head_picture: SharedFile | None
    rsvp: list[FormQuestion]
    invitees: LinkedNode | None
    comments: LinkedNode | None
    blog: LinkedNode | None
    schedule: LinkedNode | None
    external: PubsubTarget
    attachments: list[SharedFile]
    website: str | None
    status: str | None
    languages: list[str]
    wheelchair: str | None


class EventAnalyser(Analyser):
    """Holds agendas: nodes of calendar events (XEP-0471 section 5)."""

    name = "event"
    type = "event"
    node = NS_EVENTS
    namespace = NS_EVENTS
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return what the event says, see `Event`; {} if there is none."""
        event = payload_of(item.xml, f"{_EVENT}event")
        return {} if event is None else parsed_event(event)


def parsed_event(event: etree._Element) -> Parsed:
    """Return what an `<event/>` says, see `Event` (XEP-0471 sections 4.1 and 6)."""
    names = children(event, f"{_EVENT}name", MAX_VALUES)
    named = next((name for name in names if one_line(name.text)), None)
    extra = answers(event.find(f"{_EVENT}extra/{FORM}"))
    places = [place(each) for each in children(event, f"{_EVENT}location", MAX_LOCATIONS)]
    values: Event = {
        "name": None if named is None else one_line(named.text),
        "language": language_of(event if named is None else named),
        "start": utc_timestamp_or_date(event.findtext(f"{_EVENT}start")),
        "end": utc_timestamp_or_date(event.findtext(f"{_EVENT}end")),
        "description": text_of(event.findall(f"{_EVENT}description")),
        "categories": _categories(event),
        "locations": [each for each in places if each],
        "head_picture": shared_file(event.find(f"{_EVENT}head-picture/{FILE_SHARING}")),
        "rsvp": questions(event.find(f"{_EVENT}rsvp/{FORM}")),
        "invitees": _linked(event.find(f"{_EVENT}invitees")),
        "comments": _linked(event.find(f"{_EVENT}comments")),
        "blog": _linked(event.find(f"{_EVENT}blog")),
        "schedule": _linked(event.find(f"{_EVENT}schedule")),
        "external": _external(event.find(f"{_EVENT}external")),
        "attachments": _attachments(event),
        "website": _first(extra, "website"),
        "status": _first(extra, "status"),
        "languages": extra.get("languages", []),
        "wheelchair": _first(extra, "accessibility:wheelchair"),
    }
    return bounded(present(values), "attachments", "rsvp", "locations", "categories", "languages")


def _categories(event: etree._Element) -> list[Category]:
    found: list[Category] = []
    for category in children(event, f"{_EVENT}category", MAX_VALUES):
        term = one_line(category.get("term"))
        values: Category = {"term": term, "wikidata": one_line(category.get("wd"))}
        if term:
            found.append(present(values))
    return found


def _attachments(event: etree._Element) -> list[SharedFile]:
    parents = children(event, f"{_EVENT}attachments", MAX_VALUES)
    sharing = [each for parent in parents for each in parent.findall(FILE_SHARING)]
    files = (shared_file(each) for each in sharing[:MAX_VALUES])
    return [each for each in files if each]


def _linked(element: etree._Element | None) -> LinkedNode | None:
    if element is None:
        return None
    service, node = address(element.get("jid")), one_line(element.get("node"))
    return None if service is None or node is None else {"service": service, "node": node}


def _external(element: etree._Element | None) -> PubsubTarget:
    """Return another event, for which this one stands (section 6.9)."""
    linked = _linked(element)
    item = None if element is None else one_line(element.get("item"))
    if linked is None or item is None:
        return {}
    return {"service": linked["service"], "node": linked["node"], "item": item}


def _first(extra: dict[str, list[str]], var: str) -> str | None:
    return next(iter(extra.get(var, [])), None)
