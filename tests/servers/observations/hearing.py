"""Who hears what: events up to a marker sent afterwards, so that silence needs no waiting."""

from collections.abc import Awaitable
from itertools import count

from component_client import ComponentClient
from harness import Client, Event
from harness.stanzas import pubsub, with_items
from spelling import entry, spelled

_numbers = count(1)

MARKER_NODE = {"pubsub#access_model": "open", "pubsub#presence_based_delivery": "0"}
"""What a user's own service needs to send everybody the markers; others take no notice."""


class Ear:
    """A component that listens to a node, and to a second one on which markers are published."""

    def __init__(
        self, service: str, node: str, marker_node: str, owner: Client, component: ComponentClient
    ) -> None:
        self.service = service
        self.node = node
        self.owner = owner
        self.component = component
        self._marker_node = marker_node

    async def listen(self, **config: str) -> None:
        """Make the node and subscribe to it; `config` as in `max_items="3"`."""
        await self.owner.create(
            self.service, self.node, {f"pubsub#{name}": value for name, value in config.items()}
        )
        await self.component.subscribe(self.service, self.node)

    async def publish(self, *item_ids: str) -> None:
        """Publish items to the node, in the owner's name."""
        for item_id in item_ids:
            await self.owner.publish(self.service, self.node, item_id, entry(item_id))

    async def retract(self, item_id: str, notify: str | None = None) -> None:
        """Retract an item of the node; `notify` as the attribute, if any."""
        payload, action = pubsub("retract", self.node)
        if notify is not None:
            action.set("notify", notify)
        with_items(action, [item_id])
        (await self.owner.request("set", self.service, payload)).or_raise()

    async def events(self, change: Awaitable[object]) -> list[Event]:
        """Carry out a change; return the events about the node that it caused.

        They are complete: a marker that was published after the change has arrived after them.
        """
        await self._until_quiet()
        self.component.events.clear()
        await change
        await self._until_quiet()
        return [event for event in self.component.events if event.node == self.node]

    async def heard(self, change: Awaitable[object]) -> list[str]:
        """Return the events of a change, spelled, with `n` for the node's name."""
        return [spelled(event.action, {self.node: "n"}) for event in await self.events(change)]

    async def _until_quiet(self) -> None:
        marker = f"marker-{next(_numbers)}"
        await self.owner.publish(self.service, self._marker_node, marker, entry(marker))
        await self.component.wait_for_event(lambda event: event.item_ids == [marker])
