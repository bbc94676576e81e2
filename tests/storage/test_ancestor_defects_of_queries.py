"""What the cache before this one, inside a client, asked its database, and should not have.

What its clients noticed stands in tests/scenarios/test_ancestor_defects.py.
"""

import ast
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import Engine
from store_values import ALL, SERVICE, hold, item, node

import pubcellar
from pubcellar.core.records import ParsedItem
from pubcellar.core.values import Item, NodeKey, PageRequest
from pubcellar.storage import PubsubItem, PubsubNode, SqlStore

SMALL, LARGE = 200, 4_000
SPARE = 60
"""Rows, or steps of SQLite's machine, by which pages may differ for their place in a B-tree."""


class Statements:
    """Notes what is asked of a database, and counts what it has to look at for that."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._noted: list[tuple[str, Any]] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the SELECT statements of a block, and nothing else."""
        self._noted.clear()
        event.listen(Engine, "before_cursor_execute", self._note)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self._note)

    def _note(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            self._noted.append((statement, parameters))

    @property
    def number(self) -> int:
        return len(self._noted)

    def work(self) -> int:
        """Return how many steps (SQLite) or rows (PostgreSQL) they cost, when asked again."""
        if self._url.startswith("sqlite"):
            with closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as database:
                return sum(_steps(database, *one) for one in self._noted)
        with psycopg.connect(self._url) as database:
            return sum(_rows(database, *one) for one in self._noted)


def _steps(database: sqlite3.Connection, statement: str, parameters: Any) -> int:
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    database.set_progress_handler(step, 1)
    database.execute(statement, parameters).fetchall()
    database.set_progress_handler(None, 0)
    return taken


def _rows(database: "psycopg.Connection[Any]", statement: str, parameters: Any) -> int:
    [[plan]] = database.execute(
        f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters
    ).fetchall()
    found = json.loads(plan) if isinstance(plan, str) else plan
    return _rows_of(found[0]["Plan"])


def _rows_of(plan: dict[str, Any]) -> int:
    removed = sum(number for name, number in plan.items() if name.startswith("Rows Removed"))
    own = int((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    return own + sum(map(_rows_of, plan.get("Plans", ())))


def middle(size: int) -> str:
    return f"id{size // 2}"


PAGES = {
    "the first": lambda size: PageRequest(max=20),
    "the last": lambda size: PageRequest(max=20, before=""),
    "after one in the middle": lambda size: PageRequest(max=20, after=middle(size)),
    "before one in the middle": lambda size: PageRequest(max=20, before=middle(size)),
    "from the middle": lambda size: PageRequest(max=20, index=size // 2),
}


class TestPaging:
    @pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
    async def test_a_page_costs_the_same_however_many_items_there_are(
        self, store: SqlStore, database_url: str, newest_first: bool
    ) -> None:
        """For each page all the items of its node were numbered, and counted."""
        keys = {size: NodeKey(SERVICE, f"of {size}") for size in (SMALL, LARGE)}
        for size, key in keys.items():
            await hold(store, [f"id{number}" for number in range(size)], node(key))
        statements = Statements(database_url)
        for name, asked in PAGES.items():
            work: list[int] = []
            numbers: list[int] = []
            for size, key in keys.items():
                with statements.noted():
                    page = await store.page(
                        key, asked(size), newest_first=newest_first, max_bytes=ALL
                    )
                assert (len(page.items), page.count) == (20, size)
                numbers.append(statements.number)
                work.append(statements.work())
            assert numbers[0] == numbers[1], name
            assert work[1] <= work[0] + SPARE, name


class TestParsed:
    KEYS = ("plain", "with.dot", "it's", "$[0]", "", "ünï/code", "a b")

    async def test_any_key_can_be_asked_for(self, store: SqlStore) -> None:
        """Paths were put together from strings: a dot or a quote in a key broke the request."""
        key = NodeKey(SERVICE, "parsed")
        content = [
            item(f"i{number}", parsed={name: f"value {number}"}, parsed_by="x/1")
            for number, name in enumerate(self.KEYS)
        ]
        # What no parser made anything of, and what has another form, stands beside it.
        content += [item("raw"), item("deep", parsed={"with": {"dot": "no"}}, parsed_by="x/1")]
        await _hold(store, key, content)
        async with store.session() as session:
            for number, name in enumerate(self.KEYS):
                value = PubsubItem.parsed[name].as_string()
                query = select(PubsubItem.item_id).where(value == f"value {number}")
                assert (await session.scalars(query)).all() == [f"i{number}"], name

    @pytest.mark.parametrize("name", ['with "quotes"', "with\\backslash"])
    async def test_a_key_that_json_escapes_breaks_nothing(
        self, store: SqlStore, database_url: str, name: str
    ) -> None:
        """Such a key broke the request; SQLite has no way to write it, and finds nothing."""
        key = NodeKey(SERVICE, "parsed")
        await _hold(store, key, [item("i1", parsed={name: "x"}, parsed_by="x/1"), item("raw")])
        query = select(PubsubItem.item_id).where(PubsubItem.parsed[name].as_string() == "x")
        async with store.session() as session:
            found = (await session.scalars(query)).all()
        assert found == ([] if database_url.startswith("sqlite") else ["i1"])


class TestJoins:
    async def test_columns_that_both_tables_have_are_told_apart(self, store: SqlStore) -> None:
        """`filter_by` behind a join is ambiguous to SQLAlchemy 2.1."""
        first, second = NodeKey(SERVICE, "first"), NodeKey(SERVICE, "second")
        await _hold(store, first, [item("a"), item("b")])
        await _hold(store, second, [item("c")])
        query = (
            select(PubsubItem.item_id, PubsubItem.size_bytes, PubsubNode.size_bytes)
            .select_from(PubsubNode)
            .join(PubsubNode.items)
            .where(PubsubNode.name == "first", PubsubItem.generation == PubsubNode.generation)
            .order_by(PubsubItem.position)
        )
        async with store.session() as session:
            rows = (await session.execute(query)).all()
        of_one = item("a").item.size_bytes
        assert [tuple(row) for row in rows] == [
            ("a", of_one, 2 * of_one),
            ("b", of_one, 2 * of_one),
        ]

    def test_nothing_here_filters_by_a_bare_name(self) -> None:
        """The idiom that broke."""
        package = Path(pubcellar.__file__).parent
        calls = [
            f"{path.name}:{found.lineno}"
            for path in package.rglob("*.py")
            for found in ast.walk(ast.parse(path.read_text()))
            if isinstance(found, ast.Attribute) and found.attr == "filter_by"
        ]
        assert calls == []


async def _hold(store: SqlStore, key: NodeKey, content: list[ParsedItem]) -> None:
    await store.save_node(node(key))
    await store.stage(key, content)
    items: list[Item] = [one.item for one in content]
    await store.publish_staged(node(key), [one.item_id for one in items])
