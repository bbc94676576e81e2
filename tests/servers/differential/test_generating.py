"""Seeds give the same sequences for ever, and these hold every kind of operation."""

import pytest

from differential.generating import EJABBERD, PROSODY, Ways, generated, through_the_proxy
from differential.operations import (
    Configure,
    Create,
    Delete,
    Operation,
    Publish,
    Purge,
    Retract,
    Through,
    written,
)

SEEDS = range(60)
STEPS = 9
BOTH = pytest.mark.parametrize("ways", [PROSODY, EJABBERD], ids=["Prosody", "ejabberd"])


def operations(ways: Ways) -> list[Operation]:
    return [one for seed in SEEDS for step in generated(seed, STEPS, ways) for one in step]


@BOTH
def test_same_seed_gives_the_same_sequence(ways: Ways) -> None:
    assert generated(7, STEPS, ways) == generated(7, STEPS, ways) != generated(8, STEPS, ways)


@BOTH
def test_every_operation_occurs(ways: Ways) -> None:
    found = operations(ways)
    assert {type(one) for one in found} == {Create, Configure, Publish, Retract, Purge, Delete}
    assert {one.notify for one in found if isinstance(one, Retract)} == {True, False}
    configured = {name for one in found if isinstance(one, Configure) for name, _ in one.fields}
    assert {"access_model", "max_items", "title", "deliver_notifications"} <= configured


@BOTH
def test_items_are_published_again(ways: Ways) -> None:
    sequence = generated(3, 40, ways)
    ids = [one.item_id for step in sequence for one in step if isinstance(one, Publish)]
    assert len(set(ids)) < len(ids)


@BOTH
def test_first_step_makes_an_open_node_with_items(ways: Ways) -> None:
    for seed in SEEDS:
        create, *published = generated(seed, STEPS, ways)[0]
        assert isinstance(create, Create)
        assert dict(create.fields).get("access_model", "open") == "open"
        assert published
        assert all(isinstance(one, Publish) for one in published)


def test_printed_sequence_makes_itself_again() -> None:
    sequence = generated(5, STEPS, PROSODY)
    assert eval(f"({written(sequence)})") == sequence


def test_nothing_is_published_again_in_place_and_unheard() -> None:
    """The one silent change that docs and configuration say is never seen."""
    for seed in SEEDS:
        silent, known = False, set()
        for one in (each for step in generated(seed, STEPS, EJABBERD) for each in step):
            if isinstance(one, Create | Delete | Purge):
                silent, known = silent and isinstance(one, Purge), set()
            elif isinstance(one, Configure) and one.fields[0][0] == "deliver_notifications":
                silent = one.fields[0][1] == "0"
            elif isinstance(one, Retract):
                known.discard(one.item_id)
            elif isinstance(one, Publish):
                assert not (silent and one.item_id in known)
                known.add(one.item_id)


def test_some_steps_are_done_through_the_proxy_in_whole_and_some_in_part() -> None:
    sequence = generated(7, 40, PROSODY)
    written_through = through_the_proxy(sequence, 7)
    assert written_through == through_the_proxy(sequence, 7)
    shares = [sum(isinstance(one, Through) for one in step) / len(step) for step in written_through]
    assert {0.0, 1.0} < set(shares)
    plain = [
        tuple(one.operation if isinstance(one, Through) else one for one in step)
        for step in written_through
    ]
    assert tuple(plain) == sequence


def test_nodes_are_created_at_the_service() -> None:
    for seed in SEEDS:
        for step in through_the_proxy(generated(seed, STEPS, EJABBERD), seed):
            made = (one.operation for one in step if isinstance(one, Through))
            assert not any(isinstance(one, Create) for one in made)
