"""A client that is an external component (XEP-0114): the same verbs, with any sender of its own."""

import asyncio
from typing import Literal
from xml.etree.ElementTree import Element

from harness import Client, Event, Reply
from harness.client import REPLY_SECONDS, end_tasks
from harness.stanzas import NS_PUBSUB_EVENT, Payload, element
from harness.waiting import wait_until
from slixmpp import ComponentXMPP
from slixmpp.stanza import StreamError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

NS_COMPONENT = "jabber:component:accept"


class ComponentClient(Client):
    """One connected component; `sender` is who its requests come from, its own name at first.

    Attributes:
        received: all stanzas it got, in order.
        stream_errors: conditions of the stream errors it got.
    """

    def __init__(self, jid: str, secret: str, port: int) -> None:
        self.name = jid
        self.port = port
        self.sender = jid
        self.events: list[Event] = []
        self.received: list[Element] = []
        self.stream_errors: list[str] = []
        self._is_open = False
        self._replies: dict[str, asyncio.Future[Reply]] = {}
        self.stream = ComponentXMPP(jid, secret, "127.0.0.1", port)
        for name in ("iq", "message", "presence"):
            matcher = MatchXPath(f"{{{NS_COMPONENT}}}{name}")
            handler = Callback(f"every {name}", matcher, lambda each: self._receive(each.xml))
            self.stream.register_handler(handler)
        self.stream.add_event_handler("stream_error", self._note_stream_error)
        self.stream.add_event_handler("disconnected", self._note_end)

    @property
    def bare_jid(self) -> str:
        return self.sender.partition("/")[0]

    async def connect(self) -> "ComponentClient":
        """Connect. Raises: TimeoutError, ConnectionRefusedError with the stream error's name."""
        self.stream.add_event_handler("session_start", self._note_start)
        self.stream.connect()
        await wait_until(lambda: self._is_open or self.stream_errors, "the component's handshake")
        if not self._is_open:
            raise ConnectionRefusedError(self.stream_errors[0])
        return self

    async def disconnect(self) -> None:
        if self._is_open:
            await self.stream.disconnect()
        else:
            self.stream.abort()
        await end_tasks(self.stream)

    @property
    def is_closed(self) -> bool:
        return not self._is_open

    async def wait_until_closed(self) -> str:
        """Return the name of the stream error with which the server closed the stream.

        Raises: TimeoutError.
        """
        await wait_until(lambda: not self._is_open, "the stream to be closed")
        return self.stream_errors[0] if self.stream_errors else "none"

    async def request(
        self,
        kind: Literal["get", "set"],
        to: str,
        payload: Payload,
        timeout_seconds: float = REPLY_SECONDS,
    ) -> Reply:
        iq = self.stream.make_iq(ito=to, itype=kind, ifrom=self.sender)
        iq.xml.append(element(payload))
        reply = self._replies[iq["id"]] = asyncio.get_running_loop().create_future()
        # Not slixmpp's own send(): with a component it adds an error of its own to every error.
        self.send(iq.xml)
        return await asyncio.wait_for(reply, timeout_seconds)

    def forget(self) -> None:
        """Be as new: nothing received, and `sender` its own name."""
        self.sender = self.name
        self.events.clear()
        self.received.clear()

    def send(self, stanza: Element) -> None:
        """Send a stanza as it is."""
        self.stream.send_xml(stanza)

    def _receive(self, xml: Element) -> None:
        self.received.append(xml)
        reply = self._replies.pop(xml.get("id", ""), None) if _is_reply(xml) else None
        if reply is not None and not reply.done():
            reply.set_result(Reply(xml))
        if xml.find(f"{{{NS_PUBSUB_EVENT}}}event") is not None:
            self.events.append(Event(xml))

    def _note_start(self, _: object) -> None:
        self._is_open = True

    def _note_end(self, _: object) -> None:
        self._is_open = False

    def _note_stream_error(self, error: StreamError) -> None:
        self.stream_errors.append(error["condition"])


def _is_reply(xml: Element) -> bool:
    return xml.tag.endswith("}iq") and xml.get("type") in ("result", "error")
