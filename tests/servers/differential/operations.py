"""What is done to a node, as values that can be printed, left out, and done again.

Nothing here knows in which order they come (generating.py), nor what comes of them: an operation
that the service refuses is a fine operation.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from harness import Client, Reply
from harness.stanzas import element, pubsub, submit_form, with_items

Fields = tuple[tuple[str, str], ...]
"""Fields of a node's configuration, by names without `pubsub#`."""


@dataclass(frozen=True)
class Create:
    """XEP-0060 section 8.1."""

    fields: Fields = ()


@dataclass(frozen=True)
class Configure:
    """XEP-0060 section 8.2."""

    fields: Fields


@dataclass(frozen=True)
class Publish:
    """XEP-0060 section 7.1; the payload is XML."""

    item_id: str
    payload: str


@dataclass(frozen=True)
class Retract:
    """XEP-0060 section 7.2."""

    item_id: str
    notify: bool


@dataclass(frozen=True)
class Purge:
    """XEP-0060 section 8.5."""


@dataclass(frozen=True)
class Delete:
    """XEP-0060 section 8.4."""


Operation = Create | Configure | Publish | Retract | Purge | Delete

Step = tuple[Operation, ...]
"""Operations one right after the other; only then is anything asked."""

Sequence = tuple[Step, ...]


@dataclass(frozen=True)
class Place:
    """Where operations are carried out.

    Attributes:
        client: who does it; the owner of the node.
        to: the address that is asked: the service's, or the proxy's.
        node: the node.
        service: the service, where the proxy is asked.
        alias: who the client is to it there; whatever is created is made theirs, too.
    """

    client: Client
    to: str
    node: str
    service: str = ""
    alias: str = ""


async def carry_out(operation: Operation, place: Place) -> Reply:
    """Do it, and return what the service said, be it an error.

    Nodes are created at the service itself: not every one lets aliases do that.
    """
    if isinstance(operation, Create) and place.alias:
        return await _create_for_alias(operation, place)
    owner = isinstance(operation, Configure | Purge | Delete)
    payload, action = pubsub(type(operation).__name__.lower(), place.node, owner=owner)
    match operation:
        case Create(fields) if fields:
            SubElement(payload, f"{payload.tag.partition('}')[0]}}}configure").append(_form(fields))
        case Configure(fields):
            action.append(_form(fields))
        case Publish(item_id, content):
            with_items(action, [item_id])
            action[0].append(element(content))
        case Retract(item_id, notify):
            with_items(action, [item_id])
            if notify:
                action.set("notify", "true")
    return await place.client.request("set", place.to, payload)


async def _create_for_alias(operation: Create, place: Place) -> Reply:
    reply = await carry_out(operation, Place(place.client, place.service, place.node))
    if not reply.is_error:
        await place.client.set_affiliation(place.service, place.node, place.alias, "owner")
    return reply


def _form(fields: Fields) -> Element:
    return submit_form({f"pubsub#{name}": value for name, value in fields})


def written(sequence: Sequence) -> str:
    """Return the sequence as Python that makes it again, a line for each step."""
    return "\n".join(f"    {step!r}," for step in sequence)
