"""Sequences of operations out of a seed: the same seed, the same sequence, for ever.

Items never expire here: Prosody 0.12 has no `pubsub#item_expire`, and ejabberd 23.01, told to drop
what has expired, drops nothing of its pubsub service.
"""

from dataclasses import dataclass, field
from random import Random

from differential.operations import (
    Configure,
    Create,
    Delete,
    Fields,
    Operation,
    Publish,
    Purge,
    Retract,
    Sequence,
    Step,
    Through,
)

NS_ATOM = "http://www.w3.org/2005/Atom"

FIRST_ITEMS = (2, 6)
MAX_ITEMS = ("2", "3", "5", "8")
ROOM = "50"
SWITCHES = ("notify_retract", "notify_delete", "notify_config", "deliver_payloads")
TITLES = ("", "A title", "Ein längerer Titel & mehr", "<not markup>")

# Ids and payloads that are easily spelt wrongly on their way through databases and parsers.
ODD_IDS = ("a&b", "it's", 'quo"te', "ünï-çødé", "two words", "0", "-1", "<id>", "A", "a", "50%")
CONTENTS = (
    "plain",
    "&lt;markup&gt; &amp; more",
    " spaces  and\n a new line ",
    "\N{GRINNING FACE} ümläut",
)


@dataclass(frozen=True)
class Ways:
    """What can be done at one kind of server.

    Attributes:
        access_models: those that a node can be given; the first is `open`.
        tells_silent_republish: whether an item published again without a notification moves, so
            that the proxy can see it; docs/protocol.md says that it cannot where it does not.
        options: further fields of a configuration, by name, with the values they can have.
    """

    access_models: tuple[str, ...]
    tells_silent_republish: bool
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()


PROSODY = Ways(
    access_models=("open", "whitelist"),
    tells_silent_republish=True,
)
EJABBERD = Ways(
    access_models=("open", "whitelist", "authorize", "presence", "roster"),
    tells_silent_republish=False,
    options=(
        ("itemreply", ("none", "publisher", "owner")),
        ("send_last_published_item", ("never", "on_sub", "on_sub_and_presence")),
    ),
)


def ways_of(server_kind: str) -> Ways:
    """Return the ways of a server by its name in combinations.py."""
    return {"prosody": PROSODY, "ejabberd": EJABBERD}[server_kind.partition("-")[0]]


def generated(seed: int, steps: int, ways: Ways) -> Sequence:
    """Return the sequence of that seed; the first step makes a node with items."""
    return _Generator(Random(seed), ways).sequence(steps)


def through_the_proxy(sequence: Sequence, seed: int) -> Sequence:
    """Return the sequence with a part of it done through the proxy: some steps all of it.

    Nodes are created at the service, since not everybody may create them by an alias.
    """
    random = Random(f"through {seed}")

    def through(operation: Operation, share: float) -> Operation:
        is_through = not isinstance(operation, Create) and random.random() < share
        return Through(operation) if is_through else operation

    steps = []
    for step in sequence:
        share = random.choice((0.0, 0.5, 1.0, 1.0))
        steps.append(tuple(through(operation, share) for operation in step))
    return tuple(steps)


