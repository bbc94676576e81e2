"""What is claimed to be told is told (docs/servers.md, "Events"), and nothing more is claimed."""

import pytest

from differential.announcing import Announcements
from differential.operations import (
    Configure,
    Create,
    Delete,
    Operation,
    Publish,
    Purge,
    Retract,
    Through,
)

PUBLISH = Publish("one", "<p/>")
ROOMY = Create((("max_items", "50"),))


def after(*before: Operation, is_ejabberd: bool = False) -> Announcements:
    announcements = Announcements(is_ejabberd)
    announcements.tells(before)
    return announcements


def switched(name: str, value: str) -> Configure:
    return Configure(((name, value),))


@pytest.mark.parametrize("is_ejabberd", [False, True])
class TestEverywhere:
    def test_publish_and_purge_are_told(self, is_ejabberd: bool) -> None:
        assert after(ROOMY, is_ejabberd=is_ejabberd).tells((PUBLISH, Purge(), PUBLISH))

    @pytest.mark.parametrize(
        "silent",
        [
            Create((("max_items", "2"),)),
            switched("max_items", "3"),
            switched("deliver_notifications", "0"),
            switched("access_model", "whitelist"),
        ],
    )
    def test_publish_may_be_silent(self, is_ejabberd: bool, silent: Operation) -> None:
        assert not after(ROOMY, silent, is_ejabberd=is_ejabberd).tells((PUBLISH,))

    def test_nothing_is_certain_once_subscribers_were_lost(self, is_ejabberd: bool) -> None:
        again = after(ROOMY, Delete(), ROOMY, is_ejabberd=is_ejabberd)
        assert not again.tells((PUBLISH,))
        closed = (switched("access_model", "whitelist"), switched("access_model", "open"))
        assert not after(ROOMY, *closed, is_ejabberd=is_ejabberd).tells((PUBLISH,))

    def test_one_silent_operation_makes_a_step_silent(self, is_ejabberd: bool) -> None:
        step = (PUBLISH, switched("title", "Another"))
        assert not after(ROOMY, is_ejabberd=is_ejabberd).tells(step)


@pytest.mark.parametrize(
    ("is_ejabberd", "notify", "notify_retract", "is_told"),
    [
        (False, True, "1", True),
        (False, False, "1", False),
        (False, True, "0", False),
        (True, True, "1", True),
        (True, False, "1", True),
        (True, True, "0", True),
        (True, False, "0", False),
    ],
)
def test_retract(is_ejabberd: bool, notify: bool, notify_retract: str, is_told: bool) -> None:
    """Rows event-6 to event-10."""
    node = after(ROOMY, switched("notify_retract", notify_retract), is_ejabberd=is_ejabberd)
    assert node.tells((Retract("one", notify),)) is is_told


def test_purge_is_not_told_by_ejabberd_where_retracts_are_not() -> None:
    """Row event-12."""
    silent = switched("notify_retract", "0")
    assert after(ROOMY, silent).tells((Purge(),))
    assert not after(ROOMY, silent, is_ejabberd=True).tells((Purge(),))


def test_what_goes_through_the_proxy_needs_not_be_told() -> None:
    node = after(ROOMY)
    assert node.tells((Through(Retract("one", notify=False)), Through(Delete())))
    assert not node.tells((Through(Purge()), Retract("one", notify=False)))
