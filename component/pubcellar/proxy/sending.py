"""What one requester sends to one service goes out in the order in which it came.

A write waits until it is written down that something is about to be written. What the same
requester sends meanwhile, be it to read or to write, must not overtake it (RFC 6120 section 10.1).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pubcellar.core.values import BareJID, Request

Way = tuple[BareJID, BareJID]


class Sending:
    """The writes of requesters that have not been sent yet."""

    def __init__(self) -> None:
        self._last: dict[Way, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait for the writes that came before this one; what comes after it waits for its end."""
        way = _way(request)
        before = self._last.get(way)
        sent = self._last[way] = asyncio.get_running_loop().create_future()
        try:
            if before is not None:
                await asyncio.wait({before})
            yield
        finally:
            sent.set_result(None)
            if self._last.get(way) is sent:
                del self._last[way]

    async def settled(self, request: Request) -> None:
        """Return when the writes that came before this read have been sent."""
        before = self._last.get(_way(request))
        if before is not None:
            await asyncio.wait({before})


def _way(request: Request) -> Way:
    return request.requester.bare, request.service
