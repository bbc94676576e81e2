"""An XMPP client over slixmpp: raw requests and their replies, and the pubsub verbs."""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Literal
from xml.etree.ElementTree import Element, SubElement

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import XMLStream
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from harness.stanzas import (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_PUBSUB_EVENT,
    Event,
    Items,
    Payload,
    Reply,
    element,
    page_request,
    pubsub,
    read_page,
    submit_form,
    with_items,
)
from harness.waiting import wait_until

REPLY_SECONDS = 30
# Nothing here is encrypted, and to load the machine's certificates takes longer than to log in.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Client:
    """One connected client; also an async context manager.

    Verbs raise ErrorReply on an error, `request` returns it. A time-out is slixmpp's IqTimeout.
    Only a reply from the very address that was asked counts as one.
    """

    def __init__(self, jid: str, password: str, port: int) -> None:
        self.port = port
        self.events: list[Event] = []
        self.stream = ClientXMPP(
            jid,
            password,
            sasl_mech="PLAIN",
            ssl_context=NO_CERTIFICATES,
            plugin_config={"feature_mechanisms": {"unencrypted_plain": True}},
        )
        self.stream.enable_starttls = False
        self.stream.enable_direct_tls = False
        self.stream.enable_plaintext = True
        events = MatchXPath(f"{{jabber:client}}message/{{{NS_PUBSUB_EVENT}}}event")
        self.stream.register_handler(
            Callback("events", events, lambda message: self.events.append(Event(message.xml)))
        )

    @property
    def jid(self) -> str:
        """The full address the server gave it."""
        return str(self.stream.boundjid)

    @property
    def bare_jid(self) -> str:
        return str(self.stream.boundjid.bare)

    async def connect(self) -> "Client":
        """Connect, log in and become available. Raises: TimeoutError, ConnectionRefusedError."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def refuse(_: object) -> None:
            if not failed.done():
                failed.set_exception(ConnectionRefusedError(f"{self.bare_jid} may not log in"))

        self.stream.add_event_handler("failed_all_auth", refuse)
        started = asyncio.ensure_future(self.stream.wait_until("session_start", REPLY_SECONDS))
        self.stream.connect("127.0.0.1", self.port)
        try:
            done, _ = await asyncio.wait({started, failed}, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            started.cancel()
            failed.cancel()
        self.stream.send_presence()
        return self

    async def disconnect(self) -> None:
        """Leave orderly; no matter if it is gone already."""
        await self.stream.disconnect()
        await end_tasks(self.stream)

    async def __aenter__(self) -> "Client":
        return await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.disconnect()

    async def request(
        self,
        kind: Literal["get", "set"],
        to: str,
        payload: Payload,
        timeout_seconds: float = REPLY_SECONDS,
    ) -> Reply:
        """Send an iq of type get or set and return its reply, be it a result or an error.

        Raises: slixmpp's IqTimeout.
        """
        iq = self.stream.make_iq(ito=to, itype=kind)
        iq.xml.append(element(payload))
        try:
            result = await iq.send(timeout=timeout_seconds)
        except IqError as error:
            return Reply(error.iq.xml)
        return Reply(result.xml)

    async def items(
        self,
        to: str,
        node: str,
        *,
        max_items: int | None = None,
        ids: Iterable[str] = (),
        page: Element | None = None,
    ) -> Items:
        """Ask for items (XEP-0060 section 6.5); `page` comes from `page_request`."""
        payload, action = pubsub("items", node)
        if max_items is not None:
            action.set("max_items", str(max_items))
        with_items(action, ids)
        if page is not None:
            payload.append(page)
        reply = (await self.request("get", to, payload)).or_raise()
        assert reply.payload is not None
        namespace = action.tag.partition("}")[0]
        elements = reply.payload.findall(f"{action.tag}/{namespace}}}item")
        return Items(reply, elements, read_page(reply.payload))

    async def all_pages(self, to: str, node: str, size: int) -> list[Items]:
        """Ask for page after page until one is empty or the last, and return them."""
        pages = [await self.items(to, node, page=page_request(size))]
        while pages[-1].page is not None and pages[-1].page.last is not None:
            pages.append(
                await self.items(to, node, page=page_request(size, after=pages[-1].page.last))
            )
        return [page for page in pages if page.elements]

    async def disco_info(self, to: str, node: str | None = None) -> Reply:
        """Ask what an entity or node is (XEP-0030 section 3)."""
        return (await self.request("get", to, _disco(NS_DISCO_INFO, node))).or_raise()

    async def disco_items(
        self, to: str, node: str | None = None, page: Element | None = None
    ) -> Items:
        """Ask for the nodes of a service or the item ids of a node (XEP-0030 section 4)."""
        payload = _disco(NS_DISCO_ITEMS, node)
        if page is not None:
            payload.append(page)
        reply = (await self.request("get", to, payload)).or_raise()
        assert reply.payload is not None
        found = reply.payload.findall(f"{{{NS_DISCO_ITEMS}}}item")
        return Items(reply, found, read_page(reply.payload))

    async def nodes(self, to: str) -> list[str]:
        """Return the names of the nodes that a service lists."""
        return [each.get("node", "") for each in (await self.disco_items(to)).elements]

    async def publish(self, to: str, node: str, item_id: str, payload: Payload) -> Reply:
        """Publish one item (XEP-0060 section 7.1)."""
        outer, action = pubsub("publish", node)
        with_items(action, [item_id])
        action[0].append(element(payload))
        return (await self.request("set", to, outer)).or_raise()

    async def retract(self, to: str, node: str, item_id: str, notify: bool = True) -> Reply:
        """Retract one item (XEP-0060 section 7.2)."""
        outer, action = pubsub("retract", node)
        if notify:
            action.set("notify", "true")
        with_items(action, [item_id])
        return (await self.request("set", to, outer)).or_raise()

    async def create(self, to: str, node: str, config: dict[str, str] | None = None) -> Reply:
        """Create a node (XEP-0060 section 8.1); `config` by names such as pubsub#access_model."""
        outer, _ = pubsub("create", node)
        if config:
            SubElement(outer, f"{outer.tag.partition('}')[0]}}}configure").append(
                submit_form(config)
            )
        return (await self.request("set", to, outer)).or_raise()

    async def configure(self, to: str, node: str, config: dict[str, str]) -> Reply:
        """Change the configuration of a node (XEP-0060 section 8.2)."""
        outer, action = pubsub("configure", node, owner=True)
        action.append(submit_form(config))
        return (await self.request("set", to, outer)).or_raise()

    async def purge(self, to: str, node: str) -> Reply:
        """Remove all items of a node (XEP-0060 section 8.5)."""
        return await self._owner_request(to, "purge", node)

    async def delete(self, to: str, node: str) -> Reply:
        """Delete a node (XEP-0060 section 8.4)."""
        return await self._owner_request(to, "delete", node)

    async def subscribe(self, to: str, node: str) -> Reply:
        """Subscribe with the bare address (XEP-0060 section 6.1)."""
        outer, action = pubsub("subscribe", node)
        action.set("jid", self.bare_jid)
        return (await self.request("set", to, outer)).or_raise()

    async def set_affiliation(self, to: str, node: str, jid: str, affiliation: str) -> Reply:
        """Give somebody another affiliation with a node (XEP-0060 section 8.9)."""
        outer, action = pubsub("affiliations", node, owner=True)
        namespace = action.tag.partition("}")[0]
        SubElement(action, f"{namespace}}}affiliation", {"jid": jid, "affiliation": affiliation})
        return (await self.request("set", to, outer)).or_raise()

    async def wait_for_event(
        self, matches: Callable[[Event], bool], what: str = "an event", deadline_seconds: float = 20
    ) -> Event:
        """Return the first event, among those here already and those to come, that matches.

        Raises: TimeoutError.
        """
        await wait_until(lambda: any(map(matches, self.events)), what, deadline_seconds)
        return next(filter(matches, self.events))

    async def in_parallel(
        self, requests: Sequence[tuple[Literal["get", "set"], str, Payload]]
    ) -> list[Reply]:
        """Send all requests, (kind, to, payload), before reading a reply; replies in that order."""
        return await asyncio.gather(*(self.request(*each) for each in requests))

    async def _owner_request(self, to: str, action: str, node: str) -> Reply:
        outer, _ = pubsub(action, node, owner=True)
        return (await self.request("set", to, outer)).or_raise()


async def end_tasks(stream: XMLStream) -> None:
    """End the sending task that slixmpp leaves running when a stream has been closed."""
    task = getattr(stream, "_run_out_filters", None)
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task})


def _disco(namespace: str, node: str | None) -> Element:
    query = Element(f"{{{namespace}}}query")
    if node is not None:
        query.set("node", node)
    return query
