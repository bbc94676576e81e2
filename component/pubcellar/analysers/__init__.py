"""Floor 2: the registry of analysers, and the built-in ones.

An analyser says which nodes the cache holds, and what their items mean. This room implements the
port `pubcellar.core.ports.Analysers` in `PubsubCache`. It imports `core`, lxml and the standard
library; the Twisted types that analysers of the dictionary kind are called with are made by
`pubcellar.xmpp.analyser_boundary`, behind the protocol `Boundary`.
"""

from pubcellar.analysers.analyser import Analyser
from pubcellar.analysers.boundary import Boundary
from pubcellar.analysers.builtin import register_builtin
from pubcellar.analysers.configured import ConfiguredAnalyser
from pubcellar.analysers.matching import has_prefix
from pubcellar.analysers.registry import PubsubCache

__all__ = [
    "Analyser",
    "Boundary",
    "ConfiguredAnalyser",
    "PubsubCache",
    "has_prefix",
    "register_builtin",
]
