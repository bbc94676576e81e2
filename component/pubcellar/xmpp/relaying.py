"""Messages between services and users: what is passed on of them, read and written.

Of a message only its event notification, headers and delay are passed on (XEP-0060 section 12.18,
XEP-0131, XEP-0203), and of an answer to one the error. Only children of the message itself count:
what was forwarded, or copied by a carbon, tells of somebody else's stream. An alias is no mailbox.
"""

from collections.abc import Callable
from xml.sax.saxutils import quoteattr

from pubcellar.core.errors import (
    RequestError,
    StanzaTooLarge,
    UpstreamRefused,
    UpstreamUnreachable,
)
from pubcellar.core.events import Deleted, SubscriptionChanged
from pubcellar.core.namespaces import (
    NS_COMPONENT_ACCEPT,
    NS_DELAY,
    NS_PUBSUB_EVENT,
    NS_SHIM,
)
from pubcellar.core.notifications import Bounce, Message, Notification
from pubcellar.core.values import BareJID, FullJID, Requester, SubscriptionState
from pubcellar.xmpp.addresses import Addresses, full_jid
from pubcellar.xmpp.errors import refusal
from pubcellar.xmpp.events import EVENT
from pubcellar.xmpp.own_jids import replace_jid
from pubcellar.xmpp.stanzas import Element, children, lang_of, qualified, serialised

_PASSED_ON = frozenset({EVENT, qualified(NS_SHIM, "headers"), qualified(NS_DELAY, "delay")})
_ERROR = qualified(NS_COMPONENT_ACCEPT, "error")
_HEADER = qualified(NS_SHIM, "header")
_DELETE = qualified(NS_PUBSUB_EVENT, "delete")
_SUBSCRIPTION = qualified(NS_PUBSUB_EVENT, "subscription")


def notification(
    message: Element, sender: Requester, recipient: Requester, addresses: Addresses
) -> Notification | None:
    """Return what came to an alias as a notification; None if it is none that could be passed on.

    Args:
        message: the stanza.
        sender: where it came from; a service has no resource.
        recipient: where it came to.
        addresses: tells whose alias that is.
    """
    subscriber = addresses.user(recipient)
    nodes = _nodes(message)
    is_error = message.get("type") == "error"
    if subscriber is None or sender.has_resource or is_error or not nodes:
        return None
    actions = [action for event in message.findall(EVENT) for action in children(event)]
    changes = {action.get("node", ""): _change(action, recipient.full) for action in actions}
    named = [action.get("subid") for action in actions if action.tag == _SUBSCRIPTION]
    headers = [one for one in message.iter(_HEADER) if one.get("name", "").lower() == "subid"]
    subids = [*named, *(one.text for one in headers)]
    for event in message.findall(EVENT):
        replace_jid(event, recipient.bare, subscriber.bare)
    return Notification(
        service=sender.bare,
        subscriber=subscriber.full,
        nodes=nodes,
        subids=frozenset(subid for subid in subids if subid),
        changes={node: change for node, change in changes.items() if change is not None},
        message=_message(message, _PASSED_ON),
    )


def bounce(
    message: Element, sender: Requester, recipient: Requester, addresses: Addresses
) -> Bounce | None:
    """Return what a user answers to an address of ours; None if it is no error to a notification.

    Args:
        message: the stanza, of type error.
        sender: the user, or their server for them.
        recipient: where it came to; no notification comes from an address with a resource.
        addresses: tells which service that stands for.
    """
    try:
        service = addresses.service(recipient.bare)
    except RequestError:
        return None
    if service is None or recipient.has_resource or message.find(_ERROR) is None:
        return None
    error = refusal(message)
    refused = error.refusal if isinstance(error, UpstreamUnreachable) else error
    return Bounce(
        user=sender,
        asked=recipient.bare,
        service=service,
        condition=refused.condition if isinstance(refused, UpstreamRefused) else "",
        nodes=_nodes(message),
        message=_message(message, _PASSED_ON | {_ERROR}),
    )


def _nodes(message: Element) -> frozenset[str]:
    """Return everything that the message is about; nothing if something in it is about no node."""
    actions = [action for event in message.findall(EVENT) for action in children(event)]
    nodes = [action.get("node") for action in actions]
    return frozenset(node for node in nodes if node) if all(nodes) else frozenset()


def _change(action: Element, alias: FullJID) -> Deleted | SubscriptionChanged | None:
    if action.tag == _DELETE:
        return Deleted()
    if action.tag != _SUBSCRIPTION or full_jid(action.get("jid", alias)) != alias:
        return None
    try:
        return SubscriptionChanged(SubscriptionState(action.get("subscription", "none")))
    except ValueError:
        return None


def _message(message: Element, passed_on: frozenset[str]) -> Message:
    # Written side by side, as in `pubcellar.xmpp.render`: a tree built of them would drop prefixes.
    content = "".join(serialised(child) for child in children(message) if child.tag in passed_on)
    return Message(message.get("type"), message.get("id"), lang_of(message), content)


class MessagePostman:
    """Implements `core.ports.Postman`.

    Args:
        addresses: makes aliases.
        max_stanza_bytes: the largest stanza that is ever sent.
    """

    def __init__(self, addresses: Addresses, max_stanza_bytes: int) -> None:
        self._addresses = addresses
        self._max_stanza_bytes = max_stanza_bytes
        self._send: Callable[[bytes], None] | None = None

    def opened(self, send: Callable[[bytes], None]) -> None:
        """Use `send` from now on: the stream is up."""
        self._send = send

    def closed(self) -> None:
        """The stream is gone; nothing is queued."""
        self._send = None

    def notify(self, message: Message, sender: BareJID, subscriber: FullJID) -> None:
        """See `core.ports.Postman.notify`."""
        self._write(message, sender, subscriber)

    def bounce(self, message: Message, subscriber: Requester, service: BareJID) -> None:
        """See `core.ports.Postman.bounce`."""
        self._write(message, self._addresses.alias(subscriber), service)

    def _write(self, message: Message, sender: str, recipient: str) -> None:
        if self._send is None:
            raise UpstreamUnreachable("there is no connection to our XMPP server")
        given = {
            "type": message.type,
            "id": message.id,
            "from": sender,
            "to": recipient,
            "xml:lang": message.lang,
        }
        written = "".join(
            f" {name}={quoteattr(value)}" for name, value in given.items() if value is not None
        )
        stanza = f"<message{written}>{message.content}</message>".encode()
        if len(stanza) > self._max_stanza_bytes:
            raise StanzaTooLarge("it is larger than [cache] max_stanza_bytes")
        self._send(stanza)
