"""Real servers do what tests/silent_changes.py lists, as far as they can be brought to it.

Each change begins with a node of its own that holds post-1 to post-5. On some servers some of them
are told to subscribers all the same; none of that matters to who compares answers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import SubElement

from harness.client import Client
from harness.following import fill, post
from harness.stanzas import pubsub, with_items
from harness.throw_away_server import ThrowAwayServer

ITEMS = 5


@dataclass(frozen=True)
class Place:
    """A node, and who may change it.

    Attributes:
        server: where it is, at the server's own service.
        owner: whose node it is.
        node: its name.
        subscriber: the address of the proxy.
    """

    server: ThrowAwayServer
    owner: Client
    node: str
    subscriber: str

    @property
    def service(self) -> str:
        return self.server.service

    async def publish(self, item_id: str, title: str) -> None:
        await self.owner.publish(self.service, self.node, item_id, post(title))

    async def retract(self, *item_ids: str, notify: str | None = None) -> None:
        for item_id in item_ids:
            payload, action = pubsub("retract", self.node)
            if notify is not None:
                action.set("notify", notify)
            with_items(action, [item_id])
            (await self.owner.request("set", self.service, payload)).or_raise()

    async def configure(self, **config: str) -> None:
        fields = {f"pubsub#{name}": value for name, value in config.items()}
        await self.owner.configure(self.service, self.node, fields)

    async def make(self, number: int = ITEMS, **config: str) -> None:
        """Make the node, with items post-1 to post-`number`; `config` by names as for `Silence`."""
        fields = {f"pubsub#{name}": value for name, value in config.items()}
        await fill(self.owner, self.service, self.node, number, **fields)

    async def delete(self) -> None:
        await self.owner.delete(self.service, self.node)


@dataclass(frozen=True)
class Silence:
    """How a change is made: `config` of the node, by names without `pubsub#`, then `change`."""

    change: Callable[[Place], Awaitable[object]]
    config: dict[str, str] = field(default_factory=dict)


async def _cast_out(place: Place, jid: str) -> None:
    payload, action = pubsub("affiliations", place.node, owner=True)
    space = action.tag.partition("}")[0]
    SubElement(action, f"{space}}}affiliation", {"jid": jid, "affiliation": "outcast"})
    # Prosody may answer with an error, though it is done.
    await place.owner.request("set", place.service, payload)


async def _end_subscription(place: Place) -> None:
    payload, action = pubsub("subscriptions", place.node, owner=True)
    space = action.tag.partition("}")[0]
    state = {"jid": place.subscriber, "subscription": "none"}
    SubElement(action, f"{space}}}subscription", state)
    (await place.owner.request("set", place.service, payload)).or_raise()


async def _end_subscription_and_change(place: Place) -> None:
    await _end_subscription(place)
    await place.publish("new", "New")
    await place.retract("post-1")


async def _end_subscription_and_publish_again(place: Place) -> None:
    await _end_subscription(place)
    await place.publish("post-2", "Post 2, again")


async def _push_out_several(place: Place) -> None:
    await place.configure(max_items="3")
    await place.publish("new", "New")


async def _push_out_another(place: Place) -> None:
    """Where the oldest was published again, some servers push out another one."""
    await place.publish("post-1", "Post 1, again")
    await place.publish("new", "New")


async def _create_again(place: Place) -> None:
    await place.delete()
    await place.make(2, notify_delete="0")


async def _create_again_alike(place: Place) -> None:
    await place.delete()
    await place.owner.create(place.service, place.node, {"pubsub#max_items": "10000"})
    for number in range(1, ITEMS + 1):
        title = "Of the second node" if number == 2 else f"Post {number}"
        await place.publish(f"post-{number}", title)


SILENCES: dict[str, Silence] = {
    "item published, deliver_payloads=0": Silence(
        lambda place: place.publish("new", "New"), {"deliver_payloads": "0"}
    ),
    "retract, no notify": Silence(lambda place: place.retract("post-3")),
    "retract, notify=false": Silence(lambda place: place.retract("post-1", notify="false")),
    "retract, notify=true, notify_retract=0": Silence(
        lambda place: place.retract("post-5", notify="true"), {"notify_retract": "0"}
    ),
    "retract, no notify, notify_retract=0": Silence(
        lambda place: place.retract("post-2", "post-4"), {"notify_retract": "0"}
    ),
    "purge, notify_retract=0": Silence(
        lambda place: place.owner.purge(place.service, place.node), {"notify_retract": "0"}
    ),
    "delete": Silence(Place.delete),
    "delete, notify_delete=0": Silence(Place.delete, {"notify_delete": "0"}),
    "configuration": Silence(
        lambda place: place.configure(title="Renamed"), {"title": "Named", "notify_config": "1"}
    ),
    "configuration, deliver_payloads=0": Silence(
        lambda place: place.configure(title="Renamed"),
        {"title": "Named", "notify_config": "1", "deliver_payloads": "0"},
    ),
    "another access model": Silence(lambda place: place.configure(access_model="whitelist")),
    "somebody's affiliation": Silence(lambda place: _cast_out(place, "reader@localhost")),
    "our own affiliation": Silence(lambda place: _cast_out(place, place.subscriber)),
    "an item pushed out by max_items": Silence(
        lambda place: place.publish("new", "New"), {"max_items": str(ITEMS)}
    ),
    "an item pushed out, notify_retract=0": Silence(
        lambda place: place.publish("new", "New"),
        {"max_items": str(ITEMS), "notify_retract": "0"},
    ),
    "max_items lowered": Silence(lambda place: place.configure(max_items="2")),
    "several items pushed out at once": Silence(_push_out_several),
    "another item than the oldest pushed out": Silence(
        _push_out_another, {"max_items": str(ITEMS), "notify_retract": "0"}
    ),
    "node deleted and created again": Silence(_create_again, {"notify_delete": "0"}),
    "node created again with the same ids": Silence(_create_again_alike, {"notify_delete": "0"}),
    "subscription ended, then items changed": Silence(_end_subscription_and_change),
    "subscription ended, then an item published again": Silence(
        _end_subscription_and_publish_again
    ),
}
