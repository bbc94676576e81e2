"""Addresses in payloads: to a service a user is their alias, and to the user they are themselves.

Only attributes of the two pubsub namespaces are looked at, where XEP-0060 has them; what is in an
item is nobody's business. Only the requester's own address is exchanged for their own alias and
back: whoever else is named keeps the name that the service knows.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from pubcellar.core.escaping import escaped
from pubcellar.core.identity import Identity
from pubcellar.core.namespaces import NS_PUBSUB, NS_PUBSUB_OWNER
from pubcellar.core.values import (
    Answer,
    BareJID,
    FullJID,
    Item,
    ItemsAnswer,
    Relayed,
    Request,
    Requester,
)
from pubcellar.xmpp.addresses import Addresses, requester
from pubcellar.xmpp.stanzas import (
    Element,
    MalformedXML,
    children,
    name_of,
    namespace_of,
    parse_element,
    serialised,
)

_SPACES = frozenset({NS_PUBSUB, NS_PUBSUB_OWNER})

_SENT = {
    "subscribe": "jid",
    "unsubscribe": "jid",
    "options": "jid",
    "affiliation": "jid",
    "subscription": "jid",
}
_ANSWERED = {
    "subscription": "jid",
    "affiliation": "jid",
    "options": "jid",
    "item": "publisher",
}
"""Elements, and their attributes that name somebody (XEP-0060 sections 5, 6, 8 and 12.17)."""

Translation = Callable[[str], str | None]


class AliasPayloads:
    """Implements `core.ports.Aliases`, and the way there.

    Args:
        addresses: knows the aliases.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def sent(self, request: Request) -> str:
        """Return the request's payload with the requester's alias where it names the requester.

        Raises:
            NotAllowed, ForwardingLoop: the requester has no alias.
        """
        if request.namespace not in _SPACES or ' jid="' not in request.payload:
            return request.payload
        own = request.requester.bare

        def alias(jid: str) -> str | None:
            try:
                named = requester(jid)
            except ValueError:
                return None
            return self._addresses.alias(named) if named.bare == own else None

        return _translated(request.payload, _SENT, alias)

    def shown(self, request: Request, answer: Answer) -> Answer:
        """See `core.ports.Aliases.shown`."""
        if request.identity is not Identity.ALIAS:
            return answer
        match answer:
            case Relayed(payload):
                shown = self.shown_text(request.requester, payload)
                return answer if shown is payload else replace(answer, payload=shown)
            case ItemsAnswer(items=items):
                own = self._own(request.requester.bare)
                if any((item.publisher or "").startswith(own) for item in items):
                    shown_items = tuple(self._item(request.requester, item) for item in items)
                    return replace(answer, items=shown_items)
        return answer

    def shown_text(self, to: Requester, payload: str) -> str:
        """Return what a service said as it is to be shown to that user."""
        own = self._own(to.bare)
        # An escaped address holds nothing that XML would write otherwise.
        if own not in payload:
            return payload

        def themselves(jid: str) -> str | None:
            resource = jid.removeprefix(own)
            is_theirs = jid.startswith(own) and (not resource or resource.startswith("/"))
            return to.bare + resource if is_theirs else None

        return _translated(payload, _ANSWERED, themselves)

    def _item(self, to: Requester, item: Item) -> Item:
        xml = self.shown_text(to, item.xml)
        return item if xml is item.xml else replace(item, xml=xml)

    def _own(self, bare: BareJID) -> FullJID:
        return FullJID(f"{escaped(bare)}@{self._addresses.component}")


def _translated(payload: str, names: dict[str, str], translation: Translation) -> str:
    """Return the payload with the attributes translated; the same text where none is."""
    try:
        root = parse_element(payload)
    except MalformedXML:
        # What the database holds may be anything; whoever renders it will see.
        return payload
    is_other = False
    for element in _named(root):
        name = names.get(name_of(element), "")
        named = element.get(name) if name else None
        translated = None if named is None else translation(named)
        if translated is not None:
            element.set(name, translated)
            is_other = True
    return serialised(root) if is_other else payload


def _named(root: Element) -> Iterator[Element]:
    """Yield the elements that may name somebody: none of what is inside an item."""
    if namespace_of(root) not in _SPACES:
        return
    yield root
    if name_of(root) != "pubsub":
        return
    for child in children(root):
        if namespace_of(child) in _SPACES:
            yield child
            yield from (one for one in children(child) if namespace_of(one) in _SPACES)
