"""Analysers that come and go, and what becomes of a node then."""

import sqlite3
from contextlib import closing
from typing import Any

from playbook.cellar import Cellar
from playbook.service import Service
from pubcellar import Analyser
from pubcellar.core.values import Item, NodeKey

IDS = ["i1", "i2", "i3"]
OUTAGE = ("wait", "remote-server-timeout")

NOTES = "[[analyser]]\nname = 'notes'\ntype = 'note'\nnode = 'notes/'\nto_sync = true\n"
NOTES_NOT_HELD = NOTES.replace("true", "false")
NOTES_ELSEWHERE = NOTES.replace("notes/", "jottings/")
DIARY = "[[analyser]]\nname = 'diary'\ntype = 'entry'\nnode = 'notes/'\nto_sync = true\n"
DIARY_NOT_HELD = DIARY.replace("true", "false")
RECIPES = (
    "[[analyser]]\nname = 'recipes'\ntype = 'recipe'\nnamespace = 'urn:example:recipe'\n"
    "to_sync = true\n"
)
RECIPES_ELSEWHERE = RECIPES.replace("urn:example:recipe", "urn:example:dish")
NOTE_PAYLOADS_NOT_HELD = (
    "[[analyser]]\nname = 'payloads'\ntype = 'note'\nnamespace = 'urn:example:note'\n"
)
NOBODY = "[[analyser]]\nname = 'nobody'\ntype = 'x'\nnode = 'nobody/'\n"


class Parsing(Analyser):
    """Reads an item's id."""

    node = "letters/"
    to_sync = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.type = f"{name} type"

    async def parse(self, item: Item, key: NodeKey) -> dict[str, Any]:
        return {"id": item.item_id}

    async def subtype(self, key: NodeKey) -> str:
        return f"{self.name} subtype"


class Deciding:
    """An analyser of the dictionary kind whose `match_cb` says what the test wants."""

    def __init__(self, says: bool | Exception) -> None:
        self.says = says
        self.calls = 0
        self.dictionary = {
            "name": "deciding",
            "type": "decided",
            "node": "notes/",
            "match_cb": self._match,
        }

    async def _match(self, client: object, analyse: dict[str, Any]) -> None:
        self.calls += 1
        if isinstance(self.says, Exception):
            raise self.says
        analyse["to_sync"] = self.says


def asked_by_us(service: Service, word: str = "") -> list[str]:
    return [one for one in service.asked if " for " not in one and one.startswith(word)]


def stored_items(cellar: Cellar) -> list[tuple[str, str | None]]:
    """Return id and parser of everything in the table of items, whoever may see it."""
    with closing(sqlite3.connect(cellar.database_file)) as database:
        return database.execute("select item_id, parsed_by from pubsub_item order by 1").fetchall()


async def set_aside(cellar: Cellar, service: Service, analysers: str = NOBODY) -> None:
    """Hold a node, and restart without an analyser that wants it."""
    await cellar.holds(service, "notes/a", IDS)
    await cellar.restart(analysers=analysers)
    await cellar.settled()
    assert await cellar.state("notes/a") == "no_sync"


async def set_aside_while_away(cellar: Cellar, service: Service) -> None:
    await cellar.holds(service, "notes/a", IDS)
    service.refusal = OUTAGE
    await cellar.restart(analysers=NOBODY)
    await cellar.settled()
    record = await cellar.record("notes/a")
    assert (record.state, record.subscription) == ("no_sync", "subscribed")
