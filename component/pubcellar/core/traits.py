"""How one service behaves where services differ, learnt by looking, never hard-coded.

Two rules. A trait that is not known is None, and a question whose answer depends on it is
forwarded. What contradicts a known trait clears it. XEP-0060 leaves all of this to the service.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

AGREEING_OBSERVATIONS = 2
"""How many agreeing sights of a republish make a rule."""


@dataclass(frozen=True, slots=True)
class ServiceTraits:
    """What is known of a service's habits; None means not known.

    Attributes:
        lists_items: whether it answers disco#items of a node to strangers.
        pages: whether it answers `<set/>` (XEP-0059) on item lists with a `<set/>` of its own.
        items_newest_first: order of a plain items answer.
        max_items_newest_first: order inside a `max_items` answer (which holds the newest).
        disco_newest_first: order of disco#items of a node.
        pages_newest_first: order of XEP-0059 paging; None also where it does not page.
        ids_as_requested: items asked for by id come in the request's order, duplicates kept.
        republish_moves: a republished item goes to the newest end.
        republish_sightings: agreeing observations behind `republish_moves`, negative for "stays".
    """

    lists_items: bool | None = None
    pages: bool | None = None
    items_newest_first: bool | None = None
    max_items_newest_first: bool | None = None
    disco_newest_first: bool | None = None
    pages_newest_first: bool | None = None
    ids_as_requested: bool | None = None
    republish_sightings: int = 0

    @property
    def republish_moves(self) -> bool | None:
        """Whether a republished item goes to the newest end; None until two sightings agree."""
        if abs(self.republish_sightings) < AGREEING_OBSERVATIONS:
            return None
        return self.republish_sightings > 0

    def republish_seen(self, *, moved: bool) -> "ServiceTraits":
        """Return the traits after one more republish was looked at."""
        sightings = self.republish_sightings
        if sightings and (sightings > 0) != moved:
            return replace(self, republish_sightings=0)
        step = 1 if moved else -1
        limit = AGREEING_OBSERVATIONS
        return replace(self, republish_sightings=max(-limit, min(limit, sightings + step)))

    def learnt(self, **seen: bool | None) -> "ServiceTraits":
        """Return the traits after probes showed `seen`, by trait name; None teaches nothing."""
        changes: dict[str, bool | None] = {}
        for name, value in seen.items():
            if value is None:
                continue
            known = getattr(self, name)
            changes[name] = value if known is None or known == value else None
        # mypy cannot see that the names are those of bool fields.
        return replace(self, **changes)  # type: ignore[arg-type]


def is_newest_first(newest: str, sequence: Sequence[str]) -> bool | None:
    """Tell the order of `sequence` from which end holds the newest item's id; None if neither."""
    if len(sequence) < 2 or sequence[0] == sequence[-1]:
        return None
    if sequence[0] == newest:
        return True
    return False if sequence[-1] == newest else None


def are_ids_as_requested(asked: Sequence[str], answered: Sequence[str]) -> bool | None:
    """Tell whether items by id came as `asked`; `asked` holds two ids, the first of them twice.

    True: same order, duplicate kept. False: each once, in the service's own order.
    """
    if list(answered) == list(asked):
        return True
    if len(answered) == 2 and set(answered) == set(asked):
        return False
    return None


def did_republished_move(before: Sequence[str], after: Sequence[str], item_id: str) -> bool | None:
    """Tell from two listings, oldest first, whether republishing moved `item_id` to the end.

    None where the listings differ in other ways, or where the item was the newest anyway.
    """
    if item_id not in before or before[-1] == item_id:
        return None
    if list(after) == list(before):
        return False
    if list(after) == [*(known for known in before if known != item_id), item_id]:
        return True
    return None
