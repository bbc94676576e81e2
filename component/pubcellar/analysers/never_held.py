"""What is recognised so that it is never held: what is private by nature, and what is computed.

These analysers are tried before all others, by name and by payload, so that no prefix of an
operator's or a package's analyser can have such a node held (docs/decisions/0005). Their type says
why: `private` is one person's own, `keys` are to be asked for where they are kept, `computed` is
made by the service while it is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pubcellar.analysers.analyser import Analyser
from pubcellar.analysers.registration import Registration
from pubcellar.core.namespaces import NS_ATTACHMENTS_SUMMARY

_AXOLOTL = "eu.siacs.conversations.axolotl"


@dataclass(frozen=True, slots=True)
class NeverHeld:
    """One kind of node; a prefix claims every version of a protocol, a namespace only itself."""

    name: str
    type: str
    node: tuple[str, ...]
    namespace: tuple[str, ...]


NEVER_HELD = (
    # XEP-0402, and XEP-0048 section 3.
    NeverHeld(
        "bookmarks",
        "private",
        ("urn:xmpp:bookmarks", "storage:bookmarks"),
        ("urn:xmpp:bookmarks:0", "urn:xmpp:bookmarks:1", "storage:bookmarks"),
    ),
    # XEP-0490 section 4.1: which messages somebody has read.
    NeverHeld("displayed", "private", ("urn:xmpp:mds:displayed",), ("urn:xmpp:mds:displayed:0",)),
    # XEP-0292 section 5.2 and XEP-0510: cards of others, and the groups they are sorted into.
    NeverHeld(
        "contacts",
        "private",
        ("urn:xmpp:contacts", "urn:xmpp:contacts-groups"),
        ("urn:xmpp:contacts:0",),
    ),
    # XEP-0223, with the namespaces that XEP-0145, XEP-0209 and XEP-0083 have in private storage.
    NeverHeld(
        "private-storage",
        "private",
        ("storage:", "roster:delimiter", "jabber:iq:private"),
        ("storage:rosternotes", "storage:metacontacts", "roster:delimiter", "jabber:iq:private"),
    ),
    # XEP-0357 section 3.1: a node per device, whose items say that messages came for somebody.
    NeverHeld("push", "private", ("urn:xmpp:push",), ("urn:xmpp:push:0",)),
    # XEP-0384 section 5.3, and the names of its versions before 0.4, which are in wide use.
    NeverHeld(
        "omemo",
        "keys",
        (
            "urn:xmpp:omemo",
            f"{_AXOLOTL}.devicelist",
            f"{_AXOLOTL}.bundles",
            f"{_AXOLOTL}.verification",
        ),
        ("urn:xmpp:omemo:0", "urn:xmpp:omemo:1", "urn:xmpp:omemo:2", _AXOLOTL),
    ),
    # XEP-0373 sections 4 and 5: public keys, and the secret one.
    NeverHeld("openpgp", "keys", ("urn:xmpp:openpgp",), ("urn:xmpp:openpgp:0",)),
    # XEP-0470 section 4.6.
    NeverHeld(
        "attachment-summary",
        "computed",
        ("urn:xmpp:pubsub-attachments:summary",),
        ("urn:xmpp:pubsub-attachments:summary:0", NS_ATTACHMENTS_SUMMARY),
    ),
)


class NeverHeldAnalyser(Analyser):
    """Recognises one kind of node that is never held; its items are not looked into."""

    to_sync = False

    def __init__(self, kind: NeverHeld) -> None:
        self.name = kind.name
        self.type = kind.type
        self.node = kind.node
        self.namespace = kind.namespace


def held_in_vain(registrations: Sequence[Registration]) -> Iterator[str]:
    """Yield a line for each prefix and namespace that somebody wants held, and that never is."""
    never = [one for one in registrations if isinstance(one.typed, NeverHeldAnalyser)]
    for analyser in registrations:
        if not analyser.may_hold:
            continue
        for wanted in (*analyser.nodes, *analyser.namespaces):
            for other in never:
                if other.matches(wanted, wanted):
                    yield (
                        f"{analyser.source} {analyser.name!r}: {wanted} is never held ({other.name}"
                        f" is {other.type}); it is always forwarded, and this changes nothing"
                    )
