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
