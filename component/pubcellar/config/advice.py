"""What a configuration may say, and an operator should think about: the warnings."""

from collections.abc import Iterator

from pubcellar.config.endpoints import client_endpoint
from pubcellar.config.jids import matches_everything
from pubcellar.config.settings import KIB, Document
from pubcellar.config.units import format_size

PROSODY_STANZA_BYTES = 512 * KIB
"""A longer stanza makes Prosody close the component's stream (`component_stanza_size_limit`)."""


def advice(document: Document) -> Iterator[str]:
    """Yield what is allowed but unwise, or without effect, for people."""
    if client_endpoint(document.component.server).is_clear_text_to_another_host:
        yield (
            f"[component] server = {document.component.server}: the stream to another host is not "
            "encrypted (XEP-0114), so that everything, and who asks for it, can be read on the "
            "way: use a tunnel, tls: or the server's own host"
        )
    for glob in document.upstream.allow:
        if matches_everything(glob):
            yield (
                f"[upstream] allow: {glob!r} makes this an open proxy: whoever reaches it can have "
                "it send requests to any address; name the services instead"
            )
    if document.cache.max_stanza_bytes > PROSODY_STANZA_BYTES:
        yield (
            f"[cache] max_stanza_bytes = {format_size(document.cache.max_stanza_bytes)}: Prosody "
            f"closes the stream at {format_size(PROSODY_STANZA_BYTES)} unless its "
            "component_stanza_size_limit is raised"
        )
    if document.admin.jids:
        yield "[admin] jids: has no effect yet; this version has no administration"
    if document.http.listen is not None:
        yield "[http] listen: has no effect yet; this version opens no port"
