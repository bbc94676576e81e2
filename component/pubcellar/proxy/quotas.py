"""How many requests of one person are forwarded in a minute.

What is answered from the cache, or shares another one's request, is not counted. In memory,
bounded, and independent of the database.
"""

import logging
from datetime import datetime, timedelta

from pubcellar.core.counters import Happened
from pubcellar.core.errors import TooManyRequests
from pubcellar.core.ports import ForwardedAnswer, Forwarder
from pubcellar.core.requesters import Requesters
from pubcellar.core.values import PageRequest, Request
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.triggers import LOG_EVERY, Allowance

log = logging.getLogger(__name__)

PER = timedelta(minutes=1)


class MeteredForwarder:
    """Implements `core.ports.Forwarder` by another one, for as long as the quota lasts.

    Args:
        forwarder: sends the requests.
        parts: the clock, the counters, and the quota.
    """

    def __init__(self, forwarder: Forwarder, parts: Parts) -> None:
        self._forwarder = forwarder
        self._parts = parts
        self._allowance = Allowance(parts.access.max_requests_per_minute, PER)
        self._requesters = Requesters(exempt=parts.access.exempt)
        self._quiet_until: datetime | None = None

    async def forward(self, request: Request, page: PageRequest | None = None) -> ForwardedAnswer:
        """See `core.ports.Forwarder.forward`.

        Raises:
            TooManyRequests: the requester's quota is used up; nothing was sent.
        """
        requester = request.requester.bare
        if not self._requesters.is_exempt(requester):
            now = self._parts.clock.now()
            if not self._allowance.has_one(requester, now):
                self._refused(request, now)
                raise TooManyRequests("too many requests of yours in a minute: ask again later")
            self._allowance.take_one(requester, now)
        return await self._forwarder.forward(request, page)

    def _refused(self, request: Request, now: datetime) -> None:
        self._parts.counters.count(Happened.OVER_QUOTA)
        if self._quiet_until is not None and now < self._quiet_until:
            return
        log.warning(
            "requests are refused: the quota of requester %s is used up "
            "([access] max_requests_per_minute)",
            request.requester.bare,
        )
        self._quiet_until = now + LOG_EVERY
