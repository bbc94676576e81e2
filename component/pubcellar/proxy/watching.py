"""The ways to the services, with `Health` taking note of what comes of each request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pubcellar.core.ports import (
    AliasRequests,
    ForwardedAnswer,
    Forwarder,
    ItemsResult,
    NodeInfo,
    ServiceReader,
)
from pubcellar.core.values import (
    BareJID,
    NodeKey,
    PageRequest,
    Request,
    Requester,
    SubscriptionEntry,
    SubscriptionState,
)
from pubcellar.proxy.health import Health


@dataclass(frozen=True, slots=True)
class WatchedForwarder:
    """Implements `core.ports.Forwarder` by another one."""

    forwarder: Forwarder
    health: Health

    async def forward(self, request: Request, page: PageRequest | None = None) -> ForwardedAnswer:
        """See `core.ports.Forwarder.forward`."""
        return await self.health.watch(request.service, self.forwarder.forward(request, page))


@dataclass(frozen=True, slots=True)
class WatchedAliasRequests:
    """Implements `core.ports.AliasRequests` by another one."""

    alias_requests: AliasRequests
    health: Health

    def first_read(self, request: Request, node: str) -> Request:
        """See `core.ports.AliasRequests.first_read`."""
        return self.alias_requests.first_read(request, node)

    async def subscriptions(
        self, requester: Requester, key: NodeKey
    ) -> tuple[SubscriptionEntry, ...]:
        """See `core.ports.AliasRequests.subscriptions`."""
        return await self.health.watch(
            key.service, self.alias_requests.subscriptions(requester, key)
        )

    async def unsubscribe(self, requester: Requester, key: NodeKey, subid: str) -> None:
        """See `core.ports.AliasRequests.unsubscribe`."""
        await self.health.watch(key.service, self.alias_requests.unsubscribe(requester, key, subid))


@dataclass(frozen=True, slots=True)
class WatchedReader:
    """Implements `core.ports.ServiceReader` by another one.

    `seen` is called with every node that the service told us something of.
    """

    reader: ServiceReader
    health: Health
    seen: Callable[[NodeKey], None]

    async def probe(self, service: BareJID) -> None:
        """See `core.ports.ServiceReader.probe`."""
        await self.health.watch(service, self.reader.probe(service))

    async def node_info(self, key: NodeKey) -> NodeInfo:
        """See `core.ports.ServiceReader.node_info`."""
        call = self.reader.node_info(key)
        info = await self.health.watch(key.service, call, is_for_us=True)
        self.seen(key)
        return info

    async def is_open_to_strangers(self, key: NodeKey) -> bool | None:
        """See `core.ports.ServiceReader.is_open_to_strangers`."""
        call = self.reader.is_open_to_strangers(key)
        return await self.health.watch(key.service, call, is_for_us=True)

    async def item_ids(self, key: NodeKey) -> list[str]:
        """See `core.ports.ServiceReader.item_ids`."""
        call = self.reader.item_ids(key)
        found = await self.health.watch(key.service, call, is_for_us=True)
        self.seen(key)
        return found

    async def items(
        self,
        key: NodeKey,
        *,
        item_ids: Sequence[str] = (),
        max_items: int | None = None,
        page: PageRequest | None = None,
    ) -> ItemsResult:
        """See `core.ports.ServiceReader.items`."""
        call = self.reader.items(key, item_ids=item_ids, max_items=max_items, page=page)
        result = await self.health.watch(key.service, call, is_for_us=True)
        self.seen(key)
        return result

    async def subscribe(self, key: NodeKey) -> SubscriptionState:
        """See `core.ports.ServiceReader.subscribe`."""
        call = self.reader.subscribe(key)
        state = await self.health.watch(key.service, call, is_for_us=True)
        self.seen(key)
        return state

    async def subscription(self, key: NodeKey) -> SubscriptionState:
        """See `core.ports.ServiceReader.subscription`."""
        call = self.reader.subscription(key)
        return await self.health.watch(key.service, call, is_for_us=True)

    async def unsubscribe(self, key: NodeKey) -> None:
        """See `core.ports.ServiceReader.unsubscribe`."""
        await self.health.watch(key.service, self.reader.unsubscribe(key), is_for_us=True)