@dataclass
class _Generator:
    random: Random
    ways: Ways
    ids: list[str] = field(default_factory=list)
    """Those that are probably there; what is evicted is the service's affair."""
    exists: bool = False
    is_closed: bool = False
    is_silent: bool = False
    """Items published again are seen by nobody."""
    published: int = 0

    def sequence(self, steps: int) -> Sequence:
        first: list[Operation] = [self._create(is_open=True)]
        first += [self._publish_new() for _ in range(self.random.randint(*FIRST_ITEMS))]
        return (tuple(first), *(self._step() for _ in range(steps - 1)))

    def _step(self) -> Step:
        if self.exists and self.random.random() < 0.1:
            return self._anew()
        if self.is_closed and self.random.random() < 0.6:
            # So that there is something to be held.
            return (self._give_access("open"),)
        number = self.random.choice((1, 1, 1, 2, 3, 5))
        return tuple(self._operation() for _ in range(number))

    def _anew(self) -> Step:
        """Delete and create before anybody can look, with some of the old ids."""
        old = self.random.sample(self.ids, min(len(self.ids), 2))
        operations: list[Operation] = [self._delete(), self._create()]
        operations += [self._publish(item_id) for item_id in old if not self.is_silent]
        operations += [self._publish_new() for _ in range(self.random.randint(0, 2))]
        return tuple(operations)

    def _operation(self) -> Operation:
        if not self.exists:
            # A publish to a node that is missing creates it on ejabberd.
            is_created = self.random.random() < 0.85
            return self._create() if is_created else self._publish_new()
        choices = {
            self._publish_new: 30,
            self._publish_again: 18,
            self._retract: 20,
            self._purge: 4,
            self._delete: 5,
            self._close_or_open: 8,
            self._limit: 7,
            self._switch: 8,
        }
        (chosen,) = self.random.choices(list(choices), list(choices.values()))
        return chosen()

    # Nodes

    def _create(self, is_open: bool = False) -> Operation:
        self.exists, self.ids = True, []
        self.is_silent = self.is_closed = False
        fields = {"max_items": ROOM}
        if self.random.random() < 0.4:
            fields["max_items"] = self.random.choice(MAX_ITEMS)
        if not is_open and self.random.random() < 0.2:
            model = self.random.choice(self.ways.access_models)
            fields["access_model"], self.is_closed = model, model != "open"
        for name in SWITCHES:
            if self.random.random() < 0.25:
                fields[name] = self.random.choice("01")
        for name, values in self.ways.options:
            if self.random.random() < 0.25:
                fields[name] = self.random.choice(values)
        if self.random.random() < 0.3:
            fields["title"] = self.random.choice(TITLES)
        return Create(_fields(fields))

    def _delete(self) -> Operation:
        self.exists, self.is_closed, self.ids = False, False, []
        return Delete()

    def _purge(self) -> Operation:
        self.ids = []
        return Purge()

    def _close_or_open(self) -> Operation:
        return self._give_access(self.random.choice(self.ways.access_models))

    def _give_access(self, model: str) -> Operation:
        self.is_closed = model != "open"
        return Configure((("access_model", model),))

    def _limit(self) -> Operation:
        return Configure((("max_items", self.random.choice((*MAX_ITEMS, ROOM))),))

    def _switch(self) -> Operation:
        """Change what is neither access nor size: a title, or what is notified."""
        options = [("title", TITLES), *((name, ("0", "1")) for name in SWITCHES)]
        options += [("deliver_notifications", ("0", "1")), *self.ways.options]
        name, values = self.random.choice(options)
        value = self.random.choice(values)
        if name == "deliver_notifications":
            self.is_silent = value == "0" and not self.ways.tells_silent_republish
        return Configure(((name, value),))

    # Items

    def _publish_new(self) -> Operation:
        odd = [item_id for item_id in ODD_IDS if item_id not in self.ids]
        if odd and self.random.random() < 0.2:
            return self._publish(self.random.choice(odd))
        return self._publish(f"item-{self.published + 1}")

    def _publish_again(self) -> Operation:
        if not self.ids or self.is_silent:
            return self._publish_new()
        return self._publish(self.random.choice(self.ids))

    def _publish(self, item_id: str) -> Operation:
        self.published += 1
        if item_id not in self.ids:
            self.ids.append(item_id)
        return Publish(item_id, self._payload())

    def _retract(self) -> Operation:
        if not self.ids or self.random.random() < 0.08:
            return Retract("never-published", notify=True)
        # Either end is where orders and evictions go wrong.
        item_id = self.random.choice((self.ids[0], self.ids[-1], self.random.choice(self.ids)))
        self.ids.remove(item_id)
        return Retract(item_id, notify=self.random.random() < 0.5)

    def _payload(self) -> str:
        content = self.random.choice(CONTENTS)
        attributes = self.random.choice(
            ("", " xml:lang='de'", " xmlns:x='urn:x' x:kind='a&amp;b'", " xmlns:y='urn:unused'")
        )
        return (
            f"<entry xmlns='{NS_ATOM}'{attributes}><title>{self.published}</title>"
            f"<content type='text'>{content}</content></entry>"
        )


def _fields(fields: dict[str, str]) -> Fields:
    return tuple(fields.items())
