"""Addresses: normalised once at the door, and ours told apart from everybody else's.

The proxy answers at its own JID, for the default service, and at one address per service and user,
whose local part is the other's bare JID under XEP-0106. docs/architecture.md, "Addresses".
"""

from collections.abc import Sequence
from copy import copy
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from twisted.words.protocols.jabber.xmpp_stringprep import nameprep, nodeprep, resourceprep

from pubcellar.core.errors import ForwardingLoop, NotAllowed, RequestError, ServiceNotProxied
from pubcellar.core.escaping import escaped, unescaped
from pubcellar.core.values import BareJID, FullJID, Requester

PART_BYTES = 1023  # RFC 7622 sections 3.2, 3.3.1 and 3.4
ADDRESS_BYTES = 3 * PART_BYTES + 2
DEEPEST_ALIAS = 8

# As servers do for what is stored elsewhere (RFC 3454 section 7): a character that is younger than
# stringprep is no reason to leave its user without an answer.
# (Twisted's profiles bear no types.)
_DOMAIN: Any = nameprep
_LOCAL_PART: Any = copy(nodeprep)
_LOCAL_PART.do_check_unassigneds = False
_RESOURCE: Any = copy(resourceprep)
_RESOURCE.do_check_unassigneds = False
_RESOURCE.do_check_bidi = False


@lru_cache(maxsize=4096)
def requester(address: str) -> Requester:
    """Return `address` normalised, with and without its resource.

    Raises:
        ValueError: it is no JID (RFC 7622).
    """
    # Servers let none through; to normalise a long text takes long, and what is found is kept.
    if len(address) > ADDRESS_BYTES:
        raise ValueError("longer than a JID may be")
    try:
        # RFC 7622 section 3.1: the resource first, for it may hold every sign.
        rest, _, resource = address.partition("/")
        before, has_local_part, after = rest.partition("@")
        local_part, domain = (before, after) if has_local_part else ("", before)
        if has_local_part and not local_part:
            raise ValueError("an empty local part")
        local_part = _LOCAL_PART.prepare(local_part) if local_part else ""
        resource = _RESOURCE.prepare(resource) if resource else ""
        domain = _DOMAIN.prepare(domain)
    # IndexError: Twisted's nameprep meets an empty label, as in `a..b`.
    except (ValueError, IndexError) as error:
        raise ValueError("not a JID") from error
    # RFC 7622 section 3.2: a final dot is stripped before anything is compared.
    domain = domain.removesuffix(".")
    longest = max(len(part.encode()) for part in (local_part, domain, resource))
    if not domain or longest > PART_BYTES:
        raise ValueError("not a JID")
    bare = f"{local_part}@{domain}" if local_part else domain
    return Requester(full=FullJID(f"{bare}/{resource}" if resource else bare), bare=BareJID(bare))


def bare_jid(address: str) -> BareJID:
    """Return the bare JID of `address`, normalised; ValueError as for `requester`."""
    return requester(address).bare


def full_jid(address: str | None) -> FullJID | None:
    """Return `address` normalised, with its resource; None where it is missing or no JID."""
    try:
        return None if address is None else requester(address).full
    except ValueError:
        return None


class Addresses:
    """Maps our addresses to services and users, and back.

    Args:
        component: the JID of the component.
        default: the service behind the component's own JID, or None.
        allowed: exact JIDs or globs of the services that are proxied.
    """

    def __init__(self, component: BareJID, default: BareJID | None, allowed: Sequence[str]) -> None:
        self.component = component
        self.default = default
        self._allowed = tuple(allowed)

    def is_ours(self, address: BareJID) -> bool:
        """Tell whether the address is the component's own, or one within its domain."""
        return address.rpartition("@")[2] == self.component

    def service(self, asked: BareJID) -> BareJID | None:
        """Return the service that an address of ours stands for; None for the default address
        where no default service is configured.

        Raises:
            ServiceNotProxied: the address stands for nothing that is allowed.
        """
        if asked == self.component:
            return self.default
        local_part = asked.rpartition("@")[0]
        try:
            service = unescaped(local_part)
            is_canonical = bare_jid(service) == service
        except ValueError:
            is_canonical = False
        if not is_canonical or not self.is_allowed(BareJID(service)):
            raise ServiceNotProxied("no such service is proxied here")
        return BareJID(service)

    def is_allowed(self, service: BareJID) -> bool:
        """Tell whether the service may be asked at all."""
        return not self.is_ours(service) and any(
            fnmatchcase(service, pattern) for pattern in self._allowed
        )

    def alias(self, of: Requester) -> FullJID:
        """Return the address that stands for a user at the services, resource included.

        Raises:
            ForwardingLoop: the user is an alias of ours, possibly behind other proxies.
            NotAllowed: the escaped address is longer than a local part may be.
        """
        self.refuse_loop(of.bare)
        local_part = escaped(of.bare)
        alias = f"{local_part}@{self.component}"
        try:
            is_expressible = requester(alias).full == alias
        except ValueError:
            is_expressible = False
        if len(local_part.encode()) > PART_BYTES or not is_expressible:
            raise NotAllowed("your address cannot be expressed as an alias of this proxy")
        return FullJID(alias + of.full.removeprefix(of.bare))

    def user(self, alias: Requester) -> Requester | None:
        """Return the user that an address of ours stands for; None if it is nobody's alias."""
        try:
            user = requester(unescaped(alias.bare.rpartition("@")[0]))
            stands_for = Requester(
                FullJID(user.bare + alias.full.removeprefix(alias.bare)), user.bare
            )
            is_canonical = not user.has_resource and self.alias(stands_for) == alias.full
        except (ValueError, RequestError):
            return None
        return stands_for if is_canonical else None

    def refuse_loop(self, address: BareJID) -> None:
        """Make sure that a request from `address` has not been through this proxy.

        Raises:
            ForwardingLoop: it is one of our addresses, or an alias of one at another proxy.
        """
        seen = str(address)
        for _ in range(DEEPEST_ALIAS):
            if self.is_ours(BareJID(seen)):
                raise ForwardingLoop("this request has been through this proxy before")
            local_part = seen.rpartition("@")[0]
            if not local_part:
                return
            try:
                seen = unescaped(local_part)
            except ValueError:
                return
        raise ForwardingLoop("this request has been through too many proxies")
