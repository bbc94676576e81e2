"""Says in words what a configuration comes to, for `pubcellar check`; never the secret."""

from pubcellar.config.database_url import without_password
from pubcellar.config.settings import Settings
from pubcellar.config.units import format_duration, format_size

IDENTITIES = {
    "auto": "as the requester where their server lets us, else in their alias",
    "privileged": "as the requester, and only where their server lets us",
    "alias": "in the requester's alias",
}


def describe(settings: Settings) -> str:
    """Return what the settings come to, one line for each subject."""
    component, upstream, cache = settings.component, settings.upstream, settings.cache
    access = settings.access
    default = upstream.default or "none: requests to our own address are not forwarded"
    lines = [
        ("server", component.server),
        ("our address", component.jid),
        ("secret", f"from {settings.secret_source}"),
        ("default service", default),
        ("services allowed", ", ".join(upstream.allow)),
        (
            "forwarding",
            f"{IDENTITIES[settings.forwarding.identity]}; an answer is waited for "
            f"{format_duration(upstream.timeout)}, at most {upstream.max_requests} at once, "
            f"{upstream.max_requests_per_requester} of one requester",
        ),
        (
            "requesters",
            f"{', '.join(access.requesters)}; of each at most {access.max_requests_per_minute} "
            f"requests forwarded a minute and {access.max_subscriptions_per_requester} "
            "subscriptions",
        ),
        ("database", without_password(settings.database.url)),
        (
            "freshness",
            f"contents verified every {format_duration(cache.verify_every)}, access every "
            f"{format_duration(cache.access_verify_every)}; in an outage answered for "
            f"{format_duration(cache.max_stale)}",
        ),
        (
            "limits",
            f"{cache.max_nodes} nodes of {cache.max_items_per_node} items of "
            f"{format_size(cache.max_item_bytes)}, answers of "
            f"{format_size(cache.max_stanza_bytes)}, each at most; "
            f"{format_size(cache.max_database_bytes)} in all",
        ),
        (
            "fetching",
            f"{cache.max_synchronisations} nodes at once, {cache.page_size} items a request",
        ),
        ("log", f"level {settings.log.level}"),
    ]
    width = max(len(subject) for subject, _ in lines)
    return "\n".join(f"{subject:<{width}}  {words}" for subject, words in lines)
