"""Real peers for the server tests and the demo: servers, clients, a counting pubsub service.

Nothing here imports the proxy's own code: what it promises is judged by a library that knows
nothing of it.
"""

from harness.client import Client
from harness.counting_answers import Kind, StanzaError
from harness.counting_nodes import StoredItem
from harness.counting_service import CountingService
from harness.ejabberd import ThrowAwayEjabberd
from harness.prosody import ThrowAwayProsody
from harness.proxy_process import ProxyProcess
from harness.stanzas import ErrorReply, Event, Items, Reply
from harness.throw_away_server import ThrowAwayServer

__all__ = [
    "Client",
    "CountingService",
    "ErrorReply",
    "Event",
    "Items",
    "Kind",
    "ProxyProcess",
    "Reply",
    "StanzaError",
    "StoredItem",
    "ThrowAwayEjabberd",
    "ThrowAwayProsody",
    "ThrowAwayServer",
]
