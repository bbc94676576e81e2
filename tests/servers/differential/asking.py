"""Putting a question to somebody: a service, the proxy, or the model of a service that pages.

Each is asked with the tokens that it issued itself, which are found out on the way.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element, SubElement

from harness import Client
from harness.stanzas import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_RSM, pubsub, with_items

from differential.answers import Answer, answer_of
from differential.paging_model import page_of
from differential.questions import End, Foreign, Issued, Kind, Outdated, PageForm, Question, Token

Set = Mapping[str, str]
"""The children of a `<set/>` (XEP-0059), by name."""


class NoToken(Exception):
    """There is no such token, so that the question cannot be put."""


class Asked(ABC):
    """Somebody who is asked.

    Args:
        issuer: who issues foreign tokens; None for itself.

    Attributes:
        order: the ids of the node's items, the oldest first. By it, the ends of a page are told
            apart, since ejabberd in SQL turns pages around.
    """

    def __init__(self, issuer: "Asked | None" = None) -> None:
        self._issuer = issuer or self
        self._issued: dict[str, str] = {}
        self.order: tuple[str, ...] = ()

    async def answer(self, question: Question) -> Answer:
        """Return the answer. Raises: NoToken."""
        page = None if question.page is None else await self._resolved(question, question.page)
        return await self._put(question, page)

    async def remember_tokens(self, node: str) -> None:
        """Note what stands for the oldest item and the newest, to be used when they are gone."""
        for page in (PageForm("1"), PageForm("1", before="")):
            answer = await self.answer(Question("tokens", Kind.ITEMS, node, page=page))
            if answer.page is not None and answer.page.last and len(answer.tokens) == 1:
                self._issued[answer.tokens[0]] = answer.page.last

    @property
    def remembered(self) -> set[str]:
        """The items whose tokens are noted."""
        return set(self._issued)

    @abstractmethod
    async def _put(self, question: Question, page: Set | None) -> Answer:
        """Put the question, with this `<set/>`."""

    async def _resolved(self, question: Question, page: PageForm) -> Set:
        given = {"max": page.max, "index": page.index}
        for name, token in (("after", page.after), ("before", page.before)):
            given[name] = None if token is None else await self._token(question, token)
        return {name: value for name, value in given.items() if value is not None}

    async def _token(self, question: Question, token: Token) -> str:
        match token:
            case Issued(page, end):
                return await self._end_of(question, page, end)
            case Foreign(page, end):
                return await self._issuer._end_of(question, page, end)
            case Outdated(item_id):
                if item_id not in self._issued:
                    raise NoToken
                return self._issued[item_id]
        return token

    async def _end_of(self, question: Question, page: PageForm, end: End) -> str:
        answer = await self.answer(Question(question.form, question.kind, question.node, page=page))
        if answer.page is None and answer.tokens:
            # It does not page, and issues nothing; ids are as good as anything.
            return answer.tokens[0 if end is End.FIRST else -1]
        if answer.page is None or answer.page.first is None or answer.page.last is None:
            raise NoToken
        ends = [answer.page.first, answer.page.last]
        places = [self.order.index(one) for one in answer.tokens if one in self.order]
        if question.kind is Kind.ITEMS and places and places[0] > places[-1]:
            ends.reverse()
        return ends[0 if end is End.FIRST else -1]


class Entity(Asked):
    """A service, or the proxy: asked over the wire."""

    def __init__(self, client: Client, jid: str, issuer: Asked | None = None) -> None:
        super().__init__(issuer)
        self._client = client
        self._jid = jid

    async def _put(self, question: Question, page: Set | None) -> Answer:
        payload = request_of(question, page)
        return answer_of(await self._client.request("get", self._jid, payload))


class PagingFor(Asked):
    """A service that does not page, as it would answer if it did (docs/protocol.md)."""

    def __init__(self, service: Entity) -> None:
        super().__init__(service)
        self._service = service

    async def _put(self, question: Question, page: Set | None) -> Answer:
        whole = await self._service.answer(replace(question, page=None))
        return whole if page is None else page_of(whole, **page)


def request_of(question: Question, page: Set | None) -> Element:
    """Return the payload of the iq that asks the question."""
    if question.kind is Kind.ITEMS:
        payload, inner = pubsub("items", question.node)
        if question.max_items is not None:
            inner.set("max_items", question.max_items)
        with_items(inner, question.item_ids)
    else:
        is_info = question.kind is Kind.DISCO_INFO
        payload = Element(f"{{{NS_DISCO_INFO if is_info else NS_DISCO_ITEMS}}}query")
        if question.node is not None:
            payload.set("node", question.node)
    if page is not None:
        outer = SubElement(payload, f"{{{NS_RSM}}}set")
        for name, value in page.items():
            SubElement(outer, f"{{{NS_RSM}}}{name}").text = value
    return payload
