"""The JIDs and globs of a configuration, checked for their form (RFC 7622 section 3).

Only what an operator mistypes is looked for. The full normalisation happens at the door, in
`pubcellar.xmpp.addresses`; lower case is all that is done here.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

PART_BYTES = 1023  # RFC 7622 sections 3.2 and 3.3
WILDCARDS = "*?["

_NOT_IN_A_DOMAIN = re.compile(r"""[\s"&'/:<>@\\]""")
_NOT_IN_A_LOCAL_PART = re.compile(r"""[\s"&'/:<>@]""")
_GLOB_OF_EVERYTHING = re.compile(r"[*?@.]*\*[*?@.]*")


def domain_jid(text: str) -> str:
    """Return the JID of a domain, in lower case; ValueError says what is wrong with it."""
    if "@" in text or "/" in text:
        raise ValueError("must be a domain alone, without '@' and '/', such as cache.example.org")
    _check_part(text, _NOT_IN_A_DOMAIN, "domain")
    if any(not label for label in text.split(".")):
        raise ValueError("has an empty part between, before or after its dots")
    if any(wildcard in text for wildcard in "*?"):
        raise ValueError("must be one domain, without wildcards")
    return text.lower()


def bare_jid(text: str) -> str:
    """Return a domain or a `local@domain`, in lower case; ValueError says what is wrong."""
    if "/" in text:
        raise ValueError("must have no resource: leave out the '/' and what follows")
    local_part, at, domain = text.rpartition("@")
    if at:
        _check_part(local_part, _NOT_IN_A_LOCAL_PART, "part before the '@'")
    domain_jid(domain)
    return text.lower()


def service_glob(text: str) -> str:
    """Return a bare JID, or a glob for some, in lower case; ValueError says what is wrong."""
    if not any(wildcard in text for wildcard in WILDCARDS):
        return bare_jid(text)
    if not text.isprintable() or any(character in ' "/' for character in text):
        raise ValueError("must be a bare JID or a glob for some, such as pubsub.*.example.org")
    return text.lower()


def is_allowed(service: str, globs: Iterable[str]) -> bool:
    """Tell whether one of the globs matches the service."""
    return any(fnmatchcase(service, glob) for glob in globs)


def matches_everything(glob: str) -> bool:
    """Tell whether the glob keeps no service out, at most some kind of address."""
    return _GLOB_OF_EVERYTHING.fullmatch(glob) is not None


def _check_part(text: str, forbidden: re.Pattern[str], what: str) -> None:
    if not text:
        raise ValueError(f"has an empty {what}")
    if len(text.encode()) > PART_BYTES:
        raise ValueError(f"has a {what} longer than {PART_BYTES} bytes")
    found = forbidden.search(text)
    if found or not text.isprintable():
        character = found[0] if found else next(c for c in text if not c.isprintable())
        raise ValueError(f"has {character!r}, which cannot be in a {what}")
