"""That something was written to nodes, until it shows."""

from store_values import KEY, NOW, SERVICE, minutes, node

from pubcellar.core.values import BareJID, NodeKey
from pubcellar.storage import SqlStore

OTHER = NodeKey(SERVICE, "other")
ELSEWHERE = NodeKey(BareJID("pubsub.other.org"), "n")


async def noted(store: SqlStore) -> list[object]:
    found = [await store.node(key) for key in (KEY, OTHER, ELSEWHERE)]
    return [None if record is None else record.written_at for record in found]


async def test_saving_a_node_changes_nothing_of_it(store: SqlStore) -> None:
    await store.save_node(node())
    await store.record_write(KEY, NOW)
    await store.save_node(node())
    assert (await noted(store))[0] == NOW
    await store.record_write(KEY, None)
    assert (await noted(store))[0] is None


async def test_of_a_whole_service_what_is_noted_already_stays(store: SqlStore) -> None:
    for key in (KEY, OTHER, ELSEWHERE):
        await store.save_node(node(key=key))
    await store.record_write(KEY, NOW)
    await store.record_writes(SERVICE, NOW + minutes(1))
    assert await noted(store) == [NOW, NOW + minutes(1), None]
    await store.withdraw_writes(SERVICE, NOW + minutes(1))
    assert await noted(store) == [NOW, None, None]


async def test_of_a_node_without_record_nothing_is_noted(store: SqlStore) -> None:
    await store.record_write(KEY, NOW)
    assert await store.node(KEY) is None
