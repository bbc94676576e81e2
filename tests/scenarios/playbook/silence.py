"""The imitated service does what tests/silent_changes.py lists; what it does not say, it does not.

Each change is a function of the service, which has `NODE` with the items `IDS`. It gives the
notifications that a subscriber gets all the same, each at the moment at which it is sent.
"""

from collections.abc import Callable, Iterable, Iterator

from playbook.service import CACHE, Service

NODE = "notes/a"
IDS = ["i1", "i2", "i3", "i4", "i5"]
CHANGED = "<changed xmlns='urn:example:changed'/>"

Change = Callable[[Service], Iterable[str]]


def _silently(change: Callable[[Service], object]) -> Change:
    def changed(service: Service) -> list[str]:
        change(service)
        return []

    return changed


def _push_out(*gone: str) -> Change:
    def changed(service: Service) -> Iterator[str]:
        yield service.publish(NODE, "i6")
        service.retract(NODE, *gone)

    return changed


def _push_out_several(service: Service) -> Iterator[str]:
    yield service.publish(NODE, "i6")
    service.retract(NODE, "i1", "i2")
    if service.pages:
        yield service.event(f"<items node='{NODE}'><retract id='i2i1'/></items>")


def _lower_max_items(service: Service) -> Iterator[str]:
    if service.pages:
        yield service.publish(NODE, "i6")
    service.retract(NODE, "i1", "i2", "i3")


def _configure(service: Service) -> list[str]:
    event = service.configure(NODE, title="Renamed")
    return [event] if service.pages else []


def _create_again(service: Service) -> None:
    service.has(NODE, ["j1", "j2"]).says_subscribed = not service.pages


def _create_again_alike(service: Service) -> None:
    service.has(NODE, IDS).says_subscribed = not service.pages
    service.nodes[NODE].items["i2"] = service.nodes[NODE].items["i2"].replace(">i2<", ">Other<")


def _end_subscription(*changes: Callable[[Service], object]) -> Change:
    def changed(service: Service) -> list[str]:
        service.nodes[NODE].subscribers.clear()
        for change in changes:
            change(service)
        return []

    return changed


def _restore(service: Service) -> None:
    """All is as it was some time ago, subscriptions included: i2 was other, i4 not yet there.

    Where an item that is published again moves, i2 would not stand where it stands.
    """
    held = service.nodes[NODE].items
    if service.pages:
        held["i2"] = held["i2"].replace(">i2<", ">As it was<")
    else:
        service.retract(NODE, "i4", "i5")


IMITATED: dict[str, Change] = {
    "item published, deliver_payloads=0": lambda service: [service.announce(NODE, "i6")],
    "retract, no notify": _silently(lambda service: service.retract(NODE, "i3")),
    "retract, notify=false": _silently(lambda service: service.retract(NODE, "i1")),
    "retract, notify=true, notify_retract=0": _silently(
        lambda service: service.retract(NODE, "i5")
    ),
    "retract, no notify, notify_retract=0": _silently(
        lambda service: service.retract(NODE, "i2", "i4")
    ),
    "purge, notify_retract=0": _silently(lambda service: service.purge(NODE)),
    "delete": _silently(lambda service: service.delete(NODE)),
    "delete, notify_delete=0": _silently(lambda service: service.delete(NODE)),
    "configuration": _silently(lambda service: service.configure(NODE, title="Renamed")),
    "configuration, deliver_payloads=0": _configure,
    "another access model": _silently(lambda service: service.configure(NODE, "whitelist")),
    "somebody's affiliation": _silently(
        lambda service: service.nodes[NODE].outcasts.add("juliet@capulet.lit")
    ),
    "our own affiliation": _silently(lambda service: service.nodes[NODE].outcasts.add(CACHE)),
    "an item pushed out by max_items": _push_out("i1"),
    "an item pushed out, notify_retract=0": _push_out("i1"),
    "max_items lowered": _lower_max_items,
    "several items pushed out at once": _push_out_several,
    "another item than the oldest pushed out": _push_out("i3"),
    "items expired": _silently(lambda service: service.retract(NODE, "i1", "i2")),
    "item published, unheard": _silently(lambda service: service.publish(NODE, "i6")),
    "item published again, unheard": _silently(
        lambda service: service.publish(NODE, "i2", CHANGED)
    ),
    "node deleted and created again": _silently(_create_again),
    "node created again with the same ids": _silently(_create_again_alike),
    "subscription ended, then items changed": _end_subscription(
        lambda service: service.publish(NODE, "i6"), lambda service: service.retract(NODE, "i1")
    ),
    "subscription ended, then an item published again": _end_subscription(
        lambda service: service.publish(NODE, "i2", CHANGED)
    ),
    "database of the service restored": _silently(_restore),
}
