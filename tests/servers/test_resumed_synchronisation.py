"""A synchronisation that is killed goes on at the next start, and fetches only what is missing."""

from collections import Counter
from collections.abc import Iterator

import pytest
from harness import Client, CountingService, ThrowAwayServer
from harness.counting_answers import Kind
from harness.following import post, until_cached
from harness.killing import KillPoint, MortalProxy
from harness.waiting import wait_until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.only_server("prosody", reason="the proxy is killed, and its server only a router"),
]

TAUGHT = "urn:xmpp:microblog:0:comments/taught"
LARGE = "urn:xmpp:microblog:0"
ITEMS = 300
PAGE = 20
STAGED = [f"item-{number}" for number in range(1, 131)]
IN_THE_MIDDLE = KillPoint("after", "commit-of-insert-pubsub_item", 8)
"""After that of the small node, one batch of ten items and six of twenty are staged."""


@pytest.fixture
def proxy(server: ThrowAwayServer) -> Iterator[MortalProxy]:
    process = MortalProxy(
        server.component_port,
        server.component_secret,
        allow=(server.counting,),
        tables={"cache": {"page_size": PAGE, "retry_after": "1s"}},
    )
    yield process
    process.remove()


def asked_by_id(service: CountingService, node: str, sender: str) -> Counter[str]:
    """Return how often each item was asked for by its id in the proxy's own name.

    But for the question with one id twice, which shows in which order a service answers.
    """
    asked: Counter[str] = Counter()
    for each in service.received:
        if each.kind is Kind.ITEMS and each.node == node and each.sender == sender:
            ids = [one.get("id", "") for one in each.xml.iter() if one.tag.endswith("}item")]
            asked.update(ids if len(set(ids)) == len(ids) else [])
    return asked


async def test_killed_in_the_middle_it_fetches_what_is_missing_and_what_has_changed(
    counting_service: CountingService, proxy: MortalProxy, reader: Client
) -> None:
    service, to = counting_service, f"{counting_service.jid}@{proxy.jid}"
    service.create(TAUGHT, items=3)
    service.create(LARGE, items=ITEMS)
    proxy.arm(IN_THE_MIDDLE)
    await proxy.start()
    await until_cached(reader, proxy, TAUGHT, to)
    for item_id in ("item-1", "item-2"):
        # Where the service puts what is published again is seen twice.
        service.publish(TAUGHT, item_id, post("again"))
        await until_cached(reader, proxy, TAUGHT, to)
    await reader.items(to, LARGE)
    await wait_until(lambda: proxy.death, "death in the middle of a synchronisation")
    assert asked_by_id(service, LARGE, proxy.jid).keys() >= set(STAGED)

    service.publish(LARGE, "item-7", post("changed"))
    service.retract(LARGE, "item-8")
    service.forget()
    proxy.arm(None)
    await proxy.start()
    found = await until_cached(reader, proxy, LARGE, to)

    there = [one.item_id for one in service.nodes[LARGE].items]
    assert found.ids == there
    missing = {one for one in there if one not in STAGED} | {"item-7"}
    compared = {"item-130"}
    assert asked_by_id(service, LARGE, proxy.jid) == Counter(missing | compared)
