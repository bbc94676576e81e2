"""The built-in analyser of blogs and social feeds (XEP-0277, XEP-0472)."""

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.atom import entry_of, parsed_entry
from pubcellar.analysers.matching import has_prefix
from pubcellar.core.namespaces import NS_ATOM, NS_MICROBLOG
from pubcellar.core.values import Item, NodeKey

COMMENTS_PREFIX = f"{NS_MICROBLOG}:comments/"


class BlogAnalyser(Analyser):
    """Holds blogs: microblog nodes and their comments (XEP-0277), and any node of Atom entries.

    XEP-0472 (pubsub social feed) leaves the node's name open: it is known by its Atom payload.
    """

    name = "blog"
    type = "blog"
    node = NS_MICROBLOG
    namespace = NS_ATOM
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return what the Atom entry says, see `pubcellar.analysers.atom`; {} if there is none."""
        entry = entry_of(item.xml)
        return {} if entry is None else parsed_entry(entry)

    async def subtype(self, key: NodeKey) -> str | None:
        """Return `comment` for the comments of one post (XEP-0277 section 3)."""
        return "comment" if has_prefix(key.node, COMMENTS_PREFIX) else None
