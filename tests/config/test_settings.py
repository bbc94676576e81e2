"""What each table takes, and what it refuses."""

from collections.abc import Callable
from datetime import timedelta

import pydantic
import pytest

from pubcellar.config import Settings

Load = Callable[..., Settings]
Problems = Callable[..., tuple[str, ...]]

COMPONENT = 'jid = "cache.example.org"\nserver = "tcp:127.0.0.1:5347"\n'

DURATIONS = [
    "access_verify_every",
    "verify_every",
    "compare_every",
    "service_max_age",
    "max_stale",
    "max_age",
    "reanalyse_after",
    "forget_after",
    "retry_after",
    "retry_at_most",
    "parser_timeout",
    "synchronisation_patience",
]
COUNTS = [
    "page_size",
    "max_synchronisations",
    "max_synchronisations_per_service",
    "max_nodes",
    "max_items_per_node",
]


def test_the_smallest_configuration_names_a_component_a_server_and_a_service(load: Load) -> None:
    settings = load()
    assert settings.component.jid == "cache.example.org"
    assert settings.component.server == "tcp:127.0.0.1:5347"
    assert settings.upstream.allow == ("pubsub.example.org",)
    assert settings.upstream.default is None
    assert settings.warnings == ()


def test_every_kind_of_value_arrives_in_its_own_type(load: Load) -> None:
    settings = load(
        """
        [cache]
        verify_every = "20m"
        max_item_bytes = "64KiB"
        max_stanza_bytes = 200000
        page_size = 7
        paging = "service"
        [log]
        level = "debug"
        """
    )
    assert settings.cache.verify_every == timedelta(minutes=20)
    assert settings.cache.max_item_bytes == 65_536
    assert settings.cache.max_stanza_bytes == 200_000
    assert settings.cache.page_size == 7
    assert settings.cache.paging == "service"
    assert settings.log.level == "debug"


def test_settings_cannot_be_changed(load: Load) -> None:
    settings = load()
    with pytest.raises(pydantic.ValidationError):
        settings.cache.page_size = 3
    with pytest.raises(pydantic.ValidationError):
        settings.warnings = ("changed",)


@pytest.mark.parametrize("key", ["jid", "server"])
def test_a_required_key_that_is_missing_is_named_with_an_example(
    problems: Problems, key: str
) -> None:
    component = "\n".join(line for line in COMPONENT.splitlines() if not line.startswith(key))
    (problem,) = problems(component=component)
    assert problem.startswith(f"[component] {key}: is missing; write {key} = ")


def test_services_must_be_allowed_by_name(problems: Problems) -> None:
    assert problems(upstream="") == (
        '[upstream] allow: is missing; write allow = ["pubsub.example.org"]',
    )
    (problem,) = problems(upstream="allow = []")
    assert problem.startswith("[upstream] allow = []: must name at least one service")


def test_the_default_service_must_be_allowed(load: Load, problems: Problems) -> None:
    upstream = 'allow = ["pubsub.*", "juliet@capulet.lit"]\ndefault = "{}"'
    assert load(upstream=upstream.format("Pubsub.Example.ORG")).upstream.default == (
        "pubsub.example.org"
    )
    (problem,) = problems(upstream=upstream.format("other.example.org"))
    assert problem == (
        '[upstream] default = "other.example.org": is not matched by [upstream] allow: '
        'add it there, or drop "default"'
    )


@pytest.mark.parametrize("identity", ["auto", "alias", "privileged"])
def test_requests_are_forwarded_in_one_of_three_ways(load: Load, identity: str) -> None:
    assert load(f'[forwarding]\nidentity = "{identity}"').forwarding.identity == identity


def test_the_proxy_is_not_closed_to_everybody_by_an_empty_list(problems: Problems) -> None:
    assert problems("[access]\nrequesters = []") == (
        '[access] requesters = []: lets nobody in: write ["*"] for everybody, or such as '
        '["*@example.org"]',
    )


@pytest.mark.parametrize("key", DURATIONS)
@pytest.mark.parametrize("value", ['"0s"', '"-1s"', '"10"', "10", "1.5", "true", '"3651d"', "[]"])
def test_a_duration_is_positive_and_has_a_unit(problems: Problems, key: str, value: str) -> None:
    assert any(
        problem.startswith(f"[cache] {key} = {value}: ")
        for problem in problems(f"[cache]\n{key} = {value}")
    )


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("value", ["0", "-1", '"5"', "1.0", "true", "10000000000000000000000"])
def test_a_count_is_a_positive_whole_number(problems: Problems, key: str, value: str) -> None:
    (problem,) = problems(f"[cache]\n{key} = {value}")
    assert problem.startswith(f"[cache] {key} = {value}: must be ")


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ('"16KiB"', True),
        ('"10MiB"', True),
        ("16383", False),
        ("10485761", False),
        ("0", False),
        ('"480KB"', False),
        ("true", False),
    ],
)
def test_a_stanza_has_16_kib_to_10_mib(
    load: Load, problems: Problems, value: str, is_right: bool
) -> None:
    more = f'[cache]\nmax_item_bytes = "1KiB"\nmax_stanza_bytes = {value}'
    if is_right:
        load(more)
    else:
        (problem,) = problems(more)
        assert problem.startswith(f"[cache] max_stanza_bytes = {value}: ")


