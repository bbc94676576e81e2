"""What a seed decides before anything happens: which faults strike, and which strike together."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faults.faults import CUTS, KILLED, OTHERS, SHOWING, SILENT

TOGETHER = (1, 1, 2, 2, 3)
"""How many faults strike before the proxy is given the time to converge."""

KINDS = {kind.name: kind for kind in (SILENT, *OTHERS, *CUTS)}


@dataclass(frozen=True)
class Episode:
    """Faults that strike one after the other, and then none until the proxy has converged.

    Attributes:
        seed: decides what the names leave open.
        names: of the kinds of faults.
    """

    seed: int
    names: Sequence[str]

    def __str__(self) -> str:
        return f"episode {self.seed} ({', '.join(self.names)})"


Life = Sequence[Episode]
"""Episodes between two starts of the proxy, which waits longer each time it is cut off."""


def planned(seed: int, faults: int) -> list[Life]:
    """Return as many faults as asked for: each kind once in each life, in another order.

    An event is dropped twice: once with nothing to show that, and once with something right behind.
    """
    chance = random.Random(seed)
    lives: list[Life] = []
    left = faults
    while left > 0:
        episodes = _life(chance)
        lives.append(list(_cut_short(episodes, left, chance)))
        left -= sum(len(names) for names in episodes)
    return lives


def _life(chance: random.Random) -> list[list[str]]:
    showing = chance.choice(SHOWING).name
    names = [kind.name for kind in (SILENT, *OTHERS, *CUTS) if kind.name != showing]
    chance.shuffle(names)
    episodes = [[SILENT.name, showing]]
    while names:
        number = chance.choice(TOGETHER)
        episodes.append(names[:number])
        del names[:number]
    chance.shuffle(episodes)
    # The server takes its time to start, and is killed last.
    return [*episodes, [KILLED]]


def _cut_short(episodes: list[list[str]], faults: int, chance: random.Random) -> Iterator[Episode]:
    """Yield the last episodes, with that many faults altogether."""
    surplus = sum(map(len, episodes)) - faults
    for names in episodes:
        kept = names[max(surplus, 0) :]
        surplus -= len(names)
        if kept:
            yield Episode(chance.getrandbits(32), tuple(kept))
