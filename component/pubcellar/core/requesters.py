"""Who may use the proxy at all, and who has no quotas, as configured in `[access]`."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from pubcellar.core.values import BareJID


class Requesters:
    """Tells requesters apart by their bare JIDs.

    Args:
        admitted: bare JIDs, or globs of them.
        exempt: domains whose users have no quotas.
    """

    def __init__(self, admitted: Sequence[str] = ("*",), exempt: Collection[str] = ()) -> None:
        self._admitted = tuple(admitted)
        self._exempt = frozenset(exempt)

    def is_admitted(self, requester: BareJID) -> bool:
        """Tell whether that address may use the proxy."""
        return any(fnmatchcase(requester, pattern) for pattern in self._admitted)

    def is_exempt(self, requester: BareJID) -> bool:
        """Tell whether that address has no quotas."""
        return requester.rpartition("@")[2] in self._exempt
