"""How many bytes the entries of nodes take in memory, and which give way when that is too much.

Counted is what others decide the size of: the metadata in records, and changes that wait to be
written.
"""

from collections.abc import Mapping, MutableMapping

from pubcellar.core.events import Change, Published
from pubcellar.core.values import NodeKey
from pubcellar.proxy.node_entry import NodeEntry

MOST_BYTES = 64 * 1024 * 1024
CHANGE_BYTES = 200
"""What a change takes besides its item."""


def change_bytes(change: Change) -> int:
    """Return about what a change takes."""
    return CHANGE_BYTES + (len(change.item.xml) if isinstance(change, Published) else 0)


def entry_bytes(entry: NodeEntry) -> int:
    """Return about what an entry takes, but for what all of them take."""
    info = "" if entry.record is None else entry.record.info or ""
    return len(info) + sum(map(change_bytes, entry.inbox))


class EntryBytes:
    """Keeps the entries below `MOST_BYTES`.

    Args:
        entries: those of `pubcellar.proxy.nodes`, least recently used first.
    """

    def __init__(self, entries: "MutableMapping[NodeKey, NodeEntry]") -> None:
        self._entries = entries
        self._bytes = 0

    def grew(self, size_bytes: int) -> None:
        """An entry has grown by so much; if that may be too much, count, and make some give way.

        What has shrunk since is not known before it is counted.
        """
        self._bytes += size_bytes
        if self._bytes > MOST_BYTES:
            self.limit()

    def limit(self) -> None:
        """Count, and let entries give way: at first those with nothing to be done, then others.

        A node whose changes are thrown away is fetched anew.
        """
        sizes = {key: entry_bytes(entry) for key, entry in self._entries.items()}
        self._bytes = sum(sizes.values())
        if self._bytes > MOST_BYTES:
            self._give_way(sizes)

    def _give_way(self, sizes: Mapping[NodeKey, int]) -> None:
        # A quarter less, so as not to count again at once.
        goal = MOST_BYTES - MOST_BYTES // 4
        for key in list(self._entries):
            if self._bytes <= goal:
                return
            if sizes[key] and self._entries[key].is_idle:
                del self._entries[key]
                self._bytes -= sizes[key]
        for key in sorted(self._entries, key=lambda key: sizes[key], reverse=True):
            if self._bytes <= goal:
                return
            self._entries[key].overflow()
            self._bytes -= sizes[key] - entry_bytes(self._entries[key])
