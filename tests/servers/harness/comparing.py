"""Whether two entities answer alike: same payload, same error, whatever prefixes they use."""

from xml.etree import ElementTree

from harness.client import Client
from harness.stanzas import NS_RSM, Payload, Reply


def canonical(reply: Reply, *, without_page: bool = False) -> str:
    """Return a reply's payload, or its error without texts and echoes, in one spelling.

    `without_page` leaves the `<set/>` out.
    """
    if reply.is_error:
        return f"{reply.error_type}/{reply.condition}/{reply.application_condition}"
    if reply.payload is None:
        return ""
    page = reply.payload.find(f"{{{NS_RSM}}}set")
    if without_page and page is not None:
        reply.payload.remove(page)
    return ElementTree.canonicalize(ElementTree.tostring(reply.payload), rewrite_prefixes=True)


async def answers(
    client: Client, first: str, second: str, payload: Payload, *, without_page: bool = False
) -> tuple[str, str]:
    """Ask two entities the same; return both answers in one spelling."""
    replies = [await client.request("get", to, payload) for to in (first, second)]
    ours, theirs = (canonical(reply, without_page=without_page) for reply in replies)
    return ours, theirs
