"""Revision 0002: what an older version has left staged, and the way back."""

from places import NODE, ROWS, Place

from pubcellar.storage import downgrade_database, open_store, prepare_database, upgrade_database
from pubcellar.storage.rows import utc_now

SET_ASIDE = (
    NODE.replace("VALUES (1", "VALUES (2").replace("'n'", "'aside'").replace("live", "no_sync")
)
STAGED = (
    "INSERT INTO pubsub_item (id, node_id, generation, position, size_bytes, item_id, created_at,"
    " updated_at, xml) VALUES (4, 1, 2, 1, 1, 'staged', '2026-01-01', '2026-01-01', '<item/>')"
)


async def test_what_was_staged_before_is_not_gone_on_with_but_deleted(place: Place) -> None:
    await upgrade_database(place.url, "0001")
    place.execute(*ROWS, SET_ASIDE, STAGED)
    await prepare_database(place.url)
    found = place.rows("SELECT name, staged_at IS NULL, staged_for FROM pubsub_node ORDER BY id")
    assert [(name, bool(is_null), mark) for name, is_null, mark in found] == [
        ("n", False, None),
        ("aside", True, None),
    ]
    store = await open_store(place.url)
    assert await store.discard_abandoned(utc_now(), 10) == 1
    await store.close()
    assert place.rows("SELECT id FROM pubsub_item ORDER BY id") == [(1,), (2,), (3,)]


async def test_the_way_back_leaves_what_the_older_version_knows(place: Place) -> None:
    await upgrade_database(place.url, "0001")
    place.execute(*ROWS, STAGED)
    before = place.contents()
    await prepare_database(place.url)
    await downgrade_database(place.url, "0001")
    assert place.contents() == before
