"""The example of the developers' guide, run as it stands there."""

import re
from pathlib import Path

import pytest
from places import NODE, Newer, Place

from pubcellar.core.errors import MigrationFailed
from pubcellar.storage import (
    Standing,
    database_state,
    downgrade_database,
    prepare_database,
    upgrade_database,
)

GUIDE = Path(__file__).parents[2] / "docs" / "migrations.md"

ITEMS = 1200

ITEM = (
    "INSERT INTO pubsub_item (id, node_id, generation, position, size_bytes, item_id, created_at,"
    " updated_at, xml, parsed) VALUES ({0}, 1, 1, {0}, 1, 'i{0}', '2026-01-01', '2026-01-01',"
    " '<item/>', {1})"
)


@pytest.fixture
def example(upgraded: Newer) -> Newer:
    """Make the example this version's."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        number = re.search(r'^revision = "(\d+)"$', block, re.MULTILINE)
        assert number is not None
        (upgraded.directory / f"versions/{number[1]}_of_the_guide.py").write_text(block)
    return upgraded


def parsed(number: int) -> str:
    """Return what a parser made of an item, of which some have no title."""
    return {
        0: "NULL",
        1: "'{}'",
        2: """'{"title": null}'""",
    }.get(number % 10, f"""'{{"title": "ÄRGER {number}"}}'""")


def fill(place: Place) -> None:
    place.execute(NODE, *(ITEM.format(n, parsed(n)) for n in range(1, ITEMS + 1)))


async def test_titles_are_folded_in_many_batches_and_back(place: Place, example: Newer):
    await upgrade_database(place.url, "0003")
    fill(place)
    before = place.contents()
    migrated = await prepare_database(place.url)
    assert [str(step) for step in migrated.steps] == [
        "0004 (Room for folded titles)",
        "0005 (Fold the titles that are stored already)",
    ]
    found = dict(place.rows("SELECT id, title_folded FROM pubsub_item"))
    assert found == {
        number: None if number % 10 in (0, 1, 2) else f"ärger {number}"
        for number in range(1, ITEMS + 1)
    }
    # The models do not have that column: it is an extra.
    state = await database_state(place.url)
    assert (state.standing, state.extras) == (
        Standing.CURRENT,
        ("column pubsub_item.title_folded",),
    )
    await downgrade_database(place.url, "0003")
    assert place.contents() == before
    await prepare_database(place.url)
    assert place.value("SELECT count(title_folded) FROM pubsub_item") == ITEMS * 7 // 10


async def test_one_that_fails_half_way_is_begun_anew(place: Place, example: Newer):
    await upgrade_database(place.url, "0003")
    fill(place)
    before = place.contents()
    path = example.directory / "versions/0005_of_the_guide.py"
    text = path.read_text()
    path.write_text(
        text.replace("last = rows[-1].id", "last = rows[-1].id\n        last > 600 and 1 / 0")
    )
    with pytest.raises(MigrationFailed, match="ZeroDivisionError"):
        await prepare_database(place.url)
    assert place.contents() == before
    path.write_text(text)
    await prepare_database(place.url)
    assert place.value("SELECT count(title_folded) FROM pubsub_item") == ITEMS * 7 // 10
