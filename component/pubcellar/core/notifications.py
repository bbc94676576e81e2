"""Messages that are passed on between services and the users whose aliases are subscribed there.

They are believed no more than any other stanza: `pubcellar.proxy.relaying` compares them with what
is recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pubcellar.core.events import Deleted, SubscriptionChanged
from pubcellar.core.values import BareJID, FullJID, Requester


@dataclass(frozen=True, slots=True)
class Message:
    """What is passed on of a message: all but its addresses.

    Attributes:
        type: as it came, or None.
        id: as it came, or None.
        lang: its `xml:lang`, or None.
        content: the child elements that are passed on, as XML text.
        size_bytes: length of `content` in UTF-8.
    """

    type: str | None
    id: str | None
    lang: str | None
    content: str
    size_bytes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_bytes", len(self.content.encode()))


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification that came to an alias of a user (XEP-0060 section 12.18).

    Attributes:
        service: who sent it.
        subscriber: the user whose alias it came to, with the alias's resource.
        nodes: everything that it is about; at least one.
        subids: which subscriptions it is for (XEP-0131), where it says so.
        changes: what becomes of subscriptions with it, by node.
        message: what the user is to get.
    """

    service: BareJID
    subscriber: FullJID
    nodes: frozenset[str]
    subids: frozenset[str]
    changes: Mapping[str, Deleted | SubscriptionChanged]
    message: Message


@dataclass(frozen=True, slots=True)
class Bounce:
    """An error that a user, or their server, answers a notification with (RFC 6120 section 8.3).

    Attributes:
        user: who sent it.
        asked: the address of ours that it came to.
        service: the service that this address stands for.
        condition: the defined condition of the error.
        nodes: what the notification was about, where the error repeats it.
        message: what the service is to get.
    """

    user: Requester
    asked: BareJID
    service: BareJID
    condition: str
    nodes: frozenset[str]
    message: Message
