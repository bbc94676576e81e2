"""Where the proxy does not answer as the service, each with its reason: nothing else may differ.

The table is what docs/protocol.md says, "Where a service's own way is not imitated" and "disco". A
deviation says what the proxy answers instead, so that this too is compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from harness.stanzas import NS_DISCO_INFO

from differential.answers import Answer, PageFacts, canonical, differences
from differential.hits import CACHE
from differential.paging_model import BAD_REQUEST, NO_SUCH_ITEM
from differential.questions import Kind, Outdated, Question

OWN_IDENTITY = {"category": "component", "type": "generic", "name": "Pubcellar"}
OWN_FEATURES = (
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "urn:xmpp:ping",
    "jabber:iq:version",
)
PAGING_FEATURES = ("http://jabber.org/protocol/rsm", "http://jabber.org/protocol/pubsub#rsm")
USABLE_FEATURES = (
    "http://jabber.org/protocol/disco",
    "http://jabber.org/protocol/pubsub",
    "http://jabber.org/protocol/rsm",
    "jabber:x:data",
    "urn:xmpp:pubsub",
    "urn:xmpp:order-by",
)


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        question: what was asked.
        server: its kind, by its name in combinations.py.
        paging: `[cache] paging`.
        by: who answered, see hits.py.
    """

    question: Question
    server: str
    paging: str
    by: str | None

    @property
    def is_held(self) -> bool:
        return self.by == CACHE

    @property
    def is_ejabberd(self) -> bool:
        return self.server.startswith("ejabberd")


@dataclass(frozen=True)
class Deviation:
    """One row.

    Attributes:
        what: what the proxy does otherwise.
        reason: why it does.
        applies: to which comparisons.
        expected: what the proxy answers, from what the service answered and the proxy did.
    """

    what: str
    reason: str
    applies: Callable[[Case], bool]
    expected: Callable[[Answer, Answer], Answer]


def allowed(case: Case, theirs: Answer, ours: Answer) -> Answer:
    """Return what the proxy is to answer where the service answered `theirs`."""
    for deviation in TABLE:
        if deviation.applies(case):
            theirs = deviation.expected(theirs, ours)
    return theirs


def _has_bad_number(question: Question) -> bool:
    page = question.page
    numbers = [] if page is None else [page.max, page.index]
    return any(number is not None and not number.isdecimal() for number in numbers)


def _is_page_by_token(question: Question) -> bool:
    return question.page is not None and question.page.token is not None


def _any_index(theirs: Answer, ours: Answer) -> Answer:
    if theirs.page is None or ours.page is None:
        return theirs
    return replace(theirs, page=replace(theirs.page, index=ours.page.index))


def _empty_page_if_failed(theirs: Answer, ours: Answer) -> Answer:
    has_failed = theirs.failure is not None and theirs.failure.condition == "internal-server-error"
    if not has_failed or ours.page is None:
        return theirs
    return Answer(around=ours.around, page=PageFacts(ours.page.count))


def _index_from_0(theirs: Answer, _: Answer) -> Answer:
    if theirs.page is None or theirs.page.index is None:
        return theirs
    return replace(theirs, page=replace(theirs.page, index=max(theirs.page.index, 0)))


def _or_not_found(theirs: Answer, ours: Answer) -> Answer:
    return NO_SUCH_ITEM if _is_not_found(ours) else theirs


def _is_not_found(answer: Answer) -> bool:
    return not differences(NO_SUCH_ITEM, answer)


def _oldest_first(theirs: Answer, _: Answer) -> Answer:
    return replace(theirs, elements=theirs.elements[::-1], tokens=theirs.tokens[::-1])


def _merged(own_features: Sequence[str]) -> Callable[[Answer, Answer], Answer]:
    """Return its identities, forms and usable features, with those of the proxy's own."""

    def merged(theirs: Answer, _: Answer) -> Answer:
        usable = (*USABLE_FEATURES, *own_features)
        kept = [each for each in theirs.elements if _variable(each).startswith(usable)]
        own = [_disco_element("feature", {"var": var}) for var in own_features]
        rest = [each for each in theirs.elements if not _variable(each)]
        identity = _disco_element("identity", OWN_IDENTITY)
        return replace(theirs, elements=tuple({*kept, *own, *rest, identity}))

    return merged


def _disco_element(name: str, attributes: dict[str, str]) -> str:
    return canonical(Element(f"{{{NS_DISCO_INFO}}}{name}", attributes))


def _variable(element: str) -> str:
    """Return what a `<feature/>` is about, nothing for another element."""
    found = ElementTree.fromstring(element)
    return found.get("var", "") if found.tag == f"{{{NS_DISCO_INFO}}}feature" else ""


def _is_service_info(question: Question) -> bool:
    return question.node is None and question.kind is Kind.DISCO_INFO


TABLE = (
    Deviation(
        "disco#info of the service is merged with the proxy's own",
        "requests that the proxy does not pass on are not promised; paging is, where it pages",
        lambda case: _is_service_info(case.question) and case.paging == "xep",
        _merged((*OWN_FEATURES, *PAGING_FEATURES)),
    ),
    Deviation(
        "disco#info of the service is merged with the proxy's own",
        "requests that the proxy does not pass on are not promised",
        lambda case: _is_service_info(case.question) and case.paging == "service",
        _merged(OWN_FEATURES),
    ),
    Deviation(
        "an index beyond the end of a held node is an empty page",
        "ejabberd on Mnesia fails with internal-server-error",
        lambda case: (
            case.server == "ejabberd-mnesia"
            and case.question.page is not None
            and case.question.page.index is not None
            and case.is_held
        ),
        _empty_page_if_failed,
    ),
    Deviation(
        "the index of a held page is never below 0",
        "ejabberd on Mnesia subtracts <max/>, or 1000 without one, from the number of items",
        lambda case: case.server == "ejabberd-mnesia" and case.is_held,
        _index_from_0,
    ),
    Deviation(
        "the token of an item that is gone may be item-not-found",
        "XEP-0059 section 2.2; ejabberd silently gives an empty page, or the last",
        lambda case: (
            case.question.page is not None and isinstance(case.question.page.token, Outdated)
        ),
        _or_not_found,
    ),
    Deviation(
        "a number in <set/> that is none is a bad request",
        "Prosody ignores it, ejabberd answers some with a negative index",
        lambda case: case.paging == "xep" and _has_bad_number(case.question),
        lambda *_: BAD_REQUEST,
    ),
    Deviation(
        "the right index of a held page after or before a token",
        "ejabberd in SQL gives 0",
        lambda case: (
            case.server == "ejabberd-sql" and _is_page_by_token(case.question) and case.is_held
        ),
        _any_index,
    ),
    Deviation(
        "a held page before a token is in the order of all other pages",
        "ejabberd in SQL turns it around, and XEP-0059 section 2.3 forbids that",
        lambda case: (
            case.server == "ejabberd-sql"
            and case.question.page is not None
            and case.question.page.before is not None
            and case.is_held
        ),
        _oldest_first,
    ),
)
