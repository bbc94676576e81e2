"""Drift: what a service has changed and we were not told; counted by kind, and logged."""

import logging

from pubcellar.core.counters import Happened
from pubcellar.proxy.node_entry import NodeEntry
from pubcellar.proxy.nodes import Nodes
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)

PREFIX = "drift_"


class Drifting:
    """Notes what was found."""

    def __init__(self, parts: Parts, nodes: Nodes) -> None:
        self._parts = parts
        self._nodes = nodes

    def found(self, entry: NodeEntry, kind: Happened, remedy: str, times: int = 1) -> None:
        """Count and log a difference, unless it is explained by what was written through us.

        Args:
            entry: the node.
            kind: one of `Happened.DRIFT_…`.
            remedy: what is done about it, for people.
            times: how many items have it, where items do.
        """
        self._nodes.unheard(entry.key)
        if entry.was_written:
            log.debug("written through us service=%s node=%r", entry.key.service, entry.key.node)
            return
        self._parts.counters.count(kind, times)
        self._parts.counters.count(Happened.DRIFT_REPAIRED, times)
        log.info(
            "the service changed silently service=%s node=%r kind=%s number=%d remedy=%r",
            entry.key.service,
            entry.key.node,
            kind.removeprefix(PREFIX),
            times,
            remedy,
        )
