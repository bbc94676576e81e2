"""The built-in analyser of vCards (XEP-0292), the visiting cards of RFC 6350 and RFC 6351."""

from typing import TypedDict

from lxml import etree

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.payload import children, payload_of
from pubcellar.analysers.plain_text import one_line, text_within
from pubcellar.analysers.results import bounded, present
from pubcellar.analysers.xmpp_uri import jid_of
from pubcellar.core.namespaces import NODE_VCARD4, NS_VCARD4
from pubcellar.core.values import Item, NodeKey

MAX_PROPERTIES = 30
"""How many values of one property are kept; a card for people has a few."""

_CARD = f"{{{NS_VCARD4}}}"


class PersonName(TypedDict):
    """The parts of a name (RFC 6350 section 6.2.2)."""

    surname: str | None
    given: str | None
    additional: str | None
    prefix: str | None
    suffix: str | None


class PostalAddress(TypedDict):
    """A postal address (RFC 6350 section 6.3.1); `types` are words such as `work` and `home`."""

    types: list[str]
    street: str | None
    locality: str | None
    region: str | None
    postal_code: str | None
    country: str | None


class Contact(TypedDict):
    """An e-mail address, a telephone number or URI; `types` as in `PostalAddress`."""

    types: list[str]
    value: str | None


class VCard(TypedDict):
    """What a card says of its owner; every key may be missing.

    `kind` is a word such as `individual` or `application`. `birthday` is as it was written, for it
    need not have a year. `photo` is a URI, and never the picture itself. `jids` are the XMPP
    addresses among the ways to reach somebody.
    """

    kind: str | None
    full_name: str | None
    name: PersonName | None
    nicknames: list[str]
    photo: str | None
    birthday: str | None
    addresses: list[PostalAddress]
    phones: list[Contact]
    emails: list[Contact]
    jids: list[str]
    geo: str | None
    title: str | None
    role: str | None
    organisations: list[str]
    uris: list[str]
    languages: list[str]
    note: str | None


class VCardAnalyser(Analyser):
    """Holds the public cards that people and services publish of themselves (section 4).

    They are known by the node's name alone: cards that somebody keeps of others are private, and
    have the same payload (section 5).
    """

    name = "vcard"
    type = "vcard"
    node = NODE_VCARD4
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return what the card says, see `VCard`; {} if there is none."""
        card = payload_of(item.xml, f"{_CARD}vcard")
        return {} if card is None else parsed_card(card)


def parsed_card(card: etree._Element) -> Parsed:
    """Return what a `<vcard/>` says, see `VCard`."""
    jids = (jid_of(uri) for uri in _values(card, "impp"))
    values: VCard = {
        "kind": _value(card, "kind"),
        "full_name": _value(card, "fn"),
        "name": _name(card.find(f"{_CARD}n")),
        "nicknames": _values(card, "nickname"),
        "photo": _photo(card),
        "birthday": _value(card, "bday"),
        "addresses": [each for each in map(_address, _properties(card, "adr")) if each],
        "phones": _contacts(card, "tel"),
        "emails": _contacts(card, "email"),
        "jids": [jid for jid in jids if jid],
        "geo": _value(card, "geo"),
        "title": _value(card, "title"),
        "role": _value(card, "role"),
        "organisations": _values(card, "org"),
        "uris": _values(card, "url"),
        "languages": _values(card, "lang"),
        "note": text_within(card.find(f"{_CARD}note/{_CARD}text")),
    }
    return bounded(present(values), "addresses", "uris", "phones", "emails", "organisations")


def _properties(card: etree._Element, name: str) -> list[etree._Element]:
    """Return the properties of a name, those in groups too (RFC 6351 section 5)."""
    grouped = card.findall(f"{_CARD}group/{_CARD}{name}")
    return (card.findall(f"{_CARD}{name}") + grouped)[:MAX_PROPERTIES]


def _line(element: etree._Element) -> str | None:
    """Return the value of a property, which is its first child that holds no parameters.

    Whatever its type: RFC 6351 section 3 has `<text/>`, `<uri/>`, `<date/>` and more.
    """
    values = (child for child in element if child.tag != f"{_CARD}parameters")
    return next((line for value in values if (line := one_line(value.text))), None)


def _values(card: etree._Element, name: str) -> list[str]:
    lines = (_line(each) for each in _properties(card, name))
    return list(dict.fromkeys(line for line in lines if line))


def _value(card: etree._Element, name: str) -> str | None:
    return next(iter(_values(card, name)), None)


def _photo(card: etree._Element) -> str | None:
    uris = (uri for uri in _values(card, "photo") if not uri.lower().startswith("data:"))
    return next(uris, None)


def _part(structured: etree._Element, name: str) -> str | None:
    """Return a part of a structured value, which may be given several times."""
    parts = (one_line(part.text) for part in children(structured, f"{_CARD}{name}", MAX_PROPERTIES))
    return one_line(" ".join(part for part in parts if part))


def _name(name: etree._Element | None) -> PersonName | None:
    if name is None:
        return None
    values: PersonName = {
        "surname": _part(name, "surname"),
        "given": _part(name, "given"),
        "additional": _part(name, "additional"),
        "prefix": _part(name, "prefix"),
        "suffix": _part(name, "suffix"),
    }
    return present(values)


def _address(adr: etree._Element) -> PostalAddress | None:
    values: PostalAddress = {
        "types": [],
        "street": _part(adr, "street"),
        "locality": _part(adr, "locality"),
        "region": _part(adr, "region"),
        "postal_code": _part(adr, "code"),
        "country": _part(adr, "country"),
    }
    if not present(values):
        return None
    values["types"] = _types(adr)
    return present(values)


def _contacts(card: etree._Element, name: str) -> list[Contact]:
    contacts: list[Contact] = []
    for element in _properties(card, name):
        value = _line(element)
        contact: Contact = {"types": _types(element), "value": value}
        if value:
            contacts.append(present(contact))
    return contacts


def _types(element: etree._Element) -> list[str]:
    words = element.iterfind(f"{_CARD}parameters/{_CARD}type/{_CARD}text")
    types = [(one_line(word.text) or "").lower() for word in words]
    return list(dict.fromkeys(each for each in types if each))[:MAX_PROPERTIES]
