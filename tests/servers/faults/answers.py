"""An answer in the one spelling in which answers are compared, and its items for themselves."""

from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from harness.comparing import canonical
from harness.stanzas import Reply


@dataclass(frozen=True)
class Answer:
    """What a reply says; equal answers say the same.

    Attributes:
        text: its payload, or its error.
        items: each item of a list: its id, and all of it in one spelling.
        short: the items' ids and titles, or the error, for people.
    """

    text: str
    items: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    short: str = field(default="", compare=False)


NONE = Answer("")


def read_answer(reply: Reply) -> Answer:
    """Return what a reply says; `<set/>` is left out, since tokens are nobody's to compare."""
    text = canonical(reply, without_page=True)
    if reply.is_error or reply.payload is None:
        return Answer(text, short=text)
    items = [each for each in reply.payload.iter() if each.tag.endswith("}item")]
    short = ", ".join(map(_short, items)) or "no items"
    return Answer(text, tuple(map(_spelled, items)), short)


def _spelled(item: Element) -> tuple[str, str]:
    text = ElementTree.canonicalize(ElementTree.tostring(item), rewrite_prefixes=True)
    return _id(item), text


def _id(item: Element) -> str:
    return item.get("id") or item.get("name") or ""


def _short(item: Element) -> str:
    titles = [each.text or "" for each in item.iter() if each.tag.endswith("}title")]
    return " ".join([_id(item), *titles])
