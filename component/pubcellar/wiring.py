"""The only place that builds things and joins them; what it builds knows nothing of settings."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from twisted.python.log import PythonLoggingObserver

from pubcellar import __version__
from pubcellar.analysers import (
    ConfiguredAnalyser,
    PubsubCache,
    held_in_vain,
    register_builtin,
    register_installed,
    register_never_held,
)
from pubcellar.config import Settings
from pubcellar.core.counters import Counters
from pubcellar.core.errors import ConfigError, Conflict
from pubcellar.core.requesters import Requesters
from pubcellar.core.values import BareJID
from pubcellar.exit_codes import ExitCode
from pubcellar.from_settings import access, endpoint, identity, jids, limits, policy
from pubcellar.proxy import Parts, Proxy
from pubcellar.storage import Migrated, SqlStore, database_state, open_store, prepare_database
from pubcellar.xmpp.addresses import Addresses
from pubcellar.xmpp.alias_payloads import AliasPayloads
from pubcellar.xmpp.alias_requests import AliasAsker
from pubcellar.xmpp.analyser_boundary import AnalyserBoundary
from pubcellar.xmpp.connection import Connection, SecretRefused
from pubcellar.xmpp.door import StanzaDoor
from pubcellar.xmpp.reader import StanzaCaps
from pubcellar.xmpp.relaying import MessagePostman
from pubcellar.xmpp.requests import Requests
from pubcellar.xmpp.stream import ComponentStream
from pubcellar.xmpp.tracker import Timer, Tracker
from pubcellar.xmpp.upstream import (
    AliasForwarder,
    ComponentReader,
    IdentityForwarder,
    PrivilegedForwarder,
)

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class SystemClock:
    """Implements `core.ports.Clock` with the machine's clock."""

    def now(self) -> datetime:
        """See `core.ports.Clock.now`."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """See `core.ports.Clock.sleep`."""
        await asyncio.sleep(seconds)


class Component:
    """All parts of one running proxy, joined.

    Args:
        settings: the configuration.
        store: the open database.
        reactor: Twisted's, on asyncio's loop.

    Raises:
        ConfigError: a value is wrong in a way that only its user can tell.
    """

    def __init__(self, settings: Settings, store: SqlStore, reactor: Any) -> None:
        clock = SystemClock()
        own_jid, default = jids(settings)
        self.counters = Counters()
        addresses = Addresses(own_jid, default, settings.upstream.allow)
        timer: Timer = reactor
        max_stanza_bytes = settings.cache.max_stanza_bytes
        tracker = Tracker(
            timer, settings.upstream.timeout.total_seconds(), self.counters, max_stanza_bytes
        )
        payloads = AliasPayloads(addresses)
        reader = ComponentReader(tracker, own_jid)
        postman = MessagePostman(addresses, max_stanza_bytes)
        analysers, problems = build_analysers(
            settings, self.counters, AnalyserBoundary(own_jid, reader)
        )
        for problem in problems:
            log.error("analysers: %s", problem)
        self.proxy = Proxy(
            Parts(
                own_jid=own_jid,
                store=store,
                forwarder=IdentityForwarder(
                    AliasForwarder(tracker, addresses, payloads),
                    PrivilegedForwarder(tracker, own_jid, self.counters),
                ),
                reader=reader,
                alias_requests=AliasAsker(tracker, addresses, payloads),
                postman=postman,
                analysers=analysers,
                clock=clock,
                counters=self.counters,
                policy=policy(settings),
                limits=limits(settings),
                is_allowed=addresses.is_allowed,
                subscriptions=store.users,
                permissions=store.users,
                aliases=payloads,
                identity=identity(settings, own_jid),
                access=access(settings),
            )
        )
        self.door = StanzaDoor(
            addresses,
            tracker,
            Requests(addresses, self.proxy),
            self.proxy,
            self.counters,
            settings.upstream.max_requests,
            settings.upstream.max_requests_per_requester,
            max_stanza_bytes,
            postman,
            Requesters(settings.access.requesters, access(settings).exempt),
        )
        caps = StanzaCaps(
            settings.component.max_received_bytes,
            settings.component.max_received_depth,
            settings.component.max_received_elements,
        )
        secret = settings.component.secret.get_secret_value()
        self.connection = Connection(
            endpoint(settings, reactor),
            server=settings.component.server,
            jid=own_jid,
            make=lambda: ComponentStream(own_jid, secret, caps, self.door),
            clock=clock,
        )

    async def serve(self, stop: asyncio.Event) -> int:
        """Serve until `stop` is set, or something ends by itself; return the exit code."""
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        background: list[asyncio.Future[None]] = [
            asyncio.ensure_future(self.connection.run()),
            asyncio.ensure_future(self.proxy.run()),
        ]
        done, _ = await asyncio.wait([stopping, *background], return_when=asyncio.FIRST_COMPLETED)
        await self.door.stop(GRACE_SECONDS)
        # What could begin new work ends before the work does.
        for task in (stopping, *background):
            task.cancel()
        await asyncio.gather(stopping, *background, return_exceptions=True)
        await self.proxy.stop()
        await self.connection.close()
        log.info("stopped %s", self.counters)
        return ExitCode.DONE if stopping in done else _exit_code(done)


def _exit_code(done: set[asyncio.Future[Any]]) -> int:
    for task in done:
        error = task.exception()
        if isinstance(error, SecretRefused):
            log.error("%s", error)
            return ExitCode.SECRET_REFUSED
        log.error("the proxy failed", exc_info=error)
    return ExitCode.FAILED


def build_analysers(
    settings: Settings, counters: Counters, boundary: AnalyserBoundary | None
) -> tuple[PubsubCache, tuple[str, ...]]:
    """Return the registry with all analysers, and what is wrong with some of them, in lines.

    They are tried in this order: what is never held, which nobody can overrule; the operator's, who
    can overrule the rest; those of installed packages; the built-in ones.

    Raises:
        ConfigError: two analysers have the same name.
    """
    cache = PubsubCache(
        boundary=boundary, counters=counters, parser_timeout=settings.cache.parser_timeout
    )
    try:
        register_never_held(cache)
        for number, table in enumerate(settings.analyser, start=1):
            configured = ConfiguredAnalyser(
                name=table.name,
                type=table.type,
                node=table.node,
                namespace=table.namespace,
                to_sync=table.to_sync,
                subtype=table.subtype,
            )
            cache.register_analyser(configured, source=f"[[analyser]] {number}")
        problems = register_installed(cache)
        register_builtin(cache)
    except Conflict as error:
        problem = f"{error}: give yours another name, or uninstall the package that one comes from"
        raise ConfigError(str(settings.source), (problem,)) from error
    return cache, (*problems, *held_in_vain(cache.registrations))


def describe_plan(settings: Settings) -> list[str]:
    """Say in lines what `run` would find and do; touches nothing.

    Raises:
        ConfigError: as `run` would.
    """
    from twisted.internet import reactor  # noqa: TID251

    own_jid, _ = jids(settings)
    endpoint(settings, reactor)
    analysers, problems = build_analysers(settings, Counters(), _boundary(settings, own_jid))
    state = asyncio.run(database_state(settings.database.url))
    state.require_usable()
    return [
        f"database: {state}",
        *(f"warning: {warning}" for warning in state.warnings),
        "analysers, in the order in which they are tried:",
        *(f"  {registered}" for registered in analysers.registrations),
        *(f"warning: {problem}" for problem in problems),
    ]


def _boundary(settings: Settings, own_jid: BareJID) -> AnalyserBoundary:
    """Return what is needed to register analysers, though not to let them ask anything."""
    from twisted.internet import reactor  # noqa: TID251

    timer: Any = reactor
    timeout = settings.upstream.timeout.total_seconds()
    tracker = Tracker(timer, timeout, Counters(), settings.cache.max_stanza_bytes)
    return AnalyserBoundary(own_jid, ComponentReader(tracker, own_jid))


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    Raises:
        ConfigError: a value is wrong in a way that only its user can tell.
        DatabaseRefused: the database is not one we may work with.
    """
    from twisted.internet import reactor as installed  # noqa: TID251

    # Twisted's interfaces are written for zope, which mypy does not understand.
    reactor: Any = installed
    _begin_log(settings)
    outcome: list[asyncio.Future[int]] = []

    def begin() -> None:
        outcome.append(asyncio.ensure_future(_run(settings, reactor)))
        outcome[0].add_done_callback(lambda _: _stop_reactor(reactor))

    # Twisted's reactor has its own way with signals; ours must answer what is in flight first.
    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    return outcome[0].result()


