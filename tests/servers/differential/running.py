"""One sequence from its first step to its last, at a service and through the proxy."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from random import Random

from harness import Client, ProxyProcess
from harness.waiting import wait_until

from differential import questions
from differential.announcing import Announcements
from differential.answers import Answer, differences
from differential.asking import Asked, Entity, NoToken, PagingFor
from differential.deviations import Case, allowed
from differential.hits import CACHE, AnsweredBy, Hits, may_be_held
from differential.operations import Delete, Place, Sequence, Step, Through, carry_out
from differential.questions import Question

SETTLE_SECONDS = 20.0

EVERY_THIRD = 3
"""Of the questions, each step asks these; canaries are asked always."""

NOT_CACHED = "not cached"
AT_ONCE = "at once"
OWN_WRITE = "own write"

_numbers = count(1)


class Different(Exception):
    """The proxy does not answer as the service: after which step, and how, by form of question."""

    def __init__(self, step: int, what: Mapping[str, str]) -> None:
        lines = "\n".join(f"  {each}" for each in what.values())
        super().__init__(f"after step {step + 1}:\n{lines}")
        self.forms = frozenset(what)


@dataclass(frozen=True)
class Bench:
    """What a sequence runs on.

    Attributes:
        server: its kind, by its name in combinations.py.
        pages: whether its pubsub service answers `<set/>`.
        paging: `[cache] paging` of the proxy.
        service: the address of the service.
        proxy: in front of it, with short clocks.
        owner: carries the operations out.
        stranger: asks; has no rights at the service, as the alias that the proxy asks by has none.
        closed: a node that strangers may not read.
        writes: whether a part of what is done is done through the proxy.
        alias: the owner's alias, where the proxy forwards by it; else the owner is themselves.
    """

    server: str
    pages: bool
    paging: str
    service: str
    proxy: ProxyProcess
    owner: Client
    stranger: Client
    closed: str
    writes: bool = False
    alias: str | None = None


async def run(
    bench: Bench,
    sequence: Sequence,
    seed: int,
    *,
    thorough: bool,
    settle_seconds: float = SETTLE_SECONDS,
) -> Hits:
    """Carry the sequence out at a new node, and compare after each step; return who answered.

    `thorough` asks every question after each step, instead of a part of them.

    Raises: Different.
    """
    running = _Run(bench, seed, thorough, settle_seconds)
    try:
        await running.begin()
        for index, step in enumerate(sequence):
            await running.step(index, step)
    finally:
        await carry_out(Delete(), running.place)
    return running.hits


class _Run:
    def __init__(self, bench: Bench, seed: int, thorough: bool, settle_seconds: float) -> None:
        self._bench = bench
        self._seed = seed
        self._thorough = thorough
        self._settle_seconds = settle_seconds
        node = f"urn:xmpp:microblog:0:comments/differential-{next(_numbers)}"
        through = bench.proxy.jid if bench.writes else None
        self.place = Place(bench.owner, bench.service, node, through, bench.alias)
        self._service = Entity(bench.stranger, bench.service)
        is_paged_for = bench.paging == "xep"
        paged_for = PagingFor(self._service) if is_paged_for else self._service
        self._model: Asked = self._service if bench.pages else paged_for
        # No service pages its list of nodes.
        self._list_model: Asked = paged_for
        self._proxy = Entity(bench.stranger, bench.proxy.jid, self._service)
        self._by = AnsweredBy(bench.proxy.process.log_path, bench.stranger.bare_jid)
        self._announcements = Announcements(bench.server.startswith("ejabberd"))
        self._is_held = False
        self._last_by: str | None = None
        self._is_refused = False
        self.hits = Hits()

    @property
    def _node(self) -> str:
        return self.place.node

    async def begin(self) -> None:
        """Have the proxy know what the service lists without the node."""
        for question in questions.canaries_of_service():
            await self._compared(question, await self._expected(question))

    async def step(self, index: int, step: Step) -> None:
        is_told = self._announcements.tells(step) and self._is_held
        if is_told:
            # Only what is held can be old.
            await wait_until(self._is_cached, "the proxy to answer from the cache")
        for operation in step:
            await carry_out(operation, self.place)
        if self._bench.writes and all(isinstance(operation, Through) for operation in step):
            await self._require_own_writes(index)
            await self._require_all_at_once(index)
        if is_told:
            await self._require_at_once(index)
        await self._settle(index)
        whole = await self._whole()
        found: dict[str, str] = {}
        asked = [*questions.of_service(), *self._chosen(index, whole)]
        expected = await asyncio.gather(*(self._expected(question) for question in asked))
        for question, theirs in zip(asked, expected, strict=True):
            found |= await self._compared_held(question, theirs)
            if NOT_CACHED in found:
                break
        if found:
            raise Different(index, found)
        if whole.failure is None:
            for each in (self._proxy, self._model):
                await each.remember_tokens(self._node)

    async def _is_cached(self) -> bool:
        question = questions.canaries(self._node)[0]
        await self._compared(question, await self._expected(question))
        return self._last_by == CACHE

    async def _require_at_once(self, index: int) -> None:
        """Require the right items in the first answer; whoever gives it."""
        question = questions.canaries(self._node)[0]
        found = await self._compared(question, await self._expected(question))
        if found:
            raise Different(index, {AT_ONCE: f"at once: {found[question.form]}"})

    async def _require_own_writes(self, index: int) -> None:
        """Require that who wrote reads what they wrote, at once, and in any form."""
        bench = self._bench
        service = Entity(bench.owner, bench.service)
        proxy = Entity(bench.owner, bench.proxy.jid)
        is_paged_for = bench.paging == "xep" and not bench.pages
        model: Asked = PagingFor(service) if is_paged_for else service
        by = AnsweredBy(bench.proxy.process.log_path, bench.owner.bare_jid)
        by.last(None)
        for question in questions.of_writer(self._node):
            theirs, ours = await model.answer(question), await proxy.answer(question)
            case = Case(question, bench.server, bench.paging, by.last(question.node))
            expected = self._as_seen(_comparable(question, allowed(case, theirs, ours)))
            found = differences(expected, _comparable(question, ours))
            if found:
                said = f"own write: {question} (by {case.by}): " + "\n    ".join(found)
                raise Different(index, {OWN_WRITE: said})

    async def _require_all_at_once(self, index: int) -> None:
        """Require what was written through the proxy in every first answer, whoever asks."""
        whole = await self._whole()
        asked = [
            *questions.canaries_of_service(),
            *questions.canaries(self._node),
            *self._chosen(index, whole),
        ]
        for question in asked:
            found = await self._compared(question, await self._expected(question))
            if found:
                raise Different(index, {AT_ONCE: f"at once: {found[question.form]}"})

    async def _whole(self) -> Answer:
        """Return the whole list as the service has it now, by which others are asked for."""
        whole = await self._service.answer(questions.canaries(self._node)[0])
        for each in (self._service, self._model, self._proxy):
            each.order = whole.tokens
        return whole

    def _as_seen(self, answer: Answer) -> Answer:
        """Return what the service says with the writer's alias as they see it themselves."""
        alias = self._bench.alias
        if alias is None:
            return answer
        # Of the attributes, `publisher` alone is mapped.
        aliased, own = f'publisher="{alias}', f'publisher="{self._bench.owner.bare_jid}'
        elements = tuple(each.replace(aliased, own) for each in answer.elements)
        return replace(answer, elements=elements)

    async def _settle(self, index: int) -> None:
        """Wait until the proxy answers as the service does, and from the cache if it may."""
        last: dict[str, str] = {}

        async def has_settled() -> bool:
            last.clear()
            may_be_held = True
            for question in questions.canaries(self._node):
                theirs = await self._expected(question)
                last.update(await self._compared(question, theirs))
                # Whoever may not read the items, may read the metadata: these come second.
                may_be_held &= theirs is not None and theirs.failure is None
                if may_be_held and self._last_by != CACHE:
                    last[NOT_CACHED] = f"{question.form}: from {self._last_by}, not from the cache"
            self._is_held = may_be_held
            return not last

        async def lists_alike() -> bool:
            last.clear()
            for question in questions.canaries_of_service():
                last.update(await self._compared(question, await self._expected(question)))
            return not last

        try:
            await wait_until(
                has_settled, "the proxy to answer as the service", self._settle_seconds
            )
            await wait_until(lists_alike, "the proxy to list as the service", self._settle_seconds)
        except TimeoutError:
            how_long = f"for {self._settle_seconds} s"
            waited = {form: f"{how_long}: {how}" for form, how in last.items()}
            raise Different(index, waited) from None

    def _chosen(self, index: int, whole: Answer) -> list[Question]:
        ids = whole.tokens or ("item-1", "item-2")
        outdated = sorted(self._proxy.remembered - set(whole.tokens))[:2]
        everything = [
            *questions.of_node(self._node, ids, outdated, Random(self._seed)),
            *questions.of_other_node("a missing node", f"{self._node}/missing"),
            *questions.of_other_node("a closed node", self._bench.closed),
        ]
        return [
            question
            for number, question in enumerate(everything)
            if self._thorough or number < 2 or number % EVERY_THIRD == index % EVERY_THIRD
        ]

    async def _expected(self, question: Question) -> Answer | None:
        try:
            model = self._list_model if question.node is None else self._model
            return await model.answer(question)
        except NoToken:
            return None

    async def _compared_held(self, question: Question, theirs: Answer | None) -> dict[str, str]:
        """Compare until the cache has answered, if it can; say where and when it does not."""
        found = await self._compared(question, theirs)
        if found and self._is_refused:
            found = await self._once_forgotten(question, found)
        if found or theirs is None or not self._may_be_held(question):
            return found
        self.hits.count(question.form, self._last_by)

        async def is_cached() -> bool:
            found.update(await self._compared(question, theirs))
            return bool(found) or self._last_by == CACHE

        if self._last_by != CACHE:
            try:
                await wait_until(is_cached, "the cache to answer", self._settle_seconds)
            except TimeoutError:
                return {NOT_CACHED: f"{question}: never answered from the cache"}
        return found

    async def _once_forgotten(self, question: Question, found: dict[str, str]) -> dict[str, str]:
        """Compare again until a refusal of before, remembered for a moment, is forgotten."""
        last = found

        async def is_alike() -> bool:
            nonlocal last
            last = await self._compared(question, await self._expected(question))
            return not last

        try:
            await wait_until(is_alike, "another refusal", self._settle_seconds)
        except TimeoutError:
            return last
        return {}

    def _may_be_held(self, question: Question) -> bool:
        is_of_held = question.node is None or (self._is_held and question.node == self._node)
        # Of an error it is not logged who answered.
        if not is_of_held or self._is_refused:
            return False
        items = len(self._service.order)
        return may_be_held(question, pages=self._bench.pages, items=items)

    async def _compared(self, question: Question, theirs: Answer | None) -> dict[str, str]:
        """Ask the proxy, and return where it answers otherwise than it should."""
        if theirs is None:
            return {}
        self._by.last(question.node)
        try:
            ours = await self._proxy.answer(question)
        except NoToken:
            return {question.form: f"{question}: the proxy issued no token"}
        self._last_by = self._by.last(question.node)
        self._is_refused = ours.failure is not None
        case = Case(question, self._bench.server, self._bench.paging, self._last_by)
        expected = _comparable(question, allowed(case, theirs, ours))
        is_model = self._model is not self._service and question.node is not None
        found = differences(expected, _comparable(question, ours), same_tokens=is_model)
        how = f"{question} (by {self._last_by}): " + "\n    ".join(found)
        return {question.form: how} if found else {}


def _comparable(question: Question, answer: Answer) -> Answer:
    """Sort what has no order: the nodes of a service, and its features."""
    if question.node is not None:
        return answer
    return replace(answer, elements=tuple(sorted(answer.elements)))
