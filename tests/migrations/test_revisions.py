"""The revisions themselves, run by the command as a developer runs it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from places import ROWS, TABLES, Place, environment

from pubcellar.config.settings import DatabaseSettings
from pubcellar.storage import Standing, database_state, prepare_database
from pubcellar.storage.revisions import Revisions, known_revisions, migrations_directory

ROOT = Path(__file__).parents[2]


def alembic(
    *arguments: str, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
    )


def done(*arguments: str, cwd: Path = ROOT, **variables: str) -> None:
    process = alembic(*arguments, cwd=cwd, **variables)
    assert process.returncode == 0, process.stdout + process.stderr


def refused(*arguments: str, cwd: Path = ROOT, **variables: str) -> str:
    """Return what a command that fails says, which is no traceback."""
    process = alembic(*arguments, cwd=cwd, **variables)
    said = process.stdout + process.stderr
    assert process.returncode != 0, said
    assert "Traceback" not in said
    return said


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose migrations may be added to."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(
        ROOT / "migrations", project / "migrations", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", project)
    return project


class TestForm:
    def test_there_is_one_line_of_revisions_in_the_order_of_their_numbers(self):
        numbers = [revision.number for revision in Revisions(migrations_directory()).all]
        assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]

    def test_every_revision_says_what_why_how_long_and_how_back(self):
        for script in ScriptDirectory(str(migrations_directory())).walk_revisions():
            for heading in ("What: ", "Why: ", "Locks and duration: ", "Rollback: "):
                assert heading in (script.module.__doc__ or ""), script.path

    def test_no_revision_imports_the_package_which_goes_on_changing(self):
        for script in ScriptDirectory(str(migrations_directory())).walk_revisions():
            assert not re.search(r"(?m)^\s*(from|import) pubcellar", Path(script.path).read_text())

    def test_branches_are_refused(self, project: Path):
        text = (project / "migrations/versions/0001_first_schema.py").read_text()
        other = text.replace('"0001"', '"0004"')
        (project / "migrations/versions/0004_other.py").write_text(other)
        with pytest.raises(ValueError, match="must follow one another in one line"):
            Revisions(project / "migrations")


class TestUpAndDown:
    def test_empty_to_head_and_back_with_rows_without_a_difference_to_the_models(
        self, place: Place
    ):
        url = {"PUBCELLAR_DATABASE_URL": place.url}
        done("upgrade", "head", **url)
        assert place.tables() == TABLES
        place.execute(*ROWS)
        for _ in known_revisions().all:
            done("downgrade", "-1", **url)
        assert place.tables() == {"alembic_version"}
        done("upgrade", "head", **url)
        done("check", **url)

    def test_models_and_migrations_agree_on_a_throw_away_database(self):
        checked = alembic("check")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "throw-away" in checked.stderr

    def test_new_revision_is_numbered_and_written_from_the_models(
        self, project: Path, place: Place
    ):
        first = project / "migrations/versions/0001_first_schema.py"
        text = first.read_text()
        for column in ('"traits", JSON', '"info_fetched_at", TIME'):
            start = text.index(f"        sa.Column({column}")
            text = text[:start] + text[text.index("\n", start) + 1 :]
        first.write_text(text)
        url = {"PUBCELLAR_DATABASE_URL": place.url}
        done("upgrade", "0003", cwd=project, **url)
        # What is missing is what is to be written.
        done("revision", "--autogenerate", "-m", "what was left out", cwd=project, **url)
        second = (project / "migrations/versions/0004_what_was_left_out.py").read_text()
        assert 'down_revision = "0003"' in second
        assert "sa.DateTime(timezone=True)" in second
        assert "postgresql.JSONB(none_as_null=True)" in second
        assert "import pubcellar" not in second
        done("upgrade", "head", cwd=project, **url)
        done("check", cwd=project, **url)
        done("revision", "-m", "by hand", cwd=project)
        assert (project / "migrations/versions/0005_by_hand.py").exists()


class TestWhichDatabase:
    def test_it_is_the_one_of_the_configuration_file(self, tmp_path: Path, postgresql_url: str):
        place = Place(postgresql_url)
        config = tmp_path / "pubcellar.toml"
        config.write_text(f'[database]\nurl = "{place.url}"\n[component]\nunknown = "not read"\n')
        done("upgrade", "head", PUBCELLAR_CONFIG=str(config))
        assert place.value("SELECT version_num FROM alembic_version") == "0003"

    @pytest.mark.parametrize("text", ['[database]\nurl = "sqlite:///cache.db"', ""])
    def test_relative_path_and_default_begin_at_that_file(self, file: Place, text: str):
        config = file.path.with_name("pubcellar.toml")
        config.write_text(text)
        done("upgrade", "head", PUBCELLAR_CONFIG=str(config))
        assert file.value("SELECT version_num FROM alembic_version") == "0003"
        assert DatabaseSettings.model_fields["url"].default == "sqlite:///cache.db"

    def test_url_of_the_environment_wins(self, tmp_path_factory, file: Place):
        other = tmp_path_factory.mktemp("other") / "pubcellar.toml"
        other.write_text("")
        done("upgrade", "head", PUBCELLAR_CONFIG=str(other), PUBCELLAR_DATABASE_URL=file.url)
        assert file.tables() == TABLES
        assert [path.name for path in other.parent.iterdir()] == ["pubcellar.toml"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (None, "No such file"),
            ("[database]\nurl = 'mysql://a:hunter2@b/c'", "must be the URL of a database"),
        ],
    )
    def test_unusable_configuration_file_is_named(
        self, tmp_path: Path, text: str | None, said: str
    ):
        config = tmp_path / "pubcellar.toml"
        if text is not None:
            config.write_text(text)
        output = refused("upgrade", "head", PUBCELLAR_CONFIG=str(config))
        assert said in output
        assert str(config) in output
        assert "hunter2" not in output

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("oracle://scott:tiger@host/db", "is no kind of database that Pubcellar knows"),
            ("sqlite:////nowhere/at/all.db", "there is no directory /nowhere/at"),
            ("postgresql://nobody@/nothing?host=/nowhere", "cannot be reached"),
        ],
    )
    def test_unusable_url_is_explained_without_its_password(self, url: str, said: str):
        output = refused("upgrade", "head", PUBCELLAR_DATABASE_URL=url)
        assert said in output
        assert "tiger" not in output


class TestNoHarm:
    """What is not ours, or newer, is left alone by a developer's command too."""

    def test_database_of_others_is_left_alone(self, project: Path, file: Place):
        file.execute("CREATE TABLE strangers (id INTEGER)")
        before = file.contents()
        url = {"PUBCELLAR_DATABASE_URL": file.url}
        for command in ("upgrade head", "downgrade base", "revision --autogenerate -m x"):
            assert "did not make (strangers)" in refused(*command.split(), cwd=project, **url)
        assert file.contents() == before

    async def test_newer_database_is_left_alone(self, place: Place):
        url = {"PUBCELLAR_DATABASE_URL": place.url}
        await prepare_database(place.url)
        place.execute("UPDATE alembic_version SET version_num = '0417'")
        before = place.contents()
        assert "start the newer Pubcellar" in refused("upgrade", "head", **url)
        assert place.contents() == before

    async def test_database_whose_revision_got_lost_can_be_stamped(self, file: Place):
        url = {"PUBCELLAR_DATABASE_URL": file.url}
        await prepare_database(file.url)
        file.execute("DELETE FROM alembic_version")
        assert "does not say of which revision" in refused("upgrade", "head", **url)
        done("stamp", "head", **url)
        assert (await database_state(file.url)).standing is Standing.CURRENT


