"""What the settings say, as the values that the parts are built with."""

from typing import Any

from twisted.internet.endpoints import clientFromString

from pubcellar.config import Settings
from pubcellar.core.answering import Paging
from pubcellar.core.breaker import BreakerPolicy
from pubcellar.core.errors import ConfigError
from pubcellar.core.failures import FailureLives
from pubcellar.core.freshness import FreshnessPolicy
from pubcellar.core.identity import IdentityPolicy
from pubcellar.core.values import BareJID
from pubcellar.proxy import AccessPolicy, IdentitySettings, Limits
from pubcellar.xmpp.addresses import bare_jid


def jids(settings: Settings) -> tuple[BareJID, BareJID | None]:
    """Return our own JID, and that of the default service.

    Raises:
        ConfigError: one of them is no JID.
    """
    problems = []
    found: list[BareJID | None] = []
    for key, value in (
        ("[component] jid", settings.component.jid),
        ("[upstream] default", settings.upstream.default),
    ):
        try:
            found.append(None if value is None else bare_jid(value))
        except ValueError:
            problems.append(f"{key} = {value!r}: no valid JID; write one like pubsub.example.org")
    if problems or found[0] is None:
        raise ConfigError(str(settings.source), tuple(problems))
    return found[0], found[1]


def endpoint(settings: Settings, reactor: Any) -> Any:
    """Return the Twisted client endpoint of the XMPP server.

    Raises:
        ConfigError: its description cannot be used.
    """
    try:
        return clientFromString(  # type: ignore[no-untyped-call]
            reactor, settings.component.server
        )
    except (ValueError, TypeError, KeyError, OSError) as error:
        problem = (
            f"[component] server = {settings.component.server!r}: cannot be used ({error!r}); "
            'write one such as "tcp:127.0.0.1:5347"'
        )
        raise ConfigError(str(settings.source), (problem,)) from error


def policy(settings: Settings) -> FreshnessPolicy:
    """Return how long what is held may be believed."""
    cache = settings.cache
    return FreshnessPolicy(
        access_verify_every=cache.access_verify_every,
        verify_every=cache.verify_every,
        compare_every=cache.compare_every,
        max_age=cache.max_age,
        max_stale=cache.max_stale,
        service_max_age=cache.service_max_age,
    )


def limits(settings: Settings) -> Limits:
    """Return what bounds the use cases."""
    cache = settings.cache
    return Limits(
        paging=Paging(cache.paging),
        shared_node_list=settings.upstream.node_list == "shared",
        reanalyse_after=cache.reanalyse_after,
        forget_after=cache.forget_after,
        retry_after=cache.retry_after,
        retry_at_most=cache.retry_at_most,
        page_size=cache.page_size,
        max_synchronisations=cache.max_synchronisations,
        max_synchronisations_per_service=cache.max_synchronisations_per_service,
        synchronisation_patience=cache.synchronisation_patience,
        max_nodes=cache.max_nodes,
        max_database_bytes=cache.max_database_bytes,
        max_new_nodes_per_requester=cache.max_new_nodes_per_requester,
        max_new_nodes_per_service=cache.max_new_nodes_per_service,
        max_items_per_node=cache.max_items_per_node,
        max_item_bytes=cache.max_item_bytes,
        max_stanza_bytes=cache.max_stanza_bytes,
        breaker=BreakerPolicy(
            suspend_after=settings.upstream.suspend_after,
            probe_after=settings.upstream.probe_after,
            probe_at_most=settings.upstream.probe_at_most,
        ),
        failure_lives=FailureLives(
            item_not_found=cache.remember_item_not_found,
            forbidden=cache.remember_forbidden,
            unreachable=cache.remember_unreachable,
            timeout=cache.remember_timeout,
        ),
    )


def identity(settings: Settings, own_jid: BareJID) -> IdentitySettings:
    """Return in whose name requests go out.

    Where it is not said which servers' word counts, it is that of the domain above our own.
    """
    forwarding = settings.forwarding
    above = own_jid.partition(".")[2]
    hosts = forwarding.hosts if forwarding.hosts is not None else ((above,) if above else ())
    return IdentitySettings(
        policy=IdentityPolicy(forwarding.identity),
        hosts=frozenset(bare_jid(host) for host in hosts),
        alias_hosts=frozenset(bare_jid(host) for host in forwarding.alias_hosts),
    )


def access(settings: Settings) -> AccessPolicy:
    """Return who may use the proxy, and how much."""
    given = settings.access
    return AccessPolicy(
        requesters=given.requesters,
        exempt=frozenset(bare_jid(host) for host in given.exempt),
        entitlement_max_age=given.entitlement_max_age,
        check_open=given.check_open,
        max_requests_per_minute=given.max_requests_per_minute,
        max_subscriptions_per_requester=given.max_subscriptions_per_requester,
        gone_after=given.gone_after,
    )
