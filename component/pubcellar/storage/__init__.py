"""Floor 3: the database. SQLAlchemy and Alembic live here and nowhere else.

Implements the port `core.ports.Store`. Imports `core` alone, and knows nothing of XMPP.

`prepare_database` first, then `open_store`. `PubsubService`, `PubsubNode` and `PubsubItem` are for
the queries of scripts and of authors of analysers; the component itself never lets them out.
"""

from pubcellar.storage.migrate import database_state, prepare_database
from pubcellar.storage.models import PubsubItem, PubsubNode, PubsubService
from pubcellar.storage.sql_store import SqlStore, open_store

__all__ = [
    "PubsubItem",
    "PubsubNode",
    "PubsubService",
    "SqlStore",
    "database_state",
    "open_store",
    "prepare_database",
]
