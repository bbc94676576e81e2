from playbook import Cellar, Service, item_ids, items


async def test_a_node_is_forwarded_first_and_held_afterwards(
    cellar: Cellar, service: Service
) -> None:
    cellar.stands_behind(service).has("notes/a", ["i1", "i2", "i3"])
    first = await cellar.result(items("notes/a"))
    assert item_ids(first) == ["i1", "i2", "i3"]
    await cellar.settled()
    print(service.asked)
    assert await cellar.state("notes/a") == "live"
    service.asked.clear()
    second = await cellar.result(items("notes/a"))
    assert item_ids(second) == ["i1", "i2", "i3"]
    assert not service.asked
