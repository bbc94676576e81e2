"""A node that is not open, and who is answered of it."""

from playbook.cellar import CACHE, JULIET, ROMEO, Cellar
from playbook.service import Service
from playbook.stanzas import items

IDS = ["i1", "i2", "i3"]
REFUSED = "auth/forbidden"


def alias(user: str) -> str:
    bare = user.partition("/")[0].replace("@", "\\40")
    return f"{bare}@{CACHE}"


async def held(cellar: Cellar, service: Service, model: str = "whitelist") -> Service:
    """Let the component hold a node of which it, Juliet and Romeo are members."""
    node = cellar.stands_behind(service).has("notes/a", IDS)
    node.access_model = model
    node.members |= {CACHE, alias(JULIET), alias(ROMEO)}
    await cellar.result(items("notes/a"))
    await cellar.settled()
    record = await cellar.record("notes/a")
    assert (record.state, record.item_count) == ("live", len(IDS)), record
    service.asked.clear()
    return service


async def is_answered_from_the_cache(
    cellar: Cellar, service: Service, question: str, sender: str = JULIET
) -> bool:
    service.asked.clear()
    await cellar.result(question, sender=sender)
    return not any(" for " in asked for asked in service.asked)
