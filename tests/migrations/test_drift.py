"""What of ours is missing or different is found; what others added is named, and no more."""

import pytest
from places import Place

from pubcellar.core.errors import DatabaseBroken
from pubcellar.storage import Standing, database_state, open_store, prepare_database

BOTH = [
    ("DROP TABLE pubsub_service", "table pubsub_service is missing"),
    ("ALTER TABLE pubsub_item DROP COLUMN publisher", "column pubsub_item.publisher is missing"),
    (
        "ALTER TABLE pubsub_node RENAME COLUMN reason TO why",
        "column pubsub_node.reason is missing",
    ),
    (
        "DROP INDEX ix_pubsub_node_state_retry_at",
        "index ix_pubsub_node_state_retry_at of pubsub_node is missing or different",
    ),
    (
        "DROP INDEX ix_pubsub_node_state_retry_at;"
        "CREATE INDEX ix_pubsub_node_state_retry_at ON pubsub_node (retry_at)",
        "index ix_pubsub_node_state_retry_at of pubsub_node is missing or different",
    ),
    (
        "DROP INDEX ix_pubsub_node_state_retry_at;"
        "CREATE INDEX ix_pubsub_node_state_retry_at ON pubsub_node (state, retry_at)"
        " WHERE state = 'live'",
        "index ix_pubsub_node_state_retry_at of pubsub_node holds a part of the rows alone",
    ),
]
POSTGRESQL = [
    (
        "ALTER TABLE pubsub_node ALTER id DROP IDENTITY IF EXISTS, ALTER id DROP DEFAULT",
        "column pubsub_node.id does not number the rows",
    ),
    (
        "ALTER TABLE pubsub_node DROP CONSTRAINT ck_pubsub_node_subscription, ADD CONSTRAINT"
        " ck_pubsub_node_subscription CHECK"
        " (subscription NOT IN ('none', 'pending', 'unconfigured', 'subscribed'))",
        "constraint ck_pubsub_node_subscription of pubsub_node is missing or different",
    ),
    (
        "ALTER TABLE pubsub_node ALTER failures TYPE bigint",
        "column pubsub_node.failures is BIGINT instead of INTEGER",
    ),
    (
        "ALTER TABLE pubsub_node ALTER created_at TYPE timestamp",
        "column pubsub_node.created_at is TIMESTAMP WITHOUT TIME ZONE instead of TIMESTAMP WITH",
    ),
    (
        "ALTER TABLE pubsub_item ALTER parsed TYPE json USING parsed::json",
        "column pubsub_item.parsed is JSON instead of JSONB",
    ),
    ("ALTER TABLE pubsub_item ALTER xml DROP NOT NULL", "column pubsub_item.xml may be NULL"),
    (
        "ALTER TABLE pubsub_node ALTER type SET NOT NULL",
        "column pubsub_node.type may not be NULL",
    ),
    (
        "ALTER TABLE pubsub_service DROP CONSTRAINT uq_pubsub_service_jid",
        "constraint uq_pubsub_service_jid of pubsub_service is missing or different",
    ),
    (
        "ALTER TABLE pubsub_node DROP CONSTRAINT ck_pubsub_node_state",
        "constraint ck_pubsub_node_state of pubsub_node is missing or different",
    ),
    (
        "ALTER TABLE pubsub_item DROP CONSTRAINT fk_pubsub_item_node_id_pubsub_node",
        "constraint fk_pubsub_item_node_id_pubsub_node of pubsub_item is missing or different",
    ),
    (
        "ALTER TABLE pubsub_service DROP CONSTRAINT pk_pubsub_service",
        "primary key of pubsub_service is missing or different",
    ),
    (
        "ALTER TABLE pubsub_node ADD COLUMN needed integer NOT NULL",
        "column pubsub_node.needed, which is not ours, must have a value",
    ),
]
SQLITE = [
    ("pubsub_service", "id INTEGER", "id INT", "pubsub_service.id does not number the rows"),
    (
        "pubsub_node",
        "subscription IN (",
        "subscription NOT IN (",
        "constraint ck_pubsub_node_subscription of pubsub_node is missing or different",
    ),
    ("pubsub_node", "failures INTEGER", "failures TEXT", "failures is TEXT instead of INTEGER"),
    (
        "pubsub_node",
        "created_at DATETIME",
        "created_at TEXT",
        "created_at is TEXT instead of DATETIME",
    ),
    ("pubsub_item", "xml TEXT NOT NULL", "xml TEXT", "pubsub_item.xml may be NULL"),
    ("pubsub_node", "\ttype VARCHAR", "\ttype VARCHAR NOT NULL", "node.type may not be NULL"),
    (
        "pubsub_service",
        ", \n\tCONSTRAINT uq_pubsub_service_jid UNIQUE (jid)",
        "",
        "constraint uq_pubsub_service_jid of pubsub_service is missing or different",
    ),
    (
        "pubsub_node",
        "'live', ",
        "",
        "constraint ck_pubsub_node_state of pubsub_node is missing or different",
    ),
    (
        "pubsub_item",
        " ON DELETE CASCADE",
        "",
        "constraint fk_pubsub_item_node_id_pubsub_node of pubsub_item is missing or different",
    ),
    (
        "pubsub_service",
        "CONSTRAINT pk_pubsub_service PRIMARY KEY (id), ",
        "",
        "primary key of pubsub_service is missing or different",
    ),
    (
        "pubsub_node",
        "retry_at DATETIME",
        "retry_at DATETIME, needed INTEGER NOT NULL",
        "column pubsub_node.needed, which is not ours, must have a value",
    ),
]

