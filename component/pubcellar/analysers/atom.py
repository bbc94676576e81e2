"""Reads an Atom entry (RFC 4287), as XEP-0277 and XEP-0472 use it, into plain values.

Every value that is missing or malformed is left out; what is there and makes sense is kept. Markup
is reduced to text: as XHTML it is in the raw item, where whoever shows it must sanitise it anyway.
This module judges nothing: an author's name is what the entry says, not who published it.
"""

from typing import Any, TypedDict

from lxml import etree

from pubcellar.analysers.numbers import whole_number
from pubcellar.analysers.payload import item_element, language_of
from pubcellar.analysers.plain_text import one_line, text_of
from pubcellar.analysers.results import MAX_VALUES, bounded, present
from pubcellar.analysers.timestamps import utc_timestamp
from pubcellar.analysers.xmpp_uri import jid_of, pubsub_target
from pubcellar.core.namespaces import NS_ATOM

NS_THREAD = "http://purl.org/syndication/thread/1.0"  # RFC 4685

_ATOM = f"{{{NS_ATOM}}}"


class Author(TypedDict):
    """Who an entry says wrote it; `jid` where `uri` is an XMPP address."""

    name: str | None
    uri: str | None
    email: str | None
    jid: str | None


class Comments(TypedDict):
    """Where an entry is commented on; `service` and `node` where `uri` names a pubsub node."""

    uri: str
    service: str | None
    node: str | None
    item: str | None
    count: int | None


class Target(TypedDict):
    """Another entry that is replied to or repeated."""

    ref: str | None
    uri: str | None
    service: str | None
    node: str | None
    item: str | None


class Enclosure(TypedDict):
    """A file that belongs to an entry."""

    uri: str | None
    title: str | None
    media_type: str | None
    size_bytes: int | None


class Entry(TypedDict):
    """What an entry says; every key may be missing.

    `language` is an RFC 5646 tag; `title`, `summary` and `content` are plain text; times are in
    UTC, written so that they sort; `alternate` is the web link where there are several.
    """

    atom_id: str | None
    language: str | None
    title: str | None
    summary: str | None
    content: str | None
    author: Author | None
    published: str | None
    updated: str | None
    tags: list[str]
    alternate: str | None
    comments: list[Comments]
    in_reply_to: Target | None
    repeat_of: Target | None
    attachments: list[Enclosure]


def entry_of(item_xml: str) -> etree._Element | None:
    """Return the Atom entry that is the payload of a pubsub item, or None.

    Raises:
        etree.XMLSyntaxError: the text is not well-formed XML, or nested too deep for lxml.
    """
    item = item_element(item_xml)
    return item if item.tag == f"{_ATOM}entry" else item.find(f"{_ATOM}entry")


def parsed_entry(entry: etree._Element) -> dict[str, Any]:
    """Return what an entry says, see `Entry`."""
    links = entry.findall(f"{_ATOM}link")[:MAX_VALUES]
    values: Entry = {
        "atom_id": _line(entry, "id"),
        "language": _language(entry),
        "title": text_of(entry.findall(f"{_ATOM}title")),
        "summary": text_of(entry.findall(f"{_ATOM}summary")),
        "content": text_of(entry.findall(f"{_ATOM}content")),
        "author": _author(entry.find(f"{_ATOM}author")),
        "published": _time(entry, "published"),
        "updated": _time(entry, "updated"),
        "tags": _tags(entry),
        "alternate": _alternate(links),
        "comments": [_comments(link) for link in links if _is_comments(link)],
        "in_reply_to": _target(entry.find(f"{{{NS_THREAD}}}in-reply-to")),
        "repeat_of": _target(next((link for link in links if _rel(link) == "via"), None)),
        "attachments": [_attachment(link) for link in links if _is_attachment(link)],
    }
    return bounded(present(values), "attachments", "tags", "comments", "summary")


def _line(parent: etree._Element, name: str) -> str | None:
    return one_line(parent.findtext(f"{_ATOM}{name}"))


def _time(entry: etree._Element, name: str) -> str | None:
    return utc_timestamp(entry.findtext(f"{_ATOM}{name}"))


def _language(entry: etree._Element) -> str | None:
    inside = [part for name in ("content", "title") for part in entry.findall(f"{_ATOM}{name}")]
    tags = (language_of(element) for element in (entry, *inside))
    return next((tag for tag in tags if tag), None)


def _author(author: etree._Element | None) -> Author | None:
    if author is None:
        return None
    uri = _line(author, "uri")
    parts: Author = {
        "name": _line(author, "name"),
        "uri": uri,
        "email": _line(author, "email"),
        "jid": jid_of(uri) if uri else None,
    }
    return present(parts)


def _tags(entry: etree._Element) -> list[str]:
    # RFC 4287 section 4.2.2: the term is required, but a label alone is met in the wild.
    categories = entry.findall(f"{_ATOM}category")[:MAX_VALUES]
    terms = (one_line(category.get("term") or category.get("label")) for category in categories)
    return list(dict.fromkeys(term for term in terms if term))


def _rel(link: etree._Element) -> str:
    # RFC 4287 section 4.2.7.2: a link without "rel" is an "alternate".
    return (link.get("rel") or "alternate").strip().lower()


def _alternate(links: list[etree._Element]) -> str | None:
    targets = [one_line(link.get("href")) for link in links if _rel(link) == "alternate"]
    web = (uri for uri in targets if uri and uri.lower().startswith(("http://", "https://")))
    return next(web, next((uri for uri in targets if uri), None))


def _is_comments(link: etree._Element) -> bool:
    # XEP-0277 section 3.1 tells the comments node from other replies by its title; XEP-0472 has no
    # such rule, and entries without any title mean their comments.
    title = (link.get("title") or "comments").strip().lower()
    return _rel(link) == "replies" and title == "comments" and bool(one_line(link.get("href")))


def _comments(link: etree._Element) -> Comments:
    uri = one_line(link.get("href")) or ""
    target = pubsub_target(uri)
    values: Comments = {
        "uri": uri,
        "service": target.get("service"),
        "node": target.get("node"),
        "item": target.get("item"),
        "count": whole_number(link.get(f"{{{NS_THREAD}}}count")),
    }
    return present(values)


def _target(reference: etree._Element | None) -> Target | None:
    if reference is None:
        return None
    uri = one_line(reference.get("href"))
    ref = one_line(reference.get("ref"))
    # XEP-0277 section 2.5 puts the XMPP URI of the post into either attribute.
    target = pubsub_target(uri or "") or pubsub_target(ref or "")
    values: Target = {
        "ref": ref,
        "uri": uri,
        "service": target.get("service"),
        "node": target.get("node"),
        "item": target.get("item"),
    }
    return present(values)


def _is_attachment(link: etree._Element) -> bool:
    return _rel(link) == "enclosure" and bool(one_line(link.get("href")))


def _attachment(link: etree._Element) -> Enclosure:
    parts: Enclosure = {
        "uri": one_line(link.get("href")),
        "title": one_line(link.get("title")),
        "media_type": one_line(link.get("type")),
        "size_bytes": whole_number(link.get("length")),
    }
    return present(parts)
