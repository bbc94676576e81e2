"""The stanza door: every stanza that comes in is told apart here, once, by what it is.

Requests go to `pubcellar.xmpp.requests`, replies to the tracker, notifications to the use cases.
Every get or set gets exactly one answer, whatever happens on the way; nothing else gets any.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import (
    AnswerTooLarge,
    BadRequest,
    ProxyError,
    RequesterNotAllowed,
    StanzaTooLarge,
    Stopping,
    TooManyRequests,
    UpstreamAnswerInvalid,
    UpstreamAnswerTooLarge,
)
from pubcellar.core.namespaces import NS_COMPONENT_ACCEPT
from pubcellar.core.requesters import Requesters
from pubcellar.core.values import BareJID
from pubcellar.xmpp.addresses import Addresses, requester
from pubcellar.xmpp.errors import error_payload
from pubcellar.xmpp.incoming import Incoming
from pubcellar.xmpp.messages import Messages, MessageUseCases
from pubcellar.xmpp.requests import Requests
from pubcellar.xmpp.stanzas import (
    Element,
    children,
    iq,
    lang_of,
    memory_bytes,
    name_of,
    namespace_of,
)
from pubcellar.xmpp.tracker import Tracker

log = logging.getLogger(__name__)

MOST_BYTES_IN_FLIGHT = 128 * 1024 * 1024
MOST_BYTES_OF_ONE = 16 * 1024 * 1024
"""Memory that requests in flight may take, and those of one requester.

