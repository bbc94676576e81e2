"""The built-in analyser of public subscriptions (XEP-0465)."""

from typing import TypedDict

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.matching import has_prefix
from pubcellar.analysers.payload import payload_of
from pubcellar.analysers.plain_text import one_line
from pubcellar.analysers.results import present
from pubcellar.analysers.xmpp_uri import address
from pubcellar.core.namespaces import (
    NODE_PUBLIC_SUBSCRIBERS,
    NODE_PUBLIC_SUBSCRIPTIONS,
    NS_PUBLIC_SUBSCRIPTIONS,
)
from pubcellar.core.values import Item, NodeKey

_SUBSCRIPTION = f"{{{NS_PUBLIC_SUBSCRIPTIONS}}}subscription"
_SUBSCRIBER = f"{{{NS_PUBLIC_SUBSCRIPTIONS}}}subscriber"


class Subscription(TypedDict):
    """A node that somebody is subscribed to, with its service (section 4.2)."""

    service: str | None
    node: str | None


class Subscriber(TypedDict):
    """Somebody who is subscribed to a node (section 4.4)."""

    subscriber: str | None


class PublicSubscriptionsAnalyser(Analyser):
    """Holds both kinds of nodes of XEP-0465, which the service manages and notifies about."""

    name = "public-subscriptions"
    type = "subscriptions"
    node = (NODE_PUBLIC_SUBSCRIPTIONS, NODE_PUBLIC_SUBSCRIBERS)
    namespace = NS_PUBLIC_SUBSCRIPTIONS
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return a `Subscription` or a `Subscriber`, whichever the item holds; {} if neither."""
        payload = payload_of(item.xml, _SUBSCRIPTION, _SUBSCRIBER)
        if payload is None:
            return {}
        jid = address(payload.get("jid"))
        if payload.tag == _SUBSCRIBER:
            subscriber: Subscriber = {"subscriber": jid}
            return dict(present(subscriber))
        subscription: Subscription = {"service": jid, "node": one_line(payload.get("node"))}
        return dict(present(subscription))

    async def subtype(self, key: NodeKey) -> str | None:
        """Return `subscribers` for those of one node, `subscriptions` for those of one user."""
        if has_prefix(key.node, NODE_PUBLIC_SUBSCRIBERS):
            return "subscribers"
        return "subscriptions" if has_prefix(key.node, NODE_PUBLIC_SUBSCRIPTIONS) else None
