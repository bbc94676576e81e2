"""XML text to elements and back, securely; the only place of the stream's side that parses XML.

What an XMPP stream may not hold (RFC 6120 section 11.1: document type declarations, entities,
comments, processing instructions) is refused; nothing is fetched, and libxml2's own limits on depth
and on the length of a text stand behind those of `pubcellar.xmpp.reader`.
"""

from collections.abc import Mapping
from typing import TypeAlias
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from lxml import etree

from pubcellar.core.namespaces import NS_COMPONENT_ACCEPT, NS_XML

Element: TypeAlias = etree._Element

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


ELEMENT_BYTES = 256
"""What an element or an attribute takes besides its texts, about."""


class MalformedXML(ValueError):
    """The text is not one well-formed, namespace-correct element, or holds what XMPP forbids."""


def parse_element(text: str | bytes) -> Element:
    """Return the one element that `text` holds.

    Raises:
        MalformedXML: it holds something else, or more.
    """
    # libxml2 refuses what a surrogate is written as.
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    try:
        element = etree.fromstring(raw, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        element = _with_odd_namespaces(raw, error)
    if element.getroottree().docinfo.doctype:
        raise MalformedXML("document type declarations are not allowed (RFC 6120 section 11.1)")
    if next(element.iter(etree.Comment, etree.ProcessingInstruction), None) is not None:
        raise MalformedXML("comments and instructions are not allowed (RFC 6120 section 11.1)")
    return element


def _with_odd_namespaces(raw: bytes, error: Exception) -> Element:
    """Return the element if all that libxml2 has against it is a namespace name that is no URI.

    XMPP servers let those through, and one such item must not make its whole node unreadable.
    """
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        element = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise MalformedXML(str(error)) from error
    if any(entry.type != etree.ErrorTypes.WAR_NS_URI for entry in parser.error_log):
        raise MalformedXML(str(error)) from error
    # libxml2 reports no more than a hundred problems: expat says whether there is another one.
    try:
        expat.ParserCreate(namespace_separator="\x01").Parse(raw, True)
    except expat.ExpatError:
        raise MalformedXML(str(error)) from error
    return element


def parse_stanza(raw: bytes, declarations: Mapping[str, str]) -> Element:
    """Return the stanza that stood as `raw` within a stream.

    Args:
        raw: the stanza's bytes, exactly.
        declarations: namespaces that the stream's header declared, by prefix.

    Raises:
        MalformedXML: as `parse_element`.
    """
    declared = "".join(f" xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in declarations.items())
    header = f'<stream xmlns="{NS_COMPONENT_ACCEPT}"{declared}>'
    stream = parse_element(b"%b%b</stream>" % (header.encode(), raw))
    if len(stream) != 1:
        raise MalformedXML("not exactly one stanza")
    return stream[0]


def serialised(element: Element) -> str:
    """Return `element` as text that stands for itself: every namespace in scope is declared on it.

    Equal under exclusive canonicalisation to the element; text after it is left out.
    """
    return etree.tostring(element, encoding="unicode", with_tail=False)


def memory_bytes(element: Element, at_most: int) -> int:
    """Return about how much memory the element takes, many times its text if it has many parts.

    Counting ends once it is more than `at_most`.
    """
    found = 0
    for part in element.iter():
        texts = (part.text, part.tail, *part.attrib.values())
        found += ELEMENT_BYTES * (1 + len(part.attrib)) + sum(len(text or "") for text in texts)
        if found > at_most:
            break
    return found


def children(element: Element) -> list[Element]:
    """Return the child elements, without comments and processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def qualified(namespace: str, name: str) -> str:
    """Return an element's name in the notation of lxml."""
    return f"{{{namespace}}}{name}"


def namespace_of(element: Element) -> str:
    """Return the namespace of the element, empty for none."""
    return etree.QName(element).namespace or ""


def name_of(element: Element) -> str:
    """Return the local name of the element."""
    return etree.QName(element).localname


def iq(
    type_: str,
    *,
    id_: str,
    sender: str,
    recipient: str,
    payload: str = "",
    lang: str | None = None,
) -> bytes:
    """Return an iq stanza as it is sent (RFC 6120 section 8.2.3).

    Args:
        type_: `get`, `set`, `result` or `error`.
        id_: the stanza's id.
        sender: value of `from`.
        recipient: value of `to`.
        payload: child elements, as `serialised` made them and nothing else did.
        lang: `xml:lang`, or None.
    """
    attributes = {"type": type_, "id": id_, "from": sender, "to": recipient}
    if lang is not None:
        attributes["xml:lang"] = lang
    written = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<iq{written}>{payload}</iq>".encode()


def lang_of(element: Element) -> str | None:
    """Return `xml:lang` of the element itself, or None."""
    return element.get(qualified(NS_XML, "lang"))
