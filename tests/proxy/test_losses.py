"""What was lost while the database was busy is not forgotten (docs/architecture.md, "Events")."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.proxy.doubts import Doubts
from pubcellar.proxy.mending import Mending
from pubcellar.proxy.nodes import Nodes

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SERVICE = BareJID("pubsub.example.org")
KEY = NodeKey(SERVICE, "notes/a")


class Store:
    """Holds one record, and does something of the test's while it is asked."""

    def __init__(self) -> None:
        self.state = NodeState.LIVE
        self.meanwhile: Callable[[], None] = lambda: None

    async def node(self, key: NodeKey) -> NodeRecord:
        record = NodeRecord(key, self.state, NOW, NOW)
        await asyncio.sleep(0)
        self.meanwhile()
        return record

    async def make_stale(self, now: datetime, service: BareJID | None) -> int:
        self.state = NodeState.STALE
        self.meanwhile()
        return 1


async def test_a_record_read_before_a_loss_is_read_again() -> None:
    store = Store()
    nodes = Nodes(store)  # type: ignore[arg-type]  # as much of a store as is used

    def loses() -> None:
        store.meanwhile = lambda: None
        nodes.distrust()
        store.state = NodeState.STALE
        nodes.trust(None, set())

    store.meanwhile = loses
    # An entry that somebody works on outlives the loss.
    nodes.entry(KEY).worker = asyncio.ensure_future(asyncio.Event().wait())  # type: ignore[assignment]
    entry = await nodes.loaded(KEY)
    assert entry.worker is not None
    entry.worker.cancel()

    assert entry.record is not None
    assert entry.record.state is NodeState.STALE


async def test_what_is_lost_again_meanwhile_is_not_trusted_until_it_is_noted_again() -> None:
    store = Store()
    nodes = Nodes(store)  # type: ignore[arg-type]  # as above
    parts: Any = SimpleNamespace(store=store, clock=SimpleNamespace(now=lambda: NOW))
    nothing: Any = None
    reconsidering: Any = SimpleNamespace(go_through=lambda: asyncio.sleep(0))
    mending = Mending(parts, nodes, nothing, nothing, nothing, reconsidering, nothing, Doubts())
    trusted: list[bool] = []

    def loses_again() -> None:
        trusted.append(nodes.is_trusted(SERVICE))
        if len(trusted) == 1:
            mending.lost(None)

    store.meanwhile = loses_again
    mending.connected()
    await mending.note_losses()

    assert trusted == [False, False]
    assert nodes.is_trusted(SERVICE)
