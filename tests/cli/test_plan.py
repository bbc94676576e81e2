"""`check` finds what only the one that will use a value can tell, and touches nothing."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from pubcellar import wiring
from pubcellar.config import load_settings
from pubcellar.core.errors import ConfigError, DatabaseBroken
from pubcellar.storage import prepare_database


def settings_with(tmp_path: Path, server: str, more: str = ""):
    source = tmp_path / "pubcellar.toml"
    source.write_text(
        f"[component]\njid = 'cache.example.org'\nserver = '{server}'\n"
        f"[upstream]\nallow = ['pubsub.example.org']\n{more}"
    )
    return load_settings(source, {"PUBCELLAR_COMPONENT_SECRET": "hidden"})


def test_an_endpoint_that_names_missing_files_is_refused_with_a_remedy(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "tls:127.0.0.1:1:trustRoots=/nonexistent")

    with pytest.raises(ConfigError) as refused:
        wiring.describe_plan(settings)

    assert "[component] server" in refused.value.problems[0]
    assert "tcp:127.0.0.1:5347" in refused.value.problems[0]


def test_an_analyser_with_the_name_of_a_built_in_one_is_refused(tmp_path: Path) -> None:
    table = "[[analyser]]\nname = 'blog'\ntype = 'blog'\nnode = 'blogs/'\n"

    with pytest.raises(ConfigError) as refused:
        wiring.describe_plan(settings_with(tmp_path, "tcp:127.0.0.1:5347", table))

    assert "give yours another name" in refused.value.problems[0]


def test_what_others_added_to_the_database_is_a_warning(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "tcp:127.0.0.1:5347")
    prepare = partial(asyncio.run, prepare_database(settings.database.url))
    with ThreadPoolExecutor(1) as apart:
        apart.submit(prepare).result()
        with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
            connection.execute("CREATE TABLE strangers (id INTEGER)")
        plan = apart.submit(wiring.describe_plan, settings).result()
        assert f"database: {tmp_path}/cache.db is current (0003)" in plan
        assert any(line.startswith("warning: ") and "table strangers" in line for line in plan)
        with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
            connection.execute("DROP TABLE pubsub_node")
        with pytest.raises(DatabaseBroken):
            apart.submit(wiring.describe_plan, settings).result()


def test_the_operator_s_analysers_are_tried_first(tmp_path: Path) -> None:
    table = "[[analyser]]\nname = 'mine'\ntype = 'blog'\nnode = 'blogs/'\n"
    settings = settings_with(tmp_path, "tcp:127.0.0.1:5347", table)

    analysers, problems = wiring.build_analysers(settings, wiring.Counters(), None)

    assert analysers.names.index("mine") < analysers.names.index("blog")
    assert "mine: blog, not held ([[analyser]] 1)" in [str(one) for one in analysers.registrations]
    assert problems == ()
