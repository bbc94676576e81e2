"""Whether the component answers what the service itself would answer."""

from collections.abc import Mapping

from playbook.cellar import CACHE, JULIET, Cellar, address_of
from playbook.service import Service
from playbook.stanzas import (
    COMPONENT,
    PUBSUB,
    STANZAS,
    Element,
    canonical,
    item_ids,
    items,
    parsed,
)

ALIAS = rf"juliet\40capulet.lit@{CACHE}/balcony"

Answers = dict[str, str]


def told(service: Service, questions: Mapping[str, str]) -> Answers:
    """Return what the service itself tells who asks it in the name of the requester's alias."""
    asked = list(service.asked)
    answers = {name: _told(service, question) for name, question in questions.items()}
    service.asked[:] = asked
    return answers


def told_ids(service: Service, question: str) -> list[str]:
    """Return the ids in the service's answer, in its order, the question not counted."""
    asked = list(service.asked)
    request = f"<iq type='get' id='t' from='{ALIAS}' to='{service.jid}'>{question}</iq>"
    answer = parsed(service.reply(parsed(request))[0])
    service.asked[:] = asked
    return item_ids(answer)


def _told(service: Service, question: str) -> str:
    request = f"<iq type='get' id='t' from='{ALIAS}' to='{service.jid}'>{question}</iq>"
    return _spelled(parsed(service.reply(parsed(request))[0]))


async def answered(cellar: Cellar, service: Service, questions: Mapping[str, str]) -> Answers:
    """Return what the component answers to the same, the questions asked one after the other."""
    to = CACHE if service.jid == "pubsub.example.org" else address_of(service)
    answers = {}
    for name, question in questions.items():
        answers[name] = _spelled((await cellar.answer(question, sender=JULIET, to=to)).element)
    return answers


def _spelled(answer: Element) -> str:
    """Return the payload in one spelling, or type and condition of the error."""
    error = answer.find(f"{{{COMPONENT}}}error")
    if error is None:
        return canonical(answer[0])
    names = [one.tag.removeprefix(f"{{{STANZAS}}}") for one in error]
    return f"{error.get('type')}/{names[0]}"


async def is_held_as_the_service_has_it(cellar: Cellar, service: Service, node: str) -> None:
    """Make sure that the node is LIVE, and answered from the database as the service would."""
    assert await cellar.state(node) == "live", await cellar.record(node)
    # The first read may show in which order a plain answer is.
    await cellar.result(items(node))
    await cellar.settled()
    service.asked.clear()
    answer = await cellar.result(items(node))
    found = [(one.get("id"), canonical(one[0])) for one in answer.iter(f"{{{PUBSUB}}}item")]
    there = [parsed(one) for one in service.nodes[node].items.values()]
    assert found == [(one.get("id"), canonical(one[0])) for one in there]
    assert [asked for asked in service.asked if " for " in asked] == []
