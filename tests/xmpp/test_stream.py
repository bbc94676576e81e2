"""One component stream over a transport of strings. Examples: XEP-0114 section 3."""

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pubcellar.core.namespaces import NS_COMPONENT_ACCEPT, NS_STREAM_ERRORS
from pubcellar.xmpp.reader import StanzaCaps
from pubcellar.xmpp.stanzas import Element
from pubcellar.xmpp.stream import ComponentStream, StreamError

JID = "plays.shakespeare.lit"
SECRET = "a s3cr&t<'\""
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' "
    "xmlns='jabber:component:accept' from='plays.shakespeare.lit' id='3BF96D32'>"
)


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.stanzas: list[Element] = []
        self.unreadable: list[tuple[str, Mapping[str, str], bool]] = []
        self.send: Callable[[bytes], None] | None = None

    def stream_opened(self, send: Callable[[bytes], None]) -> None:
        self.happened.append("opened")
        self.send = send

    def stream_closed(self) -> None:
        self.happened.append("closed")

    def stanza_received(self, stanza: Element) -> None:
        self.stanzas.append(stanza)

    def stanza_unreadable(
        self, name: str, attributes: Mapping[str, str], *, is_too_large: bool
    ) -> None:
        self.unreadable.append((name, attributes, is_too_large))


