"""The built-in analyser of what people attach to items, such as reactions (XEP-0470)."""

from typing import TypedDict

from lxml import etree

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.forms import FORM, answers
from pubcellar.analysers.payload import children, payload_of
from pubcellar.analysers.plain_text import one_line
from pubcellar.analysers.results import MAX_VALUES, bounded, present
from pubcellar.analysers.timestamps import utc_timestamp
from pubcellar.analysers.xmpp_uri import PubsubTarget, address, pubsub_target
from pubcellar.core.namespaces import NS_ATTACHMENTS, NS_EVENTS, NS_PUBSUB
from pubcellar.core.values import Item, NodeKey

MAX_EMOJI_CHARACTERS = 64

_RSVP = f"{{{NS_EVENTS}}}rsvp"


class Attachment(TypedDict):
    """What one person has attached to one item; every key may be missing.

    `target` is the item, as the node's name gives it. `attached_by` is the id of this item, which
    only services that implement XEP-0470 in full check against the publisher. `reactions` are
    emojis, each once. `rsvp` is the answer to an event (XEP-0471 section 6.5).
    """

    target: PubsubTarget
    attached_by: str | None
    is_noticed: bool
    noticed_at: str | None
    reactions: list[str]
    reacted_at: str | None
    rsvp: dict[str, list[str]]


class AttachmentAnalyser(Analyser):
    """Holds attachment nodes, of which there is one for each item that has any (section 4.1).

    What the service computes from them, the summaries, is another analyser's, and never held.
    """

    name = "attachment"
    type = "attachment"
    node = NS_ATTACHMENTS
    namespace = NS_ATTACHMENTS
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return what is attached, see `Attachment`; {} if there is no such payload."""
        # Section 4.5 wants the namespace, which none of the XEP's own examples has.
        payload = payload_of(
            item.xml, f"{{{NS_ATTACHMENTS}}}attachments", f"{{{NS_PUBSUB}}}attachments"
        )
        return {} if payload is None else parsed_attachments(payload, item, key)


def parsed_attachments(attachments: etree._Element, item: Item, key: NodeKey) -> Parsed:
    """Return what an `<attachments/>` holds, see `Attachment` (sections 4.7 and 4.8)."""
    own = etree.QName(attachments).namespace
    noticed = attachments.find(f"{{{own}}}noticed")
    reactions = attachments.find(f"{{{own}}}reactions")
    values: Attachment = {
        "target": pubsub_target(key.node.removeprefix(f"{NS_ATTACHMENTS}/")),
        "attached_by": address(item.item_id),
        "is_noticed": noticed is not None,
        "noticed_at": _time(noticed),
        "reactions": _emojis(children(reactions, f"{{{own}}}reaction", MAX_VALUES)),
        "reacted_at": _time(reactions),
        "rsvp": answers(attachments.find(f"{_RSVP}/{FORM}")),
    }
    return bounded(present(values), "rsvp")


def _time(attachment: etree._Element | None) -> str | None:
    return None if attachment is None else utc_timestamp(attachment.get("timestamp"))


def _emojis(reactions: list[etree._Element]) -> list[str]:
    emojis = (one_line(reaction.text) for reaction in reactions)
    short = (emoji for emoji in emojis if emoji and len(emoji) <= MAX_EMOJI_CHARACTERS)
    return list(dict.fromkeys(short))
