"""A node with a handful of items."""

from harness import Client
from spelling import entry


async def publish_six(owner: Client, service: str, node: str) -> None:
    """Make a node that holds i0, the oldest, to i5."""
    await owner.create(service, node)
    for number in range(6):
        await owner.publish(service, node, f"i{number}", entry(str(number)))
