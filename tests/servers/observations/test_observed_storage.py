"""docs/servers.md, "Storage": Prosody's kinds of storage make no difference to what is answered."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness import Client, ThrowAwayServer
from spelling import entry

pytestmark = [
    pytest.mark.servers,
    pytest.mark.only_server("prosody", reason="ejabberd's two kinds have rows of their own"),
]


async def answers(server: ThrowAwayServer) -> dict[str, list[str]]:
    """Fill a node, publish the second item twice again, and read it in every way."""
    owner = Client(f"owner@{server.host}", server.users["owner"], server.client_port)
    async with owner:
        await owner.create(server.service, "n")
        for item_id in ("i0", "i1", "i2", "i3", "i1", "i1"):
            await owner.publish(server.service, "n", item_id, entry(item_id))
        return {
            "all": (await owner.items(server.service, "n")).ids,
            "newest": (await owner.items(server.service, "n", max_items=2)).ids,
            "by id": (await owner.items(server.service, "n", ids=["i1", "i0"])).ids,
            "disco": (await owner.disco_items(server.service, "n")).ids,
        }


@pytest.mark.observed(
    "storage-1",
    prosody={
        "all": ["i0", "i2", "i3", "i1"],
        "newest": ["i3", "i1"],
        "by id": ["i1", "i0"],
        "disco": ["i1", "i3", "i2", "i0"],
    },
)
@pytest.mark.parametrize("storage", ["sql", "internal", "memory"])
async def test_items_after_one_was_published_again(
    expected: Any, storage: str, own_server: Callable[..., Awaitable[ThrowAwayServer]]
) -> None:
    assert await answers(await own_server(storage=storage)) == expected
