"""The nouns: addresses, nodes, items, questions and answers, as immutable values.

A payload is opaque XML text here and everywhere below `pubcellar.xmpp`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType
from xml.etree.ElementTree import canonicalize

from pubcellar.core.identity import Identity
from pubcellar.core.namespaces import NS_PUBSUB

BareJID = NewType("BareJID", str)
"""A bare JID, or a domain, normalised; made by `pubcellar.xmpp.addresses` alone."""

FullJID = NewType("FullJID", str)
"""A JID as a stanza carried it, with its resource where it had one, normalised."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks: the address a request came from."""

    full: FullJID
    bare: BareJID

    @property
    def has_resource(self) -> bool:
        """Whether the address has a resource."""
        return len(self.full) != len(self.bare)


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A node of a service. Node names are compared octet by octet (XEP-0060 section 12.15)."""

    service: BareJID
    node: str

    def __str__(self) -> str:
        return f"{self.service} {self.node!r}"


@dataclass(frozen=True, slots=True)
class Item:
    """One item as the service sent it.

    Attributes:
        item_id: the ItemID, unique within the node.
        xml: the whole `<item xmlns='http://jabber.org/protocol/pubsub'/>`, every namespace it needs
            declared on it, equal under exclusive canonicalisation to what the service sent.
        publisher: the `publisher` attribute (XEP-0060 section 12.17), or None.
        payload_namespace: namespace of the first child element; None without payload.
        size_bytes: length of `xml` in UTF-8, in bytes.
    """

    item_id: str
    xml: str
    publisher: str | None = None
    payload_namespace: str | None = None
    size_bytes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_bytes", len(self.xml.encode()))

    @property
    def has_payload(self) -> bool:
        """Whether there is a payload, which a notification may leave out (XEP-0060 7.1.2.2)."""
        return self.payload_namespace is not None


def is_same_xml(one: str, other: str) -> bool:
    """Tell whether two well-formed texts say the same, however they are written down."""
    return one == other or canonicalize(one) == canonicalize(other)


class SubscriptionState(StrEnum):
    """State of a subscription (XEP-0060 section 4.2)."""

    NONE = "none"
    PENDING = "pending"
    UNCONFIGURED = "unconfigured"
    SUBSCRIBED = "subscribed"


@dataclass(frozen=True, slots=True)
class SubscriptionEntry:
    """One `<subscription/>` of an answer (XEP-0060 sections 5.6 and 6.1.2).

    Attributes:
        node: as it says, or None.
        jid: the subscriber, normalised where it is a JID.
        state: the state of the subscription.
        subid: the service's id for it, or empty.
    """

    node: str | None
    jid: str
    state: SubscriptionState
    subid: str = ""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a requester put into `<set/>` (XEP-0059); None where it put nothing.

    `before=""` asks for the last page. At most one of `after`, `before` and `index` is set.
    """

    max: int | None = None
    after: str | None = None
    before: str | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class PageInfo:
    """What an answer's `<set/>` says (XEP-0059); `first` and `last` are None for an empty page."""

    count: int | None = None
    first: str | None = None
    last: str | None = None
    first_index: int | None = None


@dataclass(frozen=True, slots=True)
class ItemsQuestion:
    """`<pubsub><items/></pubsub>` (XEP-0060 section 6.5); `max_items` is at least 1."""

    node: str
    max_items: int | None = None
    item_ids: tuple[str, ...] = ()
    page: PageRequest | None = None


@dataclass(frozen=True, slots=True)
class NodeInfoQuestion:
    """disco#info of a node (XEP-0060 sections 5.3 and 5.4)."""

    node: str


@dataclass(frozen=True, slots=True)
class NodeItemsQuestion:
    """disco#items of a node (XEP-0060 section 5.5)."""

    node: str
    page: PageRequest | None = None


@dataclass(frozen=True, slots=True)
class ServiceInfoQuestion:
    """disco#info of the service (XEP-0060 section 5.1)."""


@dataclass(frozen=True, slots=True)
class ServiceItemsQuestion:
    """disco#items of the service (XEP-0060 section 5.2)."""

    page: PageRequest | None = None


@dataclass(frozen=True, slots=True)
class OtherQuestion:
    """A read that the cache does not completely understand, and so forwards.

    `invalid_page` says what is wrong with its `<set/>`, where that is why.
    """

    invalid_page: str | None = None


@dataclass(frozen=True, slots=True)
class OptionsQuestion:
    """The options of a subscription (XEP-0060 section 6.3.2).

    Attributes:
        node: the node.
        jid: whose subscription it is, as the payload says, normalised; None if it is no JID.
        subid: which of their subscriptions, or None.
    """

    node: str
    jid: str | None
    subid: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionsQuestion:
    """The requester's subscriptions (XEP-0060 section 5.6), to one node if it is given."""

    node: str | None = None


Question = (
    ItemsQuestion
    | NodeInfoQuestion
    | NodeItemsQuestion
    | ServiceInfoQuestion
    | ServiceItemsQuestion
    | OptionsQuestion
    | SubscriptionsQuestion
    | OtherQuestion
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a service, as it arrived.

    Attributes:
        requester: who asks.
        service: the real service it is for.
        asked: the address of ours that was asked, from which the answer must come.
        question: what we understood of it; of a set, nothing.
        payload: the child element of the iq, untouched.
        lang: `xml:lang` of the iq, or None.
        type: `get` or `set`.
        namespace: of the payload.
        identity: in whose name it is forwarded.
    """

    requester: Requester
    service: BareJID
    asked: BareJID
    question: Question
    payload: str
    lang: str | None = None
    type: str = "get"
    namespace: str = NS_PUBSUB
    identity: Identity = Identity.ALIAS


@dataclass(frozen=True, slots=True)
class DiscoItem:
    """One `<item/>` of a disco#items answer (XEP-0030 section 4)."""

    jid: str
    node: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Relayed:
    """Answer: the child element that the service answered with, untouched; may be empty."""

    payload: str


@dataclass(frozen=True, slots=True)
class ItemsAnswer:
    """Answer to an `ItemsQuestion`, of which `page` is None when no `<set/>` belongs to it."""

    node: str
    items: tuple[Item, ...]
    page: PageInfo | None = None


@dataclass(frozen=True, slots=True)
class DiscoItemsAnswer:
    """Answer to disco#items of a service or, with `node`, of a node."""

    node: str | None
    items: tuple[DiscoItem, ...]
    page: PageInfo | None = None


@dataclass(frozen=True, slots=True)
class ServiceInfoAnswer:
    """disco#info of a service, still to be merged with our own identity and features.

    Attributes:
        payload: the service's answer, or None where there is none and ours alone is given.
        pages: whether item lists of this service can be paged through us (XEP-0059).
    """

    payload: str | None
    pages: bool


@dataclass(frozen=True, slots=True)
class SubscriptionsAnswer:
    """The user's own subscriptions with those that their alias has added to them.

    Attributes:
        own: what the service told the user; the answer's child element.
        of_alias: what it told their alias, with the user's JIDs in it.
    """

    own: str
    of_alias: str


Answer = Relayed | ItemsAnswer | DiscoItemsAnswer | ServiceInfoAnswer | SubscriptionsAnswer
