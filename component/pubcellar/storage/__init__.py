"""Floor 3: the database. SQLAlchemy and Alembic live here and nowhere else.

Implements the port `core.store.Store`. Imports `core` alone, and knows nothing of XMPP.

`prepare_database` first, then `open_store`. `PubsubService`, `PubsubNode` and `PubsubItem` are for
the queries of scripts and of authors of analysers; the component itself never lets them out.
"""

from pubcellar.storage.backup import copies
from pubcellar.storage.migrate import (
    Migrated,
    database_state,
    downgrade_database,
    prepare_database,
    upgrade_database,
)
from pubcellar.storage.models import PubsubItem, PubsubNode, PubsubService
from pubcellar.storage.sql_store import SqlStore, open_store
from pubcellar.storage.states import DatabaseState, Standing

__all__ = [
    "DatabaseState",
    "Migrated",
    "PubsubItem",
    "PubsubNode",
    "PubsubService",
    "SqlStore",
    "Standing",
    "copies",
    "database_state",
    "downgrade_database",
    "open_store",
    "prepare_database",
    "upgrade_database",
]
