"""Which services can be reached, as far as we have noticed."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from pubcellar.core.values import BareJID

MOST_SERVICES = 10_000

RetryAt = Callable[[datetime, int], datetime]


class Health:
    """Remembers services that are away, and when to try them again on our own account.

    Requesters' reads are always forwarded; this holds back only what nobody waits for.
    """

    def __init__(self, retry_at: RetryAt) -> None:
        self._retry_at = retry_at
        self._away: OrderedDict[BareJID, tuple[int, datetime]] = OrderedDict()

    def is_away(self, service: BareJID) -> bool:
        """Tell whether the service was away when it was last tried."""
        return service in self._away

    def failed(self, service: BareJID, now: datetime) -> None:
        """The service could not be reached."""
        if now < self._away.get(service, (0, now))[1]:
            # Somebody's read failed too: that says nothing new.
            return
        failures = self._away.pop(service, (0, now))[0] + 1
        self._away[service] = (failures, self._retry_at(now, failures))
        while len(self._away) > MOST_SERVICES:
            self._away.popitem(last=False)

    def answered(self, service: BareJID) -> bool:
        """The service answered; tell whether it had been away."""
        return self._away.pop(service, None) is not None

    def held_back(self, now: datetime) -> list[BareJID]:
        """Return the services that are not to be tried yet."""
        return [service for service, (_, retry_at) in self._away.items() if now < retry_at]
