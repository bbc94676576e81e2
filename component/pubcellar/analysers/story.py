"""The built-in analyser of stories (XEP-0501)."""

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.atom import entry_of, parsed_entry
from pubcellar.core.namespaces import NODE_STORIES
from pubcellar.core.values import Item, NodeKey


class StoryAnalyser(Analyser):
    """Holds stories: Atom entries with one enclosure, in a node of their own (section 4.1).

    They are known by the node's name alone, for their payload is that of any blog. A story ends
    when its service drops it; `verify_every` bounds how long it can be read after that.
    """

    name = "story"
    type = "story"
    node = NODE_STORIES
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return what the Atom entry says, see `pubcellar.analysers.atom`; {} if there is none."""
        entry = entry_of(item.xml)
        return {} if entry is None else parsed_entry(entry)
