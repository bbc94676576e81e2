"""Where stanzas begin and end, whatever the pieces they come in."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.xmpp.reader import StanzaCaps, StanzaReader, StreamBroken
from xmpp.xml_trees import NASTY, elements

HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
    "id='3BF96D32' from='plays.shakespeare.lit'>"
)
FOOTER = "</stream:stream>"


CAPS = StanzaCaps(size_bytes=200, depth=4, elements=10)
"""Small ones, which the tables that follow are measured against."""

TOO_LARGE = {
    "long text": "<iq id='big'>" + "x" * 300 + "</iq>",
    "very long text": "<iq id='big'>" + "x" * 5000 + "</iq>",
    "many texts": "<iq id='big'><a>" + "&lt;" * 200 + "</a></iq>",
    "long CDATA": "<iq id='big'><![CDATA[" + "x" * 300 + "]]></iq>",
    "one byte too long": "<iq id='big'>" + "x" * (201 - 18) + "</iq>",
    "too deep": "<iq id='big'><a><a><a><a/></a></a></a></iq>",
    "much too deep": "<iq id='big'>" + "<a>" * 15 + "</a>" * 15 + "</iq>",
    "too many elements": "<iq id='big'>" + "<a/>" * 10 + "</iq>",
    "a large tag within": "<iq id='big'><a b='" + "x" * 180 + "'/></iq>",
    "a long name": "<iq id='big'><" + "a" * 190 + "/></iq>",
}

WITHIN = {
    "as long as may be": "<iq id='fit'>" + "x" * (200 - 18) + "</iq>",
    "empty, as long as may be": "<iq id='fit' a='" + "x" * (200 - 19) + "'/>",
    "as deep as may be": "<iq id='fit'><a><a><a/></a></a></iq>",
    "as many elements as may be": "<iq id='fit'>" + "<a/>" * 9 + "</iq>",
}


class Sink:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.headers: list[tuple[Mapping[str, str], Mapping[str, str]]] = []
        self.stanzas: list[str] = []
        self.opened_by: list[tuple[str, Mapping[str, str]]] = []
        self.too_large: list[tuple[str, Mapping[str, str]]] = []
        self.order: list[str] = []
        self.footers = 0

    def header(self, attributes: Mapping[str, str], declarations: Mapping[str, str]) -> None:
        self.headers.append((attributes, declarations))

    def stanza(self, raw: bytes, name: str, attributes: Mapping[str, str]) -> None:
        self.stanzas.append(raw.decode())
        self.opened_by.append((name, attributes))
        self.order.append("stanza")

    def oversized(self, name: str, attributes: Mapping[str, str]) -> None:
        self.too_large.append((name, attributes))
        self.order.append("oversized")

    def footer(self) -> None:
        self.footers += 1


def read(text: str | bytes, caps: StanzaCaps | None = None, size: int = 0) -> Sink:
    """Return what a sink was told of a stream that holds `text`, read in pieces of `size` bytes."""
    data = HEADER.encode() + (text.encode() if isinstance(text, str) else text)
    sink = Sink()
    reader = StanzaReader(sink, caps or StanzaCaps())
    for start in range(0, len(data), size or len(data)):
        reader.feed(data[start : start + (size or len(data))])
    return sink


def buffered(reader: StanzaReader) -> int:
    """Return how many bytes the reader holds."""
    return len(reader._buffer)


class TestCutting:
    STANZAS = (
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<presence/>",
        "<presence />",
        "<presence\n\tfrom='a'\n/>",
        "<message></message>",
        "<message ></message\n>",
        "<message><message><message/></message></message>",
        "<message><body>1 > 0 &amp; 0 &lt; 1</body></message>",
        "<message title='a > b' other=\"'/>'\"/>",
        "<message title='&lt;/message>'><body title='&lt;'/></message>",
        "<message><![CDATA[</message><iq/>]]></message>",
        "<message><body><![CDATA[ ]] > ]]></body></message>",
        "<x:y xmlns:x='urn:x'><x:y/></x:y>",
        "<db:result/>",
        "<stream:features/>",
        "<stream:s/>",
        "<stream:streams></stream:streams>",
        "<s/>",
        "<é>日本</é>",
        "<é/>",
        "<message>&#13;&#x1f4a9;</message>",
    )

    @pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 64])
    def test_every_stanza_comes_out_as_it_went_in(self, size: int) -> None:
        sink = read("".join(self.STANZAS) + FOOTER, size=size)
        assert sink.stanzas == list(self.STANZAS)
        assert sink.footers == 1
        assert sink.too_large == []

    @pytest.mark.parametrize("stanza", STANZAS)
    @pytest.mark.parametrize("between", ["", " ", "\n\n"])
    @pytest.mark.parametrize("size", [0, 1])
    def test_every_stanza_may_stand_at_the_stream_s_end(
        self, stanza: str, between: str, size: int
    ) -> None:
        sink = read(f"{between}{stanza}{between}{stanza}{between}{FOOTER}", size=size)
        assert sink.stanzas == [stanza, stanza]
        assert sink.footers == 1

    @pytest.mark.parametrize("payload", NASTY.values(), ids=NASTY)
    def test_no_payload_is_touched(self, payload: str) -> None:
        stanza = f"<message>{payload}</message>"
        assert read(stanza * 2, size=5).stanzas == [stanza] * 2

    @given(
        st.lists(elements() | st.sampled_from(STANZAS), min_size=1, max_size=5),
        st.lists(st.integers(1, 40), min_size=1),
        st.sampled_from(["", " ", "\n"]),
    )
    def test_any_pieces_give_the_same_stanzas(
        self, stanzas: list[str], sizes: list[int], between: str
    ) -> None:
        data = (HEADER + between.join([*stanzas, FOOTER])).encode()
        sink = Sink()
        reader = StanzaReader(sink, StanzaCaps())
        while data:
            for size in sizes:
                reader.feed(data[:size])
                data = data[size:]
        assert sink.stanzas == stanzas
        assert sink.footers == 1

    def test_a_stanza_is_handed_on_as_soon_as_its_last_byte_is_there(self) -> None:
        sink = Sink()
        reader = StanzaReader(sink, StanzaCaps())
        reader.feed(f"{HEADER}<a><b/></a".encode())
        assert sink.stanzas == []
        reader.feed(b">")
        assert sink.stanzas == ["<a><b/></a>"]
        reader.feed(b"<c/")
        reader.feed(b">")
        assert sink.stanzas == ["<a><b/></a>", "<c/>"]

    def test_a_footer_that_is_not_whole_yet_is_no_end_tag_of_an_empty_stanza(self) -> None:
        sink = Sink()
        reader = StanzaReader(sink, StanzaCaps())
        reader.feed(f"{HEADER}<stream:s/></stream:s".encode())
        assert sink.stanzas == ["<stream:s/>"]
        reader.feed(b"tream>")
        assert sink.footers == 1

    def test_name_and_attributes_are_handed_on_as_written(self) -> None:
        sink = read("<iq type='get' to='a&amp;b'><x y='z'/></iq><p:q xmlns:p='urn:p'/>")
        assert sink.opened_by == [
            ("iq", {"type": "get", "to": "a&b"}),
            ("p:q", {"xmlns:p": "urn:p"}),
        ]

    def test_a_long_quiet_stream_of_white_space_is_not_kept(self) -> None:
        """RFC 6120 section 4.6.1: white space between stanzas keeps a connection alive."""
        reader = StanzaReader(Sink(), StanzaCaps())
        reader.feed(HEADER.encode())
        for _ in range(100):
            reader.feed(b" " * 1000)
        assert buffered(reader) <= 1000


class TestHeader:
    def test_its_attributes_and_prefixes_are_told(self) -> None:
        ((attributes, declarations),) = read("").headers
        assert attributes["id"] == "3BF96D32"
        assert declarations == {"db": "jabber:server:dialback"}

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param("<html>", id="another language"),
            pytest.param("<stream:stream xmlns:stream='urn:other'>", id="another namespace"),
            pytest.param("<stream:stream>", id="prefix not declared"),
            pytest.param("<stream>", id="no namespace"),
            pytest.param("<stream xmlns='jabber:component:accept'>", id="a stanza's namespace"),
            pytest.param("<s:strom xmlns:s='http://etherx.jabber.org/streams'>", id="another name"),
            pytest.param("HTTP/1.1 400 Bad Request\r\n", id="HTTP"),
            pytest.param("SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
            pytest.param(b"\x15\x03\x01\x00\x02\x02\x16", id="TLS"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 100])
    def test_what_is_no_stream_breaks_it_at_once(self, header: str | bytes, size: int) -> None:
        data = header.encode() if isinstance(header, str) else header
        sink = Sink()
        reader = StanzaReader(sink, StanzaCaps())
        with pytest.raises(StreamBroken):
            for start in range(0, len(data), size):
                reader.feed(data[start : start + size])
        assert not sink.headers

    @pytest.mark.parametrize("prefix", ["s:", ""])
    def test_the_prefix_is_the_server_s_to_choose(self, prefix: str) -> None:
        declared = f"xmlns{':s' if prefix else ''}='http://etherx.jabber.org/streams'"
        sink = Sink()
        reader = StanzaReader(sink, StanzaCaps())
        reader.feed(f"<{prefix}stream {declared}><a/><b></b></{prefix}stream>".encode())
        assert len(sink.headers) == 1
        assert sink.stanzas == ["<a/>", "<b></b>"]
        assert sink.footers == 1


class TestForbidden:
    @pytest.mark.parametrize("size", [0, 1])
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("<!-- c -->", id="comment"),
            pytest.param("<a><!-- c --></a>", id="comment in a stanza"),
            pytest.param("<?p i?>", id="instruction"),
            pytest.param("<a><?p i?></a>", id="instruction in a stanza"),
            pytest.param("<?xml version='1.0'?>", id="second declaration"),
            pytest.param("<!DOCTYPE a>", id="document type"),
            pytest.param("<a>&foo;</a>", id="entity"),
            pytest.param("<a b='&foo;'/>", id="entity in an attribute"),
            pytest.param("<stream:stream>", id="stream within the stream"),
            pytest.param("<stream:stream/>", id="empty stream within the stream"),
            pytest.param("<a></b>", id="tags that do not match"),
            pytest.param("<a b='1' b='2'/>", id="attribute twice"),
            pytest.param("<a>\x00</a>", id="forbidden character"),
            pytest.param("<a>\x1b</a>", id="control character"),
            pytest.param(b"<a>\xff\xfe</a>", id="no UTF-8"),
            pytest.param(b"<a>\xed\xa0\x80</a>", id="surrogate"),
            pytest.param("<a><![CDATA[]]>]]></a>", id="end of CDATA in text"),
            pytest.param("</stream:stream><a/>", id="stanza after the end"),
            pytest.param("& ", id="ampersand between stanzas"),
        ],
    )
    def test_it_breaks_the_stream(self, text: str | bytes, size: int) -> None:
        """RFC 6120 sections 4.9.3.18, 11.1 and 11.2."""
        with pytest.raises(StreamBroken):
            read(text, size=size)

    def test_a_document_type_before_the_header_breaks_the_stream(self) -> None:
        bomb = "<!DOCTYPE s [<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;&a;'>]>"
        reader = StanzaReader(Sink(), StanzaCaps())
        with pytest.raises(StreamBroken):
            reader.feed(bomb.encode())

    @pytest.mark.parametrize("text", ["<!-- c -->", "<a></b>", "<stream:stream>", "<?p i?>"])
    def test_nothing_is_handed_on_after_that(self, text: str) -> None:
        sink = Sink()
        reader = StanzaReader(sink, StanzaCaps())
        with pytest.raises(StreamBroken):
            reader.feed(f"{HEADER}<a/>{text}<b/>".encode())
        try:
            reader.feed(b"<c/></stream:stream>")
        except StreamBroken:
            pass
        assert sink.stanzas == ["<a/>"]
        assert sink.footers == 0


class TestCaps:
    NEXT = "<iq id='next'><query xmlns='urn:q'/></iq>"

    @pytest.mark.parametrize("size", [0, 1, 3, 50, 100])
    @pytest.mark.parametrize("stanza", TOO_LARGE.values(), ids=TOO_LARGE)
    def test_a_stanza_over_them_is_dropped_and_the_stream_lives_on(
        self, stanza: str, size: int
    ) -> None:
        sink = read(f"{self.NEXT}{stanza}{self.NEXT}{stanza}{self.NEXT}{FOOTER}", CAPS, size)
        assert sink.order == ["stanza", "oversized", "stanza", "oversized", "stanza"]
        assert sink.stanzas == [self.NEXT] * 3
        assert [(name, given["id"]) for name, given in sink.too_large] == [("iq", "big")] * 2
        assert sink.footers == 1

    @pytest.mark.parametrize("size", [0, 1, 3, 50])
    @pytest.mark.parametrize("stanza", WITHIN.values(), ids=WITHIN)
    def test_a_stanza_as_large_as_they_allow_comes_through(self, stanza: str, size: int) -> None:
        assert "long" not in stanza or len(stanza.encode()) == CAPS.size_bytes
        sink = read(stanza * 3, CAPS, size)
        assert sink.stanzas == [stanza] * 3
        assert sink.too_large == []

    @given(
        st.lists(st.sampled_from([NEXT, *TOO_LARGE.values(), *WITHIN.values()]), max_size=6),
        st.integers(1, 300),
    )
    def test_pieces_make_no_difference_to_what_is_too_large(
        self, stanzas: list[str], size: int
    ) -> None:
        sink = read("".join(stanzas), CAPS, size)
        dropped = set(TOO_LARGE.values())
        assert sink.stanzas == [stanza for stanza in stanzas if stanza not in dropped]
        assert len(sink.too_large) == len([stanza for stanza in stanzas if stanza in dropped])

    def test_a_stanza_of_one_tag_that_is_too_large_is_dropped_when_it_comes_in_one_piece(
        self,
    ) -> None:
        sink = read(f"<iq id='big' a='{'x' * 182}'/>{self.NEXT}", CAPS)
        assert [name for name, _ in sink.too_large] == ["iq"]
        assert sink.stanzas == [self.NEXT]

    def test_what_is_too_large_is_not_kept_in_memory(self) -> None:
        sink = Sink()
        reader = StanzaReader(sink, CAPS)
        reader.feed(f"{HEADER}<iq id='big'>".encode())
        for _ in range(1000):
            reader.feed(b"<a>" + b"x" * 50 + b"</a>")
            assert buffered(reader) <= CAPS.size_bytes + 57
        reader.feed(f"</iq>{self.NEXT}".encode())
        assert sink.stanzas == [self.NEXT]
        assert len(sink.too_large) == 1
        assert buffered(reader) <= CAPS.size_bytes

    @pytest.mark.parametrize("before", ["", "<iq id='big'>", "<iq>" + "<a/>" * 10])
    @pytest.mark.parametrize("tag", ["<iq a='", "<", "<a b='&lt;", "</a", "<a "])
    def test_a_tag_without_end_breaks_the_stream_once_it_is_larger_than_a_stanza_may_be(
        self, before: str, tag: str
    ) -> None:
        if tag.startswith("</"):
            before = f"{before}<a>"
        filler = " " if tag.endswith(" ") or tag.startswith("</") else "x"
        reader = StanzaReader(Sink(), CAPS)
        reader.feed(f"{HEADER}{before}{tag}".encode())
        fed = 0
        with pytest.raises(StreamBroken):
            while fed < 10_000:
                reader.feed(filler.encode() * 10)
                fed += 10
                assert buffered(reader) <= 2 * CAPS.size_bytes + 100
        assert fed <= 2 * CAPS.size_bytes + 100

    def test_a_header_without_end_breaks_the_stream_too(self) -> None:
        reader = StanzaReader(Sink(), CAPS)
        with pytest.raises(StreamBroken):
            for _ in range(1000):
                reader.feed(b"<stream:stream " + b" " * 10 if not buffered(reader) else b" " * 10)
