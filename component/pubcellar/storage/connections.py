"""One connection that writes, and a few that read beside it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from pubcellar.core.errors import StoreUnavailable
from pubcellar.storage.databases import Database
from pubcellar.storage.failures import as_storage_errors
from pubcellar.storage.revisions import schema_at_head

Result = TypeVar("Result")

Work = Callable[[AsyncConnection], Awaitable[Result]]
"""What happens within one transaction."""

WRITER_PATIENCE_SECONDS = 30.0
"""How long a write waits for those before it; longer means that the database is stuck."""


class Connections:
    """Hands out transactions on one database; nothing is opened before it is needed.

    Args:
        database: which must have been prepared by the time it is used.
        busy_timeout: how long to wait for a lock that another process holds.
    """

    def __init__(self, database: Database, busy_timeout: timedelta) -> None:
        self._writer = database.writer_engine(busy_timeout)
        self._readers = database.reader_engine(busy_timeout)
        self._turn_to_write = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def read(self, work: Work[Result]) -> Result:
        """Return what `work` returns, which sees one snapshot and cannot write.

        Raises:
            StoreUnavailable: the database is locked, damaged or gone.
        """
        self._require_open()

        async def transaction() -> Result:
            async with self.reading() as connection:
                return await work(connection)

        return await self._to_its_end(transaction())

    async def write(self, work: Work[Result]) -> Result:
        """Return what `work` returns, after the commit.

        Raises:
            StoreUnavailable: the database is locked, full, damaged or gone; nothing was changed.
            StoreConflict: a constraint was violated; nothing was changed.
        """
        self._require_open()

        async def transaction() -> Result:
            async with self.writing() as connection:
                return await work(connection)

        return await self._to_its_end(transaction())

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction as of `read`, for a block that is never cancelled."""
        with as_storage_errors():
            async with self._readers.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give the connection that writes, in a transaction as of `write`, likewise."""
        await self._wait_for_turn()
        try:
            with as_storage_errors():
                async with self._writer.begin() as connection:
                    yield connection
        finally:
            self._turn_to_write.release()

    def require_working(self) -> None:
        """See `core.store.Store.require_working`; these connections remember no failure."""

    async def check(self) -> bool:
        """See `core.store.Store.check`."""
        await self.read(schema_at_head)
        return False

    def session(self) -> AsyncSession:
        """Return a session on the reading connections, for the caller to close."""
        self._require_open()
        return AsyncSession(self._readers, expire_on_commit=False)

    async def close(self) -> None:
        """Let what is under way end, and close every connection; may be called twice."""
        self._is_closed = True
        await asyncio.gather(*self._under_way, return_exceptions=True)
        # The writer last: closing the last connection empties the WAL, which a reader may not.
        await self._readers.dispose()
        await self._writer.dispose()

    async def _to_its_end(self, transaction: Coroutine[Any, Any, Result]) -> Result:
        """Await a transaction that goes on when its caller is cancelled.

        Cut off in the middle, a connection would be thrown away, and for a moment its lock with it.
        """
        task = asyncio.create_task(transaction)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreUnavailable("the cache's database has been closed")

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(WRITER_PATIENCE_SECONDS):
                await self._turn_to_write.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("the cache's database is too slow to write to") from error
