"""In whose name a request goes out to a service (docs/architecture.md, "Who asks").

Two rules. Nothing that is forwarded carries the proxy's own identity. And a user whose server has
let us act for them is never served as a stranger without being told: what was granted once and is
missing now means `wait`, until it is granted again or an administrator decides otherwise.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pubcellar.core.namespaces import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_PRIVILEGE,
    NS_PUBSUB,
    NS_PUBSUB_OWNER,
)

NAMESPACES = frozenset({NS_PUBSUB, NS_PUBSUB_OWNER, NS_DISCO_INFO, NS_DISCO_ITEMS})
"""Of the payloads that are forwarded."""


class Identity(StrEnum):
    """Whose name a forwarded request carries."""

    ALIAS = "alias"
    """An address of ours that stands for the user; to the service a stranger."""
    PRIVILEGED = "privileged"
    """The user's own bare JID, by the iq permission of XEP-0356."""


class IdentityPolicy(StrEnum):
    """`[forwarding] identity`."""

    AUTO = "auto"
    PRIVILEGED = "privileged"
    ALIAS = "alias"


@dataclass(frozen=True, slots=True)
class IqPermission:
    """That a server lets us send iqs of one type and namespace for its users (XEP-0356).

    Attributes:
        host: the server, a domain.
        namespace: of the iq's child element.
        type: `get` or `set`.
    """

    host: str
    namespace: str
    type: str


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a server says that it lets us do (XEP-0356 section 4.2).

    Attributes:
        host: the server that says so; whether its word counts is for the use case to decide.
        namespace: the version of the protocol in which it says so.
        granted: all iq permissions of use to us that it grants now; none in another version.
    """

    host: str
    namespace: str
    granted: frozenset[IqPermission] = frozenset()

    @property
    def is_understood(self) -> bool:
        """Whether it is in the version that this proxy speaks."""
        return self.namespace == NS_PRIVILEGE


class PermissionStore(Protocol):
    """Remembers who ever let us act for users; raises StoreUnavailable."""

    async def permissions(self) -> frozenset[IqPermission]:
        """Return all that were ever granted."""
        ...

    async def record_permissions(
        self, granted: Collection[IqPermission], granted_at: datetime
    ) -> None:
        """Remember these, besides those that are known."""
        ...

    async def forget_permissions(self, host: str) -> None:
        """Forget that this server ever granted any."""
        ...


def identity_for(
    policy: IdentityPolicy, *, is_granted: bool, was_granted: bool, is_alias_host: bool
) -> Identity | None:
    """Return in whose name a request goes out; None if it must not go out now.

    Args:
        policy: as configured.
        is_granted: whether the user's server grants the permission now.
        was_granted: whether it ever did.
        is_alias_host: whether an administrator wants its users to be served by aliases.
    """
    if policy is IdentityPolicy.ALIAS or is_alias_host:
        return Identity.ALIAS
    if is_granted:
        return Identity.PRIVILEGED
    if policy is IdentityPolicy.PRIVILEGED or was_granted:
        return None
    return Identity.ALIAS
