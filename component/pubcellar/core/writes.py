"""What a pubsub set does, as far as the cache has to know: which node it touches, and how."""

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from xml.etree.ElementTree import ParseError, canonicalize

from pubcellar.core.values import Item


class WriteKind(StrEnum):
    """What is done; the values are the names of the elements, where there is one."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    OPTIONS = "options"
    PUBLISH = "publish"
    RETRACT = "retract"
    CREATE = "create"
    CONFIGURE = "configure"
    DELETE = "delete"
    PURGE = "purge"
    AFFILIATIONS = "affiliations"
    SUBSCRIPTIONS = "subscriptions"
    OTHER = "other"
    """Anything that we do not know: it may have touched anything at its service."""


_START_TAG = re.compile(r'<[^>"]*(?:"[^"]*"[^>"]*)*>')
"""In canonical form, where attributes stand in double quotes."""

OWN_SUBSCRIPTION = frozenset({WriteKind.SUBSCRIBE, WriteKind.UNSUBSCRIBE, WriteKind.OPTIONS})
"""Kinds that touch nothing but the requester's own subscription."""

NODE_LIST = frozenset({WriteKind.CREATE, WriteKind.DELETE, WriteKind.CONFIGURE, WriteKind.OTHER})
"""Kinds that change what the service says of its nodes."""

ACCESS = frozenset(
    {
        WriteKind.CREATE,
        WriteKind.CONFIGURE,
        WriteKind.DELETE,
        WriteKind.AFFILIATIONS,
        WriteKind.SUBSCRIPTIONS,
        WriteKind.OTHER,
    }
)
"""Kinds that may change who may read a node."""


@dataclass(frozen=True, slots=True)
class Write:
    """A pubsub set.

    Attributes:
        kind: what it does.
        node: which node it touches; None for one whose name the service makes up, or for unknown
            ones.
        items: published items with their payloads; those without an id have an empty one.
        item_ids: ids of retracted items.
        jid: whose subscription it is about, as the payload says, normalised; None if it is no JID.
        subid: which of their subscriptions, or None.
        may_configure: whether it may change the node's configuration besides, as a publish with
            options may (XEP-0060 section 7.1.5).
    """

    kind: WriteKind
    node: str | None = None
    items: tuple[Item, ...] = ()
    item_ids: tuple[str, ...] = ()
    jid: str | None = None
    subid: str | None = None
    may_configure: bool = False

    @property
    def touches_contents(self) -> bool:
        """Whether anybody but the requester may be answered something else afterwards."""
        return self.kind not in OWN_SUBSCRIPTION

    @property
    def touches_access(self) -> bool:
        """Whether others may be let in, or shut out, by it."""
        return self.kind in ACCESS or self.may_configure


def fingerprint(item_xml: str) -> bytes | None:
    """Return what two items have in common if, and only if, their payloads say the same.

    Attributes of the `<item/>` itself do not count: services add the publisher. None for what
    cannot be compared.
    """
    try:
        canonical = canonicalize(item_xml)
    except ParseError:
        return None
    return sha256(_START_TAG.sub("", canonical, count=1).encode()).digest()
