"""Who takes a node that is held: told without running an author's code (`Analysers.claim`)."""

from collections.abc import Sequence
from typing import Any

import pytest

from pubcellar.analysers import Analyser, Boundary, PubsubCache
from pubcellar.core.ports import Claim


class Never(Analyser):
    """Takes every payload of `urn:never`, and breaks when it is asked anything."""

    name, type, namespace, to_sync = "never", "x", "urn:never", True

    def subtype(self, key: object) -> str:
        raise AssertionError("this is an author's code")


@pytest.fixture
def analysers() -> PubsubCache:
    boundary: Any = Boundary
    cache = PubsubCache(boundary=boundary)

    def decide(client: object, analyse: dict[str, object]) -> None:
        raise AssertionError("this is an author's code")

    cache.register_analyser({"name": "payload", "type": "x", "namespace": "urn:a", "to_sync": True})
    cache.register_analyser({"name": "name", "type": "x", "node": "a/", "to_sync": True})
    cache.register_analyser({"name": "refused", "type": "x", "namespace": "urn:b"})
    cache.register_analyser({"name": "asks", "type": "x", "node": "c/", "match_cb": decide})
    cache.register_analyser(Never())
    return cache


@pytest.mark.parametrize(
    ("node", "namespaces", "holder", "expected"),
    [
        # The first that matches, by payload or by name.
        ("a/1", ["urn:x"], "gone", Claim("name", True)),
        ("a/1", ["urn:a"], "gone", Claim("payload", True)),
        ("b/1", ["urn:a"], None, Claim("payload", True)),
        ("b/1", ["urn:b"], "gone", Claim("refused", False)),
        ("b/1", ["urn:x"], "gone", None),
        # The holder needs one namespace of several, whatever the others are.
        ("b/1", ["urn:b", "urn:a"], "payload", Claim("payload", True)),
        ("b/1", ["urn:a", "urn:b"], "refused", Claim("refused", False)),
        ("a/1", ["urn:a", "urn:x"], "name", Claim("name", True)),
        ("b/1", ["urn:b", "urn:x"], "payload", Claim("refused", False)),
        # An empty node tells nothing against who took it by payload, and nothing for anybody else.
        ("b/1", [], "payload", Claim("payload", True)),
        ("b/1", [], "name", None),
        ("b/1", [], "gone", None),
        ("a/1", [], "refused", Claim("name", True)),
        # Only its own code can tell, and is not run.
        ("c/1", ["urn:x"], "asks", Claim("asks", None)),
        ("b/1", ["urn:never"], "never", Claim("never", True)),
    ],
)
def test_who_takes_a_node(
    analysers: PubsubCache,
    node: str,
    namespaces: Sequence[str],
    holder: str | None,
    expected: Claim | None,
) -> None:
    assert analysers.claim(node, namespaces, holder) == expected


def test_who_is_registered(analysers: PubsubCache) -> None:
    assert analysers.is_registered("never")
    assert not analysers.is_registered("gone")
