"""A pubsub service that answers as real ones do, and counts what it is asked.

Without paging it has the habits of Prosody: plain lists oldest first, disco#items newest first,
ids as requested, a republished item moves to the end. With paging those of ejabberd: `<set/>` with
tokens that are no item ids, disco#items oldest first, ids in stored order, republished items stay,
subscribers of a node that is closed stay too, and strangers are told that it has no items.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import quoteattr

from lxml import etree

from playbook.stanzas import (
    DISCO_INFO,
    DISCO_ITEMS,
    EVENT,
    FORM,
    META_DATA,
    PUBSUB,
    RSM,
    STANZAS,
    Element,
    item,
)

CACHE = "cache.example.org"
WRITES = ("publish", "retract", "create", "configure", "delete", "purge", "affiliations")


@dataclass
class Node:
    """A node; `items` are ids and whole items, oldest first.

    `plain_limit` is how many of the newest it gives to who does not say how many, `greeting` the id
    of the item that it sends to who subscribes (XEP-0060 section 6.1.7). With `says_subscribed` it
    tells everybody that they are subscribed. Who is in `outcasts` is given no items; where it is
    not open, `members` are. `hidden` are ids of items that it does not give to somebody. People are
    named there by their bare or full addresses.
    `meta_data` are more fields of its metadata form, by `var`.
    """

    items: dict[str, str] = field(default_factory=dict)
    access_model: str | None = "open"
    title: str = "A node"
    subscribers: set[str] = field(default_factory=set)
    refuses_subscriptions: bool = False
    admits_everybody: bool = False
    plain_limit: int | None = None
    greeting: str | None = None
    says_subscribed: bool = False
    outcasts: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    hidden: dict[str, set[str]] = field(default_factory=dict)
    meta_data: dict[str, str] = field(default_factory=dict)

    def is_cast_out(self, sender: str) -> bool:
        return bool({sender, bare(sender)} & self.outcasts)

    def lets_in(self, sender: str) -> bool:
        """Whether somebody is let in although it is not open."""
        return self.admits_everybody or bool({sender, bare(sender)} & self.members)

    def shown_to(self, sender: str) -> "Node":
        """Return the node as somebody is given it."""
        hidden = self.hidden.get(sender, set()) | self.hidden.get(bare(sender), set())
        shown = {one: xml for one, xml in self.items.items() if one not in hidden}
        return replace(self, items=shown) if hidden else self


def bare(address: str) -> str:
    return address.partition("/")[0]


class Service:
    """A service.

    Attributes:
        nodes: its nodes, by name.
        asked: what it was asked since the list was last emptied, such as `items notes/a max=1`;
            what an alias asked ends with `for` and the alias.
        refusal: a stanza error with which it answers everything.
        is_silent: it answers nothing.
        unanswered: beginnings of questions, as in `asked`, that it never answers.
        greets_without_delay: what it sends to who subscribes looks like any notification.
        notifies: when it notifies of what was written: "before" its answer, as real ones do,
            "after" it, or "late"; then the notification is put into `late`.
        is_mute: it carries out what is written, and does not answer.
    """

    def __init__(self, jid: str = "pubsub.example.org", *, pages: bool = False) -> None:
        self.jid = jid
        self.pages = pages
        self.nodes: dict[str, Node] = {}
        self.asked: list[str] = []
        self.refusal: tuple[str, str] | None = None
        self.is_silent = False
        self.unanswered: tuple[str, ...] = ()
        self.greets_without_delay = False
        self.refusals: dict[str, tuple[str, str]] = {}
        self.notifies = "before"
        self.late: list[str] = []
        self.is_mute = False

    def has(self, node: str, ids: Sequence[str] = (), *, payload: str | None = None) -> Node:
        """Give the service a node with items of these ids, oldest first."""
        made = Node({one: item(one, payload) for one in ids})
        self.nodes[node] = made
        return made

    # Changes, as events; what is not announced to a subscriber happens silently

    def publish(self, node: str, item_id: str, payload: str | None = None) -> str:
        held = self.nodes[node].items
        if not self.pages:
            held.pop(item_id, None)
        held[item_id] = item(item_id, payload)
        return self.event(f"<items node={quoteattr(node)}>{held[item_id]}</items>")

    def announce(self, node: str, item_id: str) -> str:
        """Publish, and notify without payload."""
        self.publish(node, item_id)
        return self.event(f"<items node={quoteattr(node)}><item id={quoteattr(item_id)}/></items>")

    def retract(self, node: str, *ids: str) -> str:
        for one in ids:
            del self.nodes[node].items[one]
        retracts = "".join(f"<retract id={quoteattr(one)}/>" for one in ids)
        return self.event(f"<items node={quoteattr(node)}>{retracts}</items>")

    def purge(self, node: str) -> str:
        self.nodes[node].items.clear()
        return self.event(f"<purge node={quoteattr(node)}/>")

    def delete(self, node: str) -> str:
        del self.nodes[node]
        return self.event(f"<delete node={quoteattr(node)}/>")

    def configure(self, node: str, access_model: str | None = "open", title: str = "New") -> str:
        self.nodes[node].access_model = access_model
        self.nodes[node].title = title
        if access_model == "whitelist" and not self.pages:
            self.nodes[node].subscribers.clear()
        return self.event(f"<configuration node={quoteattr(node)}/>")

    def event(self, action: str, to: str = CACHE) -> str:
        """Return a notification (XEP-0060 section 7.1.2)."""
        return (
            f"<message from='{self.jid}' to='{to}' type='headline'>"
            f"<event xmlns='{EVENT}'>{action}</event></message>"
        )

    # Requests

    def reply(self, request: Element) -> list[str]:
        """Return what the service answers: nothing, or one stanza."""
        payload = request[0]
        question = self._noted(request, payload)
        if self.is_silent or question.startswith(self.unanswered):
            return []
        refusal = self.refusal or next(
            (error for asked, error in self.refusals.items() if question.startswith(asked)), None
        )
        events: list[str] = []
        is_write = request.get("type") == "set" and refusal is None
        is_write = is_write and etree.QName(payload[0]).localname in WRITES
        answer = refusal or (
            self._written(payload, events) if is_write else self._answer(request, payload)
        )
        if self.notifies == "late":
            self.late += events
            events = []
        if is_write and self.is_mute:
            return events
        kind = "result"
        if isinstance(answer, tuple):
            kind, type_, condition = "error", *answer
            answer = f"<error type='{type_}'><{condition} xmlns='{STANZAS}'/></error>"
        attributes = {
            "type": kind,
            "id": request.get("id", ""),
            "from": request.get("to", ""),
            "to": request.get("from", ""),
        }
        written = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
        is_before = self.notifies == "before"
        return [
            *(events if is_before else []),
            f"<iq{written}>{answer}</iq>",
            *([] if is_before else events),
            *self._greetings(payload[0] if len(payload) else None),
        ]

    def _written(self, payload: Element, events: list[str]) -> str | tuple[str, str]:
        """Carry out a write of whoever it is, and return the answer; its event is put in `events`.

        A configuration changes silently, as Prosody's do; `access_model` and `title` alone count.
        """
        action = payload[0]
        name, verb = action.get("node", ""), etree.QName(action).localname
        if verb == "create":
            self.has(name or "instant-1")
            made = "" if name else f"<pubsub xmlns='{PUBSUB}'><create node='instant-1'/></pubsub>"
            return made
        if name not in self.nodes:
            return "cancel", "item-not-found"
        is_notified = CACHE in self.nodes[name].subscribers
        event, answer = "", ""
        match verb:
            case "publish":
                ids = [one.get("id") or "made-up" for one in action]
                for item_id, one in zip(ids, action, strict=True):
                    inner = "".join(etree.tostring(part, encoding="unicode") for part in one)
                    event = self.publish(name, item_id, inner)
                    events += [event] if is_notified else []
                listed = "".join(f"<item id={quoteattr(one)}/>" for one in ids)
                return (
                    f"<pubsub xmlns='{PUBSUB}'><publish node={quoteattr(name)}>{listed}</publish>"
                    "</pubsub>"
                )
            case "retract":
                ids = [one.get("id", "") for one in action]
                if not set(ids) <= self.nodes[name].items.keys():
                    return "cancel", "item-not-found"
                event = self.retract(name, *ids)
            case "purge":
                event = self.purge(name)
            case "delete":
                event = self.delete(name)
            case "configure":
                fields = {one.get("var", ""): one.findtext(f"{{{FORM}}}value") for one in action[0]}
                model = fields.get("pubsub#access_model", self.nodes[name].access_model)
                self.configure(name, model, fields.get("pubsub#title") or "New")
        events += [event] if event and is_notified else []
        return answer

    def _greetings(self, action: Element | None) -> list[str]:
        if action is None or etree.QName(action).localname != "subscribe":
            return []
        node = self.nodes[action.get("node", "")]
        if node.greeting is None:
            return []
        event = self.event(
            f"<items node={quoteattr(action.get('node', ''))}>{node.items[node.greeting]}</items>"
        )
        if self.greets_without_delay:
            return [event]
        delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-20T00:00:00Z'/></message>"
        return [event.replace("</message>", delay)]

    def _noted(self, request: Element, payload: Element) -> str:
        child = payload if payload.get("node") or not len(payload) else payload[0]
        name = etree.QName(payload).namespace.rpartition("#")[2]
        word = {"info": "info", "items": "list"}.get(name) or etree.QName(child).localname
        words = [word, child.get("node") or ""]
        words += [f"newest={child.get('max_items')}"] if child.get("max_items") else []
        words += [f"id={one.get('id')}" for one in child if one.get("id")]
        page = payload.find(f"{{{RSM}}}set")
        for one in page if page is not None else ():
            words.append(f"{etree.QName(one).localname}={one.text or ''}")
        sender = request.get("from", "")
        words += [] if sender == CACHE else [f"for {sender}"]
        question = " ".join(word for word in words if word)
        self.asked.append(question)
        return question

    def _answer(self, request: Element, payload: Element) -> str | tuple[str, str]:
        space = etree.QName(payload).namespace
        page = payload.find(f"{{{RSM}}}set")
        if space in (DISCO_INFO, DISCO_ITEMS) and payload.get("node") is None:
            return self._service_info() if space == DISCO_INFO else self._node_list()
        child = payload if payload.get("node") is not None else payload[0]
        sender, name = request.get("from", ""), child.get("node", "")
        node = self.nodes.get(name)
        if node is None:
            return "cancel", "item-not-found"
        if space == DISCO_INFO:
            return self._node_info(name, node)
        if space == DISCO_ITEMS:
            return self._item_list(sender, name, node.shown_to(sender))
        return self._pubsub(request, child, name, node, page)

    def _pubsub(
        self, request: Element, child: Element, name: str, node: Node, page: Element | None
    ) -> str | tuple[str, str]:
        sender = request.get("from", "")
        match etree.QName(child).localname:
            case "items":
                return self._items(sender, child, name, node.shown_to(sender), page)
            case "subscribe" if node.refuses_subscriptions or not self._may_read(sender, node):
                return "auth", "forbidden"
            case "subscribe":
                sender = child.get("jid", sender)
                node.subscribers.add(sender)
            case "unsubscribe":
                node.subscribers.discard(child.get("jid", sender))
                return ""
            case "subscriptions":
                of_sender = sorted(one for one in node.subscribers if bare(one) == bare(sender))
                entries = "".join(self._subscription(name, one) for one in of_sender or [sender])
                listed = f"<subscriptions node={quoteattr(name)}>{entries}</subscriptions>"
                return f"<pubsub xmlns='{PUBSUB}'>{listed}</pubsub>"
        return f"<pubsub xmlns='{PUBSUB}'>{self._subscription(name, sender)}</pubsub>"

    def _subscription(self, name: str, jid: str) -> str:
        node = self.nodes[name]
        is_subscribed = node.says_subscribed or jid in node.subscribers
        state = "subscribed" if is_subscribed else "none"
        return f"<subscription node={quoteattr(name)} jid='{jid}' subscription='{state}'/>"

    def _service_info(self) -> str:
        paging = f"<feature var='{RSM}'/>" if self.pages else ""
        return (
            f"<query xmlns='{DISCO_INFO}'><identity category='pubsub' type='service'/>"
            f"<feature var='{PUBSUB}'/>{paging}</query>"
        )

    def _node_list(self) -> str:
        names = "".join(f"<item jid='{self.jid}' node={quoteattr(one)}/>" for one in self.nodes)
        return f"<query xmlns='{DISCO_ITEMS}'>{names}</query>"

    def _node_info(self, name: str, node: Node) -> str:
        model = (
            ""
            if node.access_model is None
            else f"<field var='pubsub#access_model'><value>{node.access_model}</value></field>"
        )
        more = "".join(
            f"<field var={quoteattr(var)}><value>{value}</value></field>"
            for var, value in node.meta_data.items()
        )
        return (
            f"<query xmlns='{DISCO_INFO}' node={quoteattr(name)}>"
            f"<identity category='pubsub' type='leaf'/><x xmlns='{FORM}' type='result'>"
            f"<field var='FORM_TYPE' type='hidden'><value>{META_DATA}</value></field>"
            f"<field var='pubsub#title'><value>{node.title}</value></field>{model}{more}"
            "</x></query>"
        )

    def _may_read(self, sender: str, node: Node) -> bool:
        is_let_in = node.lets_in(sender) or (self.pages and sender in node.subscribers)
        is_closed = node.access_model == "whitelist" or (
            node.access_model != "open" and bool(node.members)
        )
        return not node.is_cast_out(sender) and (is_let_in or not is_closed)

    def _item_list(self, sender: str, name: str, node: Node) -> str | tuple[str, str]:
        is_let_in = node.lets_in(sender) or (self.pages and sender in node.subscribers)
        is_shown = node.access_model == "open" or (is_let_in and not node.is_cast_out(sender))
        if not is_shown and not self.pages:
            return "auth", "forbidden"
        ids = list(node.items) if self.pages else list(reversed(node.items))
        ids = ids if is_shown else []
        found = "".join(f"<item jid='{self.jid}' name={quoteattr(one)}/>" for one in ids)
        return f"<query xmlns='{DISCO_ITEMS}' node={quoteattr(name)}>{found}</query>"

    def _items(
        self, sender: str, child: Element, name: str, node: Node, page: Element | None
    ) -> str | tuple[str, str]:
        if not self._may_read(sender, node):
            return "auth", "forbidden"
        wanted = [one.get("id", "") for one in child]
        ids = list(node.items)
        paged = ""
        if wanted:
            asked = [one for one in wanted if one in node.items]
            ids = [one for one in ids if one in set(asked)] if self.pages else asked
        elif page is not None and self.pages:
            ids, paged = self._page(ids, page)
        elif child.get("max_items", "").isdigit():
            ids = ids[-int(child.get("max_items", "")) :]
        elif node.plain_limit is not None:
            ids = ids[-node.plain_limit :]
        found = "".join(node.items[one] for one in ids)
        return (
            f"<pubsub xmlns='{PUBSUB}'>{paged}<items node={quoteattr(name)}>{found}</items>"
            "</pubsub>"
        )

    def _page(self, ids: list[str], page: Element) -> tuple[list[str], str]:
        tokens = [f"t-{number:04}" for number in range(len(ids))]
        given = {etree.QName(one).localname: one.text or "" for one in page}
        start, stop = 0, len(ids)
        size = int(given.get("max", stop))
        if given.get("after") in tokens:
            start = tokens.index(given["after"]) + 1
        elif "after" in given:
            start = stop
        if "before" in given:
            stop = tokens.index(given["before"]) if given["before"] in tokens else stop
            start = max(start, stop - size)
        part = range(start, stop)[:size]
        ends = (
            f"<first index='{part[0]}'>{tokens[part[0]]}</first><last>{tokens[part[-1]]}</last>"
            if part
            else ""
        )
        paged = f"<set xmlns='{RSM}'><count>{len(ids)}</count>{ends}</set>"
        return [ids[number] for number in part], paged
