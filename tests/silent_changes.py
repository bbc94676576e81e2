"""What services change without a word, and how long an answer may go on not showing it.

One list for the scenarios, where services are imitated and time is ours, for the tests with real
servers, and for the test that compares it with docs/servers.md.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class Bound(Enum):
    """How long; by the defaults of `[cache]`."""

    AT_ONCE = timedelta(0)
    """Some notification does come: nothing wrong is answered from then on."""
    ACCESS = timedelta(seconds=60)
    """`access_verify_every`."""
    CONTENTS = timedelta(minutes=15)
    """`verify_every`."""


@dataclass(frozen=True)
class SilentChange:
    """One thing that a service does silently, at least where it is so configured.

    Attributes:
        name: what happens, as docs/servers.md has it where it does.
        bound: how long an answer may not show it.
        rows: the rows of docs/servers.md that say so.
        only_imitated: why no real server is brought to do it; empty where one is.
    """

    name: str
    bound: Bound
    rows: tuple[str, ...] = ()
    only_imitated: str = ""


CHANGES = [
    SilentChange("item published, deliver_payloads=0", Bound.AT_ONCE, ("event-5",)),
    SilentChange("retract, no notify", Bound.CONTENTS, ("event-6", "personal-17")),
    SilentChange("retract, notify=false", Bound.CONTENTS, ("event-7",)),
    SilentChange("retract, notify=true, notify_retract=0", Bound.CONTENTS, ("event-9",)),
    SilentChange("retract, no notify, notify_retract=0", Bound.CONTENTS, ("event-10",)),
    SilentChange("purge, notify_retract=0", Bound.CONTENTS, ("event-12",)),
    SilentChange("delete", Bound.ACCESS, ("event-13",)),
    SilentChange("delete, notify_delete=0", Bound.ACCESS, ("event-15",)),
    SilentChange("configuration", Bound.ACCESS, ("event-16", "event-17")),
    SilentChange("configuration, deliver_payloads=0", Bound.ACCESS, ("event-18",)),
    SilentChange(
        "another access model",
        Bound.ACCESS,
        ("event-19", "subscription-4", "subscription-5", "personal-19"),
    ),
    SilentChange("somebody's affiliation", Bound.CONTENTS, ("event-20", "subscription-9")),
    SilentChange("our own affiliation", Bound.CONTENTS, ("event-20",)),
    SilentChange("an item pushed out by max_items", Bound.AT_ONCE, ("event-21", "personal-16")),
    SilentChange("an item pushed out, notify_retract=0", Bound.AT_ONCE, ("event-22",)),
    SilentChange("max_items lowered", Bound.CONTENTS, ("event-23",)),
    SilentChange("several items pushed out at once", Bound.AT_ONCE, ("event-24",)),
    SilentChange("another item than the oldest pushed out", Bound.CONTENTS, ("event-25",)),
    SilentChange(
        "items expired",
        Bound.CONTENTS,
        only_imitated="Prosody has no item_expire; ejabberd 23.01 removes nothing when told to",
    ),
    SilentChange(
        "item published, unheard",
        Bound.CONTENTS,
        ("personal-13",),
        only_imitated="a server that is up notifies everybody whom it has as a subscriber",
    ),
    SilentChange(
        "item published again, unheard",
        Bound.CONTENTS,
        ("personal-13",),
        only_imitated="as before; where the subscription is lost, real servers are brought to it",
    ),
    SilentChange("node deleted and created again", Bound.CONTENTS, ("subscription-1",)),
    SilentChange("node created again with the same ids", Bound.CONTENTS, ("subscription-2",)),
    SilentChange("subscription ended, then items changed", Bound.CONTENTS),
    SilentChange("subscription ended, then an item published again", Bound.CONTENTS),
    SilentChange(
        "database of the service restored",
        Bound.CONTENTS,
        only_imitated="a real server would be stopped for it, and that is noticed",
    ),
]

NOT_CHANGES = {
    "event-27": "what comes with a subscription",
    "event-28": "what comes with a subscription",
    "subscription-3": "our stream was down: tests/scenarios/test_doubt_and_outage.py",
    "personal-8": "how an item looks",
    "personal-15": "how an item looks",
    "personal-20": "what comes with a subscription",
}
"""Rows whose cells read as if something were not told, and why they are in no change above."""

BY_NAME = {change.name: change for change in CHANGES}
