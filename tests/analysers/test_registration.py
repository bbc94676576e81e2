from typing import Any

import pytest

from pubcellar.analysers import Analyser, ConfiguredAnalyser
from pubcellar.analysers.registration import registration


def parser(client: Any, item_elt: Any, service: Any, node: Any) -> dict[str, Any]:
    return {}


def test_a_full_dictionary_is_taken_as_it_is() -> None:
    given = {
        "name": "  Events ",
        "type": "event",
        "node": "events",
        "namespace": "urn:x",
        "to_sync": True,
        "parser": parser,
        "match_cb": print,
    }
    before = dict(given)
    checked = registration(given)
    assert (checked.name, checked.type) == ("events", "event")
    assert (checked.nodes, checked.namespaces) == (("events",), ("urn:x",))
    assert checked.to_sync is True and checked.parser is parser and checked.match_cb is print
    assert checked.version == "1" and checked.parses and checked.refines
    assert given == before


def test_the_least_dictionary_is_not_synchronised_and_parses_nothing() -> None:
    checked = registration({"name": "a", "type": "b", "namespace": "urn:x"})
    assert checked.to_sync is False and checked.nodes == ()
    assert not checked.parses and not checked.refines


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": None}, "'name' is required"),
        ({"name": "  "}, "'name' is required"),
        ({"name": 3}, "'name' is required"),
        ({"type": ""}, "'type' is required"),
        ({"node": None}, "at least one of 'node' and 'namespace'"),
        ({"node": ""}, "at least one of 'node' and 'namespace'"),
        ({"node": 7}, "'node' must be text"),
        ({"node": ("a", "b")}, "'node' must be text"),
        ({"namespace": b"urn:x"}, "'namespace' must be text"),
        ({"to_sync": "yes"}, "'to_sync' must be True or False"),
        ({"to_sync": None}, "'to_sync' must be True or False"),
        ({"parser": "parse"}, "'parser' must be callable"),
        ({"match_cb": 1}, "'match_cb' must be callable"),
        ({"prefix": "a"}, "unknown key 'prefix' .known: name, type"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        registration({"name": "a", "type": "b", "node": "c", **change})


@pytest.mark.parametrize("key", ["name", "type"])
def test_a_missing_key_is_named(key: str) -> None:
    analyser = {"name": "a", "type": "b", "node": "c"}
    del analyser[key]
    with pytest.raises(ValueError, match=f"'{key}' is required"):
        registration(analyser)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        registration({"naem": "x", "to_sync": 1, "parser": 2})
    message = str(caught.value)
    for word in ("'naem'", "'name'", "'type'", "'node'", "'to_sync'", "'parser'"):
        assert word in message


class Notes(Analyser):
    name = " Notes"
    type = "note"
    node = "notes"
    version = "3"


def test_a_typed_analyser_is_checked_by_the_same_rules() -> None:
    assert registration(Notes()).name == "notes"
    assert registration(Notes()).version == "3"
    with pytest.raises(
        ValueError, match=r"'name' is required.*'type' is required.*at least one of"
    ):
        registration(Analyser())
    nameless = Notes()
    nameless.version = ""
    with pytest.raises(ValueError, match="'version' must be text"):
        registration(nameless)


def test_a_typed_analyser_may_have_several_prefixes_and_namespaces() -> None:
    class Several(Notes):
        node = ("notes/", "memos/")
        namespace = ("urn:a", "urn:b")

    checked = registration(Several())
    assert checked.matches("memos/a", None) and checked.matches("other", "urn:b")
    assert not checked.matches("other", "urn:c") and not checked.matches("other", None)


@pytest.mark.parametrize("several", [(), ("",), ("notes/", 7), ["notes/"]])
def test_several_prefixes_are_a_tuple_of_texts_that_is_not_empty(several: Any) -> None:
    class Several(Notes):
        node = several

    with pytest.raises(ValueError, match=r"or a tuple of it|at least one of 'node'"):
        registration(Several())


def test_a_typed_analyser_parses_if_it_says_how() -> None:
    class Parsing(Notes):
        async def parse(self, item: Any, key: Any) -> dict[str, Any]:
            return {}

    assert not registration(Notes()).parses and not registration(Notes()).refines
    assert registration(Parsing()).parses
    assert not registration(ConfiguredAnalyser(name="a", type="b", node="c")).parses


@pytest.mark.parametrize("thing", [None, "blog", Notes, [("name", "a")]])
def test_anything_else_is_no_analyser(thing: Any) -> None:
    with pytest.raises(ValueError, match="an analyser is a dictionary or an instance of"):
        registration(thing)