Of a few hundred kilobytes on the wire many megabytes can be made, and they are kept for as long as
a service hangs."""


class UseCases(MessageUseCases, Protocol):
    """What the door needs of `pubcellar.proxy`."""

    def service_in_doubt(self, service: BareJID) -> None:
        """Something of this service was lost: what is held of it is in doubt."""
        ...

    def stream_opened(self) -> None:
        """The stream is up."""
        ...

    def stream_closed(self) -> None:
        """The stream is gone, and notifications with it."""
        ...


class Outbox(Protocol):
    """Sends messages for the use cases."""

    def opened(self, send: Callable[[bytes], None]) -> None:
        """Use `send` from now on: the stream is up."""
        ...

    def closed(self) -> None:
        """The stream is gone."""
        ...


class StanzaDoor:
    """Implements `pubcellar.xmpp.stream.StreamListener`.

    Args:
        addresses: tells our addresses apart.
        tracker: gets the replies.
        requests: answers requests.
        use_cases: get notifications, and are told of the stream.
        counters: what is dropped is counted there.
        max_requests: how many requests may be in flight; more are refused at once.
        max_of_one: how many of these may be one requester's.
        max_stanza_bytes: the largest stanza that is ever sent.
        outbox: what else sends, and is told of the stream.
        requesters: who may ask at all, and who may have any number of requests in flight.
    """

    def __init__(
        self,
        addresses: Addresses,
        tracker: Tracker,
        requests: Requests,
        use_cases: UseCases,
        counters: Counters,
        max_requests: int,
        max_of_one: int,
        max_stanza_bytes: int,
        outbox: Outbox,
        requesters: Requesters | None = None,
    ) -> None:
        self._addresses = addresses
        self._tracker = tracker
        self._requests = requests
        self._use_cases = use_cases
        self._counters = counters
        self._max_requests = max_requests
        self._max_of_one = max_of_one
        self._max_stanza_bytes = max_stanza_bytes
        self._requesters = requesters or Requesters()
        self._outbox = outbox
        self._messages = Messages(addresses, use_cases, counters)
        self._send: Callable[[bytes], None] | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._in_flight_of: Counter[BareJID] = Counter()
        self._bytes_of: Counter[BareJID] = Counter()
        self._bytes = 0
        self._is_stopping = False

    # The stream's side

    def stream_opened(self, send: Callable[[bytes], None]) -> None:
        """Answer and ask through `send` from now on."""
        self._send = send
        self._tracker.opened(send)
        self._outbox.opened(send)
        self._use_cases.stream_opened()

    def stream_closed(self) -> None:
        """Fail what waits for replies; what is still being answered has nowhere to go."""
        self._send = None
        for task in self._in_flight:
            task.cancel()
        self._tracker.closed()
        self._outbox.closed()
        self._use_cases.stream_closed()

    def stanza_received(self, stanza: Element) -> None:
        """Tell what the stanza is, and hand it on; whatever it is, the stream goes on."""
        try:
            self._sort(stanza)
        except Exception as error:
            log.exception("a stanza could not be taken from=%r", stanza.get("from"))
            if name_of(stanza) == "iq" and stanza.get("type") in ("get", "set"):
                self._answer(dict(stanza.attrib), error_payload(error), is_error=True)

    def _sort(self, stanza: Element) -> None:
        try:
            sender = requester(stanza.get("from", ""))
            recipient = requester(stanza.get("to", ""))
        except ValueError:
            self._refuse_address(stanza)
            return
        if namespace_of(stanza) != NS_COMPONENT_ACCEPT or not self._addresses.is_ours(
            recipient.bare
        ):
            self._drop("it is not for us")
            return
        match name_of(stanza), stanza.get("type"):
            case "iq", ("result" | "error"):
                self._tracker.received(stanza.get("id", ""), sender.full, recipient.full, stanza)
            case "iq", ("get" | "set"):
                self._begin(stanza, sender.bare)
            case "message", _:
                self._messages.received(stanza, sender, recipient)
            case "presence", _:
                pass
            case _:
                self._drop("it is no stanza")

    def _refuse_address(self, stanza: Element) -> None:
        """Answer a request whose sender's address is no JID to us, if it is for us at all."""
        self._drop("an address is missing or no JID")
        try:
            is_ours = self._addresses.is_ours(requester(stanza.get("to", "")).bare)
        except ValueError:
            return
        is_request = name_of(stanza) == "iq" and stanza.get("type") in ("get", "set")
        if is_ours and is_request and stanza.get("from"):
            error = BadRequest("your address is not one this proxy can work with")
            self._answer(dict(stanza.attrib), error_payload(error), is_error=True)

    def stanza_unreadable(
        self, name: str, attributes: Mapping[str, str], *, is_too_large: bool
    ) -> None:
        """Answer a request that cannot be read, and fail the request whose reply cannot be."""
        self._counters.count(Happened.STANZA_TOO_LARGE if is_too_large else Happened.STANZA_DROPPED)
        log.warning(
            "a received %r from %r was %s",
            name,
            attributes.get("from"),
            "over the caps of [component] max_received_*" if is_too_large else "malformed",
        )
        try:
            sender = requester(attributes.get("from", ""))
            recipient = requester(attributes.get("to", ""))
        except ValueError:
            return
        if not self._addresses.is_ours(recipient.bare):
            return
        error: ProxyError
        match name, attributes.get("type"):
            case "iq", ("get" | "set"):
                error = StanzaTooLarge("too large") if is_too_large else BadRequest("malformed")
                self._answer(attributes, error_payload(error), is_error=True)
            case "iq", ("result" | "error"):
                error = (
                    UpstreamAnswerTooLarge(f"the answer of {sender.bare} is too large to pass on")
                    if is_too_large
                    else UpstreamAnswerInvalid(f"the answer of {sender.bare} is malformed")
                )
                id_ = attributes.get("id", "")
                self._tracker.refused(id_, sender.full, recipient.full, error)
            case "message", _ if not sender.has_resource:
                self._use_cases.service_in_doubt(sender.bare)

    async def stop(self, grace_seconds: float) -> None:
        """Let requests in flight be answered for so long, then fail the rest; take no more."""
        self._is_stopping = True
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=grace_seconds)
        for task in self._in_flight:
            task.cancel()
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    # Requests

    def _begin(self, stanza: Element, sender: BareJID) -> None:
        size_bytes = memory_bytes(stanza, MOST_BYTES_OF_ONE)
        error = self._refusal(sender) or self._refusal_of_size(sender, size_bytes)
        if error is not None:
            self._answer(dict(stanza.attrib), error_payload(error), is_error=True)
            return
        task = asyncio.get_running_loop().create_task(self._serve(stanza))
        self._in_flight.add(task)
        self._in_flight_of[sender] += 1
        self._bytes_of[sender] += size_bytes
        self._bytes += size_bytes
        task.add_done_callback(lambda _: self._ended(task, sender, size_bytes))

    def _refusal(self, sender: BareJID) -> ProxyError | None:
        """Return why a request is not even begun; None if it is."""
        if not self._requesters.is_admitted(sender):
            self._counters.count(Happened.REFUSED)
            return RequesterNotAllowed("you are not among those who may use this proxy")
        if self._is_stopping:
            return Stopping("the proxy is being stopped")
        if len(self._in_flight) >= self._max_requests:
            return TooManyRequests("too many requests are in flight")
        is_exempt = self._requesters.is_exempt(sender)
        if not is_exempt and self._in_flight_of[sender] >= self._max_of_one:
            return TooManyRequests("too many requests of yours are in flight")
        return None

    def _refusal_of_size(self, sender: BareJID, size_bytes: int) -> ProxyError | None:
        if size_bytes > MOST_BYTES_OF_ONE:
            return StanzaTooLarge("too large")
        if self._bytes_of[sender] + size_bytes > MOST_BYTES_OF_ONE:
            return TooManyRequests("requests of yours that are in flight are too large together")
        if self._bytes + size_bytes > MOST_BYTES_IN_FLIGHT:
            return TooManyRequests("too many requests are in flight")
        return None

    def _ended(self, task: asyncio.Task[None], sender: BareJID, size_bytes: int) -> None:
        self._in_flight.discard(task)
        self._in_flight_of[sender] -= 1
        self._bytes_of[sender] -= size_bytes
        self._bytes -= size_bytes
        if not self._in_flight_of[sender]:
            del self._in_flight_of[sender], self._bytes_of[sender]

    async def _serve(self, stanza: Element) -> None:
        is_error = True
        try:
            payload = await self._dispatch(stanza)
            is_error = False
        except asyncio.CancelledError:
            stopping = Stopping("the proxy is being stopped")
            self._answer(dict(stanza.attrib), error_payload(stopping), is_error=True)
            raise
        except ProxyError as error:
            self._counters.count(Happened.REFUSED)
            payload = error_payload(error)
        except Exception as error:
            log.exception("a request could not be answered id=%r", stanza.get("id"))
            payload = error_payload(error)
        self._answer(dict(stanza.attrib), payload, is_error=is_error)

    async def _dispatch(self, stanza: Element) -> str:
        payloads = children(stanza)
        if len(payloads) != 1:
            raise BadRequest("an iq of type get or set has exactly one child element")
        recipient = requester(stanza.get("to", ""))
        request = Incoming(
            requester=requester(stanza.get("from", "")),
            asked=recipient.bare,
            has_resource=recipient.has_resource,
            payload=payloads[0],
            lang=lang_of(stanza),
        )
        return await self._requests.answer(stanza.get("type", ""), request)

    def _answer(self, attributes: Mapping[str, str], payload: str, *, is_error: bool) -> None:
        if self._send is None:
            return
        stanza = _reply(attributes, payload, is_error=is_error)
        if len(stanza) > self._max_stanza_bytes:
            too_large = AnswerTooLarge("the answer is too large to pass on")
            stanza = _reply(attributes, error_payload(too_large), is_error=True)
        if len(stanza) > self._max_stanza_bytes:
            # The id alone is: to repeat it would end the stream for everybody.
            self._drop("its id is larger than a stanza may be")
            return
        self._send(stanza)

    def _drop(self, why: str) -> None:
        self._counters.count(Happened.STANZA_DROPPED)
        log.debug("dropped a stanza: %s", why)


def _reply(attributes: Mapping[str, str], payload: str, *, is_error: bool) -> bytes:
    return iq(
        "error" if is_error else "result",
        id_=attributes.get("id", ""),
        sender=attributes.get("to", ""),
        recipient=attributes.get("from", ""),
        payload=payload,
    )
