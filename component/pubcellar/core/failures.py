"""Failed look-ups, remembered for a short while so that a service is not asked in vain again.

Two rules. A failure is given only to whom it was given before, unless it says nothing of the
requester: a service may refuse one and not the other, or hide from one what another may see. And
what was remembered is given as it was: a time-out never becomes an answer.

Only plain reads of a node are remembered. Time comes in as an argument.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import count

from pubcellar.core.errors import (
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
    is_passing,
)
from pubcellar.core.identity import Identity
from pubcellar.core.values import (
    BareJID,
    ItemsQuestion,
    NodeInfoQuestion,
    NodeItemsQuestion,
    NodeKey,
    Request,
)

MOST_FAILURES = 10_000
MOST_FAILURE_BYTES = 4 * 1024 * 1024
MOST_SERVICES = 10_000
ENTRY_BYTES = 1024
"""What a failure takes besides its texts, about."""


class FailureKind(Enum):
    """What a look-up failed with, as far as it is remembered."""

    ITEM_NOT_FOUND = "item-not-found"
    FORBIDDEN = "forbidden"
    """The requester is refused, by whatever condition says so (XEP-0060 section 6.5.9)."""
    UNREACHABLE = "unreachable"
    """A server on the way says that the service is not there."""
    TIMEOUT = "timeout"


KINDS = {
    "item-not-found": FailureKind.ITEM_NOT_FOUND,
    "forbidden": FailureKind.FORBIDDEN,
    "not-allowed": FailureKind.FORBIDDEN,
    "not-authorized": FailureKind.FORBIDDEN,
}


@dataclass(frozen=True, slots=True)
class FailureLives:
    """How long each kind is remembered, as configured in `[cache]`; zero is not at all."""

    item_not_found: timedelta = timedelta(seconds=5)
    forbidden: timedelta = timedelta(seconds=5)
    unreachable: timedelta = timedelta(seconds=5)
    timeout: timedelta = timedelta(seconds=10)

    def of(self, kind: FailureKind) -> timedelta:
        """Return how long a failure of that kind is remembered."""
        return {
            FailureKind.ITEM_NOT_FOUND: self.item_not_found,
            FailureKind.FORBIDDEN: self.forbidden,
            FailureKind.UNREACHABLE: self.unreachable,
            FailureKind.TIMEOUT: self.timeout,
        }[kind]


def kind_of(error: UpstreamError) -> FailureKind | None:
    """Return what kind of failure this is; None for one that is not to be remembered."""
    match error:
        case UpstreamTimeout():
            return FailureKind.TIMEOUT
        case UpstreamUnreachable(refusal=refusal):
            # Where nobody said so it is our own stream that is down.
            return None if refusal is None else FailureKind.UNREACHABLE
        case UpstreamRefused() if not is_passing(error):
            return KINDS.get(error.condition)
    return None


def repeated(error: UpstreamError) -> UpstreamError:
    """Return an exception that says the same, and has been raised nowhere yet.

    One that was raised keeps everything alive that was on the stack, and grows with each raise.
    """
    match error:
        case UpstreamRefused():
            return _repeated_refusal(error)
        case UpstreamUnreachable(refusal=UpstreamRefused() as refusal):
            return UpstreamUnreachable(str(error), _repeated_refusal(refusal))
    return type(error)(*error.args)


def _repeated_refusal(error: UpstreamRefused) -> UpstreamRefused:
    return UpstreamRefused(
        error.error_type,
        error.condition,
        application_conditions=error.application_conditions,
        text=error.text,
        error_xml=error.error_xml,
    )


NodeQuestion = ItemsQuestion | NodeInfoQuestion | NodeItemsQuestion


@dataclass(frozen=True, slots=True)
class _Key:
    """A question, in the language it was asked in.

    `requester` and `identity`, as which the service was asked, are None where anybody may ask it.
    """

    node: NodeKey
    question: NodeQuestion
    lang: str | None
    requester: BareJID | None
    identity: Identity | None


@dataclass(frozen=True, slots=True)
class _Failure:
    kind: FailureKind
    error: UpstreamError
    until: datetime
    size_bytes: int


class FailureMemory:
    """The failures that are remembered; beyond the bounds, those of no use the longest go.

    Args:
        lives: how long each kind is remembered.
        most: how many are remembered at most.
        most_bytes: how many bytes they may take together.
    """

    def __init__(
        self,
        lives: FailureLives,
        most: int = MOST_FAILURES,
        most_bytes: int = MOST_FAILURE_BYTES,
    ) -> None:
        self._lives = lives
        self._most = most
        self._most_bytes = most_bytes
        self._failures: OrderedDict[_Key, _Failure] = OrderedDict()
        self._keys: dict[BareJID, dict[str, set[_Key]]] = {}
        self._ended: OrderedDict[BareJID, int] = OrderedDict()
        self._turns = count(1)
        self.size_bytes = 0

    def __len__(self) -> int:
        """Return how many failures are remembered, those among them whose time is over too."""
        return len(self._failures)

    def turn(self) -> int:
        """Return a value to be taken before a service is asked; `remember` wants it."""
        return next(self._turns)

    def remember(self, request: Request, error: UpstreamError, now: datetime, turn: int) -> None:
        """Remember what a read came to, if it is one of those that are.

        Args:
            request: the read.
            error: what it failed with.
            now: the current time.
            turn: what `turn` returned before the service was asked. If it notified us since, or
                something was written there, the failure may be older than that, and is not
                remembered.
        """
        kind = kind_of(error)
        if kind is None or self._ended.get(request.service, 0) > turn:
            return
        key = _key(request, kind is not FailureKind.UNREACHABLE)
        life = self._lives.of(kind)
        if key is None or not life:
            return
        self._forget(key)
        failure = _Failure(kind, repeated(error), now + life, _size(request, error))
        self._failures[key] = failure
        self.size_bytes += failure.size_bytes
        self._keys.setdefault(key.node.service, {}).setdefault(key.node.node, set()).add(key)
        while len(self._failures) > self._most or self.size_bytes > self._most_bytes:
            self._forget(next(iter(self._failures)))

    def recall(self, request: Request, now: datetime) -> UpstreamError | None:
        """Return what the same read came to a short while ago, to be raised; None to ask anew."""
        for is_own in (True, False):
            key = _key(request, is_own)
            failure = None if key is None else self._failures.get(key)
            if key is None or failure is None:
                continue
            if failure.until <= now:
                self._forget(key)
                continue
            self._failures.move_to_end(key)
            return repeated(failure.error)
        return None

    def node_seen(self, node: NodeKey, requester: BareJID | None = None) -> None:
        """The node is there: forget what says otherwise, and what this requester was refused.

        Args:
            node: the node.
            requester: who was given something of it; None for the proxy itself.
        """
        for key in list(self._keys.get(node.service, {}).get(node.node, ())):
            is_refusal = self._failures[key].kind is FailureKind.FORBIDDEN
            if not is_refusal or key.requester == requester:
                self._forget(key)

    def service_heard(self, service: BareJID) -> None:
        """The service notified us of something: forget all its failures."""
        self._end_turn(service)
        self.forget(service, *FailureKind)

    def written(self, service: BareJID, node: str | None) -> None:
        """Something is or was just written: forget what came of reads before, and of those asked.

        Args:
            service: where.
            node: to which node; None where it may be any of them.
        """
        self._end_turn(service)
        if node is None:
            self.forget(service, *FailureKind)
            return
        for key in list(self._keys.get(service, {}).get(node, ())):
            self._forget(key)

    def _end_turn(self, service: BareJID) -> None:
        self._ended[service] = next(self._turns)
        self._ended.move_to_end(service)
        while len(self._ended) > MOST_SERVICES:
            self._ended.popitem(last=False)

    def forget(self, service: BareJID, *kinds: FailureKind) -> None:
        """Forget what the service's look-ups failed with, as far as it is of these kinds."""
        for keys in list(self._keys.get(service, {}).values()):
            for key in list(keys):
                if self._failures[key].kind in kinds:
                    self._forget(key)

    def clear(self) -> None:
        """Forget all failures."""
        for key in list(self._failures):
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        failure = self._failures.pop(key, None)
        if failure is None:
            return
        self.size_bytes -= failure.size_bytes
        nodes = self._keys[key.node.service]
        nodes[key.node.node].discard(key)
        if not nodes[key.node.node]:
            del nodes[key.node.node]
        if not nodes:
            del self._keys[key.node.service]


def _key(request: Request, is_own: bool) -> _Key | None:
    question = request.question
    if not isinstance(question, ItemsQuestion | NodeInfoQuestion | NodeItemsQuestion):
        return None
    node = NodeKey(request.service, question.node)
    if not is_own:
        return _Key(node, question, request.lang, None, None)
    return _Key(node, question, request.lang, request.requester.bare, request.identity)


def _size(request: Request, error: UpstreamError) -> int:
    refusal = error.refusal if isinstance(error, UpstreamUnreachable) else error
    said = refusal.error_xml if isinstance(refusal, UpstreamRefused) else ""
    # The node's name stands in the question and twice beside it.
    texts = (request.payload, request.payload, request.requester.bare, request.service, said)
    return ENTRY_BYTES + sum(len(text) for text in texts)
