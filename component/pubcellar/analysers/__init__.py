"""Floor 2: the registry of analysers, and the built-in ones.

An analyser says which nodes the cache holds, and what their items mean. This room implements the
port `pubcellar.core.ports.Analysers` in `PubsubCache`. It imports `core`, lxml and the standard
library; the Twisted types that analysers of the dictionary kind are called with are made by
`pubcellar.xmpp.analyser_boundary`, behind the protocol `Boundary`.
"""

from pubcellar.analysers.analyser import Analyser
from pubcellar.analysers.boundary import Boundary
from pubcellar.analysers.builtin import register_builtin, register_never_held
from pubcellar.analysers.configured import ConfiguredAnalyser
from pubcellar.analysers.installed import register_installed
from pubcellar.analysers.matching import has_prefix
from pubcellar.analysers.never_held import held_in_vain
from pubcellar.analysers.registry import PubsubCache

__all__ = [
    "Analyser",
    "Boundary",
    "ConfiguredAnalyser",
    "PubsubCache",
    "has_prefix",
    "held_in_vain",
    "register_builtin",
    "register_installed",
    "register_never_held",
]
