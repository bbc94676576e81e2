"""The port to the analysers, and what they say of a node; see `pubcellar.core.ports`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pubcellar.core.records import ParsedItem
from pubcellar.core.values import Item, NodeKey


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an analyser made of a node.

    Attributes:
        analyser: its name.
        type: its word for what the node holds.
        subtype: a finer word, or None.
        to_sync: whether the node is to be held.
    """

    analyser: str
    type: str
    subtype: str | None
    to_sync: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """Which analyser takes a node, as far as that can be told without running its author's code.

    Attributes:
        analyser: its name.
        to_sync: whether it wants the node held; None where only its own code can tell.
    """

    analyser: str
    to_sync: bool | None


class Analysers(Protocol):
    """The registered analysers, in the order of their registration."""

    def is_registered(self, analyser: str) -> bool:
        """Tell whether there is an analyser of that name."""
        ...

    def claim(self, node: str, namespaces: Sequence[str], holder: str | None) -> Claim | None:
        """Return which analyser takes a node that is held; None where none does any more.

        What an analyser said of the node once is not asked again: none of its author's code runs.

        Args:
            node: its name.
            namespaces: payload namespaces of some of its items; none where it has no items.
            holder: the analyser that it was held for. It keeps the node if one of the namespaces
                makes it the first that matches, or if it goes by namespace and there are none.
        """
        ...

    def needs_namespace(self, node: str) -> bool:
        """Tell whether the verdict on `node` may depend on what its items hold."""
        ...

    async def analyse(self, key: NodeKey, namespace: str | None) -> Verdict | None:
        """Return the verdict of the first analyser that matches, or None.

        Args:
            key: the node.
            namespace: payload namespace of its first item, or None when it has none.

        Raises:
            AnalyserError: an analyser matched and then failed, or took too long.
        """
        ...

    def parser(self, analyser: str) -> str | None:
        """Return name and version of the analyser's parser, as `ParsedItem.parsed_by` has it.

        None where there is no such analyser, or it has no parser.
        """
        ...

    async def parse(self, analyser: str, key: NodeKey, items: Sequence[Item]) -> list[ParsedItem]:
        """Return the items with what the analyser's parser makes of them, in the same order.

        An item whose parser fails or takes too long comes back raw; the failure is counted and
        logged. Never raises.
        """
        ...
