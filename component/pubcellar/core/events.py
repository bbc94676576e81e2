"""What a service's event notification says, one value per change (XEP-0060 sections 7 and 8).

And what a user has written through us, which stands among these in the order of things.
"""

from dataclasses import dataclass
from enum import Enum

from pubcellar.core.values import BareJID, Item, NodeKey, SubscriptionState


@dataclass(frozen=True, slots=True)
class Published:
    """An item was published; without payload the item must be fetched (section 7.1.2.2)."""

    item: Item


@dataclass(frozen=True, slots=True)
class Retracted:
    """An item was retracted (section 7.2.2.1)."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Purged:
    """All items of the node were removed (section 8.5.2)."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The node was deleted, and our subscription with it (section 8.4.2)."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The configuration of the node changed (section 8.2.5.5)."""


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """Our subscription changed (section 8.8.4), to `state`."""

    state: SubscriptionState


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """The service said something about the node that we cannot read: the node is in doubt."""


class Scope(Enum):
    """How much of a node has to be looked at after something was written to it."""

    INFO = "info"
    """What it says of itself."""
    IDS = "ids"
    """That, and which items there are."""
    ALL = "all"
    """All of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """Something was written to the node through us, and what came of it is not known: look.

    No notification says so; it is put among them, since what is asked for after it shows it.
    """

    scope: Scope = Scope.ALL


Change = (
    Published
    | Retracted
    | Purged
    | Deleted
    | Configured
    | SubscriptionChanged
    | NotUnderstood
    | Written
)


@dataclass(frozen=True, slots=True)
class Event:
    """One notification: changes of one node, in the order in which they stood.

    Attributes:
        key: the node, with the address the notification came from as its service.
        recipient: the address of ours it was sent to.
        changes: at least one.
        is_delayed: whether it tells of the past (XEP-0203), as services send the last item to who
            has just subscribed.
    """

    key: NodeKey
    recipient: BareJID
    changes: tuple[Change, ...]
    is_delayed: bool = False
