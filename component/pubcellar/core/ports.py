"""What the use cases need from the world, as protocols; each promise is written where it is made.

Implementations: `Forwarder` and `ServiceReader` in `pubcellar.xmpp`; `Analysers` in
`pubcellar.analysers`; `Clock` in `pubcellar.wiring`. The database is `core.store.Store`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pubcellar.core.entitlements import Asked
from pubcellar.core.hints import NO_HINTS, CachingHints
from pubcellar.core.notifications import Message
from pubcellar.core.values import (
    Answer,
    BareJID,
    DiscoItem,
    FullJID,
    Item,
    NodeKey,
    PageInfo,
    PageRequest,
    Request,
    Requester,
    SubscriptionEntry,
    SubscriptionState,
)
from pubcellar.core.verdicts import Analysers as Analysers
from pubcellar.core.verdicts import Claim as Claim
from pubcellar.core.verdicts import Verdict as Verdict


class Clock(Protocol):
    """Time, handed in so that tests own it."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


@dataclass(frozen=True, slots=True)
class ForwardedAnswer:
    """What the service answered to a forwarded request.

    Attributes:
        payload: the child element of the result, untouched; empty when there was none.
        size_bytes: length of `payload` in UTF-8.
        items: the items, where the question asked for items and the answer is a plain list of them.
        disco_items: likewise for disco#items.
        page: what the answer's own `<set/>` says; None where it has none.
        new_ids: ids that it says published items have (XEP-0060 section 7.1.2).
        asked: when the request was sent, if that was noted.
        subscriptions: the subscriptions that the answer tells of, as the service wrote them.
    """

    payload: str
    size_bytes: int
    items: tuple[Item, ...] | None = None
    disco_items: tuple[DiscoItem, ...] | None = None
    page: PageInfo | None = None
    new_ids: tuple[str, ...] = ()
    asked: Asked | None = None
    subscriptions: tuple[SubscriptionEntry, ...] = ()


class Forwarder(Protocol):
    """Asks the real service in the name of a requester; never in our own."""

    async def forward(self, request: Request, page: PageRequest | None = None) -> ForwardedAnswer:
        """Send the request to its service in the name that it says, and return the answer.

        Args:
            request: sent with its payload untouched,
            page: unless this is given: then the payload's `<set/>` is replaced by it.

        Raises:
            UpstreamRefused: the service answered with an error.
            UpstreamTimeout, UpstreamUnreachable, UpstreamAnswerTooLarge: it gave no usable answer.
            NotAllowed: the requester's address cannot be expressed as an alias.
            PrivilegeMissing: the requester's server does not let us act for them.
        """
        ...


class Aliases(Protocol):
    """Knows who is meant by the aliases in whose names requests go out."""

    def shown(self, request: Request, answer: Answer) -> Answer:
        """Return the answer as the requester is to see it: with themselves for their alias.

        Others' aliases stay what they are. So does everything in the answer to a request that did
        not go out in the name of an alias.
        """
        ...


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What disco#info says of a node.

    Attributes:
        payload: the answer's child element.
        access_model: value of `pubsub#access_model` in its metadata form, or None.
        hints: what that form says for caches (XEP-0460).
    """

    payload: str
    access_model: str | None
    hints: CachingHints = NO_HINTS


@dataclass(frozen=True, slots=True)
class ItemsResult:
    """Items the service gave us; `page` is None where its answer has no `<set/>`."""

    items: tuple[Item, ...]
    page: PageInfo | None = None


class ServiceReader(Protocol):
    """Asks the real service in the proxy's own name, for its own copy and never for a requester.

    Every method raises UpstreamRefused, UpstreamTimeout, UpstreamUnreachable,
    UpstreamAnswerTooLarge, or UpstreamAnswerInvalid.
    """

    async def probe(self, service: BareJID) -> None:
        """Ask the service for its disco#info (XEP-0030), only to see whether it answers."""
        ...

    async def node_info(self, key: NodeKey) -> NodeInfo:
        """Return disco#info of the node (XEP-0060 section 5.4)."""
        ...

    async def is_open_to_strangers(self, key: NodeKey) -> bool | None:
        """Tell whether the service gives an item of the node to somebody it has never heard of.

        The one question that is not asked in our own name, but in that of an address made up for
        it: it can have no affiliation, no subscription and no place in a roster. False where the
        service refuses, None where there is no item to be given.
        """
        ...

    async def item_ids(self, key: NodeKey) -> list[str]:
        """Return the ids that disco#items of the node lists, in the service's order (5.5).

        Where the service pages disco#items, all pages are fetched.
        """
        ...

    async def items(
        self,
        key: NodeKey,
        *,
        item_ids: Sequence[str] = (),
        max_items: int | None = None,
        page: PageRequest | None = None,
    ) -> ItemsResult:
        """Return items of the node, as asked (XEP-0060 section 6.5)."""
        ...

    async def subscribe(self, key: NodeKey) -> SubscriptionState:
        """Subscribe our own address to the node (XEP-0060 section 6.1).

        Only to be called after a read of that node succeeded: where a service creates nodes on
        subscription, subscribing to a missing one would make it.
        """
        ...

    async def subscription(self, key: NodeKey) -> SubscriptionState:
        """Return the state of our own subscription (XEP-0060 section 5.6)."""
        ...

    async def unsubscribe(self, key: NodeKey) -> None:
        """End our own subscription (XEP-0060 section 6.2)."""
        ...


class AliasRequests(Protocol):
    """What is asked in the name of a user's alias, without the user having put it into words.

    Every method that asks raises what `ServiceReader` does, and NotAllowed where the user's address
    cannot be expressed as an alias.
    """

    def first_read(self, request: Request, node: str) -> Request:
        """Return the read of one item that comes before a request for the node, as the alias."""
        ...

    async def subscriptions(
        self, requester: Requester, key: NodeKey
    ) -> tuple[SubscriptionEntry, ...]:
        """Return the alias's subscriptions to the node, in the user's JIDs (section 5.6)."""
        ...

    async def unsubscribe(self, requester: Requester, key: NodeKey, subid: str) -> None:
        """End a subscription of the alias (XEP-0060 section 6.2); `subid` may be empty."""
        ...


class Postman(Protocol):
    """Sends messages on. Nothing is queued.

    Raises UpstreamUnreachable where there is no stream, StanzaTooLarge where the message is larger
    than may be sent.
    """

    def notify(self, message: Message, sender: BareJID, subscriber: FullJID) -> None:
        """Send a notification to a user, from an address of ours."""
        ...

    def bounce(self, message: Message, subscriber: Requester, service: BareJID) -> None:
        """Send a user's error to the service, from their alias."""
        ...
