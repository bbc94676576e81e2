"""Who answered: read from the proxy's log, and held against what the XMPP server saw pass."""

import re
from dataclasses import dataclass
from enum import StrEnum

from harness import ProxyProcess, ThrowAwayProsody
from harness.waiting import wait_until

ANSWERED_BY = re.compile(r"\banswered by=(\w+)")
# What the server writes at its debug level: <iq … to='pubsub.localhost' … from='…'>.
RECEIVED = re.compile(r"Received\[component\]: <iq ([^>]*)>")
ATTRIBUTE = re.compile(r"\b(\w+)=(?:'([^']*)'|\"([^\"]*)\")")


class AnsweredBy(StrEnum):
    """Where an answer came from."""

    SERVICE = "service"
    CACHE = "cache"
    STALE = "stale"


class Contradiction(Exception):
    """The proxy says one thing, and the server saw another."""


@dataclass(frozen=True)
class Moment:
    """Two places in two logs, from which a request is observed."""

    proxy_log: int
    server_log: int


class Observer:
    """Watches both logs for requests of one client."""

    def __init__(self, prosody: ThrowAwayProsody, proxy: ProxyProcess, requester: str) -> None:
        self.prosody = prosody
        self.proxy = proxy
        self.requester = requester

    def now(self) -> Moment:
        return Moment(len(self.proxy.log()), len(self.prosody.log()))

    async def answered_by(self, node: str, since: Moment) -> AnsweredBy:
        """Return who answered the request for that node made since then.

        Raises: TimeoutError, if the proxy has not logged it; Contradiction.
        """
        await wait_until(lambda: self._lines(node, since), f"a log line about {node}")
        found = ANSWERED_BY.search(self._lines(node, since)[-1])
        assert found is not None
        claim = AnsweredBy(found[1])
        forwarded = self.forwarded(since)
        if (claim is AnsweredBy.SERVICE) != (forwarded > 0):
            raise Contradiction(
                f"the proxy says '{claim}', but the server saw {forwarded} requests go to the "
                f"service in the requester's name"
            )
        return claim

    def forwarded(self, since: Moment) -> int:
        """Return how many requests in the requester's name went to the service since then."""
        local, _, rest = self.requester.partition("@")
        alias = f"{local}\\40{rest.partition('/')[0]}@{self.proxy.jid}"
        return sum(
            each.get("to") == self.prosody.service
            and each.get("type") in ("get", "set")
            and each.get("from", "").partition("/")[0] == alias
            for each in self._sent_by_components(since)
        )

    def _lines(self, node: str, since: Moment) -> list[str]:
        """Return the lines about answers to the requester; a node's name may stand in quotes."""
        about = re.compile(rf"\bnode=['\"]?{re.escape(node)}(?=['\"\s]|$)")
        bare = self.requester.partition("/")[0]
        return [
            line
            for line in self.proxy.log()[since.proxy_log :].splitlines()
            if ANSWERED_BY.search(line) and about.search(line) and f"{bare}" in line
        ]

    def _sent_by_components(self, since: Moment) -> list[dict[str, str]]:
        return [
            {name: single or double for name, single, double in ATTRIBUTE.findall(attributes)}
            for attributes in RECEIVED.findall(self.prosody.log()[since.server_log :])
        ]
