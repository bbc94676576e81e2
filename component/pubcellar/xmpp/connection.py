"""Keeps the component's stream up.

Connects again after pauses that Twisted's back-off policy makes longer and jitters, and says in one
line, naming the key to change, what is wrong when the stream does not come up.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import Factory

from pubcellar.core.ports import Clock
from pubcellar.xmpp.stream import ComponentStream, StreamError

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 30
CLOSE_SECONDS = 2
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
PROVEN_AFTER = timedelta(seconds=30)


class SecretRefused(Exception):
    """The server refused the secret; the message is one line with the remedy."""


class Endpoint(TypingProtocol):
    """Twisted's IStreamClientEndpoint, as far as it is used."""

    def connect(self, factory: Factory) -> Deferred[Any]:
        """Return a Deferred of the connected protocol."""
        ...


class StreamFactory(Factory):
    """Makes a `ComponentStream` per connection."""

    noisy = False

    def __init__(self, make: Callable[[], ComponentStream]) -> None:
        self._make = make

    def buildProtocol(self, addr: object) -> ComponentStream:
        """Return a new stream."""
        return self._make()


def remedy(error: BaseException, server: str, jid: str) -> str:
    """Say in one line why the stream is not up, naming the key to change."""
    condition = error.condition if isinstance(error, StreamError) else ""
    if condition == "not-authorized":
        return (
            f"the XMPP server refused the secret for {jid}: make [component] secret the same as "
            "the component's secret in the server's configuration; ejabberd says so too where it "
            "has no component of that name: see [component] jid"
        )
    if condition == "host-unknown":
        return (
            f"the XMPP server does not know {jid}: make [component] jid the name of a component "
            "in the server's configuration"
        )
    if condition == "conflict":
        return (
            f"the XMPP server already has a component {jid}: stop the other process, or give this "
            "one its own name in [component] jid"
        )
    if condition:
        return (
            f"the XMPP server at {server} ended the stream ({error}): see its log, and whether "
            "[component] server is its port for components"
        )
    return (
        f"no connection to the XMPP server at {server} ({error}): see whether it runs and whether "
        "[component] server is its port for components"
    )


class Connection:
    """Keeps the stream up until it is stopped, or until the secret turns out to be wrong.

    Args:
        endpoint: where to connect.
        server: the endpoint as configured, for messages.
        jid: the component's JID, for messages.
        make: makes the stream of one connection.
        clock: measures the pauses between attempts.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        server: str,
        jid: str,
        make: Callable[[], ComponentStream],
        clock: Clock,
    ) -> None:
        self._endpoint = endpoint
        self._server = server
        self._jid = jid
        self._factory = StreamFactory(make)
        self._clock = clock
        self._pause = backoffPolicy(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        self._stream: ComponentStream | None = None

    async def run(self) -> None:
        """Connect, and connect again whenever the stream is lost, until cancelled.

        Raises:
            SecretRefused: the server refused the secret; trying again would not help.
        """
        failures = 0
        while True:
            try:
                await self._connect()
                assert self._stream is not None
                connected_at = self._clock.now()
                # Whoever stops us still wants to close the stream, and to see it end.
                await asyncio.shield(self._stream.ended)
                # A server that throws us out at once is not to be hammered either.
                if self._clock.now() - connected_at > PROVEN_AFTER:
                    failures = 0
                log.warning("the stream to the XMPP server at %s ended", self._server)
            except (StreamError, ConnectError, DNSLookupError, TimeoutError, OSError) as error:
                message = remedy(error, self._server, self._jid)
                if isinstance(error, StreamError) and error.condition == "not-authorized":
                    raise SecretRefused(message) from error
                log.warning("%s", message)
            failures += 1
            pause = self._pause(failures)
            log.info("connecting again in %.1f s", pause)
            await self._clock.sleep(pause)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        stream: ComponentStream = await self._endpoint.connect(self._factory).asFuture(loop)
        self._stream = stream
        try:
            # Not `wait_for`: in Python 3.11 it loses a cancellation that comes with the result.
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await asyncio.shield(stream.ready)
        except TimeoutError:
            stream.abort()
            raise StreamError("connection-timeout", "no answer to the handshake") from None
        log.info("connected as %s to %s", self._jid, self._server)

    async def close(self) -> None:
        """Close the stream, and wait until it is closed, but not for long."""
        stream = self._stream
        if stream is None or stream.ended.done():
            return
        stream.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.shield(stream.ended)
        except TimeoutError:
            stream.abort()
