"""`check` finds what only the one that will use a value can tell, and touches nothing."""

from pathlib import Path

import pytest

from pubcellar import wiring
from pubcellar.config import load_settings
from pubcellar.core.errors import ConfigError


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


def test_the_operator_s_analysers_are_tried_first(tmp_path: Path) -> None:
    table = "[[analyser]]\nname = 'mine'\ntype = 'blog'\nnode = 'blogs/'\n"
    settings = settings_with(tmp_path, "tcp:127.0.0.1:5347", table)

    analysers = wiring.build_analysers(settings, wiring.Counters())

    assert analysers.names == ("mine", "blog")
