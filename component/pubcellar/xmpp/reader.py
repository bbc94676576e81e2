"""Cuts an XML stream into stanzas (RFC 6120 section 4), under caps of our own.

Only boundaries are found here, by expat; a stanza's bytes are handed on as they came, so that
nothing about them changes before they are parsed. A stanza over the caps is not kept: of it only
name and attributes are handed on, so that it can still be answered and the stream lives on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from xml.parsers import expat

from pubcellar.core.namespaces import NS_STREAMS


@dataclass(frozen=True, slots=True)
class StanzaCaps:
    """The most that one received stanza may hold, as configured in `[component]`."""

    size_bytes: int = 16 * 1024 * 1024
    depth: int = 64
    elements: int = 500_000


class StreamBroken(Exception):
    """The peer sent what no XML stream may hold; the stream cannot go on."""


class StanzaSink(Protocol):
    """Who is told what the stream holds."""

    def header(self, attributes: Mapping[str, str], declarations: Mapping[str, str]) -> None:
        """The stream header came, with the prefixes it declares for its stanzas."""
        ...

    def stanza(self, raw: bytes, name: str, attributes: Mapping[str, str]) -> None:
        """One stanza came, whole; `name` and `attributes` as they were written."""
        ...

    def oversized(self, name: str, attributes: Mapping[str, str]) -> None:
        """A stanza over the caps came and is gone; `name` and `attributes` as they were written."""
        ...

    def footer(self) -> None:
        """The stream was closed by the peer."""
        ...


class StanzaReader:
    """Reads one stream; `feed` it what arrives."""

    def __init__(self, sink: StanzaSink, caps: StanzaCaps) -> None:
        self._sink = sink
        self._caps = caps
        self._parser = expat.ParserCreate("UTF-8")
        # Newer expats may wait for more input before they report a tag that is complete.
        defer = getattr(self._parser, "SetReparseDeferralEnabled", None)
        if defer is not None:
            defer(False)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._forbidden
        self._parser.ProcessingInstructionHandler = self._forbidden
        self._parser.CommentHandler = self._forbidden
        self._stream_name = ""
        self._depth = 0
        self._buffer = bytearray()
        self._buffer_offset = 0
        self._begin: int | None = None
        self._elements = 0
        self._oversized: tuple[str, Mapping[str, str]] | None = None
        self._opening: tuple[str, Mapping[str, str]] = ("", {})

    def feed(self, data: bytes) -> None:
        """Take what arrived and tell the sink of everything that is complete.

        Raises:
            StreamBroken: it is not well-formed, or holds what a stream may not.
        """
        self._buffer += data
        try:
            self._parser.Parse(data, False)
        except expat.ExpatError as error:
            raise StreamBroken(f"not well-formed: {error}") from error
        self._let_go()

    def _let_go(self) -> None:
        """Drop from the buffer what neither a stanza nor an unfinished tag still needs."""
        end = self._buffer_offset + len(self._buffer)
        if self._begin is not None and end - self._begin > self._caps.size_bytes:
            self._oversized = self._opening
        keep_from = max(self._parser.CurrentByteIndex, self._buffer_offset)
        if self._begin is not None and not self._oversized:
            keep_from = self._begin
        elif end - keep_from > self._caps.size_bytes:
            raise StreamBroken("a single tag is larger than a whole stanza may be")
        del self._buffer[: keep_from - self._buffer_offset]
        self._buffer_offset = keep_from

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._open(name, attributes)
            return
        if self._depth == 2:
            if name == self._stream_name:
                raise StreamBroken("a stream within the stream")
            self._begin = self._parser.CurrentByteIndex
            self._elements = 0
            self._oversized = None
            self._opening = (name, attributes)
        self._elements += 1
        if self._elements > self._caps.elements or self._depth - 1 > self._caps.depth:
            self._oversized = self._oversized or self._opening

    def _open(self, name: str, attributes: Mapping[str, str]) -> None:
        prefix, _, local_name = name.rpartition(":")
        declared = attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
        if local_name != "stream" or declared != NS_STREAMS:
            raise StreamBroken("the peer does not speak XMPP: its answer is no <stream:stream>")
        declarations = {
            key.removeprefix("xmlns:"): value
            for key, value in attributes.items()
            if key.startswith("xmlns:") and value != NS_STREAMS
        }
        self._stream_name = name
        self._sink.header(attributes, declarations)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._sink.footer()
        elif self._depth == 1 and self._begin is not None:
            self._finish(self._begin, self._end_of_stanza(name))

    def _finish(self, begin: int, end: int) -> None:
        self._begin = None
        if self._oversized is None and end - begin > self._caps.size_bytes:
            self._oversized = self._opening
        if self._oversized is not None:
            self._sink.oversized(*self._oversized)
            self._oversized = None
            return
        offset = self._buffer_offset
        self._sink.stanza(bytes(self._buffer[begin - offset : end - offset]), *self._opening)

    def _end_of_stanza(self, name: str) -> int:
        """Return the offset behind the stanza whose end expat has just reported.

        Expat points at the end tag where there is one, and behind an empty element's only tag. A
        tag that follows the latter can only be the stream's own, which has another name.
        """
        reported = self._parser.CurrentByteIndex
        position = reported - self._buffer_offset
        end_tag = b"</" + name.encode()
        if position < 0 or not self._buffer.startswith(end_tag, position):
            return reported
        stop = self._buffer.find(b">", position)
        if stop < 0 or self._buffer[position:stop].rstrip() != end_tag:
            return reported
        return self._buffer_offset + stop + 1

    def _forbidden(self, *_: object) -> None:
        raise StreamBroken("the peer sent what RFC 6120 section 11.1 forbids in a stream")
