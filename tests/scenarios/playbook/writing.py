"""Writes in every form, and whether whoever reads next sees them."""

import re

from playbook.cellar import JULIET, Cellar
from playbook.comparing import Answers, answered, told
from playbook.service import Service
from playbook.stanzas import (
    configuration,
    info,
    items,
    listing,
    owned,
    publish,
    retract,
)

_SET = re.compile(r"<set .*?</set>")

NODE = "notes/a"
IDS = ["i1", "i2", "i3"]
CHANGED = "<note xmlns='urn:example:note'>changed</note>"

WRITES = {
    "a new item": publish(NODE, "i4"),
    "an item again, changed": publish(NODE, "i2", payload=CHANGED),
    "the newest again, changed": publish(NODE, "i3", payload=CHANGED),
    "an item again, as it was": publish(NODE, "i1"),
    "several items": publish(NODE, "i4", "i5"),
    "an item without id": publish(NODE, "").replace(' id=""', ""),
    "a retract": retract(NODE, "i2"),
    "a retract of two": retract(NODE, "i1", "i3"),
    "a purge": owned("purge", NODE),
    "a new title": owned("configure", NODE, configuration(title="Other")),
    "a closing": owned("configure", NODE, configuration(access_model="whitelist")),
    "a deletion": owned("delete", NODE),
    "something unknown": publish(NODE, "i4").replace("node=", "future='1' node="),
}
"""Each of them changes an answer to something."""

QUESTIONS = {
    "plain": items(NODE),
    "newest": items(NODE, max_items=1),
    "newest two": items(NODE, max_items=2),
    "one id": items(NODE, ids=["i2"]),
    "a new id": items(NODE, ids=["i4"]),
    "ids": items(NODE, ids=["i3", "i1"]),
    "ids listed": listing(NODE),
    "description": info(NODE),
    "nodes": listing(),
}


async def writes(cellar: Cellar, payload: str, sender: str = JULIET) -> None:
    """Write something, which the service does not refuse."""
    sent = await cellar.answer(payload, sender=sender, type_="set")
    assert sent.kind == "result", sent


async def is_read_as_it_is(cellar: Cellar, service: Service) -> None:
    """Make sure that every question is answered as the service would answer it now."""
    expected = _without_pages(told(service, QUESTIONS))
    assert _without_pages(await answered(cellar, service, QUESTIONS)) == expected


def asked_by_readers(service: Service) -> list[str]:
    """Return what the service was asked in the name of others than the component."""
    return [one for one in service.asked if " for " in one]


def _without_pages(answers: Answers) -> Answers:
    """Return the answers without `<set/>`: the tokens of held pages are ours."""
    return {name: _SET.sub("", answer) for name, answer in answers.items()}
