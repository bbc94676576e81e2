"""What is done with a request, by its type and its child element's name.

Reads and changes of the requester's own subscriptions are handed to the use cases as values, other
writes are refused for now, and what is asked of this address itself is answered here. Anything else
is `service-unavailable` (RFC 6120 section 8.4).
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
from pubcellar.xmpp.subscription_writes import subscription_write

log = logging.getLogger(__name__)

Handler = Callable[[Incoming], Awaitable[str]]

NO_DEFAULT = "this proxy has no default service: ask at a service's address"


class UseCases(Protocol):
    """What is needed of `pubcellar.proxy` to answer requests."""

    async def retrieve(self, request: Request, *, trust_cache: bool = True) -> Answer:
        """Return the answer to a read, if need be not from the cache; raises ProxyError."""
        ...

    async def write(self, request: Request, write: Write) -> Answer:
        """Carry out a set, and return the answer to it; raises ProxyError."""
        ...


class Requests:
    """Answers requests; every one of them with a payload or a `ProxyError`.

    Args:
        addresses: tells which service an address of ours stands for.
        use_cases: answer reads, and carry out sets.
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
        read = Request(
            requester=request.requester,
            service=service,
            asked=request.asked,
            question=asked,
            payload=serialised(request.payload),
            lang=request.lang,
            namespace=namespace_of(request.payload),
        )
        answer = await self._use_cases.retrieve(read)
        try:
            return render.payload(answer)
        except StoreUnavailable as error:
            log.error("%s: the service is asked instead service=%s", error, service)
        return render.payload(await self._use_cases.retrieve(read, trust_cache=False))

    def _without_service(self, asked: Question) -> str:
        match asked:
            case ServiceInfoQuestion():
                return render.payload(ServiceInfoAnswer(None, pages=False))
            case ServiceItemsQuestion():
                return incoming.no_items()
        raise ServiceNotProxied(NO_DEFAULT)

    async def _write(self, request: Incoming) -> str:
        service = self._service(request)
        if service is None:
            raise ServiceNotProxied(NO_DEFAULT)
        write = subscription_write(request.payload)
        if write is None:
            raise NotAllowed(f"this proxy only reads: send changes to {service}")
        asked = Request(
            requester=request.requester,
            service=service,
            asked=request.asked,
            question=OtherQuestion(),
            payload=serialised(request.payload),
            lang=request.lang,
            type="set",
            namespace=namespace_of(request.payload),
        )
        return render.payload(await self._use_cases.write(asked, write))

    def _service(self, request: Incoming) -> BareJID | None:
        self._addresses.refuse_loop(request.requester.bare)
        if request.has_resource:
            raise Unsupported("there is nothing at a resource of this address")
        return self._addresses.service(request.asked)
