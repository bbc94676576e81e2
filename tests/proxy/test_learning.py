"""What a node shows of the orders in which its service gives items, and what it does not."""

from typing import Any

from pubcellar.core.ports import ItemsResult
from pubcellar.core.values import BareJID, Item, NodeKey
from pubcellar.proxy.learning import Learning
from pubcellar.proxy.node_entry import NodeEntry

KEY = NodeKey(BareJID("pubsub.example.org"), "notes")


class Ports:
    """A service with one item, and a database that knows nothing; parts, reader and store."""

    def __init__(self) -> None:
        self.reader: Any = self
        self.store: Any = self

    async def items(self, key: NodeKey, **_: object) -> ItemsResult:
        return ItemsResult((Item("i1", "<item id='i1'/>"),))

    async def service(self, service: BareJID) -> None:
        return None

    async def save_service(self, record: object) -> None:
        pass


async def test_a_node_with_one_item_left_contradicts_nothing_that_it_has_shown() -> None:
    """Else all nodes of the service would be doubted, each time that it is looked at."""
    parts: Any = Ports()
    entry = NodeEntry(KEY)
    entry.orders = {"disco_newest_first": True}

    await Learning(parts).orders(entry, listing=["i1"], arrivals=0, anew=True)

    assert entry.orders["disco_newest_first"]
