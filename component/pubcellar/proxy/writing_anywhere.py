"""Writes of which it is not understood which node they touch: it may be any of their service."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from pubcellar.core.counters import Happened
from pubcellar.core.errors import RequestError, StoreUnavailable, UpstreamRefused, is_passing
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.values import BareJID, Request
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """Writes to a service that are under way: since when, and whether all so far were refused."""

    began_at: datetime
    is_harmless: bool = True


class WritingAnywhere:
    """Puts all nodes of a service in doubt.

    While the write is under way they are forwarded. Where it was carried out, or may have been,
    they are revalidated, as after a loss of notifications; what is refused leaves them as they are.

    Args:
        parts: the ports.
        doubts: what was written and does not show yet.
        lost: called with services whose nodes are to be revalidated.
    """

    def __init__(self, parts: Parts, doubts: Doubts, lost: Callable[[BareJID], None]) -> None:
        self._parts = parts
        self._doubts = doubts
        self._lost = lost
        self._open: dict[BareJID, _Open] = {}

    async def write(
        self, request: Request, send: Callable[[], Awaitable[ForwardedAnswer]]
    ) -> ForwardedAnswer:
        """Return what `send` does, and raise what it raises, with the whole service in doubt."""
        service = request.service
        self._doubts.begin_anywhere(service)
        is_harmless = False
        try:
            await self._mark(service)
            return await send()
        except RequestError:
            is_harmless = True
            raise
        except UpstreamRefused as error:
            is_harmless = not is_passing(error)
            raise
        finally:
            await self._ended(service, is_harmless=is_harmless)

    async def _mark(self, service: BareJID) -> None:
        """Write down that any node of the service may be in doubt; later, if that fails now."""
        if service in self._open:
            return
        opened = self._open[service] = _Open(self._parts.clock.now())
        try:
            await self._parts.store.record_writes(service, opened.began_at)
        except StoreUnavailable as error:
            self._doubts.unmarked_services.add(service)
            self._failed(error)

    async def _ended(self, service: BareJID, *, is_harmless: bool) -> None:
        is_last = self._doubts.end_anywhere(service)
        opened = self._open.get(service)
        if not is_harmless:
            self._lost(service)
            if opened is not None:
                opened.is_harmless = False
        if not is_last or opened is None:
            return
        del self._open[service]
        if opened.is_harmless:
            self._doubts.unmarked_services.discard(service)
            try:
                await self._parts.store.withdraw_writes(service, opened.began_at)
            except StoreUnavailable as error:
                # What is noted without need goes with the next revalidation.
                self._failed(error)

    def _failed(self, error: StoreUnavailable) -> None:
        self._parts.counters.count(Happened.STORE_UNAVAILABLE)
        log.debug("the database failed, the write is forwarded: %s", error)
