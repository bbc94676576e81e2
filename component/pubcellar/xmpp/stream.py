"""One connection to the XMPP server: stream header, handshake, stanzas, end (XEP-0114).

Connecting again is not done here, but in `pubcellar.xmpp.connection`.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any
from typing import Protocol as TypingProtocol
from xml.sax.saxutils import quoteattr

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from pubcellar.core.namespaces import NS_COMPONENT_ACCEPT, NS_STREAM_ERRORS, NS_STREAMS
from pubcellar.xmpp.reader import StanzaCaps, StanzaReader, StreamBroken
from pubcellar.xmpp.stanzas import (
    Element,
    MalformedXML,
    children,
    name_of,
    namespace_of,
    parse_stanza,
)

log = logging.getLogger(__name__)


class StreamError(Exception):
    """The stream did not come up or broke; `condition` as in RFC 6120 section 4.9.3."""

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition


class StreamListener(TypingProtocol):
    """Who is told what happens on the stream."""

    def stream_opened(self, send: Callable[[bytes], None]) -> None:
        """The component is authenticated; `send` writes stanzas until `stream_closed`."""
        ...

    def stream_closed(self) -> None:
        """The stream is gone."""
        ...

    def stanza_received(self, stanza: Element) -> None:
        """A stanza came."""
        ...

    def stanza_unreadable(
        self, name: str, attributes: Mapping[str, str], *, is_too_large: bool
    ) -> None:
        """A stanza over the caps, or not namespace-correct, came; this is all that is left."""
        ...


class ComponentStream(Protocol):
    """One connection (XEP-0114 section 3).

    Args:
        jid: the component's JID.
        secret: what it shares with the server.
        caps: the most that a received stanza may hold.
        listener: who is told of stanzas and of the stream's coming and going.
    """

    # Twisted's interfaces are written for zope, which mypy does not understand.
    transport: Any

    def __init__(self, jid: str, secret: str, caps: StanzaCaps, listener: StreamListener) -> None:
        self._jid = jid
        self._secret = secret
        self._listener = listener
        self._reader = StanzaReader(self, caps)
        self._declarations: Mapping[str, str] = {}
        self._is_open = False
        self._is_closing = False
        self._ended = False
        self._error: StreamError | None = None
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the component is authenticated; StreamError when it will not be."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when the connection is gone."""

    # Twisted's side

    def connectionMade(self) -> None:
        """Send the stream header."""
        transport = self.transport
        for setting in ("setTcpNoDelay", "setTcpKeepAlive"):
            if hasattr(transport, setting):
                getattr(transport, setting)(True)
        # When the server does not take what we write, we stop reading: memory stays bounded.
        transport.registerProducer(_Backpressure(transport), True)
        self._write(
            f"<?xml version='1.0'?><stream:stream xmlns='{NS_COMPONENT_ACCEPT}' "
            f"xmlns:stream='{NS_STREAMS}' to={quoteattr(self._jid)}>".encode()
        )

    def dataReceived(self, data: bytes) -> None:
        """Read on; a stream that is broken is closed."""
        try:
            self._reader.feed(data)
        except StreamBroken as error:
            self._give_up(StreamError("not-well-formed", str(error)))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell everybody that waits."""
        self._ended = True
        if self._is_open:
            self._is_open = False
            self._listener.stream_closed()
            if self._error is not None:
                log.error("the stream to the XMPP server broke: %s", self._error)
        if not self.ready.done():
            self.ready.set_exception(
                self._error or StreamError("connection-closed", "before the handshake")
            )
        if not self.ended.done():
            self.ended.set_result(None)

    # The reader's side

    def header(self, attributes: Mapping[str, str], declarations: Mapping[str, str]) -> None:
        """Answer the stream header with the handshake."""
        self._declarations = declarations
        proof = hashlib.sha1((attributes.get("id", "") + self._secret).encode()).hexdigest()
        self._write(f"<handshake>{proof}</handshake>".encode())

    def stanza(self, raw: bytes, name: str, attributes: Mapping[str, str]) -> None:
        """Take a stanza, or what belongs to the stream itself."""
        prefix, _, local_name = name.rpartition(":")
        if local_name == "error" and prefix:
            self._stream_error(raw)
            return
        if not self._is_open:
            if not self._is_closing:
                self._handshake(local_name)
            return
        try:
            stanza = parse_stanza(raw, self._declarations)
        except MalformedXML:
            self._listener.stanza_unreadable(name, attributes, is_too_large=False)
            return
        self._listener.stanza_received(stanza)

    def oversized(self, name: str, attributes: Mapping[str, str]) -> None:
        """Hand on what is left of a stanza over the caps."""
        if self._is_open:
            self._listener.stanza_unreadable(name, attributes, is_too_large=True)

    def footer(self) -> None:
        """Close our side too."""
        self.close()

    # Ours

    def close(self) -> None:
        """Close the stream, then the connection; `ended` fires when that is done."""
        if not self._is_closing and not self._ended:
            self._is_closing = True
            self._write(b"</stream:stream>")
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close the connection without waiting for what is still to be written."""
        if not self._ended and self.transport is not None:
            self.transport.abortConnection()

    def _handshake(self, name: str) -> None:
        if name != "handshake":
            self._give_up(StreamError("bad-format", f"<{name}/> instead of the handshake"))
            return
        self._is_open = True
        self.ready.set_result(None)
        self._listener.stream_opened(self._write)

    def _stream_error(self, raw: bytes) -> None:
        condition, text = "undefined-condition", ""
        try:
            declarations = {**self._declarations, "stream": NS_STREAMS}
            error = parse_stanza(raw, declarations)
        except MalformedXML:
            error = None
        for child in [] if error is None else children(error):
            if namespace_of(child) == NS_STREAM_ERRORS:
                if name_of(child) == "text":
                    text = child.text or ""
                else:
                    condition = name_of(child)
        self._give_up(StreamError(condition, text))

    def _give_up(self, error: StreamError) -> None:
        self._error = self._error or error
        self.close()

    def _write(self, data: bytes) -> None:
        if not self._ended:
            self.transport.write(data)


class _Backpressure:
    """Stops reading while the peer does not take what we write (Twisted's IPushProducer)."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def pauseProducing(self) -> None:
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """Nothing to do: `connectionLost` follows."""
