"""Text for people: lines, paragraphs, and Atom's text constructs (RFC 4287 section 3.1)."""

import re
from collections.abc import Iterator, Sequence

from lxml import etree

MAX_LINE_CHARACTERS = 1024
"""Longest name, tag, title of a link or URI that is kept; a longer one is left out."""
MAX_TEXT_CHARACTERS = 16 * 1024
"""Where a title, summary or content is cut; the raw item has all of it."""

_BLOCKS = frozenset(
    "address article aside blockquote br dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 "
    "header hr li ol p pre section table td th tr ul".split()
)
_UNSEEN = frozenset({"head", "script", "style", "template"})


def one_line(text: str | None) -> str | None:
    """Return the text with white space collapsed; None if nothing is left, or far too much."""
    line = " ".join((text or "").split())
    return line if 0 < len(line) <= MAX_LINE_CHARACTERS else None


def text_of(constructs: Sequence[etree._Element]) -> str | None:
    """Return the plain text of the first construct that has any, those of type text first.

    XEP-0277 section 2.3.1 has entries carry the same content as text and as XHTML.
    """
    for construct in sorted(constructs[:10], key=lambda one: _kind(one) != "text"):
        text = _tidied(_text(construct))
        if text:
            return text[:MAX_TEXT_CHARACTERS]
    return None


def text_within(element: etree._Element | None) -> str | None:
    """Return all text within an element that knows no markup, tidied; None if there is none."""
    if element is None:
        return None
    return _tidied("".join(element.itertext()))[:MAX_TEXT_CHARACTERS] or None


def _kind(construct: etree._Element) -> str:
    """Return text, html or xhtml, for media types too, or "" for what is no text at all."""
    kind = (construct.get("type") or "text").split(";")[0].strip().lower()
    if kind.endswith(("xhtml", "xhtml+xml")):
        return "xhtml"
    if kind.endswith("html"):
        return "html"
    return "text" if "/" not in kind or kind.startswith("text/") else ""


def _text(construct: etree._Element) -> str:
    kind = _kind(construct)
    if kind == "html":
        return _text_of_html("".join(construct.itertext()))
    if kind == "xhtml":
        return "".join(_runs(construct))
    return "".join(construct.itertext()) if kind else ""


def _text_of_html(html: str) -> str:
    if not html.strip():
        return ""
    parser = etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(html.encode(), parser)
    except etree.XMLSyntaxError:
        return ""
    return "" if root is None else "".join(_runs(root))


def _runs(root: etree._Element) -> Iterator[str]:
    """Yield the runs of text in markup, with line breaks around blocks; not recursive."""
    unseen = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""
        if event == "start":
            unseen += name in _UNSEEN
            text = element.text
        else:
            unseen -= name in _UNSEEN
            text = element.tail if element is not root else None
        if unseen:
            continue
        if name in _BLOCKS:
            yield "\n"
        yield re.sub(r"\s+", " ", text or "")


def _tidied(text: str) -> str:
    """Collapse blanks within lines, and more than one empty line in a row."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
