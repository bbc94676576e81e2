"""Whether two entities answer alike: same payload, same error, whatever prefixes they use."""

from xml.etree import ElementTree

from harness.client import Client
from harness.stanzas import Payload, Reply


def canonical(reply: Reply) -> str:
    """Return a reply's payload, or its error without texts and echoes, in one spelling."""
    if reply.is_error:
        return f"{reply.error_type}/{reply.condition}/{reply.application_condition}"
    if reply.payload is None:
        return ""
    return ElementTree.canonicalize(ElementTree.tostring(reply.payload), rewrite_prefixes=True)


async def answers(client: Client, first: str, second: str, payload: Payload) -> tuple[str, str]:
    """Ask two entities the same; return both answers in one spelling."""
    replies = [await client.request("get", to, payload) for to in (first, second)]
    return canonical(replies[0]), canonical(replies[1])
