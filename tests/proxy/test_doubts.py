"""What was written and may not show yet, and that there is never too much of it."""

import pytest

from pubcellar.core.errors import TooManyRequests
from pubcellar.core.events import Published, Purged, Retracted
from pubcellar.core.values import BareJID, Item, NodeKey
from pubcellar.core.writes import Write, WriteKind
from pubcellar.proxy import doubts
from pubcellar.proxy.doubts import Doubts, are_held

SERVICE = BareJID("pubsub.example.org")
KEY = NodeKey(SERVICE, "n")


def published(item_id: str, text: str = "") -> Item:
    return Item(item_id, f"<item xmlns='p'><a xmlns='urn:a'>{text}</a></item>")


PUBLISH = Write(WriteKind.PUBLISH, "n", items=(published("a"), published("b")))


def test_a_write_is_notified_of_once_it_was_answered_and_all_it_leads_to_has_come() -> None:
    found = Doubts()
    under_way = found.begin(KEY)
    found.noticed(KEY, [Published(published("a"))])
    assert under_way.answered(PUBLISH, ())
    assert found.notified(KEY) == []
    found.noticed(KEY, [Published(published("b"))])
    assert found.notified(KEY) == [under_way]


@pytest.mark.parametrize(
    ("write", "new_ids", "can_be_shown"),
    [
        (PUBLISH, (), True),
        (Write(WriteKind.PUBLISH, "n", items=(published(""),)), ("made-up",), True),
        (Write(WriteKind.PUBLISH, "n", items=(published(""),)), (), False),
        (Write(WriteKind.PUBLISH, "n", items=(published("a"), published("a"))), (), False),
        (Write(WriteKind.PUBLISH, "n", items=(Item("a", "<item"),)), (), False),
        (Write(WriteKind.RETRACT, "n", item_ids=("a",)), (), True),
        (Write(WriteKind.PURGE, "n"), (), True),
        (Write(WriteKind.CONFIGURE, "n"), (), False),
    ],
)
def test_what_notifications_can_show(
    write: Write, new_ids: tuple[str, ...], can_be_shown: bool
) -> None:
    assert Doubts().begin(KEY).answered(write, new_ids) is can_be_shown


def test_a_retract_is_not_shown_by_a_publish() -> None:
    found = Doubts()
    under_way = found.begin(KEY)
    under_way.answered(Write(WriteKind.RETRACT, "n", item_ids=("a",)), ())
    found.noticed(KEY, [Published(published("a")), Purged(), Retracted("b")])
    assert found.notified(KEY) == []
    found.noticed(KEY, [Retracted("a")])
    assert found.notified(KEY) == [under_way]


def test_items_are_held_as_they_were_published_or_not() -> None:
    under_way = Doubts().begin(KEY)
    under_way.answered(PUBLISH, ())
    held = {"a": published("a").xml, "b": published("b").xml}
    assert are_held(under_way, held)
    assert not are_held(under_way, {**held, "b": published("b", "other").xml})
    assert not are_held(under_way, {"a": held["a"]})


def test_a_node_is_unseen_until_that_is_written_down_even_after_the_write() -> None:
    found = Doubts()
    under_way = found.begin(KEY)
    found.marked(KEY)
    found.end(under_way)
    assert (found.is_under_way(KEY), found.is_unseen(KEY)) == (False, True)
    found.marked(KEY, is_marked=False)
    assert (found.is_unseen(KEY), len(found)) == (False, 0)


def test_a_write_that_began_meanwhile_is_to_be_written_down_again() -> None:
    found = Doubts()
    found.begin(KEY)
    found.marked(KEY)
    found.marked(KEY, is_marked=False)
    assert found.is_unmarked(KEY)


def test_beyond_the_bound_those_that_are_written_down_give_way_and_then_writes_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doubts, "MOST_DOUBTS", 2)
    found = Doubts()
    found.end(found.begin(KEY))
    found.marked(KEY)
    for name in ("m", "o"):
        found.begin(NodeKey(SERVICE, name))
    assert not found.is_unseen(KEY)
    with pytest.raises(TooManyRequests):
        found.begin(KEY)
    assert len(found) == 2


def test_no_write_sees_more_than_a_bounded_number_of_notifications() -> None:
    found = Doubts()
    under_way = found.begin(KEY)
    for number in range(3000):
        found.noticed(KEY, [Retracted(str(number))])
    assert len(under_way.seen) == doubts.MOST_SEEN


def test_turns_of_services_are_bounded_and_never_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doubts, "MOST_SERVICES", 3)
    found = Doubts()
    seen = [found.turn(SERVICE)]
    for number in range(5):
        found.next_turn(SERVICE)
        seen.append(found.turn(SERVICE))
        for other in range(4):
            found.next_turn(BareJID(f"{number}-{other}.example.org"))
        assert found.turn(SERVICE) not in seen[:-1]
    assert len(set(seen)) == len(seen)
    assert len(found._turns) <= 3
