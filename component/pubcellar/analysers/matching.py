"""Which analyser a node belongs to: by a prefix of its name, at a boundary, or by namespace.

XEP-0060 section 12.15 says that a NodeID has no meaning of its own; what is matched here is the
convention that names are built from parts with separators between them.
"""

SEPARATORS = "/:#"
"""What ends a part of a node's name: paths, URNs and fragments."""


def has_prefix(node: str, prefix: str) -> bool:
    """Tell whether `prefix` stands at the beginning of `node`, and ends where a part of it ends.

    That is: the two are equal, or the prefix ends with a separator, or one follows it in `node`.
    So `urn:xmpp:microblog:0` claims `urn:xmpp:microblog:0:comments/a`, and does not claim
    `urn:xmpp:microblog:01`. An empty prefix claims nothing.
    """
    if not prefix or not node.startswith(prefix):
        return False
    return len(node) == len(prefix) or prefix[-1] in SEPARATORS or node[len(prefix)] in SEPARATORS
