"""What is registered: an analyser of either kind, checked, in one form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pubcellar.analysers.analyser import Analyser
from pubcellar.analysers.boundary import MatchCallback, Parser
from pubcellar.analysers.matching import has_prefix

DICTIONARY_KEYS = ("name", "type", "node", "namespace", "to_sync", "parser", "match_cb")
TYPED_ATTRIBUTES = ("name", "type", "node", "namespace", "to_sync", "version")
DICTIONARY_VERSION = "1"
"""The ancestor's dictionary has no key for a version."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One analyser, checked; its name stripped and in lower case, a prefix or namespace there.

    Attributes:
        name, type, to_sync, version: as in `Analyser`.
        nodes, namespaces: as `node` and `namespace` in `Analyser`, any number of each.
        source: where it comes from, for people; "" where nobody said.
        typed: the analyser itself, where it is of the typed kind; then the last two are None.
        parser: the dictionary's callable, or None.
        match_cb: the dictionary's callable, or None.
    """

    name: str
    type: str
    nodes: tuple[str, ...]
    namespaces: tuple[str, ...]
    to_sync: bool
    version: str
    source: str = ""
    typed: Analyser | None = None
    parser: Parser | None = None
    match_cb: MatchCallback | None = None

    @property
    def parses(self) -> bool:
        """Whether there is a parser at all."""
        if self.typed is not None:
            return _is_overridden(self.typed, "parse")
        return self.parser is not None

    @property
    def refines(self) -> bool:
        """Whether something is to be asked once a node has matched."""
        if self.typed is not None:
            return _is_overridden(self.typed, "subtype")
        return self.match_cb is not None

    @property
    def may_hold(self) -> bool:
        """Whether it can come to the verdict that a node is to be held."""
        return self.to_sync or self.match_cb is not None

    def matches_node(self, node: str) -> bool:
        """Tell whether the name of the node decides for this analyser."""
        return any(has_prefix(node, prefix) for prefix in self.nodes)

    def matches(self, node: str, namespace: str | None) -> bool:
        """Tell whether this analyser takes the node: by its name, else by its items' namespace."""
        if self.matches_node(node):
            return True
        return namespace is not None and namespace in self.namespaces

    def __str__(self) -> str:
        held = "held" if self.may_hold else "not held"
        return f"{self.name}: {self.type}, {held} ({self.source or 'unknown source'})"


def registration(analyser: Mapping[str, Any] | Analyser, source: str = "") -> Registration:
    """Return the analyser in checked form.

    Args:
        analyser: of either kind.
        source: where it comes from, for people.

    Raises:
        ValueError: it cannot be registered; names everything that is missing or wrong.
    """
    if isinstance(analyser, Analyser):
        fields: dict[str, Any] = {key: getattr(analyser, key, None) for key in TYPED_ATTRIBUTES}
        problems = [*_problems(fields, may_be_several=True), *_version_problems(fields["version"])]
        typed: Analyser | None = analyser
    elif isinstance(analyser, Mapping):
        fields = dict(analyser)
        problems = [*_unknown_keys(fields), *_problems(fields), *_not_callable(fields)]
        typed = None
    else:
        raise ValueError(
            "an analyser is a dictionary or an instance of pubcellar.Analyser, "
            f"not {type(analyser).__name__}"
        )
    if problems:
        raise ValueError(f"analyser {fields.get('name')!r}: " + "; ".join(problems))
    return Registration(
        name=fields["name"].strip().lower(),
        type=fields["type"].strip(),
        nodes=_several(fields.get("node")),
        namespaces=_several(fields.get("namespace")),
        to_sync=fields.get("to_sync", False),
        version=fields["version"] if typed else DICTIONARY_VERSION,
        source=source,
        typed=typed,
        parser=None if typed else fields.get("parser"),
        match_cb=None if typed else fields.get("match_cb"),
    )


def _several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(text for text in value if text)
    return (value,) if value else ()


def _problems(fields: Mapping[str, Any], *, may_be_several: bool = False) -> list[str]:
    problems = [
        f"'{key}' is required, and must be text that is not empty"
        for key in ("name", "type")
        if not isinstance(fields.get(key), str) or not fields[key].strip()
    ]
    for key in ("node", "namespace"):
        value = fields.get(key)
        texts = value if may_be_several and isinstance(value, tuple) else (value,)
        if not all(isinstance(text, str | None) for text in texts):
            problems.append(f"'{key}' must be text{', or a tuple of it' * may_be_several}")
    if not any(_several(fields.get(key)) for key in ("node", "namespace")):
        problems.append("at least one of 'node' and 'namespace' is required")
    if not isinstance(fields.get("to_sync", False), bool):
        problems.append("'to_sync' must be True or False")
    return problems


def _version_problems(version: object) -> list[str]:
    if isinstance(version, str) and version.strip():
        return []
    return ["'version' must be text that is not empty"]


def _unknown_keys(fields: Mapping[str, Any]) -> list[str]:
    known = ", ".join(DICTIONARY_KEYS)
    return [f"unknown key {key!r} (known: {known})" for key in fields if key not in DICTIONARY_KEYS]


def _not_callable(fields: Mapping[str, Any]) -> list[str]:
    return [
        f"'{key}' must be callable"
        for key in ("parser", "match_cb")
        if fields.get(key) is not None and not callable(fields[key])
    ]


def _is_overridden(analyser: Analyser, method: str) -> bool:
    own: Callable[..., Any] = getattr(analyser, method)
    return getattr(own, "__func__", own) is not getattr(Analyser, method)
