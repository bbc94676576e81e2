"""Cutting one direction of a stream into stanzas, their bytes unchanged (RFC 6120 section 4)."""

from collections.abc import Iterator
from xml.parsers import expat

HEADER_DEPTH = 1


class StreamCutter:
    """Takes bytes as they come and gives back what ends in them, piece by piece.

    Every tag ends with `>`: after each one the parser is asked how deep it is in the stream.
    """

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        if hasattr(self._parser, "SetReparseDeferralEnabled"):
            # A tag is to be noticed with its last byte.
            self._parser.SetReparseDeferralEnabled(False)
        self._depth = 0
        self._has_ended = False
        self._pending = bytearray()

    @property
    def rest(self) -> bytes:
        """What has come of a piece that has not ended yet."""
        return bytes(self._pending)

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        """Yield each piece that is complete now, and whether it is a stanza.

        What is none is the stream's header or its end. White space belongs to what follows it.

        Raises: expat.ExpatError, if the stream is not well-formed.
        """
        for part in _up_to_tag_ends(data):
            self._pending += part
            self._has_ended = False
            depth = self._depth
            self._parser.Parse(part, False)
            is_header = depth < HEADER_DEPTH == self._depth
            is_stanza = self._has_ended and self._depth == HEADER_DEPTH
            is_footer = self._has_ended and self._depth < HEADER_DEPTH
            if is_header or is_stanza or is_footer:
                yield is_stanza, bytes(self._pending)
                self._pending.clear()

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._has_ended = True


def _up_to_tag_ends(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b">", start) + 1 or len(data)
        yield data[start:end]
        start = end