def test_an_item_must_fit_into_a_stanza(problems: Problems) -> None:
    (problem,) = problems('[cache]\nmax_stanza_bytes = "64KiB"')
    assert problem.startswith(
        "[cache] max_item_bytes = 262144: is more than [cache] max_stanza_bytes, 64KiB: "
    )


def test_an_item_must_be_able_to_arrive(problems: Problems) -> None:
    (problem,) = problems(component=f'{COMPONENT}max_received_bytes = "64KiB"')
    assert "[cache] max_item_bytes, 256KiB, is more than [component] max_received_bytes" in problem


def test_retries_do_not_end_before_they_begin(load: Load, problems: Problems) -> None:
    load('[cache]\nretry_after = "1h"')
    (problem,) = problems('[cache]\nretry_after = "2h"')
    assert problem.startswith(
        '[cache] retry_at_most = "1h": is shorter than [cache] retry_after, 2h: '
    )


def test_probes_do_not_end_before_they_begin(load: Load, problems: Problems) -> None:
    load(upstream='allow = ["pubsub.example.org"]\nprobe_after = "30s"')
    (problem,) = problems(upstream='allow = ["pubsub.example.org"]\nprobe_after = "31s"')
    assert problem.startswith(
        '[upstream] probe_at_most = "30s": is shorter than [upstream] probe_after, 31s: '
    )


REMEMBERED = [
    f"remember_{one}" for one in ("item_not_found", "forbidden", "unreachable", "timeout")
]


@pytest.mark.parametrize("key", REMEMBERED)
def test_what_is_remembered_can_be_switched_off(load: Load, key: str) -> None:
    assert getattr(load(f'[cache]\n{key} = "0s"').cache, key) == timedelta(0)
    assert getattr(load(f'[cache]\n{key} = "7s"').cache, key) == timedelta(seconds=7)


@pytest.mark.parametrize("key", REMEMBERED)
@pytest.mark.parametrize("value", ['"-1s"', '"5"', "0", "false"])
def test_how_long_it_is_remembered_has_a_unit(problems: Problems, key: str, value: str) -> None:
    (problem,) = problems(f"[cache]\n{key} = {value}")
    assert problem.startswith(f"[cache] {key} = {value}: a duration is a whole number and a unit")


@pytest.mark.parametrize(
    "line",
    [
        "max_received_bytes = 10",
        "max_received_depth = 3",
        "max_received_depth = 100000",
        "max_received_elements = 0",
        'max_received_elements = "many"',
        'server = "localhost"',
        "secret_file = 5",
    ],
)
def test_what_the_component_cannot_work_with_is_refused(problems: Problems, line: str) -> None:
    key, _, value = line.partition(" = ")
    kept = [line for line in COMPONENT.splitlines() if not line.startswith(key)]
    (problem,) = problems(component="\n".join((*kept, line)))
    assert problem.startswith(f"[component] {key} = {value}: ")


def test_values_from_a_closed_set_are_listed(problems: Problems) -> None:
    assert problems('[cache]\npaging = "both"\n[log]\nlevel = "loud"') == (
        '[cache] paging = "both": must be one of "xep" or "service"',
        '[log] level = "loud": must be one of "debug", "info", "warning" or "error"',
    )


class TestAnalysers:
    def test_an_analyser_needs_a_name_a_type_and_something_to_match(self, load: Load) -> None:
        (analyser,) = load('[[analyser]]\nname = " Notes "\ntype = "note"\nnode = "n/"').analyser
        assert (analyser.name, analyser.type, analyser.node) == ("notes", "note", "n/")
        assert (analyser.namespace, analyser.subtype, analyser.to_sync) == (None, None, False)

    def test_they_stay_in_the_order_of_the_file(self, load: Load) -> None:
        table = '[[analyser]]\nname = "{}"\ntype = "t"\nnamespace = "urn:x"\n'
        analysers = load("".join(table.format(name) for name in "bca")).analyser
        assert [analyser.name for analyser in analysers] == ["b", "c", "a"]

    def test_one_that_would_match_nothing_is_refused(self, problems: Problems) -> None:
        (problem,) = problems('[[analyser]]\nname = "notes"\ntype = "note"')
        assert problem.startswith("[[analyser]] 1 namespace: neither node nor namespace is given")

    def test_an_empty_prefix_is_refused(self, problems: Problems) -> None:
        (problem,) = problems('[[analyser]]\nname = "notes"\ntype = "note"\nnode = ""')
        assert problem.startswith('[[analyser]] 1 node = "": must not be empty')

    def test_to_sync_is_no_text(self, problems: Problems) -> None:
        (problem,) = problems('[[analyser]]\nname = "a"\ntype = "b"\nnode = "c"\nto_sync = "true"')
        assert problem == ('[[analyser]] 1 to_sync = "true": must be true or false, without quotes')


def test_tables_of_later_versions_are_checked_already(load: Load, problems: Problems) -> None:
    settings = load(
        '[admin]\njids = ["Admin@Example.org"]\n[http]\nlisten = "tcp:9347:interface=127.0.0.1"'
    )
    assert settings.admin.jids == ("admin@example.org",)
    assert settings.http.listen == "tcp:9347:interface=127.0.0.1"
    wrong = problems('[admin]\njids = ["a@b/c"]\n[http]\nlisten = "9347"')
    assert [problem.partition(": ")[0] for problem in wrong] == [
        '[admin] jids entry 1 = "a@b/c"',
        '[http] listen = "9347"',
    ]
