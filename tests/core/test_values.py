import dataclasses
import inspect

import pytest

from pubcellar.core import events, records, values
from pubcellar.core.values import BareJID, FullJID, Item, NodeKey, Requester


@pytest.mark.parametrize("module", [values, events, records], ids=lambda each: each.__name__)
def test_every_value_is_immutable(module: object) -> None:
    classes = [
        each
        for each in vars(module).values()
        if inspect.isclass(each) and dataclasses.is_dataclass(each)
    ]
    assert classes
    for each in classes:
        assert vars(each)["__dataclass_params__"].frozen, each
        assert "__slots__" in vars(each), each


def test_an_item_s_size_is_that_of_its_bytes() -> None:
    assert Item("a", "<item>é日</item>").size_bytes == len("<item>é日</item>".encode()) == 18


def test_an_item_without_payload_namespace_has_no_payload() -> None:
    assert not Item("a", "<item/>").has_payload
    assert Item("a", "<item/>", payload_namespace="urn:x").has_payload
    # An element in no namespace at all is a payload too.
    assert Item("a", "<item/>", payload_namespace="").has_payload


@pytest.mark.parametrize(("full", "expected"), [("a@b/c", True), ("a@b", False), ("b/c", True)])
def test_a_requester_may_have_a_resource(full: str, expected: bool) -> None:
    bare = BareJID(full.partition("/")[0])
    assert Requester(FullJID(full), bare).has_resource is expected


def test_a_node_is_named_with_its_service_and_quoted() -> None:
    assert str(NodeKey(BareJID("pubsub.example.org"), "a b")) == "pubsub.example.org 'a b'"
