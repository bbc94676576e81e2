"""Outgoing requests and the replies that are theirs (RFC 6120 section 8.1.3).

A reply is matched by the id, which nobody can guess, by the address that was asked, and by the
address it was asked from. Anything else is counted and dropped, and disturbs no request.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.errors import (
    ProxyError,
    StanzaTooLarge,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.xmpp.stanzas import Element, iq

log = logging.getLogger(__name__)

ID_BYTES = 16


class DelayedCall(Protocol):
    """What `Timer.callLater` returns; Twisted's IDelayedCall, as far as it is used."""

    def active(self) -> bool:
        """Tell whether the call is still to come."""
        ...

    def cancel(self) -> None:
        """Do not make the call."""
        ...


class Timer(Protocol):
    """Twisted's IReactorTime, as far as it is used; tests hand in `twisted.internet.task.Clock`."""

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any) -> Any:
        """Call after `delay` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    asked: str
    sender: str


@dataclass(slots=True)
class _Pending:
    reply: "asyncio.Future[Element]"
    expiry: DelayedCall
    is_reply: Callable[[Element], bool]


class Tracker:
    """Sends requests and waits for their replies.

    Args:
        clock: measures the time-outs.
        timeout_seconds: how long a reply may take.
        counters: counts requests, time-outs and stray replies.
        max_stanza_bytes: the largest stanza that is ever sent.
        new_id: makes stanza ids; at least 128 random bits.
    """

    def __init__(
        self,
        clock: Timer,
        timeout_seconds: float,
        counters: Counters,
        max_stanza_bytes: int = 480 * 1024,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(ID_BYTES),
    ) -> None:
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._counters = counters
        self._max_stanza_bytes = max_stanza_bytes
        self._new_id = new_id
        self._send: Callable[[bytes], None] | None = None
        self._pending: dict[_Key, _Pending] = {}

    def __len__(self) -> int:
        """Return how many requests wait for their reply."""
        return len(self._pending)

    def opened(self, send: Callable[[bytes], None]) -> None:
        """Use `send` from now on: the stream is up."""
        self._send = send

    def closed(self) -> None:
        """Fail all that wait: the stream is gone, and replies with it. Nothing is queued."""
        self._send = None
        for key in list(self._pending):
            self._fail(key, UpstreamUnreachable("the connection to our XMPP server was lost"))

    async def request(
        self,
        type_: str,
        *,
        sender: str,
        to: str,
        payload: str,
        lang: str | None = None,
        is_reply: Callable[[Element], bool] = lambda _: True,
    ) -> Element:
        """Send an iq and return the reply, of type result or error, as it came.

        Args:
            type_: `get` or `set`.
            sender: value of `from`.
            to: who is asked.
            payload: as for `stanzas.iq`.
            lang: as for `stanzas.iq`.
            is_reply: tells whether what fits otherwise is the reply by what is in it, too. What is
                not is dropped, and the reply waited for.

        Raises:
            UpstreamTimeout: none came in time.
            UpstreamUnreachable: there is no stream, or it was lost before the reply came.
            UpstreamAnswerTooLarge: the reply was over the caps for received stanzas.
            StanzaTooLarge: the request is larger than may be sent; nothing was.
        """
        if self._send is None:
            raise UpstreamUnreachable("there is no connection to our XMPP server")
        key = _Key(self._new_id(), to, sender)
        stanza = iq(type_, id_=key.id, sender=sender, recipient=to, payload=payload, lang=lang)
        if len(stanza) > self._max_stanza_bytes:
            raise StanzaTooLarge("the request is too large to pass on")
        reply: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        expiry = self._clock.callLater(self._timeout_seconds, self._expire, key)
        self._pending[key] = _Pending(reply, expiry, is_reply)
        self._counters.count(Happened.UPSTREAM_REQUEST)
        try:
            self._send(stanza)
            return await reply
        finally:
            self._forget(key)

    def received(self, id_: str, sender: str, recipient: str, element: Element) -> None:
        """Hand a reply to the request it belongs to; drop and count it if there is none."""
        waiting = self._pending.get(_Key(id_, sender, recipient))
        if waiting is not None and not waiting.is_reply(element):
            self._counters.count(Happened.REPLY_FOREIGN)
            log.debug("dropped what only looks like a reply from=%s to=%s", sender, recipient)
            return
        pending = self._match(id_, sender, recipient)
        if pending is not None and not pending.reply.done():
            pending.reply.set_result(element)

    def refused(self, id_: str, sender: str, recipient: str, error: ProxyError) -> None:
        """Fail the request whose reply came, but cannot be used."""
        pending = self._match(id_, sender, recipient)
        if pending is not None and not pending.reply.done():
            pending.reply.set_exception(error)

    def _match(self, id_: str, sender: str, recipient: str) -> _Pending | None:
        pending = self._pending.pop(_Key(id_, sender, recipient), None)
        if pending is not None:
            _cancel(pending.expiry)
            return pending
        is_foreign = any(key.id == id_ for key in self._pending)
        self._counters.count(Happened.REPLY_FOREIGN if is_foreign else Happened.REPLY_UNMATCHED)
        log.debug("dropped a reply that belongs to no request from=%s to=%s", sender, recipient)
        return None

    def _expire(self, key: _Key) -> None:
        self._counters.count(Happened.UPSTREAM_TIMEOUT)
        self._fail(key, UpstreamTimeout(f"{key.asked} did not answer in time"))

    def _fail(self, key: _Key, error: ProxyError) -> None:
        pending = self._pending.pop(key, None)
        if pending is not None:
            _cancel(pending.expiry)
            if not pending.reply.done():
                pending.reply.set_exception(error)

    def _forget(self, key: _Key) -> None:
        pending = self._pending.pop(key, None)
        if pending is not None:
            _cancel(pending.expiry)


def _cancel(call: DelayedCall) -> None:
    if call.active():
        call.cancel()
