"""What a pubsub set does, as far as the cache has to know: which node it touches, and how."""

from dataclasses import dataclass
from enum import StrEnum

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


OWN_SUBSCRIPTION = frozenset({WriteKind.SUBSCRIBE, WriteKind.UNSUBSCRIBE, WriteKind.OPTIONS})
"""Kinds that touch nothing but the requester's own subscription."""

NODE_LIST = frozenset({WriteKind.CREATE, WriteKind.DELETE, WriteKind.CONFIGURE, WriteKind.OTHER})
"""Kinds that change what the service says of its nodes."""


@dataclass(frozen=True, slots=True)
class Write:
    """A pubsub set.

    Attributes:
        kind: what it does.
        node: which node it touches; None for one whose name the service makes up, or for unknown
            ones.
        items: published items with their payloads; those without an id have an empty one.
        item_ids: ids of retracted items.
        jid: whose subscription it is about, as the payload says.
        subid: which of their subscriptions, or None.
    """

    kind: WriteKind
    node: str | None = None
    items: tuple[Item, ...] = ()
    item_ids: tuple[str, ...] = ()
    jid: str | None = None
    subid: str | None = None

    @property
    def touches_contents(self) -> bool:
        """Whether anybody but the requester may be answered something else afterwards."""
        return self.kind not in OWN_SUBSCRIPTION
