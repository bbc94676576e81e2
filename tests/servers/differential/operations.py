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


@dataclass(frozen=True)
class Through:
    """The operation, asked of the proxy instead of the service."""

    operation: "Create | Configure | Publish | Retract | Purge | Delete"


Operation = Create | Configure | Publish | Retract | Purge | Delete | Through

Step = tuple[Operation, ...]
"""Operations one right after the other; only then is anything asked."""

Sequence = tuple[Step, ...]


@dataclass(frozen=True)
class Place:
    """Where operations are carried out.

    Attributes:
        client: who does it; the owner of the node.
        to: the service's address.
        node: the node.
        through: the proxy's address, for what is done through it.
        alias: the owner's alias, which is made an owner too where the proxy forwards by it.
    """

    client: Client
    to: str
    node: str
    through: str | None = None
    alias: str | None = None


async def carry_out(operation: Operation, place: Place) -> Reply:
    """Do it, and return what the service said, be it an error."""
    to = place.to
    if isinstance(operation, Through):
        assert place.through is not None
        to, operation = place.through, operation.operation
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
    reply = await place.client.request("set", to, payload)
    if isinstance(operation, Create) and not reply.is_error and place.alias is not None:
        await _share(place, place.alias)
    return reply


async def _share(place: Place, alias: str) -> None:
    """Make the owner's alias an owner (XEP-0060 section 8.9)."""
    payload, action = pubsub("affiliations", place.node, owner=True)
    namespace = payload.tag.partition("}")[0]
    SubElement(action, f"{namespace}}}affiliation", {"jid": alias, "affiliation": "owner"})
    await place.client.request("set", place.to, payload)


def _form(fields: Fields) -> Element:
    return submit_form({f"pubsub#{name}": value for name, value in fields})


def written(sequence: Sequence) -> str:
    """Return the sequence as Python that makes it again, a line for each step."""
    return "\n".join(f"    {step!r}," for step in sequence)
