"""What a service has dropped from a full node is dropped, and nothing that is still there."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pubcellar.core.counters import Happened
from pubcellar.core.hints import NO_HINTS, CachingHints
from pubcellar.core.ports import ItemsResult
from pubcellar.core.records import NodeRecord, ServiceRecord, StoredIdPage
from pubcellar.core.states import NodeState
from pubcellar.core.traits import ServiceTraits
from pubcellar.core.values import BareJID, Item, NodeKey, PageInfo
from pubcellar.proxy.evicting import Evicting
from pubcellar.proxy.node_entry import NodeEntry, Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FULL = CachingHints(max_items=2)
MOVES = ServiceTraits(republish_sightings=2)
STAYS = ServiceTraits(republish_sightings=-2, pages=True)
KEY = NodeKey(BareJID("pubsub.example.org"), "notes")


class Ports:
    """A node of three items held, of which the service keeps two; reader, store and drift."""

    def __init__(self, given: tuple[Item, ...], traits: ServiceTraits, count: int | None) -> None:
        self.reader: Any = self
        self.store: Any = self
        self.limits: Any = None
        self.removed: list[str] = []
        self._given = given
        self._traits = traits
        self._count = count

    async def service(self, service: BareJID) -> ServiceRecord:
        return ServiceRecord(service, self._traits)

    async def id_page(self, *_: object, **__: object) -> StoredIdPage:
        return StoredIdPage(("i1", "i2"), 3)

    async def items(self, *_: object, **__: object) -> ItemsResult:
        return ItemsResult(self._given, None if self._count is None else PageInfo(self._count))

    async def remove_items(self, key: NodeKey, item_ids: list[str]) -> frozenset[str]:
        self.removed += item_ids
        self._given = (Item("i1", "<item id='i1'/>"), *self._given)
        return frozenset(item_ids)

    async def node(self, key: NodeKey) -> None:
        return None

    def found(self, *said: object) -> None:
        assert Happened.DRIFT_EVICTED in said


async def verified(
    given: tuple[Item, ...],
    traits: ServiceTraits = MOVES,
    count: int | None = None,
    hints: CachingHints = FULL,
) -> tuple[Ports, NodeEntry]:
    parts: Any = Ports(given, traits, count)
    entry = NodeEntry(KEY)
    entry.hints = hints
    entry.record = NodeRecord(KEY, NodeState.LIVE, NOW, NOW, item_count=3)
    entry.ask(Work.VERIFY_OLDEST, is_doubtful=True)
    await Evicting(parts, parts).verify_oldest(entry)
    return parts, entry


async def test_what_the_service_does_not_give_any_more_is_dropped() -> None:
    parts, entry = await verified((Item("i2", "<item id='i2'/>"),))
    assert parts.removed == ["i1"]
    assert entry.work is Work.NOTHING


async def test_where_none_of_several_is_given_all_ids_are_looked_at_instead() -> None:
    """Some services refuse all of them where one is missing."""
    parts, entry = await verified(())
    assert parts.removed == []
    assert entry.work is Work.VERIFY_IDS
    assert entry.is_doubtful


@pytest.mark.parametrize(
    ("traits", "count", "work"),
    [
        (STAYS, 3, Work.NOTHING),
        (STAYS, 2, Work.VERIFY_IDS),
        (STAYS, None, Work.VERIFY_IDS),
        (replace(STAYS, pages=False), 3, Work.VERIFY_IDS),
        (replace(STAYS, republish_sightings=-1), 2, Work.VERIFY_IDS),
        (replace(STAYS, republish_sightings=0), 2, Work.VERIFY_IDS),
    ],
)
async def test_where_not_the_oldest_gives_way_the_number_tells(
    traits: ServiceTraits, count: int | None, work: Work
) -> None:
    """Row event-25 of docs/servers.md: what is pushed out may be in the middle of the list."""
    parts, entry = await verified((), traits, count, NO_HINTS)
    assert parts.removed == []
    assert entry.work is work