def _stop_reactor(reactor: Any) -> None:
    reactor.stop()


async def _run(settings: Settings, reactor: Any) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    prepared = await _unless_stopped(stop, prepare_database(settings.database.url))
    if prepared is None:
        log.info("stopped while the database was being prepared")
        return ExitCode.DONE
    log.info("%s", prepared)
    for warning in prepared.warnings:
        log.warning("%s", warning)
    store = await open_store(settings.database.url, is_watched=True)
    try:
        return await Component(settings, store, reactor).serve(stop)
    finally:
        await store.close()


async def _unless_stopped(
    stop: asyncio.Event, preparing: Coroutine[Any, Any, Migrated]
) -> Migrated | None:
    """Return what `preparing` returns, or None if `stop` was set before it was done.

    Its transaction is rolled back then: by itself, or by the end of this process, which also ends a
    wait in SQLite for another's lock.
    """
    prepared = asyncio.ensure_future(preparing)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([prepared, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not prepared.done():
        prepared.cancel()
        await asyncio.wait([prepared], timeout=GRACE_SECONDS)
    return prepared.result() if prepared.done() and not prepared.cancelled() else None


def _begin_log(settings: Settings) -> None:
    logging.basicConfig(
        stream=sys.stderr, level=settings.log.level.upper(), format=LOG_FORMAT, force=True
    )
    # What SQL is sent, and every step of the migrations, is of no use to an operator.
    for name in ("sqlalchemy", "aiosqlite", "psycopg", "alembic", "asyncio", "twisted"):
        logging.getLogger(name).setLevel(logging.WARNING)
    PythonLoggingObserver("twisted").start()  # type: ignore[no-untyped-call]
    log.info("pubcellar %s, configuration %s", __version__, settings.source)
    for warning in settings.warnings:
        log.warning("%s", warning)