class TestRebuiltTables:
    """SQLite changes a table by copying it, dropping it and renaming the copy."""

    REVISION = (
        '"""Rebuild the nodes."""\n'
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        'revision, down_revision = "0004", "0003"\n'
        "def upgrade():\n"
        '    with op.batch_alter_table("pubsub_node", recreate="always") as batch:\n'
        '        batch.add_column(sa.Column("extra", sa.String(), nullable=True))\n'
        "{more}"
        "def downgrade():\n"
        '    with op.batch_alter_table("pubsub_node") as batch:\n'
        '        batch.drop_column("extra")\n'
    )

    def _at_first(self, project: Path, file: Place, more: str = "") -> dict[str, str]:
        url = {"PUBCELLAR_DATABASE_URL": file.url}
        done("upgrade", "head", cwd=project, **url)
        file.execute(*ROWS)
        script = self.REVISION.format(more=more)
        (project / "migrations/versions/0004_rebuild.py").write_text(script)
        return url

    def test_items_outlive_their_nodes_being_rebuilt(self, project: Path, file: Place):
        url = self._at_first(project, file)
        for step in ("upgrade head", "downgrade 0003"):
            done(*step.split(), cwd=project, **url)
            assert file.value("SELECT count(*) FROM pubsub_item") == 3
        schema = str(file.value("SELECT sql FROM sqlite_schema WHERE name = 'pubsub_node'"))
        assert "ck_pubsub_node_state" in schema

    def test_migration_that_leaves_orphans_is_rolled_back(self, project: Path, file: Place):
        more = '    op.execute("DELETE FROM pubsub_node")\n'
        url = self._at_first(project, file, more)
        said = refused("upgrade", "head", cwd=project, **url)
        assert "would refer to missing ones" in said
        assert file.value("SELECT count(*) FROM pubsub_node") == 1
        assert file.value("SELECT version_num FROM alembic_version") == "0003"
