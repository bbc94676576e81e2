"""A pubsub service of the tests' own, as an external component: it counts what it is asked.

It can do what real services do and cannot be made to do at will: change silently, send every kind
of event, withhold answers, refuse, go away and come back.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from slixmpp import ComponentXMPP
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from harness.client import REPLY_SECONDS, end_tasks
from harness.counting_answers import Answers, Kind, Request, StanzaError, sort_request
from harness.counting_nodes import StoredItem, StoredNode
from harness.stanzas import FORM_NODE_CONFIG, NS_PUBSUB_EVENT, Payload, result_form
from harness.waiting import wait_until

NS_COMPONENT = "jabber:component:accept"


@dataclass(frozen=True)
class Received:
    """A stanza that came in."""

    kind: Kind
    sender: str
    recipient: str
    node: str | None
    xml: Element


class CountingService(Answers):
    """The service at `jid`; how it answers is set by the attributes of `Answers`.

    Verbs change a node and, unless `notify=False`, send the event to its subscribers. Answers are
    made when the request comes in, also those that are withheld and sent later.
    """

    def __init__(self, jid: str, secret: str, port: int, pages: bool = False) -> None:
        super().__init__(jid, pages)
        self.secret = secret
        self.port = port
        self.received: list[Received] = []
        self._refusals: dict[tuple[Kind, str | None], StanzaError] = {}
        self._withheld: dict[Kind, list[Element]] = {}
        self._stream: ComponentXMPP | None = None

    # The stream

    async def connect(self) -> "CountingService":
        """Connect, also after `disconnect`. Raises: TimeoutError."""
        stream = ComponentXMPP(self.jid, self.secret, "127.0.0.1", self.port)
        for name in ("iq", "message", "presence"):
            matcher = MatchXPath(f"{{{NS_COMPONENT}}}{name}")
            stream.register_handler(Callback(f"every {name}", matcher, self._receive))
        started = asyncio.ensure_future(stream.wait_until("session_start", REPLY_SECONDS))
        stream.connect()
        await started
        self._stream = stream
        return self

    async def disconnect(self) -> None:
        """Go away; nodes and subscribers stay. No matter if it is gone already."""
        if self._stream is not None:
            await self._stream.disconnect()
            await end_tasks(self._stream)
            self._stream = None

    # What was asked

    def count(
        self, kind: Kind | None = None, node: str | None = None, sender: str | None = None
    ) -> int:
        """Return how many stanzas came in, of a kind, for a node, from a full address."""
        return sum(
            (kind is None or each.kind is kind)
            and (node is None or each.node == node)
            and (sender is None or each.sender == sender)
            for each in self.received
        )

    def forget(self) -> None:
        """Begin to count anew."""
        self.received.clear()

    async def wait_for(self, kind: Kind, node: str | None = None, times: int = 1) -> Received:
        """Return the last stanza of that kind once there have been that many of them.

        Raises: TimeoutError.
        """
        await wait_until(lambda: self.count(kind, node) >= times, f"{times} x {kind} for {node}")
        matching = [r for r in self.received if r.kind is kind and node in (None, r.node)]
        return matching[-1]

    # How it misbehaves

    def refuse(self, kind: Kind, error: StanzaError, node: str | None = None) -> None:
        """Answer requests of that kind with an error, for one node or all, until `accept`."""
        self._refusals[kind, node] = error

    def accept(self, kind: Kind, node: str | None = None) -> None:
        """Undo `refuse`."""
        self._refusals.pop((kind, node), None)

    @contextmanager
    def withholding(self, *kinds: Kind, for_ever: bool = False) -> Iterator[None]:
        """Send no answer to these kinds until the block ends, or never if `for_ever`."""
        for kind in kinds:
            self._withheld[kind] = []
        try:
            yield
        finally:
            for kind in kinds:
                for answer in self._withheld.pop(kind):
                    if not for_ever:
                        self.send(answer)

    # Its nodes

    def create(self, name: str, access_model: str = "open", items: int = 0) -> StoredNode:
        """Make a node with that many items, `item-1` the oldest."""
        node = self.nodes[name] = StoredNode(name, access_model)
        for number in range(1, items + 1):
            payload = f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{number}</title></entry>"
            node.put(f"item-{number}", payload, None)
        return node

    def publish(
        self,
        name: str,
        item_id: str,
        payload: Payload,
        *,
        publisher: str | None = None,
        notify: bool = True,
        with_payload: bool = True,
    ) -> StoredItem:
        """Store an item as the newest."""
        item = self.nodes[name].put(item_id, payload, publisher)
        if notify:
            action = Element(f"{{{NS_PUBSUB_EVENT}}}items", {"node": name})
            action.append(item.as_element(NS_PUBSUB_EVENT, with_payload))
            self.notify(name, action)
        return item

    def retract(self, name: str, *item_ids: str, notify: bool = True) -> None:
        """Remove items; several go into one event."""
        self.nodes[name].remove(list(item_ids))
        if notify:
            action = Element(f"{{{NS_PUBSUB_EVENT}}}items", {"node": name})
            for item_id in item_ids:
                SubElement(action, f"{{{NS_PUBSUB_EVENT}}}retract", {"id": item_id})
            self.notify(name, action)

    def purge(self, name: str, notify: bool = True) -> None:
        """Remove all items."""
        self.nodes[name].items.clear()
        if notify:
            self.notify(name, Element(f"{{{NS_PUBSUB_EVENT}}}purge", {"node": name}))

    def delete(self, name: str, notify: bool = True) -> None:
        """Remove the node and its subscriptions."""
        if notify:
            self.notify(name, Element(f"{{{NS_PUBSUB_EVENT}}}delete", {"node": name}))
        del self.nodes[name]

    def configure(self, name: str, access_model: str, notify: bool = True) -> None:
        """Change who may read; subscribers stay."""
        self.nodes[name].access_model = access_model
        if notify:
            action = Element(f"{{{NS_PUBSUB_EVENT}}}configuration", {"node": name})
            fields = {"pubsub#access_model": access_model}
            action.append(result_form(fields, FORM_NODE_CONFIG))
            self.notify(name, action)

    def end_subscription(self, name: str, subscriber: str, notify: bool = True) -> None:
        """Remove a subscriber and tell them so (XEP-0060 section 8.8.4)."""
        self.nodes[name].subscribers.remove(subscriber)
        if notify:
            state = {"node": name, "jid": subscriber, "subscription": "none"}
            action = Element(f"{{{NS_PUBSUB_EVENT}}}subscription", state)
            self.send_event(subscriber, action)

    def notify(self, name: str, action: Element) -> None:
        """Send an event to all subscribers of a node."""
        for subscriber in self.nodes[name].subscribers:
            self.send_event(subscriber, action)

    def send_event(self, to: str, action: Element, sender: str | None = None) -> None:
        """Send an event to anybody; `sender` may be any address at the service's host."""
        names = {"from": sender or self.jid, "to": to, "type": "headline"}
        message = Element(f"{{{NS_COMPONENT}}}message", names)
        SubElement(message, f"{{{NS_PUBSUB_EVENT}}}event").append(action)
        self.send(message)

    def send(self, stanza: Element) -> None:
        """Send a stanza as it is; it is lost while the service is disconnected."""
        if self._stream is not None:
            self._stream.send_xml(stanza)

    # Coming in

    def _receive(self, stanza: StanzaBase) -> None:
        xml = stanza.xml
        name = xml.tag.removeprefix(f"{{{NS_COMPONENT}}}")
        if name == "iq" and xml.get("type") in ("get", "set"):
            request = sort_request(xml)
            self._note(request.kind, xml, request.node)
            self._reply(xml, request)
        else:
            kinds = {"iq": Kind.REPLY, "message": Kind.MESSAGE, "presence": Kind.PRESENCE}
            self._note(kinds[name], xml, None)

    def _note(self, kind: Kind, xml: Element, node: str | None) -> None:
        self.received.append(Received(kind, xml.get("from", ""), xml.get("to", ""), node, xml))

    def _reply(self, iq: Element, request: Request) -> None:
        names = {"id": iq.get("id", ""), "from": iq.get("to", ""), "to": iq.get("from", "")}
        reply = Element(f"{{{NS_COMPONENT}}}iq", {**names, "type": "result"})
        try:
            refusals = self._refusals
            refusal = refusals.get((request.kind, request.node), refusals.get((request.kind, None)))
            if refusal is not None:
                raise refusal
            payload = self.answer(request, names["to"])
            if payload is not None:
                reply.append(payload)
        except StanzaError as error:
            reply.set("type", "error")
            reply.append(error.as_element(NS_COMPONENT))
        if request.kind in self._withheld:
            self._withheld[request.kind].append(reply)
        else:
            self.send(reply)
