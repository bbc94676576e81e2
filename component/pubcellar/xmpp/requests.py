"""What is done with a request, by its type and its child element's name.

Reads and writes are handed to the use cases as values, and what is asked of this address itself is
answered here. Anything else is `service-unavailable` (RFC 6120 section 8.4).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from pubcellar.core.errors import ServiceNotProxied, StoreUnavailable, Unsupported
from pubcellar.core.namespaces import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_PING,
    NS_PUBSUB,
    NS_PUBSUB_OWNER,
    NS_VERSION,
)
from pubcellar.core.values import (
    Answer,
    BareJID,
    OtherQuestion,
    Question,
    Request,
    ServiceInfoAnswer,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
)
from pubcellar.core.writes import Write
from pubcellar.xmpp import incoming, render
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.incoming import Incoming
from pubcellar.xmpp.questions import question
from pubcellar.xmpp.stanzas import name_of, namespace_of, serialised
from pubcellar.xmpp.writes import write

log = logging.getLogger(__name__)

NO_SERVICE = "this proxy has no default service: ask at a service's address"

Handler = Callable[[Incoming], Awaitable[str]]


class UseCases(Protocol):
    """What is needed of `pubcellar.proxy` to answer requests."""

    async def retrieve(self, request: Request, *, trust_cache: bool = True) -> Answer:
        """Return the answer to a read, if need be not from the cache; raises ProxyError."""
        ...

    async def write(self, request: Request, write: Write) -> Answer:
        """Forward a write and return the answer to it; raises ProxyError."""
        ...


class Requests:
    """Answers requests; every one of them with a payload or a `ProxyError`.

    Args:
        addresses: tells which service an address of ours stands for.
        use_cases: answer reads and writes.
    """

    def __init__(self, addresses: Addresses, use_cases: UseCases) -> None:
        self._addresses = addresses
        self._use_cases = use_cases
        self._handlers: dict[tuple[str, str, str], Handler] = {
            ("get", NS_PING, "ping"): self._own(incoming.pong),
            ("get", NS_VERSION, "query"): self._own(incoming.version),
            ("get", NS_DISCO_INFO, "query"): self._read,
            ("get", NS_DISCO_ITEMS, "query"): self._read,
            ("get", NS_PUBSUB, "pubsub"): self._read,
            ("get", NS_PUBSUB_OWNER, "pubsub"): self._read,
            ("set", NS_PUBSUB, "pubsub"): self._write,
            ("set", NS_PUBSUB_OWNER, "pubsub"): self._write,
        }

    async def answer(self, type_: str, request: Incoming) -> str:
        """Return the child element of the result, as text.

        Args:
            type_: `get` or `set`.
            request: the request.

        Raises:
            ProxyError: the request is answered with an error instead.
        """
        kind = (type_, namespace_of(request.payload), name_of(request.payload))
        handler = self._handlers.get(kind)
        if handler is None:
            raise Unsupported("nothing at this address answers that")
        return await handler(request)

    def _own(self, answer: Callable[[Incoming], str]) -> Handler:
        async def handler(request: Incoming) -> str:
            self._service(request)
            return answer(request)

        return handler

    async def _read(self, request: Incoming) -> str:
        service = self._service(request)
        asked = question(request.payload)
        if service is None:
            return self._without_service(asked)
        read = _request("get", request, service, asked)
        answer = await self._use_cases.retrieve(read)
        try:
            return render.payload(answer)
        except StoreUnavailable as error:
            log.error("%s: the service is asked instead service=%s", error, service)
        return render.payload(await self._use_cases.retrieve(read, trust_cache=False))

    async def _write(self, request: Incoming) -> str:
        service = self._service(request)
        if service is None:
            raise ServiceNotProxied(NO_SERVICE)
        asked = _request("set", request, service, OtherQuestion())
        return render.payload(await self._use_cases.write(asked, write(request.payload)))

    def _without_service(self, asked: Question) -> str:
        match asked:
            case ServiceInfoQuestion():
                return render.payload(ServiceInfoAnswer(None, pages=False))
            case ServiceItemsQuestion():
                return incoming.no_items()
        raise ServiceNotProxied(NO_SERVICE)

    def _service(self, request: Incoming) -> BareJID | None:
        self._addresses.refuse_loop(request.requester.bare)
        if request.has_resource:
            raise Unsupported("there is nothing at a resource of this address")
        return self._addresses.service(request.asked)


def _request(type_: str, incoming: Incoming, service: BareJID, asked: Question) -> Request:
    return Request(
        requester=incoming.requester,
        service=service,
        asked=incoming.asked,
        question=asked,
        payload=serialised(incoming.payload),
        lang=incoming.lang,
        type=type_,
        namespace=namespace_of(incoming.payload),
    )
