"""What a service changes silently is gone from the answers within a bound.

The changes are those of tests/silent_changes.py, done as playbook/silence.py imitates them, by a
service with the ways of Prosody and by one with those of ejabberd, which pages.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playbook import Cellar, Service, info, items, listing
from playbook.comparing import Answers, answered, told
from playbook.silence import IDS, IMITATED, NODE

from silent_changes import BY_NAME, CHANGES, Bound, SilentChange

QUESTIONS = {
    "disco#info": info(NODE),
    "all items": items(NODE),
    "the newest items": items(NODE, max_items=2),
    "items by id": items(NODE, ids=["i2", "none", "i5"]),
    "disco#items": listing(NODE),
}
STEPS = 2

each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


def test_every_change_is_imitated() -> None:
    assert sorted(IMITATED) == sorted(change.name for change in CHANGES)


@each_change
async def test_a_node_that_is_read_all_the_time(
    cellar: Cellar, either: Service, change: SilentChange
) -> None:
    """Every answer is one that was right at some time, and from the bound on it is right."""
    earlier, right = await changed(cellar, either, change)
    for elapsed in moments(change.bound):
        found = await answered(cellar, either, QUESTIONS)
        is_over = elapsed > change.bound.value.total_seconds() or change.bound is Bound.AT_ONCE
        for question, answer in found.items():
            allowed = [right] if is_over else [*earlier, right]
            assert answer in [one[question] for one in allowed], f"{question} after {elapsed} s"
        await cellar.advance(elapsed_step(change.bound))
    await is_gone_from_the_cache(cellar, either, right)


@each_change
async def test_the_first_read_after_the_bound(
    cellar: Cellar, service: Service, change: SilentChange
) -> None:
    """Nobody has read meanwhile, and the background had no time to look."""
    _, right = await changed(cellar, service, change)
    cellar.clock.advance(change.bound.value.total_seconds() + 1)
    assert await answered(cellar, service, QUESTIONS) == right
    await cellar.advance(2)
    await is_gone_from_the_cache(cellar, service, right)


IN_PLACE = [
    "item published again, unheard",
    "node created again with the same ids",
    "database of the service restored",
]


HIDDEN = ("node created again with the same ids", False)
"""Where they are known to move, items under the same ids in the same order count as the same, until
all are compared whole."""
COMPARE_EVERY = timedelta(hours=6)
A_WHILE = timedelta(minutes=10)


@pytest.mark.parametrize("name", IN_PLACE)
async def test_items_changed_under_their_ids_where_the_rule_for_them_is_known(
    cellar: Cellar, either: Service, name: str
) -> None:
    """What was seen twice of items published again hides what is not seen for no longer than that.

    By the default of `compare_every` where everything else is as it was.
    """
    cellar.stands_behind(either).has("notes/other", IDS)
    await cellar.result(items("notes/other"))
    for item_id in ("i1", "i2", "i3"):
        await cellar.settled()
        cellar.receives(either.publish("notes/other", item_id, "<again xmlns='urn:again'/>"))
    await cellar.settled()
    record = await cellar.store.service(either.jid)
    assert record.traits.republish_moves is (not either.pages)
    _, right = await changed(cellar, either, BY_NAME[name])
    if (name, either.pages) == HIDDEN:
        for _ in range(COMPARE_EVERY // A_WHILE):
            await answered(cellar, either, QUESTIONS)
            await cellar.advance(A_WHILE.total_seconds())
    cellar.clock.advance(BY_NAME[name].bound.value.total_seconds() + 1)
    assert await answered(cellar, either, QUESTIONS) == right
    await cellar.advance(2)
    await is_gone_from_the_cache(cellar, either, right)


AT_HOME = [change for change in CHANGES if any(row.startswith("personal-") for row in change.rows)]


@pytest.mark.parametrize("pages", [False, True], ids=["without paging", "with paging"])
@pytest.mark.parametrize("change", AT_HOME, ids=lambda change: change.name)
async def test_at_a_user_s_own_service(cellar: Cellar, change: SilentChange, pages: bool) -> None:
    """It tells strangers nothing of itself, and may notify them of nothing (XEP-0163)."""
    home = Service("romeo@montague.lit", pages=pages)
    refusal = ("auth", "subscription-required") if pages else ("cancel", "service-unavailable")
    home.refusals = {"info": refusal, "list": refusal}
    _, right = await changed(cellar, home, change)
    cellar.clock.advance(change.bound.value.total_seconds() + 1)
    assert await answered(cellar, home, QUESTIONS) == right
    await cellar.advance(2)
    assert await answered(cellar, home, QUESTIONS) == right


async def changed(
    cellar: Cellar, service: Service, change: SilentChange
) -> tuple[list[Answers], Answers]:
    """Let the component hold the node, and then the change happen.

    Returns: what is right before it and while it happens, and what is right from then on.
    """
    await cellar.holds(service, NODE, IDS)
    earlier = [told(service, QUESTIONS)]
    assert await answered(cellar, service, QUESTIONS) == earlier[0]
    # A user's own service answers disco itself, whatever is held.
    forwarded = [one for one in service.asked if " for juliet" in one]
    assert [one for one in forwarded if one.startswith("items")] == []
    assert forwarded == [] or "@" in service.jid
    for notification in IMITATED[change.name](service):
        cellar.receives(notification)
        earlier.append(told(service, QUESTIONS))
    return earlier, told(service, QUESTIONS)


def elapsed_step(bound: Bound) -> float:
    return max(bound.value.total_seconds() / STEPS, 10) + 1


def moments(bound: Bound) -> Iterator[float]:
    """Yield moments, in seconds since the change: some before the bound, and two after it."""
    for number in range(STEPS + 2):
        yield number * elapsed_step(bound)


async def is_gone_from_the_cache(cellar: Cellar, service: Service, right: Answers) -> None:
    """The node is held as it is now, or not held any more where it is gone or closed to us."""
    # Its access model may be due to be asked for.
    assert await answered(cellar, service, QUESTIONS) == right
    await cellar.settled()
    service.asked.clear()
    assert await answered(cellar, service, QUESTIONS) == right
    node = service.nodes.get(NODE)
    if node is None:
        assert await cellar.record(NODE) is None
    elif node.access_model != "open" and service.pages:
        # We are subscribed, and so let in; those who ask are not.
        assert await cellar.state(NODE) == "live"
    elif node.access_model != "open" or "cache.example.org" in node.outcasts:
        assert await cellar.state(NODE) == "no_sync"
    else:
        assert service.asked == []
        assert node.subscribers == {"cache.example.org"}
