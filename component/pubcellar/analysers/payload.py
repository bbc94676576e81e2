"""The payload of an item, parsed so that it can do no harm. What it means is judged elsewhere."""

from lxml import etree

from pubcellar.analysers.plain_text import one_line
from pubcellar.core.namespaces import NS_XML

_LANG = f"{{{NS_XML}}}lang"


def item_element(item_xml: str) -> etree._Element:
    """Return the root element of a serialised item, without comments and instructions.

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
    return etree.fromstring(item_xml.encode(), parser)


def payload_of(item_xml: str, *names: str) -> etree._Element | None:
    """Return the first child of the item that has one of these names, or None.

    Args:
        item_xml: the whole `<item/>`.
        names: in Clark notation, such as `{urn:x}event`.

    Raises:
        etree.XMLSyntaxError: as `item_element`.
    """
    return next((child for child in item_element(item_xml) if child.tag in names), None)


def children(parent: etree._Element | None, name: str, at_most: int) -> list[etree._Element]:
    """Return the first `at_most` children of that name, in Clark notation; none without parent."""
    return [] if parent is None else parent.findall(name)[:at_most]


def language_of(element: etree._Element) -> str | None:
    """Return the language tag in force at an element: its own `xml:lang`, or the nearest above."""
    tags = (one_line(each.get(_LANG)) for each in (element, *element.iterancestors()))
    return next((tag for tag in tags if tag), None)
