"""Which servers and which databases of the proxy the tests run with: one place, one rule.

Every test runs in front of Prosody and of ejabberd, and on each kind of database once. ejabberd
with its items in SQL is another pubsub service, but not another server: without
`--every-combination` only the tests that take `service`, or `node_name`, a node of it, run there.
"""

from collections.abc import Callable
from functools import partial

import pytest
from harness import ThrowAwayEjabberd, ThrowAwayProsody, ThrowAwayServer

SERVERS: dict[str, Callable[..., ThrowAwayServer]] = {
    "prosody": ThrowAwayProsody,
    "ejabberd-mnesia": partial(ThrowAwayEjabberd, "mnesia"),
    "ejabberd-sql": partial(ThrowAwayEjabberd, "sql"),
}
DATABASES = ("sqlite", "postgresql")
USUAL = {"prosody": "sqlite", "ejabberd-mnesia": "postgresql", "ejabberd-sql": "sqlite"}
"""The database that goes with each server where not every combination is asked for."""

SAME_SERVER = "ejabberd-sql"
"""Differs from ejabberd on Mnesia in orders and pages: tests of these run in front of both, all
others with --every-combination."""
ABOUT_SQL = ("differential", "observations", "test_order", "test_ejabberd", "test_harness")

MARKER = "only_server(name, reason): runs in front of this server alone, since it is about its ways"


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each combination that concerns it."""
    takes = set(metafunc.fixturenames)
    if "server_kind" not in takes:
        return
    is_every = bool(metafunc.config.getoption("every_combination"))
    servers = [
        kind
        for kind in SERVERS
        if _is_meant(metafunc, kind)
        and (is_every or kind != SAME_SERVER or _is_about_sql(metafunc))
    ]
    if "database_kind" not in takes:
        metafunc.parametrize("server_kind", servers, indirect=True, scope="session")
        return
    pairs = [
        pytest.param(server, database, id=f"{server}-{database}")
        for server in servers
        for database in (DATABASES if is_every else (USUAL[server],))
    ]
    names = ("server_kind", "database_kind")
    metafunc.parametrize(names, pairs, indirect=True, scope="session")


def _is_about_sql(metafunc: pytest.Metafunc) -> bool:
    name = str(metafunc.module.__file__)
    return "service" in metafunc.fixturenames and any(one in name for one in ABOUT_SQL)


def _is_meant(metafunc: pytest.Metafunc, kind: str) -> bool:
    known = {_program(each) for each in SERVERS}
    markers = list(metafunc.definition.iter_markers("only_server"))
    for marker in markers:
        assert marker.kwargs.get("reason"), f"{metafunc.definition.nodeid}: say why"
        assert known.issuperset(marker.args), f"{metafunc.definition.nodeid}: one of {known}"
    return all(_program(kind) in marker.args for marker in markers)


def _program(kind: str) -> str:
    return kind.partition("-")[0]
