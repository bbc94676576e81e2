"""What most server tests do: fill a node, and wait until the proxy holds it."""

from xml.sax.saxutils import escape

from harness.client import Client
from harness.proxy_process import ProxyProcess
from harness.stanzas import Items, element, pubsub, with_items
from harness.waiting import wait_until

AT_ONCE = 50


def post(title: str, body: str = "") -> str:
    """Return an Atom entry, as microblog clients publish them (XEP-0277)."""
    return (
        "<entry xmlns='http://www.w3.org/2005/Atom'>"
        f"<title>{escape(title)}</title><content type='text'>{escape(body)}</content>"
        "<published>2026-11-20T12:00:00Z</published><updated>2026-11-20T12:00:00Z</updated>"
        "</entry>"
    )


async def fill(owner: Client, service: str, node: str, number: int, **config: str) -> None:
    """Create a node and publish post-1 to post-`number` to it."""
    await owner.create(service, node, {"pubsub#max_items": "10000", **config})
    for index in range(1, number + 1):
        await owner.publish(service, node, f"post-{index}", post(f"Post {index}"))


async def fill_at_once(owner: Client, service: str, node: str, number: int) -> list[str]:
    """Create a node and publish many items, not waiting for one before the next; return ids."""
    await owner.create(service, node, {"pubsub#max_items": "10000"})
    ids = [f"post-{index}" for index in range(1, number + 1)]
    for start in range(0, number, AT_ONCE):
        requests = []
        for item_id in ids[start : start + AT_ONCE]:
            payload, action = pubsub("publish", node)
            with_items(action, [item_id])
            action[0].append(element(post(item_id)))
            requests.append(("set", service, payload))
        for reply in await owner.in_parallel(requests):
            reply.or_raise()
    return ids


async def until_cached(
    reader: Client, proxy: ProxyProcess, node: str, to: str | None = None
) -> Items:
    """Read the node until an answer comes from the database, and return that answer."""
    found: list[Items] = []

    async def is_cached() -> bool:
        found.append(await reader.items(to or proxy.jid, node))
        return answered_by(proxy, node)[-1] == "cache"

    await wait_until(is_cached, f"{node} is answered from the cache")
    return found[-1]


async def until_held(reader: Client, proxy: ProxyProcess, node: str, to: str | None = None) -> None:
    """Read the node, which has not been asked for before, until it is held."""
    await until_cached(reader, proxy, node, to)


def answered_by(proxy: ProxyProcess, node: str | None) -> list[str]:
    """Return who answered each read of the node, as the proxy logged it: service, cache, stale."""
    marked = f"node={node!r}"
    return [
        line.partition("answered by=")[2].split()[0]
        for line in proxy.log().splitlines()
        if "answered by=" in line and line.endswith(marked)
    ]
