"""Which nodes are held is decided behind their first read."""

import pytest
from playbook import Cellar, Service, info, items, listing

RECIPE = "<recipe xmlns='urn:example:recipe'/>"
NOTE = "<note xmlns='urn:example:note'/>"


async def first_read(cellar: Cellar, service: Service, node: str, payload: str = NOTE) -> list[str]:
    """Let a node with two items be read; return what its service was asked on our account."""
    cellar.stands_behind(service).has(node, ["i1", "i2"], payload=payload)
    await cellar.result(items(node))
    await cellar.settled()
    ours = [asked for asked in service.asked if " for " not in asked]
    assert len(service.asked) == len(ours) + 1
    service.asked.clear()
    return ours


async def test_a_node_is_known_by_its_prefix(cellar: Cellar, service: Service) -> None:
    await first_read(cellar, service, "notes/a")
    record = await cellar.record("notes/a")
    assert (record.state, record.analyser, record.type) == ("live", "notes", "note")


@pytest.mark.parametrize("node", ["notes/", "notes/deep/er"])
async def test_a_prefix_is_followed_by_anything_at_a_boundary(
    cellar: Cellar, service: Service, node: str
) -> None:
    await first_read(cellar, service, node)
    assert await cellar.state(node) == "live"


async def test_a_prefix_claims_nothing_within_a_word(cellar: Cellar, service: Service) -> None:
    await first_read(cellar, service, "urn:xmpp:microblog:01")
    assert await cellar.state("urn:xmpp:microblog:01") == "no_sync"
    await first_read(cellar, service, "urn:xmpp:microblog:0")
    assert (await cellar.record("urn:xmpp:microblog:0")).analyser == "blog"


async def test_a_namespace_is_taken_from_the_answer_that_was_forwarded(
    cellar: Cellar, service: Service
) -> None:
    asked = await first_read(cellar, service, "cooking", RECIPE)
    assert (await cellar.record("cooking")).analyser == "recipes"
    assert asked[0] == "info cooking"


async def test_a_namespace_is_asked_for_where_the_answer_shows_none(
    cellar: Cellar, service: Service
) -> None:
    cellar.stands_behind(service).has("cooking", ["i1"], payload=RECIPE)
    await cellar.result(items("cooking", ids=["none"]))
    await cellar.settled()
    assert service.asked[1] == "items cooking newest=1"
    assert await cellar.state("cooking") == "live"


@pytest.mark.parametrize("node", ["drafts/a", "unclaimed"])
async def test_the_second_read_of_a_node_not_held_costs_one_stanza(
    cellar: Cellar, service: Service, node: str
) -> None:
    """`to_sync` false, and no analyser at all."""
    asked = await first_read(cellar, service, node)
    assert asked == []
    record = await cellar.record(node)
    assert record.state == "no_sync"
    assert record.reason
    for question in (items(node), items(node, max_items=1), info(node), listing(node)):
        await cellar.result(question)
    await cellar.settled()
    assert len(service.asked) == 4


async def test_a_verdict_is_looked_at_again_after_reanalyse_after(start, service: Service) -> None:
    cellar = await start("[cache]\nreanalyse_after = '1h'\n")
    await first_read(cellar, service, "cooking")
    service.has("cooking", ["i1"], payload=RECIPE)
    await cellar.result(items("cooking"))
    await cellar.settled()
    assert await cellar.state("cooking") == "no_sync"
    await cellar.advance(3601)
    await cellar.result(items("cooking"))
    await cellar.settled()
    assert await cellar.state("cooking") == "live"


async def test_an_analyser_that_fails_never_blocks(cellar: Cellar, service: Service) -> None:
    def match(client: object, analyse: dict[str, object]) -> None:
        raise RuntimeError("a bug of its author")

    analysers = cellar.component.proxy._parts.analysers
    analysers.register_analyser(
        {"name": "broken", "type": "x", "node": "broken/", "to_sync": True, "match_cb": match}
    )
    await first_read(cellar, service, "broken/a")
    record = await cellar.record("broken/a")
    assert record.state == "no_sync"
    assert "broken" in record.reason
    await first_read(cellar, service, "broken/a")
    await cellar.result(items("broken/a"))
    assert len(service.asked) == 1


async def test_a_parser_that_fails_leaves_the_item_raw(cellar: Cellar, service: Service) -> None:
    def parse(client: object, item_elt: object, service: object, node: str) -> dict[str, object]:
        raise RuntimeError("a bug of its author")

    analysers = cellar.component.proxy._parts.analysers
    analysers.register_analyser(
        {"name": "broken", "type": "x", "node": "broken/", "to_sync": True, "parser": parse}
    )
    await first_read(cellar, service, "broken/a")
    await cellar.result(items("broken/a"))
    assert await cellar.state("broken/a") == "live"
    assert service.asked == []


async def test_a_missing_node_leaves_no_trace(cellar: Cellar, service: Service) -> None:
    """A row for a node exists only after the service answered positively about it."""
    cellar.stands_behind(service)
    answer = await cellar.answer(items("notes/none"))
    assert answer.condition == "cancel/item-not-found"
    await cellar.settled()
    assert len(service.asked) == 1
    assert await cellar.record("notes/none") is None


@pytest.mark.parametrize("question", [info("notes/a"), listing("notes/a")])
async def test_disco_alone_sets_nothing_off(
    cellar: Cellar, service: Service, question: str
) -> None:
    """Subscribing could create a node: only an items read shows that it is there."""
    cellar.stands_behind(service).has("notes/a", ["i1"])
    await cellar.result(question)
    await cellar.settled()
    assert len(service.asked) == 1
    assert await cellar.record("notes/a") is None


@pytest.mark.parametrize("model", [None, "", "future", "Open"])
async def test_a_node_with_an_access_model_that_we_do_not_know_is_never_held(
    cellar: Cellar, service: Service, model: str | None
) -> None:
    """An access model missing or unknown counts as not open."""
    node = cellar.stands_behind(service).has("notes/a", ["i1"])
    node.access_model, node.admits_everybody = model, True
    await cellar.result(items("notes/a"))
    await cellar.settled()
    assert await cellar.state("notes/a") == "no_sync"
    assert not any(asked.startswith("subscribe") for asked in service.asked)
    service.asked.clear()
    service.nodes["notes/a"].access_model = "open"
    await cellar.result(items("notes/a"))
    assert len(service.asked) == 1
