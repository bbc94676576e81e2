"""Shared files (XEP-0447) and what is said of them (XEP-0446), as parts of other payloads."""

from typing import TypedDict

from lxml import etree

from pubcellar.analysers.numbers import whole_number
from pubcellar.analysers.plain_text import one_line
from pubcellar.analysers.results import present
from pubcellar.core.namespaces import NS_FILE_METADATA, NS_FILE_SHARING, NS_URL_DATA

FILE_SHARING = f"{{{NS_FILE_SHARING}}}file-sharing"

_FILE = f"{{{NS_FILE_METADATA}}}"


class SharedFile(TypedDict):
    """A file; `uri` is the first of its sources that a URL names (XEP-0103)."""

    name: str | None
    media_type: str | None
    size_bytes: int | None
    description: str | None
    uri: str | None


def shared_file(sharing: etree._Element | None) -> SharedFile | None:
    """Return what a `<file-sharing/>` says (XEP-0447 section 3), or None without one."""
    if sharing is None:
        return None
    about = sharing.find(f"{_FILE}file")
    sources = sharing.iterfind(f"{{{NS_FILE_SHARING}}}sources/{{{NS_URL_DATA}}}url-data")
    uris = (one_line(source.get("target")) for source in sources)
    values: SharedFile = {
        "name": _said(about, "name"),
        "media_type": _said(about, "media-type"),
        "size_bytes": None if about is None else whole_number(about.findtext(f"{_FILE}size")),
        "description": _said(about, "desc"),
        "uri": next((uri for uri in uris if uri), None),
    }
    return present(values)


def _said(about: etree._Element | None, name: str) -> str | None:
    return None if about is None else one_line(about.findtext(f"{_FILE}{name}"))
