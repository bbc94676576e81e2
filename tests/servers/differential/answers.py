"""Answers as values, and where two of them differ.

Elements are compared in exclusive canonical form, with one prefix for each namespace. Left out are
the stanza's id and addresses, an error's echo of the request, and what changes by being looked at:
the number of subscribers, of which the proxy is one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from harness import Reply
from harness.stanzas import NS_DATA_FORM, NS_RSM, read_page
from lxml import etree

VOLATILE_FIELDS = frozenset({"pubsub#num_subscribers"})

ANY_TEXT = "any text"
"""Stands for the text of an error that is the proxy's own."""


@dataclass(frozen=True)
class Failure:
    """An error, by all that tells it from another."""

    type: str | None
    condition: str | None
    application_condition: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class PageFacts:
    """What a `<set/>` says; an empty page has no index and no ends."""

    count: int | None
    index: int | None = None
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        failure: the error, if it is one; then the rest is empty.
        around: what surrounds the list: tags and attributes.
        elements: those of the list, in order, in canonical form.
        tokens: their ids, or what stands for one.
        page: what `<set/>` says, None if there is none.
    """

    failure: Failure | None = None
    around: str = ""
    elements: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    page: PageFacts | None = None


def answer_of(reply: Reply) -> Answer:
    """Return a reply as a value."""
    if reply.is_error:
        return Answer(
            Failure(reply.error_type, reply.condition, reply.application_condition, reply.text)
        )
    if reply.payload is None:
        return Answer()
    outer = reply.payload
    page = read_page(outer)
    children = [child for child in outer if child.tag != f"{{{NS_RSM}}}set"]
    around = _start(outer)
    if outer.tag.endswith("}pubsub") and len(children) == 1:
        around += _start(children[0])
        children = list(children[0])
    return Answer(
        around=around,
        elements=tuple(canonical(child) for child in children),
        tokens=tuple(_token(child) for child in children),
        page=page and PageFacts(page.count, page.index, page.first, page.last),
    )


def canonical(element: Element) -> str:
    """Return an element in exclusive canonical form, without volatile fields."""
    copy = ElementTree.fromstring(ElementTree.tostring(element))
    field = f"{{{NS_DATA_FORM}}}field"
    for parent in list(copy.iter()):
        for child in list(parent):
            if child.tag == field and child.get("var") in VOLATILE_FIELDS:
                parent.remove(child)
    copy.tail = None
    # ElementTree numbers prefixes in the order of the document: each namespace has one spelling.
    text = ElementTree.tostring(copy)
    return etree.tostring(etree.fromstring(text), method="c14n", exclusive=True).decode()


def differences(expected: Answer, actual: Answer, *, same_tokens: bool = False) -> list[str]:
    """Return in which respects `actual` is not `expected`, in words; none if they are alike.

    `same_tokens` compares what `<first/>` and `<last/>` hold, which is for whoever answers to
    choose; without it, only that they are there.
    """
    if expected.failure or actual.failure:
        return _different_failures(expected, actual)
    found = []
    if expected.around != actual.around:
        found.append(f"surrounded by {actual.around}, not by {expected.around}")
    found += _different_elements(expected.elements, actual.elements)
    found += _different_pages(expected, actual, same_tokens)
    return found


def _different_failures(expected: Answer, actual: Answer) -> list[str]:
    ours, theirs = actual.failure, expected.failure
    if ours is None or theirs is None:
        return [f"answered {_shown(actual)}, not {_shown(expected)}"]
    if theirs.text == ANY_TEXT:
        ours, theirs = (Failure(*_facts(each)[:3]) for each in (ours, theirs))
    return [] if ours == theirs else [f"refused with {ours}, not with {theirs}"]


def _facts(failure: Failure) -> tuple[str | None, ...]:
    return (failure.type, failure.condition, failure.application_condition, failure.text)


def _different_elements(expected: tuple[str, ...], actual: tuple[str, ...]) -> list[str]:
    if expected == actual:
        return []
    missing, more = _without(expected, actual), _without(actual, expected)
    found = [f"lacks {each}" for each in missing] + [f"has {each}" for each in more]
    return found or ["the same elements in another order: " + " ".join(actual)]


def _without(elements: Iterable[str], others: Iterable[str]) -> list[str]:
    rest = list(others)
    left = []
    for each in elements:
        if each in rest:
            rest.remove(each)
        else:
            left.append(each)
    return left


def _different_pages(expected: Answer, actual: Answer, same_tokens: bool) -> list[str]:
    ours, theirs = actual.page, expected.page
    if ours is None or theirs is None:
        return [] if ours == theirs else [f"<set/> is {ours}, not {theirs}"]
    found = []
    if ours.count != theirs.count:
        found.append(f"<count/> is {ours.count}, not {theirs.count}")
    if ours.index != theirs.index:
        found.append(f"index is {ours.index}, not {theirs.index}")
    for name, one, other in (
        ("first", ours.first, theirs.first),
        ("last", ours.last, theirs.last),
    ):
        if (one != other) if same_tokens else ((one is None) != (other is None)):
            found.append(f"<{name}/> is {one}, not {other}")
    return found


def _shown(answer: Answer) -> str:
    return str(answer.failure) if answer.failure else f"{list(answer.tokens)} {answer.page}"


def _start(element: Element) -> str:
    attributes = "".join(f" {name}={value!r}" for name, value in sorted(element.items()))
    return f"<{element.tag}{attributes}>"


def _token(element: Element) -> str:
    return element.get("id") or element.get("node") or element.get("name") or ""
