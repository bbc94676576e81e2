"""A migration that is killed leaves the database as it was, or done; the next one ends."""

import subprocess
import sys
from pathlib import Path

import pytest
from places import Newer, Place, environment

DYING = Path(__file__).with_name("dying.py")

REBUILD = (
    'rebuild = "always" if op.get_bind().dialect.name == "sqlite" else "never"\n'
    'with op.batch_alter_table("pubsub_node", recreate=rebuild) as batch:\n'
    '    batch.add_column(sa.Column("extra", sa.String(), nullable=True))'
)
BACK = 'with op.batch_alter_table("pubsub_node") as batch:\n    batch.drop_column("extra")'
DATA = "op.execute(\"UPDATE pubsub_node SET extra = 'x'\")"

EXPECTED = {
    "create": ("CREATE TABLE pubsub_item", "INSERT INTO alembic_version", "CREATE INDEX"),
    "upgrade": ("UPDATE pubsub_node", "UPDATE alembic_version"),
    "downgrade": ("UPDATE alembic_version",),
}
EXPECTED_ON_FILES = {
    "create": ("touch", "BEGIN IMMEDIATE"),
    "upgrade": ("open", "fsync", "replace", "DROP TABLE pubsub_node", "ALTER TABLE _alembic_tmp"),
    "downgrade": ("open", "fsync", "replace", "DROP TABLE pubsub_node"),
}


@pytest.mark.parametrize("scenario", list(EXPECTED))
def test_killed_before_each_step_it_leaves_a_database_that_can_be_gone_on_with(
    place: Place, newer: Newer, scenario: str
):
    newer.add(REBUILD, BACK)
    newer.add(DATA)
    done = subprocess.run(
        [sys.executable, str(DYING), scenario, place.url, str(newer.directory)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = done.stdout.splitlines()
    expected = (*EXPECTED[scenario], "do_commit", "after the commit")
    if place.kind == "sqlite":
        expected += EXPECTED_ON_FILES[scenario]
    for step in expected:
        assert any(each.startswith(step) for each in steps), steps
