"""The revisions themselves, run by the command as a developer runs it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from pubcellar.storage.migrate import migrations_directory

ROOT = Path(__file__).parents[2]
NODE = (
    "INSERT INTO pubsub_node (id, service, name, state, reason, subscription, generation,"
    " item_count, size_bytes, failures, created_at, state_changed_at)"
    " VALUES (1, 's', 'n', 'live', '', 'none', 1, 1, 1, 0, '2026-01-01', '2026-01-01')"
)
ITEM = (
    "INSERT INTO pubsub_item (node_id, generation, position, size_bytes, item_id, created_at,"
    " updated_at, xml) VALUES ({}, 1, 1, 1, 'a', '2026-01-01', '2026-01-01', '<item/>')"
)


def alembic(
    *arguments: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PUBCELLAR_")}
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=cwd,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def value(path: Path, query: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchone()[0]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose migrations may be added to."""
    project = tmp_path / "project"
    shutil.copytree(
        ROOT / "migrations", project / "migrations", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", project)
    return project


def test_there_is_exactly_one_head_and_every_revision_follows_the_one_before():
    scripts = ScriptDirectory(str(migrations_directory()))
    assert len(scripts.get_heads()) == 1
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == [f"{number:04}" for number in range(len(numbers), 0, -1)]


def test_every_revision_says_what_why_how_long_and_how_back():
    for script in ScriptDirectory(str(migrations_directory())).walk_revisions():
        for heading in ("What: ", "Why: ", "Locks and duration: ", "Rollback: "):
            assert heading in (script.module.__doc__ or ""), script.path


def test_models_and_migrations_agree():
    checked = alembic("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "throw-away" in checked.stderr


def test_down_to_base_and_up_again_with_rows(path: Path, url: str):
    for step in ("upgrade head", "downgrade base", "upgrade head", "check"):
        done = alembic(*step.split(), PUBCELLAR_DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        if step == "upgrade head":
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(NODE)
                connection.execute(ITEM.format(1))
        if step == "downgrade base":
            left = "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'"
            assert value(path, left) == "alembic_version"


def test_database_is_the_one_of_the_configuration_file(tmp_path: Path, path: Path, url: str):
    config = tmp_path / "pubcellar.toml"
    config.write_text(f'[database]\nurl = "{url}"\n[component]\nunknown = "not read here"\n')
    done = alembic("upgrade", "head", PUBCELLAR_CONFIG=str(config))
    assert done.returncode == 0, done.stderr
    assert value(path, "SELECT version_num FROM alembic_version") == "0001"


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "No such file"), ("[database", "Expected"), ("[component]", "has no [database] url")],
)
def test_unusable_configuration_file_is_named(tmp_path: Path, text: str | None, said: str):
    config = tmp_path / "pubcellar.toml"
    if text is not None:
        config.write_text(text)
    done = alembic("upgrade", "head", PUBCELLAR_CONFIG=str(config))
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert said in output
    assert str(config) in output
    assert "Traceback" not in output


def test_url_of_another_database_is_refused_without_its_password():
    done = alembic("check", PUBCELLAR_DATABASE_URL="postgresql://user:hush@host/name")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "holds its cache in SQLite" in output
    assert "hush" not in output
    assert "Traceback" not in output


def test_new_revision_is_numbered_and_holds_what_the_models_gained(project: Path):
    first = next((project / "migrations/versions").glob("0001_*.py"))
    text = first.read_text()
    for column in ('"traits", JSON', '"info_fetched_at", TIME'):
        start = text.index(f"        sa.Column({column}")
        text = text[:start] + text[text.index("\n", start) + 1 :]
    first.write_text(text)
    made = alembic("revision", "--autogenerate", "-m", "what was left out", cwd=project)
    assert made.returncode == 0, made.stderr
    second = (project / "migrations/versions/0002_what_was_left_out.py").read_text()
    assert 'down_revision = "0001"' in second
    assert "sa.DateTime(timezone=True)" in second
    assert "postgresql.JSONB(none_as_null=True)" in second
    assert "import pubcellar" not in second
    compile(second, "0002", "exec")
    empty = alembic("revision", "-m", "by hand", cwd=project)
    assert empty.returncode == 0, empty.stderr
    assert (project / "migrations/versions/0003_by_hand.py").exists()


class TestRebuiltTables:
    """SQLite changes a table by copying it, dropping it and renaming the copy."""

    REVISION = (
        '"""Rebuild the nodes."""\n'
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        'revision, down_revision = "0002", "0001"\n'
        "def upgrade():\n"
        '    with op.batch_alter_table("pubsub_node", recreate="always") as batch:\n'
        '        batch.add_column(sa.Column("extra", sa.String(), nullable=True))\n'
        "{more}"
        "def downgrade():\n"
        '    with op.batch_alter_table("pubsub_node") as batch:\n'
        '        batch.drop_column("extra")\n'
    )

    def _at_first(self, project: Path, path: Path, url: str, more: str = "") -> None:
        done = alembic("upgrade", "head", cwd=project, PUBCELLAR_DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(NODE)
            connection.execute(ITEM.format(1))
        script = self.REVISION.format(more=more)
        (project / "migrations/versions/0002_rebuild.py").write_text(script)

    def test_items_outlive_their_nodes_being_rebuilt(self, project: Path, path: Path, url: str):
        self._at_first(project, path, url)
        for step in ("upgrade head", "downgrade 0001"):
            done = alembic(*step.split(), cwd=project, PUBCELLAR_DATABASE_URL=url)
            assert done.returncode == 0, done.stderr
            assert value(path, "SELECT count(*) FROM pubsub_item") == 1
        schema = str(value(path, "SELECT sql FROM sqlite_schema WHERE name = 'pubsub_node'"))
        assert "ck_pubsub_node_state" in schema

    def test_migration_that_leaves_orphans_is_rolled_back(
        self, project: Path, path: Path, url: str
    ):
        self._at_first(project, path, url, '    op.execute("DELETE FROM pubsub_node")\n')
        done = alembic("upgrade", "head", cwd=project, PUBCELLAR_DATABASE_URL=url)
        assert done.returncode != 0
        assert "would refer to missing ones" in done.stdout + done.stderr
        assert value(path, "SELECT count(*) FROM pubsub_node") == 1
        assert value(path, "SELECT version_num FROM alembic_version") == "0001"
