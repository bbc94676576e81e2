"""Which failed look-ups are remembered, for whom, and what ends that."""

from datetime import UTC, datetime, timedelta

import pytest

from pubcellar.core.errors import (
    UpstreamAnswerInvalid,
    UpstreamAnswerTooLarge,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.core.failures import FailureKind, FailureLives, FailureMemory, kind_of, repeated
from pubcellar.core.values import (
    BareJID,
    FullJID,
    ItemsQuestion,
    NodeInfoQuestion,
    NodeItemsQuestion,
    NodeKey,
    OtherQuestion,
    PageRequest,
    Question,
    Request,
    Requester,
    ServiceInfoQuestion,
    ServiceItemsQuestion,
)

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SERVICE, OTHER = BareJID("pubsub.example.org"), BareJID("other.example.org")
JULIET, ROMEO = BareJID("juliet@capulet.lit"), BareJID("romeo@montague.lit")
BLOG = NodeKey(SERVICE, "blog")
LIVES = FailureLives(
    item_not_found=5 * SECOND, forbidden=6 * SECOND, unreachable=7 * SECOND, timeout=8 * SECOND
)

NOT_FOUND = UpstreamRefused("cancel", "item-not-found", text="Node not found", error_xml="<error/>")
FORBIDDEN = UpstreamRefused("auth", "forbidden")
CLOSED = UpstreamRefused("cancel", "not-allowed", application_conditions=("closed-node",))
NOT_AUTHORIZED = UpstreamRefused("auth", "not-authorized")
AWAY = UpstreamUnreachable("the service is away", UpstreamRefused("wait", "remote-server-timeout"))
TIMEOUT = UpstreamTimeout("pubsub.example.org did not answer in time")

REMEMBERED = [
    (NOT_FOUND, FailureKind.ITEM_NOT_FOUND),
    (FORBIDDEN, FailureKind.FORBIDDEN),
    (CLOSED, FailureKind.FORBIDDEN),
    (NOT_AUTHORIZED, FailureKind.FORBIDDEN),
    (AWAY, FailureKind.UNREACHABLE),
    (TIMEOUT, FailureKind.TIMEOUT),
]
NOT_REMEMBERED = [
    UpstreamRefused("wait", "item-not-found"),
    UpstreamRefused("wait", "resource-constraint"),
    UpstreamRefused("cancel", "service-unavailable"),
    UpstreamRefused("cancel", "internal-server-error"),
    UpstreamRefused("modify", "bad-request"),
    UpstreamRefused("cancel", "feature-not-implemented"),
    UpstreamRefused("cancel", "gone"),
    UpstreamUnreachable("there is no connection to our XMPP server"),
    UpstreamAnswerTooLarge("too large"),
    UpstreamAnswerInvalid("invalid"),
]


def read(
    question: Question | None = None,
    *,
    by: BareJID = JULIET,
    service: BareJID = SERVICE,
    lang: str | None = None,
    resource: str = "balcony",
    payload: str = "<pubsub/>",
) -> Request:
    requester = Requester(FullJID(f"{by}/{resource}"), by)
    return Request(requester, service, service, question or ItemsQuestion("blog"), payload, lang)


@pytest.fixture
def memory() -> FailureMemory:
    return FailureMemory(LIVES)


def remember(memory: FailureMemory, request: Request, error: UpstreamError = NOT_FOUND) -> None:
    memory.remember(request, error, NOW, memory.turn())


def is_remembered(memory: FailureMemory, request: Request, now: datetime = NOW) -> bool:
    return memory.recall(request, now) is not None


def facts(error: UpstreamError | None) -> object:
    if isinstance(error, UpstreamUnreachable):
        return type(error), str(error), facts(error.refusal)
    return type(error), str(error), vars(error)


class TestWhatIsRemembered:
    @pytest.mark.parametrize(("error", "kind"), REMEMBERED)
    def test_these_are_given_again_as_they_were(
        self, memory: FailureMemory, error: UpstreamError, kind: FailureKind
    ) -> None:
        assert kind_of(error) is kind
        remember(memory, read(), error)
        again = memory.recall(read(resource="chamber"), NOW)
        assert again is not error
        assert facts(again) == facts(error)

    @pytest.mark.parametrize("error", NOT_REMEMBERED, ids=str)
    def test_these_are_not(self, memory: FailureMemory, error: UpstreamError) -> None:
        remember(memory, read(), error)
        assert not is_remembered(memory, read())
        assert len(memory) == 0

    @pytest.mark.parametrize(
        "question", [ItemsQuestion("blog"), NodeInfoQuestion("blog"), NodeItemsQuestion("blog")]
    )
    def test_plain_reads_of_a_node_are(self, memory: FailureMemory, question: Question) -> None:
        remember(memory, read(question))
        assert is_remembered(memory, read(question))

    @pytest.mark.parametrize(
        "question", [OtherQuestion(), ServiceInfoQuestion(), ServiceItemsQuestion()]
    )
    def test_other_reads_are_not(self, memory: FailureMemory, question: Question) -> None:
        remember(memory, read(question))
        assert len(memory) == 0

    def test_another_question_in_another_language_at_another_service_is_another_failure(
        self, memory: FailureMemory
    ) -> None:
        remember(memory, read())
        for other in (
            read(NodeInfoQuestion("blog")),
            read(ItemsQuestion("blog", max_items=1)),
            read(ItemsQuestion("blog", page=PageRequest(after="gone"))),
            read(ItemsQuestion("Blog")),
            read(lang="it"),
            read(service=OTHER),
        ):
            assert not is_remembered(memory, other)


class TestForWhom:
    @pytest.mark.parametrize("error", [NOT_FOUND, FORBIDDEN, CLOSED, NOT_AUTHORIZED, TIMEOUT])
    def test_what_may_depend_on_the_requester_is_theirs(
        self, memory: FailureMemory, error: UpstreamError
    ) -> None:
        remember(memory, read(), error)
        assert not is_remembered(memory, read(by=ROMEO))

    def test_that_the_service_is_not_there_is_everybody_s(self, memory: FailureMemory) -> None:
        remember(memory, read(), AWAY)
        assert is_remembered(memory, read(by=ROMEO))


class TestForHowLong:
    @pytest.mark.parametrize(
        ("error", "seconds"), [(NOT_FOUND, 5), (FORBIDDEN, 6), (AWAY, 7), (TIMEOUT, 8)]
    )
    def test_each_kind_has_its_own_life(
        self, memory: FailureMemory, error: UpstreamError, seconds: int
    ) -> None:
        remember(memory, read(), error)
        end = NOW + seconds * SECOND
        assert is_remembered(memory, read(), end - SECOND / 1000)
        assert not is_remembered(memory, read(), end)
        assert len(memory) == memory.size_bytes == 0

    def test_being_asked_for_does_not_prolong_it(self, memory: FailureMemory) -> None:
        remember(memory, read())
        for second in range(5):
            assert is_remembered(memory, read(), NOW + second * SECOND)
        assert not is_remembered(memory, read(), NOW + 5 * SECOND)

    @pytest.mark.parametrize(("error", "kind"), REMEMBERED)
    def test_nothing_is_remembered_for_no_time(
        self, error: UpstreamError, kind: FailureKind
    ) -> None:
        memory = FailureMemory(FailureLives(*(timedelta(0),) * 4))
        remember(memory, read(), error)
        assert len(memory) == 0


class TestWhatEndsIt:
    @pytest.mark.parametrize(("error", "kind"), REMEMBERED)
    def test_any_notification_of_the_service_ends_all(
        self, memory: FailureMemory, error: UpstreamError, kind: FailureKind
    ) -> None:
        remember(memory, read(), error)
        remember(memory, read(service=OTHER), error)
        memory.service_heard(SERVICE)
        assert not is_remembered(memory, read())
        assert is_remembered(memory, read(service=OTHER))

    def test_a_failure_that_a_notification_overtook_is_not_remembered(
        self, memory: FailureMemory
    ) -> None:
        turn = memory.turn()
        memory.service_heard(SERVICE)
        memory.remember(read(), NOT_FOUND, NOW, turn)
        assert len(memory) == 0
        remember(memory, read())
        assert is_remembered(memory, read())

    @pytest.mark.parametrize("error", [NOT_FOUND, AWAY, TIMEOUT])
    def test_a_node_that_was_seen_is_there_for_everybody(
        self, memory: FailureMemory, error: UpstreamError
    ) -> None:
        remember(memory, read(), error)
        remember(memory, read(NodeInfoQuestion("blog"), by=ROMEO), error)
        remember(memory, read(ItemsQuestion("other")), error)
        memory.node_seen(BLOG)
        assert not is_remembered(memory, read())
        assert not is_remembered(memory, read(NodeInfoQuestion("blog"), by=ROMEO))
        assert is_remembered(memory, read(ItemsQuestion("other")))

    def test_who_is_let_in_ends_their_own_refusals_alone(self, memory: FailureMemory) -> None:
        for one in (JULIET, ROMEO):
            remember(memory, read(by=one), FORBIDDEN)
        memory.node_seen(BLOG)
        memory.node_seen(BLOG, ROMEO)
        assert is_remembered(memory, read(by=JULIET))
        assert not is_remembered(memory, read(by=ROMEO))

    def test_the_end_of_an_outage_ends_what_the_outage_made(self, memory: FailureMemory) -> None:
        remember(memory, read(), AWAY)
        remember(memory, read(ItemsQuestion("slow")), TIMEOUT)
        remember(memory, read(ItemsQuestion("none")), NOT_FOUND)
        memory.forget(SERVICE, FailureKind.UNREACHABLE, FailureKind.TIMEOUT)
        assert not is_remembered(memory, read())
        assert not is_remembered(memory, read(ItemsQuestion("slow")))
        assert is_remembered(memory, read(ItemsQuestion("none")))

    def test_clear_ends_all(self, memory: FailureMemory) -> None:
        remember(memory, read())
        memory.clear()
        assert len(memory) == memory.size_bytes == 0


class TestBounds:
    def test_the_one_of_no_use_the_longest_goes_first(self) -> None:
        memory = FailureMemory(LIVES, most=3)
        for name in "abc":
            remember(memory, read(ItemsQuestion(name)))
        assert is_remembered(memory, read(ItemsQuestion("a")))
        remember(memory, read(ItemsQuestion("d")))
        assert len(memory) == 3
        left = [name for name in "abcd" if is_remembered(memory, read(ItemsQuestion(name)))]
        assert left == ["a", "c", "d"]

    def test_bytes_are_bounded_whatever_is_long(self) -> None:
        long = "x" * 30_000
        memory = FailureMemory(LIVES, most_bytes=100_000)
        refused = UpstreamRefused("cancel", "item-not-found", error_xml=f"<error>{long}</error>")
        for number in range(20):
            remember(memory, read(ItemsQuestion(f"{number}"), payload=long))
            remember(memory, read(ItemsQuestion(f"{number}")), refused)
            assert 0 < memory.size_bytes <= 100_000
        assert 0 < len(memory) <= 3

    def test_one_larger_than_all_is_not_remembered(self) -> None:
        memory = FailureMemory(LIVES, most_bytes=10_000)
        remember(memory, read(payload="x" * 10_000))
        assert len(memory) == memory.size_bytes == 0

    def test_the_same_failure_again_counts_once(self, memory: FailureMemory) -> None:
        remember(memory, read())
        size = memory.size_bytes
        remember(memory, read())
        assert (len(memory), memory.size_bytes) == (1, size)


def test_a_repeated_error_drags_no_traceback_along() -> None:
    for error, _ in REMEMBERED:
        try:
            raise error
        except UpstreamError as raised:
            assert repeated(raised).__traceback__ is None
