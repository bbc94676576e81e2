"""Cutting a stream into stanzas, wherever its bytes are parted."""

import pytest

from faults.cutting import StreamCutter

HEADER = b"<?xml version='1.0'?><stream:stream xmlns:stream='urn:s' xmlns='urn:c'>"
STANZAS = [
    b"<presence/>",
    b"<iq id='a>b'><q><q/></q></iq>",
    b" \n<message>1 &gt; 0 > -1 <![CDATA[</message>]]></message>",
    "<message>…</message>".encode(),
]
FOOTER = b"</stream:stream>"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_stanzas_come_whole_and_unchanged(size: int) -> None:
    cutter = StreamCutter()
    data = HEADER + b"".join(STANZAS) + FOOTER
    parts = [data[start : start + size] for start in range(0, len(data), size)]

    pieces = [piece for part in parts for piece in cutter.feed(part)]

    assert pieces == [(False, HEADER), *((True, each) for each in STANZAS), (False, FOOTER)]
    assert cutter.rest == b""


def test_what_has_not_ended_is_no_stanza_yet() -> None:
    cutter = StreamCutter()
    assert list(cutter.feed(HEADER + b"<iq><q/></i")) == [(False, HEADER)]
    assert cutter.rest == b"<iq><q/></i"
    assert list(cutter.feed(b"q>")) == [(True, b"<iq><q/></iq>")]
