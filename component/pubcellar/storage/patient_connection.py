"""psycopg's connection, which hangs up on a server that is silent for too long.

PostgreSQL's own time-outs need a server that runs; libpq knows none for one that does not, or whose
network is gone. The only module that imports psycopg.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo, timeout_from_conninfo
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError

from pubcellar.core.errors import DatabaseRefused

RESOLVE_SECONDS = 5.0
"""How long looking up the addresses of the servers may take, which libpq's time-out leaves out."""


class PatientConnection(psycopg.AsyncConnection[Any]):
    """A connection that is lost when the server says nothing for too long.

    Attributes:
        patience_seconds: how long one statement may go unanswered; None for as long as it takes.
    """

    patience_seconds: float | None = None

    async def wait(self, *arguments: Any, **keywords: Any) -> Any:
        """Do what psycopg does with everything it sends, and give up in time."""
        if self.patience_seconds is None:
            return await super().wait(*arguments, **keywords)
        alarm = asyncio.get_running_loop().call_later(self.patience_seconds, self._hang_up)
        try:
            return await super().wait(*arguments, **keywords)
        finally:
            alarm.cancel()

    def _hang_up(self) -> None:
        # To psycopg it is as if the server had hung up: it wakes, and knows the connection broken.
        # Being cancelled instead, it would first ask the silent server to cancel the statement.
        # It may be broken already: psycopg knows that, or only the system does.
        with (
            suppress(psycopg.Error, OSError),
            socket.socket(fileno=os.dup(self.pgconn.socket)) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)


def require_usable(url: URL) -> None:
    """See that libpq knows every parameter of a URL.

    Raises:
        ValueError: it does not; the message names the parameter, and no value.
    """
    repeated = [name for name in url.query if name != "host" and isinstance(url.query[name], tuple)]
    if repeated:
        raise ValueError(f"has the parameter {repeated[0]} more than once")
    try:
        # SQLAlchemy's dialects carry no types.
        dialect: Any = PGDialect_psycopg
        _, parameters = dialect().create_connect_args(url)
    except (ArgumentError, ValueError):
        raise ValueError("its hosts and ports cannot be read") from None
    try:
        make_conninfo("", **parameters)
    except psycopg.ProgrammingError as error:
        raise ValueError(f"{str(error).strip()}; the names are those of libpq") from None


async def connect(parameters: Mapping[str, Any], patience: timedelta | None) -> PatientConnection:
    """Return a connection to the server that libpq's `parameters` name.

    Raises:
        DatabaseRefused: the database cannot hold every character.
        psycopg.Error: it could not be connected to.
    """
    at_most = RESOLVE_SECONDS + _attempts_seconds(parameters)
    try:
        async with asyncio.timeout(at_most):
            connection = await PatientConnection.connect(**parameters)
    except TimeoutError:
        raise psycopg.errors.ConnectionTimeout(
            f"timeout: neither a name server nor the server has answered in {at_most:g} seconds"
        ) from None
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        name = connection.info.dbname
        await connection.close()
        raise DatabaseRefused(
            f"[database] url: the database {name} has the encoding {encoding}, which cannot hold"
            " every character; make one with: createdb --encoding=UTF8 --template=template0"
        )
    connection.patience_seconds = None if patience is None else patience.total_seconds()
    return connection


def _attempts_seconds(parameters: Mapping[str, Any]) -> float:
    """Return how long libpq's `connect_timeout` lets attempts at all the hosts take."""
    hosts = str(parameters.get("host", "")).count(",") + 1
    return hosts * timeout_from_conninfo(dict(parameters))
