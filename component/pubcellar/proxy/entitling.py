"""Entitling people to what is held of nodes that are not open, by what the service gives them.

A forwarded items read that succeeded shows what its requester may be given. It is compared with
what the cache would have answered: who was given less is entitled to nothing, and if we are given
what they were not, the node is shown differently to different people and not held any more.
"""

from dataclasses import dataclass

from pubcellar.core.access import Audience, audience
from pubcellar.core.entitlements import Asked
from pubcellar.core.errors import ProxyError, UpstreamRefused, is_passing
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.records import NodeRecord
from pubcellar.core.states import NodeState
from pubcellar.core.values import (
    Answer,
    DiscoItemsAnswer,
    ItemsAnswer,
    ItemsQuestion,
    NodeKey,
    Request,
)
from pubcellar.proxy.held import Held
from pubcellar.proxy.node_entry import NodeEntry, Work
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.worker import Workers

MOST_NOT_SHOWN = 3
"""Ids; whether one of them is shown to us tells as much as all of them."""


@dataclass(frozen=True, slots=True)
class Before:
    """What was held of a node when a read of it was about to be forwarded."""

    entry: NodeEntry
    arrivals: int
    generation: int
    asked: Asked


class Entitling:
    """Decides who may be given what is held, and learns it."""

    def __init__(self, parts: Parts, held: Held, workers: Workers) -> None:
        self._parts = parts
        self._held = held
        self._workers = workers

    # Who may be given what

    def is_entitled(self, request: Request, key: NodeKey) -> bool:
        """Tell whether the service has just given the requester anything of the node."""
        return self._reaches(request, key, ())

    def admits(self, request: Request, record: NodeRecord, answer: Answer | None = None) -> bool:
        """Tell whether the requester may be given the node from the cache, or this answer."""
        to = audience(record.access_model, check_open=self._parts.access.check_open)
        if to is not Audience.ENTITLED:
            return to is Audience.EVERYBODY
        return self._reaches(request, record.key, () if answer is None else _ids(answer))

    def _reaches(self, request: Request, key: NodeKey, item_ids: tuple[str, ...]) -> bool:
        return self._parts.entitlements.reaches(
            key, request.requester.bare, request.identity, self._parts.clock.now(), item_ids
        )

    # What they are given by the service

    def before(self, entry: NodeEntry) -> Before:
        """Return what `answered` wants to know of the time before the read was forwarded."""
        generation = 0 if entry.record is None else entry.record.generation
        asked = self._parts.entitlements.asked(self._parts.clock.now())
        return Before(entry, entry.arrivals, generation, asked)

    def refused(self, request: Request, key: NodeKey, error: Exception) -> None:
        """The service refused the requester something of the node: they are entitled to nothing."""
        if isinstance(error, UpstreamRefused) and not is_passing(error):
            self._parts.entitlements.forget(key, request.requester.bare)

    async def answered(
        self, request: Request, question: ItemsQuestion, before: Before, answered: ForwardedAnswer
    ) -> None:
        """The service has answered an items read in the requester's name; see what it shows."""
        record = self._comparable(before)
        if record is None or answered.items is None or answered.asked is None:
            return
        try:
            shown, missing = await self._shown(record, question, answered)
        except ProxyError:
            return
        if self._comparable(before) is None:
            return
        if not missing:
            self._parts.entitlements.grant(
                record.key, request.requester.bare, request.identity, answered.asked, shown
            )
        elif answered.asked.turn > before.asked.turn and _is_whole(question, answered):
            # Who has joined an earlier read may have been given what was right then.
            before.entry.not_shown = missing[:MOST_NOT_SHOWN]
            before.entry.ask(Work.VERIFY_VIEWS, is_doubtful=True)
            self._workers.wake(record.key)

    def _comparable(self, before: Before) -> NodeRecord | None:
        """Return the record if what is held is what was held before, and is for the entitled."""
        entry, record = before.entry, before.entry.record
        if record is None or record.state is not NodeState.LIVE or entry.is_in_doubt:
            return None
        is_same = record.generation == before.generation and entry.arrivals == before.arrivals
        check_open = self._parts.access.check_open
        to = audience(record.access_model, check_open=check_open)
        return record if is_same and to is Audience.ENTITLED else None

    async def _shown(
        self, record: NodeRecord, question: ItemsQuestion, answered: ForwardedAnswer
    ) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        """Return what the answer shows, None for all of the node, and what it should but does not.

        Raises:
            ProxyError: that cannot be told, since the cache could not have answered this.
        """
        given = {item.item_id for item in answered.items or ()}
        if len(given) >= record.item_count:
            held = await self._parts.store.item_ids(record.key)
            if given.issuperset(held):
                return None, ()
        answer = await self._held.answer(record.key, question, _everybody)
        if not isinstance(answer, ItemsAnswer):
            return (), ()
        expected = _ids(answer)
        counts = [page.count for page in (answered.page, answer.page) if page is not None]
        if len(set(counts)) > 1:
            return (), ()
        return expected, tuple(one for one in expected if one not in given)


def _everybody(_record: NodeRecord, _answer: Answer | None) -> bool:
    return True


def _is_whole(question: ItemsQuestion, answered: ForwardedAnswer) -> bool:
    """Tell whether the answer is all that was asked for, so that what is missing tells something.

    Pages may begin elsewhere than ours, and a list may have been cut.
    """
    is_cut = answered.page is not None and question.max_items is None
    return question.page is None and not is_cut


def _ids(answer: Answer) -> tuple[str, ...]:
    match answer:
        case ItemsAnswer(items=items):
            return tuple(item.item_id for item in items)
        case DiscoItemsAnswer(items=disco_items):
            return tuple(item.name or "" for item in disco_items)
    return ()
