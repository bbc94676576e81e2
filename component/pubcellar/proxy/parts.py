"""What every use case is given: the ports, the clocks and the limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pubcellar.core.answering import Paging
from pubcellar.core.breaker import BreakerPolicy
from pubcellar.core.counters import Counters
from pubcellar.core.entitlements import Entitlements
from pubcellar.core.failures import FailureLives
from pubcellar.core.freshness import FreshnessPolicy
from pubcellar.core.identity import IdentityPolicy, PermissionStore
from pubcellar.core.ports import (
    Aliases,
    AliasRequests,
    Analysers,
    Clock,
    Forwarder,
    Postman,
    ServiceReader,
)
from pubcellar.core.store import Store
from pubcellar.core.subscriptions import SubscriptionStore
from pubcellar.core.values import BareJID

ENVELOPE_BYTES = 4096
"""Room left in a stanza for what surrounds the items: addresses, ids, node name, `<set/>`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes, numbers and pauses, as configured in `[cache]`; conf/pubcellar.toml explains them."""

    paging: Paging = Paging.XEP
    shared_node_list: bool = False
    reanalyse_after: timedelta = timedelta(days=1)
    forget_after: timedelta = timedelta(days=7)
    retry_after: timedelta = timedelta(seconds=30)
    retry_at_most: timedelta = timedelta(hours=1)
    page_size: int = 100
    max_synchronisations: int = 4
    max_synchronisations_per_service: int = 2
    synchronisation_patience: timedelta = timedelta(minutes=5)
    max_nodes: int = 10_000
    max_database_bytes: int = 1024 * 1024 * 1024
    max_new_nodes_per_requester: int = 600
    max_new_nodes_per_service: int = 6_000
    max_items_per_node: int = 100_000
    max_item_bytes: int = 256 * 1024
    max_stanza_bytes: int = 480 * 1024
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    failure_lives: FailureLives = field(default_factory=FailureLives)

    @property
    def list_bytes(self) -> int:
        """How many bytes the items of one answer may have together."""
        return self.max_stanza_bytes - ENVELOPE_BYTES

    @property
    def max_node_bytes(self) -> int:
        """How many bytes the items of one node may have together, of which two sets may be there.

        No node is worth all the others.
        """
        return self.max_database_bytes // 4

    def retry_at(self, now: datetime, failures: int) -> datetime:
        """Return when to try again after so many failures in a row: later after each."""
        doubled: timedelta = self.retry_after * 2 ** min(max(failures - 1, 0), 20)
        return now + min(doubled, self.retry_at_most)


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """In whose name requests go out, as configured in `[forwarding]`.

    Attributes:
        policy: which identity.
        hosts: servers whose word it is believed that they let us act for their users.
        alias_hosts: servers whose users are served by aliases whatever was granted.
    """

    policy: IdentityPolicy = IdentityPolicy.AUTO
    hosts: frozenset[str] = frozenset()
    alias_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may use the proxy, and how much, as configured in `[access]`.

    Attributes:
        requesters: JIDs, domains and globs of who may use the proxy at all.
        exempt: domains whose users have no quotas.
    """

    requesters: tuple[str, ...] = ("*",)
    exempt: frozenset[str] = frozenset()
    entitlement_max_age: timedelta = timedelta(seconds=60)
    check_open: bool = False
    max_requests_per_minute: int = 1200
    max_subscriptions_per_requester: int = 1000
    gone_after: timedelta = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports and settings of one proxy, and who is entitled to what."""

    own_jid: BareJID
    store: Store
    forwarder: Forwarder
    reader: ServiceReader
    alias_requests: AliasRequests
    postman: Postman
    analysers: Analysers
    clock: Clock
    counters: Counters
    policy: FreshnessPolicy
    limits: Limits
    is_allowed: Callable[[BareJID], bool]
    subscriptions: SubscriptionStore
    permissions: PermissionStore
    aliases: Aliases
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    access: AccessPolicy = field(default_factory=AccessPolicy)
    entitlements: Entitlements = field(default_factory=lambda: Entitlements(timedelta(0)))
