"""What is done with a request, by its type and its child element's name.

Reads are handed to the use cases as values, writes are refused for now, and what is asked of this
address itself is answered here. Anything else is `service-unavailable` (RFC 6120 section 8.4).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from pubcellar.core.errors import NotAllowed, ServiceNotProxied, StoreUnavailable, Unsupported
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
    Question,
    Request,
    ServiceInfoAnswer,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
)
from pubcellar.xmpp import incoming, render
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.incoming import Incoming
from pubcellar.xmpp.questions import question
from pubcellar.xmpp.stanzas import name_of, namespace_of, serialised

log = logging.getLogger(__name__)

Handler = Callable[[Incoming], Awaitable[str]]


class Retriever(Protocol):
    """What is needed of `pubcellar.proxy` to answer reads."""

    async def retrieve(self, request: Request, *, trust_cache: bool = True) -> Answer:
        """Return the answer to a read, if need be not from the cache; raises ProxyError."""
        ...


class Requests:
    """Answers requests; every one of them with a payload or a `ProxyError`.

    Args:
        addresses: tells which service an address of ours stands for.
        retriever: answers reads.
    """

    def __init__(self, addresses: Addresses, retriever: Retriever) -> None:
        self._addresses = addresses
        self._retriever = retriever
        self._handlers: dict[tuple[str, str, str], Handler] = {
            ("get", NS_PING, "ping"): self._own(incoming.pong),
            ("get", NS_VERSION, "query"): self._own(incoming.version),
            ("get", NS_DISCO_INFO, "query"): self._read,
            ("get", NS_DISCO_ITEMS, "query"): self._read,
            ("get", NS_PUBSUB, "pubsub"): self._read,
            ("get", NS_PUBSUB_OWNER, "pubsub"): self._read,
            ("set", NS_PUBSUB, "pubsub"): self._refuse_write,
            ("set", NS_PUBSUB_OWNER, "pubsub"): self._refuse_write,
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
        read = Request(
            requester=request.requester,
            service=service,
            asked=request.asked,
            question=asked,
            payload=serialised(request.payload),
            lang=request.lang,
            namespace=namespace_of(request.payload),
        )
        answer = await self._retriever.retrieve(read)
        try:
            return render.payload(answer)
        except StoreUnavailable as error:
            log.error("%s: the service is asked instead service=%s", error, service)
        return render.payload(await self._retriever.retrieve(read, trust_cache=False))

    def _without_service(self, asked: Question) -> str:
        match asked:
            case ServiceInfoQuestion():
                return render.payload(ServiceInfoAnswer(None, pages=False))
            case ServiceItemsQuestion():
                return incoming.no_items()
        raise ServiceNotProxied("this proxy has no default service: ask at a service's address")

    async def _refuse_write(self, request: Incoming) -> str:
        service = self._service(request)
        raise NotAllowed(
            "this proxy only reads: send changes and subscriptions to "
            + (service or "the service itself")
        )

    def _service(self, request: Incoming) -> BareJID | None:
        self._addresses.refuse_loop(request.requester.bare)
        if request.has_resource:
            raise Unsupported("there is nothing at a resource of this address")
        return self._addresses.service(request.asked)
