"""Compares the tables of a database with the models: what is missing, and what others added.

Says nothing of comments, nor of defaults but those of keys: we have none, and others' do no harm. A
check constraint is compared by its name, by the values in it and by whether it is negated, since
every kind of database spells the rest in its own way. Lengths of strings are not compared: `probe`
finds those that matter.
"""

import re
import warnings
from dataclasses import dataclass
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Column, Connection, Table, inspect
from sqlalchemy.engine import Dialect, Inspector

from pubcellar.storage.models import Base

VERSION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class Drift:
    """How a database differs from the models; each difference is a clause of a sentence.

    Attributes:
        broken: what of ours is missing or different.
        extras: what is there besides.
    """

    broken: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def our_tables() -> frozenset[str]:
    """Return the names of the tables that the models describe."""
    return frozenset(Base.metadata.tables)


def drift(connection: Connection) -> Drift:
    """Return how the database differs from the models; reads its catalogue alone."""
    broken: list[str] = []
    extras: list[str] = []
    inspector = inspect(connection)
    names = set(inspector.get_table_names())
    with warnings.catch_warnings():
        # Of others' columns and indexes that the library cannot read: they are extras anyway.
        warnings.simplefilter("ignore")
        for difference in _differences(connection):
            _sort(difference, connection.dialect, broken, extras)
        for table in Base.metadata.sorted_tables:
            if table.name in names:
                broken += _keys_and_checks(inspector, table)
                broken += _partial_indexes(inspector, table)
                broken += _keys_that_do_not_count(connection, inspector, table)
                extras += _checks_of_others(inspector, table)
    extras += [f"trigger {name} of {table}" for name, table in _triggers(connection)]
    others = sorted(names - our_tables() - {VERSION_TABLE})
    extras += [f"table {name}" for name in others]
    # An index or constraint of ours that is different shows as missing, and as one too many.
    extras = [extra for extra in extras if f"{extra} is missing or different" not in broken]
    return Drift(tuple(sorted(broken)), tuple(sorted(extras)))


def _differences(connection: Connection) -> list[Any]:
    ours = our_tables()

    def is_compared(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "table" or name in ours

    context = MigrationContext.configure(connection, opts={"include_name": is_compared})
    found = compare_metadata(context, Base.metadata)
    # What differs in one column comes as a list of its own.
    return [each for one in found for each in (one if isinstance(one, list) else [one])]


def _sort(difference: Any, dialect: Dialect, broken: list[str], extras: list[str]) -> None:
    """Add to one of the lists what an operation of Alembic's would bring the models' way."""
    kind = difference[0]
    if kind == "add_table":
        broken.append(f"table {difference[1].name} is missing")
    elif kind == "add_column":
        broken.append(f"column {difference[2]}.{difference[3].name} is missing")
    elif kind == "remove_column":
        name, column = f"column {difference[2]}.{difference[3].name}", difference[3]
        if _can_be_left_out(column):
            extras.append(name)
        else:
            broken.append(f"{name}, which is not ours, must have a value")
    elif kind == "modify_type":
        _, _, table, column, _, old, new = difference
        broken.append(
            f"column {table}.{column} is {old.compile(dialect)} instead of {new.compile(dialect)}"
        )
    elif kind == "modify_nullable":
        _, _, table, column, _, old, _ = difference
        broken.append(f"column {table}.{column} may {'' if old else 'not '}be NULL")
    elif kind in ("add_index", "add_constraint", "add_fk"):
        broken.append(f"{_named(difference[1])} is missing or different")
    elif kind in ("remove_index", "remove_constraint", "remove_fk"):
        extras.append(_named(difference[1]))


def _can_be_left_out(column: Column[Any]) -> bool:
    return bool(
        column.nullable or column.server_default is not None or column.computed or column.identity
    )


def _named(part: Any) -> str:
    kind = "index" if part.__visit_name__ == "index" else "constraint"
    return f"{kind} {part.name} of {part.table.name}"


def _keys_and_checks(inspector: Inspector, table: Table) -> list[str]:
    """Return what Alembic does not compare."""
    broken = []
    ours = [column.name for column in table.primary_key]
    if inspector.get_pk_constraint(table.name)["constrained_columns"] != ours:
        broken.append(f"primary key of {table.name} is missing or different")
    found = {
        check["name"]: check["sqltext"] for check in inspector.get_check_constraints(table.name)
    }
    for check in table.constraints:
        if isinstance(check, CheckConstraint):
            name = str(check.name)
            if name not in found or _gist(found[name]) != _gist(str(check.sqltext)):
                broken.append(f"constraint {name} of {table.name} is missing or different")
    return broken


def _gist(condition: str) -> tuple[set[str], bool]:
    """Return the values in a condition, and whether it is negated."""
    quoted = r"'([^']*)'"
    rest = re.sub(quoted, "", condition)
    is_negated = re.search(r"\bNOT\b|<>|!=", rest, re.IGNORECASE) is not None
    return set(re.findall(quoted, condition)), is_negated


def _checks_of_others(inspector: Inspector, table: Table) -> list[str]:
    ours = {str(check.name) for check in table.constraints if isinstance(check, CheckConstraint)}
    return [
        f"constraint {check['name'] or 'without a name'} of {table.name}"
        for check in inspector.get_check_constraints(table.name)
        if check["name"] not in ours
    ]


def _partial_indexes(inspector: Inspector, table: Table) -> list[str]:
    """Return our indexes that hold a part of the rows alone; we have none such."""
    ours = {index.name for index in table.indexes}
    return [
        f"index {index['name']} of {table.name} holds a part of the rows alone"
        for index in inspector.get_indexes(table.name)
        if index["name"] in ours
        and any(option.endswith("_where") for option in index.get("dialect_options", {}))
    ]


def _keys_that_do_not_count(
    connection: Connection, inspector: Inspector, table: Table
) -> list[str]:
    """Return the key of the table if the database does not number its rows."""
    keys = {column.name for column in table.primary_key}
    if connection.dialect.name == "sqlite":
        # It does so only where the type is exactly this.
        types = connection.exec_driver_sql(f"SELECT name, type FROM pragma_table_info('{table}')")
        without = {name for name, kind in types if kind.upper() != "INTEGER"}
    else:
        without = {
            column["name"]
            for column in inspector.get_columns(table.name)
            if not column.get("identity") and not column["default"]
        }
    return [f"column {table.name}.{name} does not number the rows" for name in keys & without]


def _triggers(connection: Connection) -> list[tuple[str, str]]:
    """Return the names of the triggers on our tables, each with its table's."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger'"
    else:
        query = (
            "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
        )
    rows = connection.exec_driver_sql(query)
    return [(name, table) for name, table in rows if table in our_tables()]
