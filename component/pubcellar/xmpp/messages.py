"""What is done with a message: notifications, for us or for users, and what servers let us do.

Of everything else nothing is made. Whether who sent it is believed is for the use cases to decide.
"""

import logging
from typing import Protocol

from pubcellar.core.counters import Counters, Happened
from pubcellar.core.events import Event
from pubcellar.core.identity import Advertisement
from pubcellar.core.notifications import Bounce, Notification
from pubcellar.core.values import BareJID, Requester
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.events import EVENT, events
from pubcellar.xmpp.privilege import advertisement
from pubcellar.xmpp.relaying import bounce, notification
from pubcellar.xmpp.stanzas import Element

log = logging.getLogger(__name__)


class MessageUseCases(Protocol):
    """What messages need of `pubcellar.proxy`."""

    def notified(self, event: Event) -> None:
        """Take a notification that came to the component's own address."""
        ...

    def notified_alias(self, notification: Notification) -> None:
        """Take a notification that came to an alias of a user."""
        ...

    def bounced(self, bounce: Bounce) -> None:
        """Take an error that came to an address of ours in answer to a notification."""
        ...

    def heard_from(self, service: BareJID) -> None:
        """This address has sent a notification, be it of interest or not."""
        ...

    def follows(self, service: BareJID) -> bool:
        """Tell whether notifications of the service are of interest."""
        ...

    def advertised(self, said: Advertisement) -> None:
        """Take what a server says to the component's own address that it lets us do."""
        ...


class Messages:
    """Tells messages apart.

    Args:
        addresses: tells our addresses apart.
        use_cases: get what is of interest.
        counters: what is dropped is counted there.
    """

    def __init__(
        self, addresses: Addresses, use_cases: MessageUseCases, counters: Counters
    ) -> None:
        self._addresses = addresses
        self._use_cases = use_cases
        self._counters = counters

    def received(self, message: Element, sender: Requester, recipient: Requester) -> None:
        """Tell what the message is, and hand it on, or drop it.

        Args:
            message: the stanza.
            sender: its sender.
            recipient: its addressee, at an address of ours.
        """
        self._advertised(message, sender, recipient)
        is_error = message.get("type") == "error"
        is_event = message.find(EVENT) is not None
        if is_event and not sender.has_resource and not is_error:
            self._use_cases.heard_from(sender.bare)
        if is_error or recipient.bare != self._addresses.component:
            self._pass_on(message, sender, recipient, is_error=is_error)
        elif is_event:
            self._notify(message, sender, recipient)

    def _notify(self, message: Element, sender: Requester, recipient: Requester) -> None:
        """Take what may be a notification for the component's own subscriptions."""
        is_foreign = sender.has_resource or recipient.has_resource
        if is_foreign or not self._use_cases.follows(sender.bare):
            self._counters.count(Happened.EVENT_IGNORED)
            return
        for event in events(message, sender.bare, recipient.bare):
            self._use_cases.notified(event)

    def _pass_on(
        self, message: Element, sender: Requester, recipient: Requester, *, is_error: bool
    ) -> None:
        """Take what may be for a user whose alias is subscribed, or comes from one."""
        if is_error:
            bounced = bounce(message, sender, recipient, self._addresses)
            if bounced is not None:
                self._use_cases.bounced(bounced)
                return
        else:
            notified = notification(message, sender, recipient, self._addresses)
            if notified is not None:
                self._use_cases.notified_alias(notified)
                return
        self._counters.count(Happened.NOTIFICATION_DROPPED)
        log.debug("dropped a message that is nothing to be passed on")

    def _advertised(self, message: Element, sender: Requester, recipient: Requester) -> None:
        """Hand on what a server lets us do, which it says by itself and to ourselves."""
        is_server = "@" not in sender.bare and not sender.has_resource
        if is_server and str(recipient.full) == self._addresses.component:
            said = advertisement(message, sender.bare)
            if said is not None:
                self._use_cases.advertised(said)
