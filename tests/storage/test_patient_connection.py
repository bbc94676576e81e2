"""A connection gives up in time, whatever else does not answer, and without a word in the loop."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from store_values import KEY

from pubcellar.core.errors import StoreUnavailable
from pubcellar.storage import open_store
from pubcellar.storage import patient_connection as module
from pubcellar.storage import postgresql as postgresql_module
from pubcellar.storage.patient_connection import PatientConnection, connect
from throw_away_postgresql import ThrowAwayPostgresql


class TestNameServerThatIsSilent:
    @pytest.fixture(autouse=True)
    def silent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def getaddrinfo(*arguments: Any, **keywords: Any) -> Any:
            await asyncio.Event().wait()

        monkeypatch.setattr(asyncio.get_event_loop(), "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(module, "RESOLVE_SECONDS", 0.05)

    async def test_database_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(postgresql_module, "CONNECT_SECONDS", 2)  # the least that libpq knows
        store = await open_store("postgresql://user@database.example.org/name")
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await store.node(KEY)
        await store.close()

    @pytest.mark.parametrize(("hosts", "seconds"), [("a.example", "2.05"), ("a, b, c", "6.05")])
    async def test_every_host_has_its_time(self, hosts: str, seconds: str):
        with pytest.raises(psycopg.OperationalError, match=f"timeout: .* in {seconds} seconds"):
            async with asyncio.timeout(30):
                await connect({"host": hosts, "connect_timeout": "2"}, None)


class TestHangingUpOnWhatIsLost:
    async def test_known_to_psycopg(self, postgresql: ThrowAwayPostgresql):
        connection = await PatientConnection.connect(postgresql.url("postgres"))
        await connection.close()
        connection._hang_up()

    async def test_known_to_the_system_alone(self):
        with socket.socket() as line:  # which nobody is at the other end of
            lost: Any = SimpleNamespace(pgconn=SimpleNamespace(socket=line.fileno()))
            PatientConnection._hang_up(lost)
