"""One request as it came in, and the answers that this address gives on its own behalf."""

import platform
from dataclasses import dataclass
from xml.sax.saxutils import escape

from pubcellar import __version__
from pubcellar.core.namespaces import NS_DISCO_ITEMS, NS_VERSION
from pubcellar.core.values import BareJID, Requester
from pubcellar.xmpp.stanzas import Element


@dataclass(frozen=True, slots=True)
class Incoming:
    """An iq of type get or set, with its addresses normalised.

    Attributes:
        requester: who sent it.
        asked: the address of ours that it was sent to, without resource.
        has_resource: whether that address had a resource.
        payload: its only child element.
        lang: its `xml:lang`, or None.
    """

    requester: Requester
    asked: BareJID
    has_resource: bool
    payload: Element
    lang: str | None


def pong(_: Incoming) -> str:
    """Return the answer to a ping (XEP-0199 section 4.2)."""
    return ""


def version(_: Incoming) -> str:
    """Return name and version of the software (XEP-0092 section 3); the machine stays unnamed."""
    return (
        f"<query xmlns='{NS_VERSION}'><name>Pubcellar</name>"
        f"<version>{escape(__version__)}</version><os>{escape(platform.system())}</os></query>"
    )


def no_items() -> str:
    """Return disco#items of an address that has none (XEP-0030 section 4.1)."""
    return f"<query xmlns='{NS_DISCO_ITEMS}'/>"
