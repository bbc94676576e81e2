"""An analyser without code: one `[[analyser]]` table of the configuration."""

from pubcellar.analysers.analyser import Analyser
from pubcellar.core.values import NodeKey


class ConfiguredAnalyser(Analyser):
    """Says which nodes to hold; their items stay raw.

    Args:
        name: unique among the analysers.
        type: the word for what such a node holds.
        node: prefix of the node's name, at a boundary.
        namespace: namespace of the payload of the node's first item.
        to_sync: whether nodes that match are to be held.
        subtype: a finer word, the same for every node that matches.
    """

    def __init__(
        self,
        *,
        name: str,
        type: str,
        node: str | None = None,
        namespace: str | None = None,
        to_sync: bool = False,
        subtype: str | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.node = node
        self.namespace = namespace
        self.to_sync = to_sync
        self._subtype = subtype

    async def subtype(self, key: NodeKey) -> str | None:
        """Return the subtype that the table gives."""
        return self._subtype
