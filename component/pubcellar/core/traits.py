"""How one service behaves where services differ, learnt by looking, never hard-coded.

Three rules. A trait that is not known is None, and a question whose answer depends on it is
forwarded. What contradicts a known trait clears it. Orders may differ between the nodes of a
service: a node is answered in those that it has shown itself. XEP-0060 leaves all of this to the
service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

AGREEING_OBSERVATIONS = 2
"""How many agreeing sights of a republish make a rule."""
MOST_CONTRADICTIONS = 2
"""After so many, republished items follow no rule."""

ORDERS = (
    "items_newest_first",
    "max_items_newest_first",
    "max_items_paged",
    "disco_newest_first",
    "pages_newest_first",
    "ids_as_requested",
)
"""The traits that each node shows for itself."""


@dataclass(frozen=True, slots=True)
class ServiceTraits:
    """What is known of a service's habits; None means not known.

    Attributes:
        lists_items: whether it answers disco#items of a node to strangers.
        pages: whether it answers `<set/>` (XEP-0059) on item lists with a `<set/>` of its own.
        items_newest_first: order of a plain items answer.
        max_items_newest_first: order inside a `max_items` answer (which holds the newest).
        max_items_paged: whether it adds a `<set/>` to `max_items` answers that none was asked for.
        max_items_newest: whether `max_items` takes the newest items, as a new one has shown.
        disco_newest_first: order of disco#items of a node.
        pages_newest_first: order of XEP-0059 paging; None also where it does not page.
        ids_as_requested: items asked for by id come in the request's order, duplicates kept; if
            not, each once, and in the order of a plain answer.
        republish_moves: a republished item goes to the newest end.
        republish_sightings: agreeing observations behind `republish_moves`, negative for "stays".
        republish_contradictions: how often a republish was against the rule.
        varying: orders that have been seen both ways, at different nodes or times.
    """

    lists_items: bool | None = None
    pages: bool | None = None
    items_newest_first: bool | None = None
    max_items_newest_first: bool | None = None
    max_items_paged: bool | None = None
    max_items_newest: bool | None = None
    disco_newest_first: bool | None = None
    pages_newest_first: bool | None = None
    ids_as_requested: bool | None = None
    republish_sightings: int = 0
    republish_contradictions: int = 0
    varying: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A database may know no tuples.
        object.__setattr__(self, "varying", tuple(self.varying))

    @property
    def republish_moves(self) -> bool | None:
        """Whether a republished item goes to the newest end; None until two sightings agree.

        None for good where they have contradicted each other more than once.
        """
        if abs(self.republish_sightings) < AGREEING_OBSERVATIONS:
            return None
        if self.republish_contradictions >= MOST_CONTRADICTIONS:
            return None
        return self.republish_sightings > 0

    def republish_seen(self, *, moved: bool) -> "ServiceTraits":
        """Return the traits after one more republish was looked at."""
        sightings = self.republish_sightings
        if sightings and (sightings > 0) != moved:
            contradictions = min(self.republish_contradictions + 1, MOST_CONTRADICTIONS)
            return replace(self, republish_sightings=0, republish_contradictions=contradictions)
        step = 1 if moved else -1
        limit = AGREEING_OBSERVATIONS
        return replace(self, republish_sightings=max(-limit, min(limit, sightings + step)))

    def learnt(self, **seen: bool | None) -> "ServiceTraits":
        """Return the traits after probes showed `seen`, by trait name; None teaches nothing.

        An order that was contradicted is not learnt again.
        """
        changes: dict[str, bool | None] = {}
        varying = set(self.varying)
        for name, value in seen.items():
            known = getattr(self, name)
            if value is None or known == value or name in varying:
                continue
            changes[name] = value if known is None else None
            if known is not None and name in ORDERS:
                varying.add(name)
        # mypy cannot see that the names are those of bool fields.
        return replace(self, varying=tuple(sorted(varying)), **changes)  # type: ignore[arg-type]

    def shown(self, orders: Mapping[str, bool]) -> "ServiceTraits":
        """Return the traits as a node has shown them; orders that it has not are not known."""
        known = {name: orders.get(name) for name in ORDERS}
        return replace(self, **known)  # type: ignore[arg-type]


def direction(oldest_first: Sequence[str], sequence: Sequence[str]) -> bool | None:
    """Tell whether `sequence` is that list the newest first; None if it is in neither order."""
    if len(sequence) < 2:
        return None
    if list(sequence) == list(oldest_first):
        return False
    return True if list(sequence) == list(reversed(oldest_first)) else None


def oldest_first(sequence: Sequence[str], newest: Sequence[str]) -> list[str] | None:
    """Return the list that has the newest items at its end; None if they stand at neither end.

    Args:
        sequence: all ids, the oldest or the newest first.
        newest: some of the newest ids, in any order, but not all.
    """
    number = len(newest)
    if not 0 < number < len(sequence):
        return None
    ends = set(sequence[:number]), set(sequence[-number:])
    if set(newest) == ends[1]:
        return list(sequence)
    return list(reversed(sequence)) if set(newest) == ends[0] else None


def are_ids_as_requested(
    asked: Sequence[str], answered: Sequence[str], items_newest_first: bool | None
) -> bool | None:
    """Tell whether items by id came as asked for.

    Args:
        asked: two ids in the order in which a plain answer does not have them, the first one twice.
        answered: the ids that came.
        items_newest_first: order of plain answers; where it is not known, `asked` is as for False.

    Returns:
        True: same order, duplicate kept. False: each once, in the order of a plain answer.
    """
    if list(answered) == list(asked):
        return True
    is_stored = list(answered) == [asked[1], asked[0]]
    return False if is_stored and items_newest_first is not None else None


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
