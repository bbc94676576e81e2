"""Which databases in PostgreSQL are refused, in which words, and where passwords are."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from store_values import NOW, node

from pubcellar.core.errors import DatabaseRefused, StoreUnavailable
from pubcellar.storage import database_state, open_store, prepare_database
from pubcellar.storage.databases import database_named
from throw_away_postgresql import LOCKED_USER, ThrowAwayPostgresql

pytestmark = pytest.mark.filterwarnings("error")


class TestRefusedDatabases:
    """Each with one sentence that says what was found and what to do, and never the password."""

    async def test_missing_database(self, postgresql: ThrowAwayPostgresql):
        said = await self._said(postgresql.url("missing"))
        assert 'database "missing" does not exist' in said
        assert "createdb" in said

    async def test_missing_user(self, postgresql: ThrowAwayPostgresql):
        said = await self._said(postgresql.url("postgres", "nobody:hush"))
        assert 'role "nobody" does not exist' in said
        assert "nobody:***@" in said

    async def test_missing_server(self):
        said = await self._said("postgresql://user:hush@/name?host=/nowhere/postgresql")
        assert "cannot be reached" in said
        assert "/nowhere/postgresql" in said
        assert "see to it that the server runs" in said

    async def test_wrong_password(self, postgresql: ThrowAwayPostgresql, locked_user: str):
        said = await self._said(postgresql.url("postgres", f"{LOCKED_USER}:hush"))
        assert "password authentication failed" in said

    async def test_missing_password(self, postgresql: ThrowAwayPostgresql, locked_user: str):
        assert "no password supplied" in await self._said(postgresql.url("postgres", LOCKED_USER))

    async def test_user_who_may_not_make_tables(self, postgresql: ThrowAwayPostgresql):
        """The commonest mistake since PostgreSQL 15."""
        postgresql.execute("CREATE ROLE stranger LOGIN")
        with postgresql.database() as name:
            said = await self._said(postgresql.url(name, "stranger"), prepare_database)
            assert "permission denied for schema public" in said
            postgresql.execute(f"ALTER DATABASE {name} OWNER TO stranger")
            assert "was created" in str(await prepare_database(postgresql.url(name, "stranger")))

    async def test_encoding_that_cannot_hold_every_character(self, postgresql: ThrowAwayPostgresql):
        options = "ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
        name = postgresql.create_database("template0", options)
        said = await self._said(postgresql.url(name))
        assert f"{name} has the encoding LATIN1" in said
        assert "createdb --encoding=UTF8" in said

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("postgresql://user:hush@host", "lacks the database's name"),
            ("postgresql://user:hush@host/name?sslmod=hush", 'invalid connection option "sslmod"'),
            ("postgresql://host/name?sslmode=hush&sslmode=hush", "sslmode more than once"),
            ("postgresql://host/name?host=hush:hush&host=b", "hosts and ports"),
            ("postgresql://user:hush@host:hush/name", "not a database URL"),
        ],
    )
    async def test_url_that_cannot_be_one(self, url: str, problem: str):
        assert problem in await self._said(url, database_state, prepare_database, open_store)

    async def test_missing_driver(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        monkeypatch.delitem(sys.modules, "pubcellar.storage.patient_connection")
        said = await self._said("postgresql://user:hush@host/name")
        assert "pip install 'pubcellar[postgresql]'" in said

    async def _said(self, url: str, *functions: Callable[[str], Any]) -> str:
        """Return what all of the functions say, after looking at what is common to them."""
        for function in functions or (database_state, prepare_database):
            with pytest.raises(DatabaseRefused) as caught:
                await function(url)
        said = str(caught.value)
        assert said.startswith("[database] url: ")
        assert "\n" not in said
        assert "hush" not in said
        return said


@pytest.fixture
def locked_user(postgresql: ThrowAwayPostgresql) -> Iterator[str]:
    """Make the user who needs a password, and return that."""
    password = "p@ss:w/rd"
    postgresql.execute(f"CREATE ROLE {LOCKED_USER} LOGIN PASSWORD '{password}'")
    yield password
    postgresql.execute(f"DROP ROLE {LOCKED_USER}")


class TestPassword:
    async def test_in_the_url(self, postgresql: ThrowAwayPostgresql, locked_user: str):
        url = postgresql.url("postgres", f"{LOCKED_USER}:p%40ss%3Aw%2Frd")
        assert "is empty" in str(await database_state(url))
        for shown in (str(database_named(url)), repr(database_named(url))):
            assert "p%40ss" not in shown
            assert locked_user not in shown
        elsewhere = database_named("postgresql://user@host/name?password=hush&port=5433")
        assert str(elsewhere) == "postgresql://user@host/name?port=5433"

    async def test_in_the_environment(
        self,
        postgresql: ThrowAwayPostgresql,
        locked_user: str,
        monkeypatch: pytest.MonkeyPatch,
    ):
        monkeypatch.setenv("PGPASSWORD", locked_user)
        url = postgresql.url("postgres", LOCKED_USER)
        assert "is empty" in str(await database_state(url))

    async def test_is_in_no_failure(self, postgresql: ThrowAwayPostgresql, locked_user: str):
        store = await open_store(postgresql.url("postgres", f"{LOCKED_USER}:hush"))
        with pytest.raises(StoreUnavailable) as caught:
            await store.save_node(node(last_read_at=NOW))
        error: BaseException | None = caught.value
        while error is not None:
            assert "hush" not in f"{error} {error!r} {error.args}"
            error = error.__cause__ or error.__context__
        await store.close()
