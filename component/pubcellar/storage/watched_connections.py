"""Connections that remember that the database failed, say so once, and try it again by themselves.

Between the first failure and the look that finds the database working nothing is asked of it: who
would have to wait for it can be served without. One line in the log says so at the turn, and one
when it works again.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from pubcellar.core.errors import StoreUnavailable
from pubcellar.storage.connections import Connections, Result, Work
from pubcellar.storage.databases import Database
from pubcellar.storage.failures import may_have_changed
from pubcellar.storage.probe import insert_and_delete_one_of_each
from pubcellar.storage.revisions import schema_at_head

log = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""A database that fails now and then is written of no more often."""


class WatchedConnections(Connections):
    """Hands out transactions while the database works.

    Args:
        database: as for `Connections`.
        busy_timeout: as for `Connections`.
        seconds: tells the time, from any beginning.
    """

    def __init__(
        self,
        database: Database,
        busy_timeout: timedelta,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(database, busy_timeout)
        self._database = database
        self._seconds = seconds
        self._seen: tuple[object, str] | None = None
        self._failure: str | None = None
        self._is_said = False
        self._quiet_until = float("-inf")
        self._may_have_changed = False
        self._refused = 0

    async def read(self, work: Work[Result]) -> Result:
        """See `Connections.read`; raises StoreUnavailable at once while the database fails."""
        self.require_working()
        try:
            return await super().read(work)
        except StoreUnavailable as error:
            self._failed(error)
            raise

    async def write(self, work: Work[Result]) -> Result:
        """See `Connections.write`; likewise."""
        self.require_working()
        try:
            return await super().write(work)
        except StoreUnavailable as error:
            self._failed(error)
            raise

    def require_working(self) -> None:
        """See `core.store.Store.require_working`."""
        if self._failure is not None:
            self._refused += 1
            raise StoreUnavailable(self._failure)

    async def check(self) -> bool:
        """See `core.store.Store.check`."""
        try:
            if self._failure is None:
                schema = await super().read(schema_at_head)
            else:
                # A full database, or one that is locked or read-only, can be read.
                schema = await super().write(_probe)
        except StoreUnavailable as error:
            self._failed(error)
            raise
        self._works()
        seen = (self._database.identity(), schema)
        has_changed = self._may_have_changed or self._seen not in (None, seen)
        self._may_have_changed, self._seen = False, seen
        return has_changed

    def _failed(self, error: StoreUnavailable) -> None:
        if self._is_closed:
            return
        self._failure = str(error)
        self._may_have_changed = self._may_have_changed or may_have_changed(error)
        if not self._is_said and self._seconds() >= self._quiet_until:
            self._is_said = True
            self._quiet_until = self._seconds() + QUIET_SECONDS
            log.error(
                "the database failed, every request is forwarded until it works again: %s", error
            )
            log.debug("where it failed", exc_info=error)

    def _works(self) -> None:
        if self._failure is None:
            return
        if self._is_said:
            log.warning(
                "the database works again, and is used again; it was left alone %d times meanwhile",
                self._refused,
            )
        self._failure, self._is_said, self._refused = None, False, 0


async def _probe(connection: AsyncConnection) -> str:
    schema = await schema_at_head(connection)
    await connection.run_sync(insert_and_delete_one_of_each)
    return schema
