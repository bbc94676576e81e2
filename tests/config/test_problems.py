"""How what is wrong is told to an operator."""

from collections.abc import Callable

import pytest

Problems = Callable[..., tuple[str, ...]]

COMPONENT = 'jid = "cache.example.org"\nserver = "tcp:127.0.0.1:5347"\n'


def test_all_problems_are_told_at_once(problems: Problems) -> None:
    found = problems(
        """
        [database]
        url = "cache.db"
        [cache]
        verify_every = "often"
        retry_after = "2h"
        verify_evry = "5m"
        [[analyser]]
        name = "a"
        [[analyser]]
        name = "A"
        type = 5
        [upstraem]
        timeout = "1s"
        """,
        component='jid = "a@b"\nserver = "somewhere"',
        upstream='default = "a@b"',
        environ={},
    )
    assert [problem.partition(": ")[0] for problem in found] == [
        "[component] secret",
        '[component] jid = "a@b"',
        '[component] server = "somewhere"',
        "[upstream] allow",
        '[database] url = "cache.db"',
        '[cache] verify_every = "often"',
        '[cache] retry_at_most = "1h"',
        "[cache] verify_evry",
        "[[analyser]] 1 type",
        "[[analyser]] 1 namespace",
        "[[analyser]] 2 type = 5",
        "[[analyser]] 2 namespace",
        "[upstraem]",
        '[[analyser]] 2 name = "A"',
    ]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "[cache]\nverify_evry = 1",
            "[cache] verify_evry: unknown key; did you mean verify_every?",
        ),
        ("[cache]\nPage_Size = 1", "[cache] Page_Size: unknown key; did you mean page_size?"),
        ('[cache]\nurl = "x"', "[cache] url: unknown key; did you mean [database] url?"),
        ("[log]\nxyz = 1", "[log] xyz: unknown key; the keys of this table are level"),
        ("[Cahce]\nx = 1", "[Cahce]: unknown table; did you mean [cache]?"),
        ("[analysers]\nx = 1", "[analysers]: unknown table; did you mean [[analyser]]?"),
    ],
)
def test_an_unknown_key_comes_with_the_nearest_known_one(
    problems: Problems, more: str, problem: str
) -> None:
    assert problems(more) == (problem,)


def test_an_unknown_table_like_none_of_ours_comes_with_all_of_them(problems: Problems) -> None:
    assert problems("[zzz]\nx = 1") == (
        "zzz: unknown table or key; the tables are component, upstream, forwarding, access, "
        "database, cache, admin, analyser, http, log",
    )


def test_what_was_found_out_cannot_be_written_into_the_file(problems: Problems) -> None:
    found = problems("[warnings]\n[source]\n[secret_source]")
    assert len(found) == 3
    assert all("unknown" in problem for problem in found)


def test_an_unknown_key_of_an_analyser_says_of_which(problems: Problems) -> None:
    table = '[[analyser]]\nname = "{}"\ntype = "t"\nnode = "n"\n'
    assert problems(f"{table.format('a')}{table.format('b')}nod = 1") == (
        "[[analyser]] 2 nod: unknown key; did you mean node?",
    )


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("[analyser]\nname = 'a'", "[[analyser]]: must be a table with double brackets"),
        ("[[cache]]\npage_size = 1", "[cache]: must be a table"),
        ('[upstream.allow]\nx = "y"', '[upstream] allow = {"x": "y"}: must be a list'),
    ],
)
def test_a_table_in_the_wrong_brackets_is_told(problems: Problems, more: str, problem: str) -> None:
    (found,) = problems(more, upstream="" if "upstream" in more else 'allow = ["p.example"]')
    assert found.startswith(problem)


def test_a_long_value_is_shown_shortened(problems: Problems) -> None:
    (problem,) = problems(f'[cache]\nverify_every = "{"x" * 5000}"')
    assert "xxx…: a duration is" in problem
    assert len(problem) < 300


def test_a_password_in_the_url_of_the_database_is_not_shown(problems: Problems) -> None:
    (problem,) = problems('[database]\nurl = "postgres://user:hunter2@host/name"')
    assert problem.startswith('[database] url = "postgres://user:***@host/name": ')
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "component",
    [
        f'{COMPONENT}secert = "hunter2"',
        f'{COMPONENT}password = "hunter2"',
        f'{COMPONENT}secret = ["hunter2"]',
        f'{COMPONENT}secret = {{ value = "hunter2" }}',
        f'{COMPONENT}secret = "hunter2"\nsecret_file = "x"',
        f'{COMPONENT}secret = "hunter2\\n"',
        f'{COMPONENT}[component.secert]\nx = "hunter2"',
        f'{COMPONENT}[components]\nsecret = "hunter2"',
        f'{COMPONENT}secret = "hunter2',
        f'{COMPONENT}secret = "hunter2"\nsecret = "hunter2"',
    ],
)
def test_a_secret_is_never_repeated_however_it_is_mistyped(
    problems: Problems, component: str
) -> None:
    found = problems(component=component, environ={})
    assert found
    assert "hunter2" not in "\n".join(found)


class TestBetweenTables:
    @pytest.mark.parametrize(
        "own", ["cache.example.org", "Cache.Example.org", "x@cache.example.org"]
    )
    def test_our_own_address_is_no_service(self, problems: Problems, own: str) -> None:
        found = problems(upstream=f'allow = ["pubsub.example.org", "{own}"]\ndefault = "{own}"')
        assert found == (
            f'[upstream] default = "{own}": is our own address; name the real one',
            f'[upstream] allow: "{own}" is our own address; name the real one',
        )

    def test_two_analysers_of_one_name_are_both_named(self, problems: Problems) -> None:
        table = '[[analyser]]\nname = "{}"\ntype = "t"\nnode = "n"\n'
        assert problems("".join(table.format(name) for name in ("a", "b", " A"))) == (
            '[[analyser]] 3 name = " A": [[analyser]] 1 has that name already; give each its own',
        )
