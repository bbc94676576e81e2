"""What the store remembers of services, nodes and items, as immutable values."""

from dataclasses import dataclass, field
from datetime import datetime

from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import BareJID, Item, NodeKey, SubscriptionState

JSONValue = None | bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"]


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node of which the service has answered positively. All times are aware UTC.

    Attributes:
        key: service and node.
        state: where it stands.
        reason: why it stands there, for people; never empty in NO_SYNC and FAILED.
        analyser: name of the analyser that matched, or None.
        type: the analyser's word for what the node holds, such as `blog`; None without an analyser,
            and where a node is set aside because its analyser itself gave it up.
        subtype: a finer word, such as `comment`.
        access_model: as disco#info last said; None, like any value but `open`, counts as not open.
        info: the payload of the service's disco#info answer for the node, to be given as it is.
        subscription: state of the proxy's own subscription; in NO_SYNC, one that is to be ended.
        generation: number of the complete set of items that readers see; 0 when there is none yet.
        item_count: how many items that set has.
        size_bytes: sum of `Item.size_bytes` over that set.
        failures: failed attempts in a row.
        created_at: when the record was made.
        state_changed_at: when `state` last changed.
        info_verified_at: when disco#info last confirmed access model and metadata.
        items_verified_at: when the contents were last fetched or confirmed.
        last_read_at: when a requester last asked for it.
        retry_at: not to be tried or looked at again before.
        written_at: when something was last written to it through us that does not show yet; None
            when all of it does.
    """

    key: NodeKey
    state: NodeState
    created_at: datetime
    state_changed_at: datetime
    reason: str = ""
    analyser: str | None = None
    type: str | None = None
    subtype: str | None = None
    access_model: str | None = None
    info: str | None = None
    subscription: SubscriptionState = SubscriptionState.NONE
    generation: int = 0
    item_count: int = 0
    size_bytes: int = 0
    failures: int = 0
    info_verified_at: datetime | None = None
    items_verified_at: datetime | None = None
    last_read_at: datetime | None = None
    retry_at: datetime | None = None
    written_at: datetime | None = None

    @property
    def is_set_aside(self) -> bool:
        """Whether the node is not held any more, and its items are kept for a while."""
        return self.state is NodeState.NO_SYNC and self.generation > 0

    @property
    def may_hold(self) -> bool:
        """Whether anything of the node is held, or about to be."""
        return self.state is not NodeState.NO_SYNC or self.generation > 0

    @property
    def is_departing(self) -> bool:
        """Whether nothing is held of the node, and its subscription is still to be ended."""
        is_empty = self.state is NodeState.NO_SYNC and self.generation == 0
        return is_empty and self.subscription is not SubscriptionState.NONE


@dataclass(frozen=True, slots=True)
class Usage:
    """How much there is in the database.

    Attributes:
        nodes: how many are recorded, but for those that depart.
        departing: how many wait for nothing but the end of their subscription.
        used_bytes: what the database has in use; not the size of its files, which may be larger.
    """

    nodes: int
    departing: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that may be dropped to make room.

    Attributes:
        key: service and node.
        size_bytes: of the items that readers see.
    """

    key: NodeKey
    size_bytes: int


@dataclass(frozen=True, slots=True)
class HeldNode:
    """As much of a node as tells who takes it.

    Attributes:
        key: service and node.
        state: where it stands.
        analyser: name of the analyser that it is, or was, held for; None if there was none.
        type: that analyser's word for what it holds.
        namespaces: payload namespaces of its newest and its oldest item, as far as they have one.
    """

    key: NodeKey
    state: NodeState
    analyser: str | None
    type: str | None
    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """What is known of a service as a whole."""

    service: BareJID
    traits: ServiceTraits = field(default_factory=ServiceTraits)
    info: str | None = None
    info_fetched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """An item with what a parser made of it.

    Attributes:
        item: as the service sent it.
        parsed: the parser's JSON object; None when there is no parser, or it failed.
        parsed_by: name and version of the parser, such as `blog/1`; None when `parsed` is.
    """

    item: Item
    parsed: dict[str, JSONValue] | None = None
    parsed_by: str | None = None


@dataclass(frozen=True, slots=True)
class StoredPage:
    """Items read from the store.

    Attributes:
        items: in the order asked for.
        count: how many items the node has in all.
        first_index: how many items come before the first one in that order; None for an empty page.
        is_cut: whether `max_bytes` ended the page before its end.
    """

    items: tuple[Item, ...]
    count: int
    first_index: int | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class StoredIdPage:
    """Like `StoredPage`, of item ids alone."""

    item_ids: tuple[str, ...]
    count: int
    first_index: int | None = None
