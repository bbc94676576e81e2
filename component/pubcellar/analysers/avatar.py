"""The built-in analyser of user avatars, the pictures and what is said of them (XEP-0084)."""

import base64
import binascii
import hashlib
from typing import TypedDict

from lxml import etree

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.numbers import whole_number
from pubcellar.analysers.payload import children, payload_of
from pubcellar.analysers.plain_text import one_line
from pubcellar.analysers.results import bounded, present
from pubcellar.core.namespaces import NS_AVATAR_DATA, NS_AVATAR_METADATA
from pubcellar.core.values import Item, NodeKey

MAX_VARIANTS = 20

_DATA = f"{{{NS_AVATAR_DATA}}}data"
_METADATA = f"{{{NS_AVATAR_METADATA}}}metadata"
_INFO = f"{{{NS_AVATAR_METADATA}}}info"


class Variant(TypedDict):
    """One `<info/>` (XEP-0084 section 4.2.1); `id` is the SHA-1 of the picture, as claimed."""

    id: str | None
    size_bytes: int | None
    width: int | None
    height: int | None
    media_type: str | None
    uri: str | None


class Metadata(TypedDict):
    """Which pictures there are; `is_disabled` where the user shows none (section 3.5)."""

    variants: list[Variant]
    is_disabled: bool


class Picture(TypedDict):
    """The picture itself, which stays in the item: its SHA-1 in hexadecimal, and its size."""

    sha1: str
    size_bytes: int


class AvatarAnalyser(Analyser):
    """Holds both nodes of XEP-0084."""

    name = "avatar"
    type = "avatar"
    node = (NS_AVATAR_METADATA, NS_AVATAR_DATA)
    namespace = (NS_AVATAR_METADATA, NS_AVATAR_DATA)
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return what is said of the pictures, or of the picture that is there; {} if neither."""
        payload = payload_of(item.xml, _METADATA, _DATA)
        if payload is None:
            return {}
        return parsed_picture(payload) if payload.tag == _DATA else parsed_metadata(payload)


def parsed_metadata(metadata: etree._Element) -> Parsed:
    """Return what a `<metadata/>` says, see `Metadata`."""
    variants = [_variant(info) for info in children(metadata, _INFO, MAX_VARIANTS)]
    values: Metadata = {
        "variants": [variant for variant in variants if variant],
        "is_disabled": len(metadata) == 0,
    }
    return bounded(present(values), "variants")


def parsed_picture(data: etree._Element) -> Parsed:
    """Return what a `<data/>` holds, see `Picture`; {} where that is not base64."""
    # Section 4.1: line feeds "MUST be accepted".
    encoded = "".join("".join(data.itertext()).split())
    try:
        picture = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return {}
    if not picture:
        return {}
    values: Picture = {
        "sha1": hashlib.sha1(picture, usedforsecurity=False).hexdigest(),
        "size_bytes": len(picture),
    }
    return dict(values)


def _variant(info: etree._Element) -> Variant:
    values: Variant = {
        "id": one_line(info.get("id")),
        "size_bytes": whole_number(info.get("bytes")),
        "width": whole_number(info.get("width")),
        "height": whole_number(info.get("height")),
        "media_type": one_line(info.get("type")),
        "uri": one_line(info.get("url")),
    }
    return present(values)