INDEXED = "CREATE INDEX theirs ON pubsub_node (service, reason)"
EXTRAS = [
    ("CREATE TABLE strangers (id INTEGER)", "table strangers"),
    ("ALTER TABLE pubsub_node ADD COLUMN note TEXT", "column pubsub_node.note"),
    (
        "ALTER TABLE pubsub_node ADD COLUMN note TEXT NOT NULL DEFAULT ''",
        "column pubsub_node.note",
    ),
    (INDEXED, "index theirs of pubsub_node"),
]


async def _is_broken(place: Place, said: str) -> None:
    state = await database_state(place.url)
    assert state.standing is Standing.BROKEN
    assert any(said in found for found in state.found), state.found
    with pytest.raises(DatabaseBroken, match="is broken: "):
        await prepare_database(place.url)


@pytest.mark.parametrize(("statements", "said"), BOTH, ids=range(len(BOTH)))
async def test_what_is_missing_or_different_is_found(place: Place, statements: str, said: str):
    await prepare_database(place.url)
    place.execute(*statements.split(";"))
    await _is_broken(place, said)


@pytest.mark.parametrize(("statement", "said"), POSTGRESQL, ids=range(len(POSTGRESQL)))
async def test_what_is_missing_or_different_in_postgresql_is_found(
    postgresql_url: str, statement: str, said: str
):
    place = Place(postgresql_url)
    await prepare_database(place.url)
    place.execute(statement)
    await _is_broken(place, said)


@pytest.mark.parametrize(("table", "old", "new", "said"), SQLITE, ids=range(len(SQLITE)))
async def test_what_is_missing_or_different_in_sqlite_is_found(
    file: Place, table: str, old: str, new: str, said: str
):
    """A table is made again from its own text, as its operator would have to do it."""
    await prepare_database(file.url)
    schema = str(file.value(f"SELECT sql FROM sqlite_schema WHERE name = '{table}'"))
    assert old in schema
    index = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql > ''"
    indexes = [sql for (sql,) in file.rows(f"{index} AND tbl_name = '{table}'")]
    file.execute(f"DROP TABLE {table}", schema.replace(old, new), *indexes)
    await _is_broken(file, said)
    found = (await database_state(file.url)).found
    assert len(found) == 1, found


@pytest.mark.parametrize(("statement", "said"), EXTRAS, ids=range(len(EXTRAS)))
async def test_what_others_added_is_only_named(place: Place, statement: str, said: str):
    await prepare_database(place.url)
    place.execute(statement)
    state = await database_state(place.url)
    assert (state.standing, state.found, state.extras) == (Standing.CURRENT, (), (said,))
    prepared = await prepare_database(place.url)
    assert str(prepared) == f"database {place} is current (0003)"
    (warning,) = prepared.warnings
    assert f"what Pubcellar did not make, and a later upgrade may trip over: {said}" in warning
    store = await open_store(place.url)
    assert await store.count_nodes() == 0
    await store.close()


async def test_checks_and_triggers_of_others_are_named_too(place: Place):
    await prepare_database(place.url)
    if place.kind == "sqlite":
        schema = str(place.value("SELECT sql FROM sqlite_schema WHERE name = 'pubsub_item'"))
        place.execute(
            "DROP TABLE pubsub_item",
            schema.rstrip(") \n\t") + "), CHECK (size_bytes >= 0))",
            "CREATE TRIGGER theirs AFTER INSERT ON pubsub_item BEGIN SELECT 1; END",
        )
        check = "constraint without a name of pubsub_item"
    else:
        place.execute(
            "ALTER TABLE pubsub_item ADD CONSTRAINT positive CHECK (size_bytes >= 0)",
            "CREATE TRIGGER theirs BEFORE UPDATE ON pubsub_item"
            " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        )
        check = "constraint positive of pubsub_item"
    state = await database_state(place.url)
    assert (state.standing, state.found) == (Standing.CURRENT, ())
    assert state.extras == (check, "trigger theirs of pubsub_item")
    assert "is current" in str(await prepare_database(place.url))


async def test_what_the_library_cannot_read_of_others_is_an_extra_too(postgresql_url: str):
    place = Place(postgresql_url)
    await prepare_database(place.url)
    place.execute(
        "CREATE TYPE mood AS (a integer, b integer)",
        "ALTER TABLE pubsub_node ADD COLUMN mood mood",
        "CREATE INDEX theirs ON pubsub_node (lower(service))",
        "CREATE MATERIALIZED VIEW seen AS SELECT 1",
        "CREATE VIEW also_seen AS SELECT 1",
    )
    state = await database_state(place.url)
    assert state.standing is Standing.CURRENT
    assert "column pubsub_node.mood" in state.extras


async def test_a_long_list_is_cut(file: Place):
    await prepare_database(file.url)
    file.execute(*(f"CREATE TABLE stranger_{number} (id INTEGER)" for number in range(7)))
    (warning,) = (await database_state(file.url)).warnings
    assert warning.endswith("table stranger_4, and 2 more")
