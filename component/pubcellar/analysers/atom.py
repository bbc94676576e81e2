"""Reads an Atom entry (RFC 4287), as XEP-0277 and XEP-0472 use it, into plain values.

Every value that is missing or malformed is left out; what is there and makes sense is kept. Markup
is reduced to text: as XHTML it is in the raw item, where whoever shows it must sanitise it anyway.
This module judges nothing: an author's name is what the entry says, not who published it.
"""

import json
from typing import Any

from lxml import etree

from pubcellar.analysers.json_object import MAX_BYTES
from pubcellar.analysers.plain_text import one_line, text_of
from pubcellar.analysers.timestamps import utc_timestamp
from pubcellar.analysers.xmpp_uri import jid_of, pubsub_target
from pubcellar.core.namespaces import NS_ATOM, NS_XML

NS_THREAD = "http://purl.org/syndication/thread/1.0"  # RFC 4685
MAX_VALUES = 100
"""How many tags, comments links and attachments of an entry are looked at, each."""

_ATOM = f"{{{NS_ATOM}}}"
_LANG = f"{{{NS_XML}}}lang"


def entry_of(item_xml: str) -> etree._Element | None:
    """Return the Atom entry that is the payload of a pubsub item, or None.

    Raises:
        etree.XMLSyntaxError: the text is not well-formed XML, or nested too deep for lxml.
    """
    # Neither DTDs nor the network, and lxml's own caps on depth and size stay. A parser of one's
    # own each time: they are not meant to be shared between threads.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    item = etree.fromstring(item_xml.encode(), parser)
    return item if item.tag == f"{_ATOM}entry" else item.find(f"{_ATOM}entry")


def parsed_entry(entry: etree._Element) -> dict[str, Any]:
    """Return what an entry says, by these keys, of which any may be missing.

    * `atom_id`, `language` (an RFC 5646 tag)
    * `title`, `summary`, `content`: plain text
    * `author`: object of `name`, `uri`, `email`, and `jid` where `uri` is an XMPP address
    * `published`, `updated`: UTC, always written like `2026-01-31T12:00:00Z`, so that they sort
    * `tags`: list of text, without duplicates, in the entry's order
    * `alternate`: where the entry can also be read; the web link where there are several
    * `comments`: list of objects of `uri`, and `service` and `node` where it names a pubsub node,
      and `count` (RFC 4685)
    * `in_reply_to`, `repeat_of`: objects of `ref` and `uri`, and `service`, `node` and `item`
    * `attachments`: list of objects of `uri`, `title`, `media_type`, `size_bytes`
    """
    links = entry.findall(f"{_ATOM}link")[:MAX_VALUES]
    values: dict[str, Any] = {
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
    return _bounded({key: value for key, value in values.items() if value not in (None, [], {})})


def _bounded(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out the least important long values of an entry that overdoes it in several ways."""
    for key in ("attachments", "tags", "comments", "summary"):
        if len(json.dumps(values, ensure_ascii=False).encode()) <= MAX_BYTES:
            break
        values.pop(key, None)
    return values


def _line(parent: etree._Element, name: str) -> str | None:
    return one_line(parent.findtext(f"{_ATOM}{name}"))


def _time(entry: etree._Element, name: str) -> str | None:
    return utc_timestamp(entry.findtext(f"{_ATOM}{name}"))


def _language(entry: etree._Element) -> str | None:
    around = (entry, *entry.iterancestors())
    inside = [part for name in ("content", "title") for part in entry.findall(f"{_ATOM}{name}")]
    tags = (one_line(element.get(_LANG)) for element in (*around, *inside))
    return next((tag for tag in tags if tag), None)


def _author(author: etree._Element | None) -> dict[str, str]:
    if author is None:
        return {}
    uri = _line(author, "uri")
    parts = {
        "name": _line(author, "name"),
        "uri": uri,
        "email": _line(author, "email"),
        "jid": jid_of(uri) if uri else None,
    }
    return {key: value for key, value in parts.items() if value}


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


def _comments(link: etree._Element) -> dict[str, Any]:
    uri = one_line(link.get("href")) or ""
    count = _number(link.get(f"{{{NS_THREAD}}}count"))
    return {"uri": uri, **pubsub_target(uri), **({} if count is None else {"count": count})}


def _target(reference: etree._Element | None) -> dict[str, str]:
    if reference is None:
        return {}
    uri = one_line(reference.get("href"))
    ref = one_line(reference.get("ref"))
    # XEP-0277 section 2.5 puts the XMPP URI of the post into either attribute.
    target = pubsub_target(uri or "") or pubsub_target(ref or "")
    named = {"ref": ref, "uri": uri}
    return {**{key: value for key, value in named.items() if value}, **target}


def _is_attachment(link: etree._Element) -> bool:
    return _rel(link) == "enclosure" and bool(one_line(link.get("href")))


def _attachment(link: etree._Element) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "uri": one_line(link.get("href")),
        "title": one_line(link.get("title")),
        "media_type": one_line(link.get("type")),
        "size_bytes": _number(link.get("length")),
    }
    return {key: value for key, value in parts.items() if value is not None}


def _number(text: str | None) -> int | None:
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        return None
    return int(digits)
