"""Pubcellar, a caching pubsub proxy for XMPP.

The floors, from the top; imports go down only, which import-linter holds (see pyproject.toml):

* 4: `__main__`, `cli`, `config`, `from_settings`, `wiring`: commands, settings, and the one place
  that joins things
* 3: `xmpp`, `storage`: siblings that never meet; Twisted lives in the one, SQLAlchemy in the other
* 2: `proxy`, `analysers`: use cases over ports, and the registry of analysers
* 1: `core`: values, decisions, ports, errors; standard library only

What authors of analysers import from here is `__all__`, listed in docs/api.md. It is loaded on
first use, so that importing the package installs no reactor and opens nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "Analyser": "pubcellar.analysers",
    "BareJID": "pubcellar.core.values",
    "Conflict": "pubcellar.core.errors",
    "Item": "pubcellar.core.values",
    "NodeKey": "pubcellar.core.values",
    "PubsubCache": "pubcellar.analysers",
    "has_prefix": "pubcellar.analysers",
}

__all__ = [
    "Analyser",
    "BareJID",
    "Conflict",
    "Item",
    "NodeKey",
    "PubsubCache",
    "__version__",
    "has_prefix",
]


def __getattr__(name: str) -> Any:
    """Import what analyser authors use from the module it lives in, once it is asked for."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'pubcellar' has no attribute {name!r}")
    value = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value