class Wire:
    """A stream, what it writes, and whom it tells."""

    def __init__(self, jid: str = JID, caps: StanzaCaps | None = None) -> None:
        self.listener = Listener()
        self.stream = ComponentStream(jid, SECRET, caps or StanzaCaps(), self.listener)
        self.transport = StringTransport()
        self.stream.makeConnection(self.transport)

    def receives(self, data: str | bytes) -> None:
        self.stream.dataReceived(data.encode() if isinstance(data, str) else data)

    def written(self) -> str:
        """Return what was written since this was last asked."""
        text: str = self.transport.value().decode()
        self.transport.clear()
        return text

    def is_lost(self) -> None:
        self.stream.connectionLost(Failure(ConnectionDone()))

    @property
    def is_closing(self) -> bool:
        return bool(self.transport.disconnecting)

    def opened(self) -> "Wire":
        self.receives(f"{HEADER}<handshake/>")
        self.written()
        return self

    async def failure(self) -> StreamError:
        """Return why the stream did not come up."""
        with pytest.raises(StreamError) as caught:
            await self.stream.ready
        return caught.value


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Let futures that nobody asked for be told of in the test that left them."""
    yield
    gc.collect()


class TestHandshake:
    async def test_the_header_names_the_component(self) -> None:
        """XEP-0114 example 1."""
        wire = Wire()
        assert wire.written() == (
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
            "xmlns:stream='http://etherx.jabber.org/streams' to=\"plays.shakespeare.lit\">"
        )

    async def test_the_proof_is_the_digest_of_id_and_secret_in_small_hexadecimal(self) -> None:
        """XEP-0114 example 3; the digest made by `sha1sum`, of an id and a secret of our own."""
        wire = Wire()
        wire.written()
        wire.receives(HEADER)
        assert wire.written() == (
            f"<handshake>{hashlib.sha1(b'3BF96D32' + SECRET.encode()).hexdigest()}</handshake>"
        )
        known = ComponentStream(JID, "secret", StanzaCaps(), Listener())
        known.makeConnection(transport := StringTransport())
        known.dataReceived(HEADER.encode())
        assert (
            b"<handshake>b09ea9b3b7f586be8a08d0a3dd7466f110aeb136</handshake>" in transport.value()
        )

    async def test_the_secret_is_never_written(self) -> None:
        wire = Wire()
        wire.receives(f"{HEADER}<handshake/>")
        assert SECRET not in wire.written()
        assert SECRET not in repr(vars(wire.listener))

    async def test_an_id_with_markup_is_digested_as_it_is_meant(self) -> None:
        wire = Wire()
        wire.written()
        wire.receives(HEADER.replace("3BF96D32", "a&amp;&#228;"))
        proof = hashlib.sha1(f"a&ä{SECRET}".encode()).hexdigest()
        assert wire.written() == f"<handshake>{proof}</handshake>"

    @pytest.mark.parametrize("size", [1, 1000])
    @pytest.mark.parametrize("handshake", ["<handshake/>", "<handshake></handshake>"])
    async def test_the_server_s_handshake_opens_the_stream(self, handshake: str, size: int) -> None:
        """XEP-0114 example 4."""
        wire = Wire()
        assert not wire.stream.ready.done()
        text = f"{HEADER}{handshake}"
        for start in range(0, len(text), size):
            wire.receives(text[start : start + size])
        await wire.stream.ready
        assert wire.listener.happened == ["opened"]
        assert not wire.is_closing

    @pytest.mark.parametrize(
        "condition", ["not-authorized", "host-unknown", "conflict", "invalid-from"]
    )
    @pytest.mark.parametrize("after", ["", "</stream:stream>"])
    async def test_a_stream_error_says_why_it_does_not_open(
        self, condition: str, after: str
    ) -> None:
        wire = Wire()
        wire.receives(
            f"{HEADER}<stream:error><{condition} xmlns='{NS_STREAM_ERRORS}'/>"
            f"<text xmlns='{NS_STREAM_ERRORS}'>because</text></stream:error>{after}"
        )
        assert wire.is_closing
        assert wire.written().endswith("</stream:stream>")
        wire.is_lost()
        error = await wire.failure()
        assert error.condition == condition
        assert str(error) == f"{condition}: because"
        assert wire.listener.happened == []

    async def test_a_stream_error_without_anything_known_is_undefined(self) -> None:
        wire = Wire()
        wire.receives(f"{HEADER}<stream:error><x xmlns='urn:x'/></stream:error>")
        wire.is_lost()
        assert (await wire.failure()).condition == "undefined-condition"

    @pytest.mark.parametrize(
        "stanza", ["<message from='a@b'/>", "<iq type='get' id='1'><a xmlns='urn:a'/></iq>"]
    )
    async def test_a_stanza_before_the_handshake_is_refused(self, stanza: str) -> None:
        wire = Wire()
        wire.receives(f"{HEADER}{stanza}<handshake/>{stanza}")
        assert wire.is_closing
        wire.is_lost()
        assert (await wire.failure()).condition == "bad-format"
        assert wire.listener.happened == []
        assert wire.listener.stanzas == []

    async def test_a_stanza_over_the_caps_before_the_handshake_is_told_to_nobody(self) -> None:
        wire = Wire(caps=StanzaCaps(size_bytes=200))
        wire.receives(f"{HEADER}<message>{'x' * 300}</message>")
        assert wire.listener.unreadable == []
        wire.is_lost()
        await wire.failure()

    @pytest.mark.parametrize("text", ["HTTP/1.1 400 Bad Request\r\n\r\n", "<html>", "\x16\x03"])
    async def test_a_peer_that_speaks_something_else_is_left(self, text: str) -> None:
        wire = Wire()
        wire.receives(text)
        assert wire.is_closing
        wire.is_lost()
        assert (await wire.failure()).condition == "not-well-formed"

    async def test_a_connection_lost_before_the_handshake_says_so(self) -> None:
        wire = Wire()
        wire.is_lost()
        assert (await wire.failure()).condition == "connection-closed"
        assert wire.stream.ended.done()
        assert wire.listener.happened == []


class TestStanzas:
    async def test_a_stanza_is_handed_on_in_the_component_s_namespace(self) -> None:
        wire = Wire().opened()
        wire.receives("<message from='a@b'><body>hi</body></message> <presence/>")
        assert [stanza.tag for stanza in wire.listener.stanzas] == [
            f"{{{NS_COMPONENT_ACCEPT}}}message",
            f"{{{NS_COMPONENT_ACCEPT}}}presence",
        ]

    async def test_prefixes_of_the_header_may_be_used(self) -> None:
        wire = Wire()
        wire.receives(HEADER.replace(" id=", " xmlns:p='urn:p' id=") + "<handshake/>")
        wire.receives("<iq><p:a/></iq>")
        assert wire.listener.stanzas[0][0].tag == "{urn:p}a"

    async def test_what_is_sent_is_written(self) -> None:
        wire = Wire().opened()
        assert wire.listener.send is not None
        wire.listener.send(b"<presence/>")
        assert wire.written() == "<presence/>"

    async def test_a_stanza_over_the_caps_is_told_of_and_the_stream_lives_on(self) -> None:
        wire = Wire(caps=StanzaCaps(size_bytes=300)).opened()
        wire.receives(f"<iq id='1' type='get'>{'x' * 400}</iq><presence/>")
        assert wire.listener.unreadable == [("iq", {"id": "1", "type": "get"}, True)]
        assert len(wire.listener.stanzas) == 1
        assert not wire.is_closing

    @pytest.mark.parametrize("content", ["<p:a/>", "<a p:b='1'/>", "<a xmlns:p=''/>"])
    async def test_a_stanza_with_wrong_namespaces_is_told_of_and_the_stream_lives_on(
        self, content: str
    ) -> None:
        wire = Wire().opened()
        wire.receives(f"<iq id='1'>{content}</iq><presence/>")
        assert wire.listener.unreadable == [("iq", {"id": "1"}, False)]
        assert len(wire.listener.stanzas) == 1
        assert not wire.is_closing

    async def test_a_second_handshake_opens_nothing(self) -> None:
        wire = Wire().opened()
        wire.receives("<handshake/>")
        assert wire.listener.happened == ["opened"]

    async def test_reading_stops_while_the_server_does_not_take_what_we_write(self) -> None:
        wire = Wire().opened()
        producer = wire.transport.producer
        assert producer is not None
        producer.pauseProducing()
        assert wire.transport.producerState == "paused"
        producer.resumeProducing()
        assert wire.transport.producerState == "producing"


class TestEnd:
    async def test_closing_writes_the_footer_first(self) -> None:
        wire = Wire().opened()
        wire.stream.close()
        assert wire.written() == "</stream:stream>"
        assert wire.is_closing
        assert not wire.stream.ended.done()
        wire.is_lost()
        assert wire.stream.ended.done()
        assert wire.listener.happened == ["opened", "closed"]

    async def test_closing_twice_writes_one_footer(self) -> None:
        wire = Wire().opened()
        wire.stream.close()
        wire.stream.close()
        wire.receives("</stream:stream>")
        assert wire.written() == "</stream:stream>"
        wire.is_lost()
        wire.stream.close()
        assert wire.written() == ""

    async def test_replies_on_their_way_while_closing_are_still_read(self) -> None:
        wire = Wire().opened()
        wire.stream.close()
        wire.receives("<iq type='result'/>")
        assert len(wire.listener.stanzas) == 1

    async def test_the_server_s_footer_closes_our_side_too(self) -> None:
        wire = Wire().opened()
        wire.receives("</stream:stream>")
        assert wire.written() == "</stream:stream>"
        assert wire.is_closing

    @pytest.mark.parametrize(
        "text", ["<a></b>", "<!-- c -->", "<stream:stream>", "<a>&foo;</a>", "<!DOCTYPE a>"]
    )
    async def test_broken_xml_closes_the_stream(
        self, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        wire = Wire().opened()
        wire.receives(f"<presence/>{text}<presence/>")
        wire.receives("<presence/>")
        assert wire.written() == "</stream:stream>"
        assert wire.is_closing
        assert len(wire.listener.stanzas) == 1
        wire.is_lost()
        assert wire.listener.happened == ["opened", "closed"]
        assert "broke: not-well-formed" in caplog.text

    async def test_a_stream_error_closes_an_open_stream_and_is_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        wire = Wire().opened()
        wire.receives(
            f"<stream:error><policy-violation xmlns='{NS_STREAM_ERRORS}'/></stream:error>"
        )
        assert wire.is_closing
        wire.is_lost()
        assert "policy-violation" in caplog.text
        assert wire.listener.happened == ["opened", "closed"]

    async def test_a_lost_connection_is_told_once_and_nothing_is_written_after_it(self) -> None:
        wire = Wire().opened()
        wire.is_lost()
        assert wire.listener.happened == ["opened", "closed"]
        assert wire.listener.send is not None
        wire.listener.send(b"<presence/>")
        wire.stream.close()
        wire.stream.abort()
        assert wire.written() == ""
        assert wire.stream.ended.done()

    async def test_aborting_does_not_wait(self) -> None:
        wire = Wire().opened()
        wire.stream.abort()
        assert wire.transport.disconnected


async def test_a_jid_with_markup_is_written_safely() -> None:
    assert "to='a\"&amp;b'" in Wire(jid='a"&b').written()
