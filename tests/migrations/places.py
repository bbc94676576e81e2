"""A database of either kind as its administrator sees it, beside everything of Pubcellar's."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from pubcellar.storage.revisions import migrations_directory

TABLES = {
    "alembic_version",
    "iq_permission",
    "pubsub_item",
    "pubsub_node",
    "pubsub_service",
    "user_subscription",
}

NODE = (
    "INSERT INTO pubsub_node (id, service, name, state, reason, subscription, generation,"
    " item_count, size_bytes, failures, created_at, state_changed_at)"
    " VALUES (1, 's', 'n', 'live', '', 'none', 1, 3, 3, 0, '2026-01-01', '2026-01-01')"
)
ITEM = (
    "INSERT INTO pubsub_item (id, node_id, generation, position, size_bytes, item_id, created_at,"
    " updated_at, xml) VALUES ({0}, 1, 1, {0}, 1, 'i{0}', '2026-01-01', '2026-01-01', '<item/>')"
)
ROWS = (NODE, *(ITEM.format(number) for number in (1, 2, 3)))


class Place:
    """One database, of which there need not be anything yet.

    Attributes:
        url: what `[database] url` says.
        kind: `sqlite` or `postgresql`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.kind = url.partition(":")[0]

    def __str__(self) -> str:
        """Return how messages name it."""
        return str(self.path) if self.kind == "sqlite" else self.url

    @property
    def path(self) -> Path:
        """The SQLite file."""
        assert self.kind == "sqlite"
        return Path(self.url.removeprefix("sqlite:///"))

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Give the driver's connection, in a transaction that has begun to write."""
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
        else:
            with psycopg.connect(self.url) as connection:
                yield connection

    def execute(self, *statements: str) -> None:
        with self.transaction() as connection:
            for statement in statements:
                connection.execute(statement)
            if self.kind == "postgresql":
                self._move_on_keys(connection, statements)

    def _move_on_keys(self, connection: Any, statements: tuple[str, ...]) -> None:
        """Let the tables go on behind the keys that rows were inserted with."""
        for table in TABLES - {"alembic_version"}:
            if any(statement.startswith(f"INSERT INTO {table} (id") for statement in statements):
                sequence = f"pg_get_serial_sequence('{table}', 'id')"
                connection.execute(f"SELECT setval({sequence}, max(id)) FROM {table}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.kind == "sqlite":
            with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def value(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def tables(self) -> set[str]:
        if self.kind == "sqlite":
            query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        else:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return {name for (name,) in self.rows(query)}

    def columns(self, table: str) -> set[str]:
        if self.kind == "sqlite":
            query = f"SELECT name FROM pragma_table_info('{table}')"
        else:
            query = f"SELECT column_name FROM information_schema.columns WHERE table_name='{table}'"
        return {name for (name,) in self.rows(query)}

    def everything(self) -> object:
        """Return what must be the same again if nothing was changed."""
        if self.kind == "sqlite":
            files = sorted(file for file in self.path.parent.iterdir() if file.is_file())
            return {file.name: file.read_bytes() for file in files}
        columns = (
            "SELECT table_name, column_name, data_type, is_nullable FROM"
            " information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        rows = {table: self.rows(f'SELECT * FROM "{table}"') for table in sorted(self.tables())}
        return self.rows(columns), self.rows(indexes), rows

    def contents(self) -> object:
        """Return the tables and the rows that are there, however the kind keeps them."""
        return {
            table: (sorted(self.columns(table)), sorted(self.rows(f'SELECT * FROM "{table}"')))
            for table in self.tables()
        }


class Newer:
    """The migrations of a version that has more of them.

    Attributes:
        directory: where they are.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(
            migrations_directory(), directory, ignore=shutil.ignore_patterns("__pycache__")
        )
        self._number = len(list((directory / "versions").glob("0*.py")))

    def add(self, upgrade: str, downgrade: str = "pass", what: str = "More.") -> str:
        """Add a revision, given what its functions do, and return its number."""
        below, self._number = f"{self._number:04}", self._number + 1
        number = f"{self._number:04}"
        lines = [
            f'"""{what}\n\nLocks and duration: a moment.\nRollback: none.\n"""',
            "import sqlalchemy as sa",
            "from alembic import op",
            f'revision, down_revision = "{number}", "{below}"',
            "def upgrade():",
            *(f"    {line}" for line in upgrade.splitlines()),
            "def downgrade():",
            *(f"    {line}" for line in downgrade.splitlines()),
        ]
        (self.directory / f"versions/{number}_more.py").write_text("\n".join(lines) + "\n")
        return number

    def add_column(self) -> str:
        """Add the revision that most tests need: a column and a table more."""
        return self.add(
            'op.add_column("pubsub_node", sa.Column("extra", sa.String()))\n'
            'op.create_table("more", sa.Column("id", sa.Integer(), primary_key=True))',
            'op.drop_table("more")\n'
            'with op.batch_alter_table("pubsub_node") as batch:\n'
            '    batch.drop_column("extra")',
            what="Room for more.",
        )


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a process that must not know the developer's own database."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PUBCELLAR_")}
    return inherited | variables
