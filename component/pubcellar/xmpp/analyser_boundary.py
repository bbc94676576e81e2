"""Calls analysers of the dictionary kind with the Twisted types of the ancestor's contract.

Implements `pubcellar.analysers.Boundary`. It sets no time limit and checks no result: the registry
does, on both sides of this.
"""

import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

# isort: split
from pubcellar.xmpp import compat  # noqa: F401 - makes wokkel importable

# isort: split
from twisted.internet.defer import Deferred
from twisted.words.protocols.jabber.jid import JID
from twisted.words.xish import domish
from wokkel.disco import DiscoInfo
from wokkel.generic import parseXml

from pubcellar.analysers.boundary import MatchCallback, Parser
from pubcellar.analysers.containment import in_thread
from pubcellar.core.errors import NotAllowed, TooManyRequests, UpstreamAnswerTooLarge
from pubcellar.core.ports import ServiceReader
from pubcellar.core.values import BareJID, Item, NodeKey
from pubcellar.xmpp.bridge import as_deferred, settle

Result = TypeVar("Result")

MAX_REQUESTS = 4
"""How many requests one call of a parser or `match_cb` may make."""
MAX_ITEMS = 20
"""The most items that one of them may ask for."""
MAX_ANSWER_BYTES = 512 * 1024
"""How large the answers to one call may be together."""


class AnalyserClient:
    """What an analyser of the dictionary kind is given as `client`, for the length of one call.

    Requests go out in the proxy's own name, and only to the service that the item came from: its
    other nodes, such as the comments of a post, are often needed, but which services are asked is
    the operator's decision, never that of whoever wrote the item.

    Both methods return Deferreds, which an `async def` may await. A plain function runs in a
    thread; what it asks for there is begun, on the thread of the event loop, when it returns, so
    that no two threads ever touch a Deferred. It must return the Deferred, and cannot wait for it.

    Attributes:
        jid: the proxy's own address.
    """

    def __init__(self, jid: JID, service: BareJID, reader: ServiceReader) -> None:
        self.jid = jid
        self._service = service
        self._reader = reader
        self._loop_thread = threading.get_ident()
        self._requests_left = MAX_REQUESTS
        self._bytes_left = MAX_ANSWER_BYTES
        self._is_closed = False
        self._asked: list[tuple[Deferred[Any], Callable[[], Awaitable[Any]]]] = []
        self._begun: list[Deferred[Any]] = []

    def get_items(
        self, service: JID | str, node: str, max_items: int = 10
    ) -> Deferred[list[domish.Element]]:
        """Return newest items of a node of the item's service, at most `MAX_ITEMS`.

        Raises:
            NotAllowed: another service than the item's, or the call is over.
            TooManyRequests: more than `MAX_REQUESTS` in one call.

        The Deferred fails with an UpstreamError where the service gives no items.
        """
        key = self._key(service, node)
        return self._ask(lambda: self._items(key, max(1, min(max_items, MAX_ITEMS))))

    def disco(self, service: JID | str, node: str) -> Deferred[DiscoInfo]:
        """Return disco#info of a node of the item's service, as a `wokkel.disco.DiscoInfo`.

        Raises, and fails with, the same as `get_items`.
        """
        key = self._key(service, node)
        return self._ask(lambda: self._info(key))

    def begin(self) -> None:
        """Send what was asked for; on the thread of the event loop."""
        asked, self._asked = self._asked, []
        for deferred, request in asked:
            if deferred.called:  # cancelled before it began
                continue
            answer: Deferred[Any] = as_deferred(request())
            answer.chainDeferred(deferred)
            self._begun += [answer, deferred]

    def close(self) -> None:
        """End what is still under way; nothing can be asked any more."""
        self._is_closed = True
        for deferred in self._begun:
            # An analyser may have dropped it, or have been given up: then nobody else takes the
            # error, and Twisted would log it as unhandled.
            deferred.addErrback(lambda _: None)
            deferred.cancel()

    def _key(self, service: JID | str, node: str) -> NodeKey:
        if self._is_closed:
            raise NotAllowed("the call that this client was made for is over")
        address = service if isinstance(service, JID) else JID(service)
        if address.full() != self._service:  # type: ignore[no-untyped-call]
            raise NotAllowed(f"only the item's own service, {self._service}, can be asked")
        return NodeKey(self._service, node)

    def _ask(self, request: Callable[[], Awaitable[Result]]) -> Deferred[Result]:
        if self._requests_left == 0:
            raise TooManyRequests(f"one call can make {MAX_REQUESTS} requests")
        self._requests_left -= 1
        deferred: Deferred[Result] = Deferred()
        self._asked.append((deferred, request))
        if threading.get_ident() == self._loop_thread:
            self.begin()
        return deferred

    async def _items(self, key: NodeKey, max_items: int) -> list[domish.Element]:
        result = await self._reader.items(key, max_items=max_items)
        self._spend(sum(item.size_bytes for item in result.items))
        return [element_of(item.xml) for item in result.items]

    async def _info(self, key: NodeKey) -> DiscoInfo:
        info = await self._reader.node_info(key)
        self._spend(len(info.payload.encode()))
        return DiscoInfo.fromElement(element_of(info.payload))

    def _spend(self, size_bytes: int) -> None:
        self._bytes_left -= size_bytes
        if self._bytes_left < 0:
            raise UpstreamAnswerTooLarge(f"answers to one call exceed {MAX_ANSWER_BYTES} bytes")


class AnalyserBoundary:
    """Calls `parser` and `match_cb` as the ancestor does, see docs/analysers.md.

    Coroutine functions, and what `inlineCallbacks` decorates, run on the event loop; every other
    callable runs in a thread of its own, and what it returns is awaited on the loop.

    Args:
        jid: the proxy's own address.
        reader: asks services in the proxy's own name.
    """

    def __init__(self, jid: BareJID, reader: ServiceReader) -> None:
        self._jid = jid
        self._reader = reader

    async def parse(self, parser: Parser, item: Item, key: NodeKey) -> object:
        """Return what `parser(client, item_elt, service, node)` returns, whatever that is."""

        def call(client: AnalyserClient) -> object:
            return parser(client, element_of(item.xml), JID(key.service), key.node)

        return await self._called(parser, call, key)

    async def match(self, match_cb: MatchCallback, analyse: dict[str, Any], key: NodeKey) -> None:
        """Let `match_cb(client, analyse)` change `analyse`, with the service in it as a JID."""
        analyse["service"] = JID(key.service)
        await self._called(match_cb, lambda client: match_cb(client, analyse), key)

    async def _called(
        self, function: Callable[..., Any], call: Callable[[AnalyserClient], object], key: NodeKey
    ) -> object:
        client = AnalyserClient(JID(self._jid), key.service, self._reader)
        try:
            if is_asynchronous(function):
                value = call(client)
            else:
                value = await in_thread(lambda: call(client), "analyser-callable")
                client.begin()
            return await settle(value)
        finally:
            client.close()


def element_of(xml: str) -> domish.Element:
    """Return serialised XML as an element.

    Raises:
        ValueError: it is not one complete element.
    """
    element = parseXml(xml)
    if not isinstance(element, domish.Element):
        raise ValueError("not one complete XML element")
    return element


def is_asynchronous(function: Callable[..., Any]) -> bool:
    """Tell whether calling it only begins its work: a coroutine function, or inlineCallbacks."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    # inlineCallbacks leaves the generator function it decorates in __wrapped__.
    return inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(
        inspect.unwrap(function)
    )
