"""Revision 0003: what users have done through the proxy, and the way back."""

from places import ROWS, Place

from pubcellar.storage import downgrade_database, prepare_database, upgrade_database

SUBSCRIPTION = (
    "INSERT INTO user_subscription (id, service, node, user_jid, subscriber, subid, asked, state,"
    " created_at, gone_count) VALUES (1, 's', 'n', 'a@b', 'a@b/c', '', 'cache', 'subscribed',"
    " '2026-01-01', 0)"
)
PERMISSION = (
    "INSERT INTO iq_permission (id, host, namespace, type, granted_at)"
    " VALUES (1, 'b', 'http://jabber.org/protocol/pubsub', 'get', '2026-01-01')"
)
WRITTEN = "UPDATE pubsub_node SET written_at = '2026-01-01' WHERE id = 1"


async def test_nodes_of_an_older_version_were_never_written_through_us(place: Place) -> None:
    await upgrade_database(place.url, "0002")
    place.execute(*ROWS)
    await prepare_database(place.url)
    assert place.rows("SELECT name, written_at FROM pubsub_node") == [("n", None)]
    place.execute(SUBSCRIPTION, PERMISSION, WRITTEN)
    assert place.value("SELECT written_at FROM pubsub_node") is not None


async def test_the_way_back_drops_what_users_did_and_keeps_what_is_held(place: Place) -> None:
    await upgrade_database(place.url, "0002")
    place.execute(*ROWS)
    before = place.contents()
    await prepare_database(place.url)
    place.execute(SUBSCRIPTION, PERMISSION, WRITTEN)
    await downgrade_database(place.url, "0002")
    assert place.contents() == before
