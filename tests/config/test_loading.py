"""The file itself: found, read, decoded, parsed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pubcellar.config import SECRET_VARIABLE, load_settings
from pubcellar.core.errors import ConfigError

Write = Callable[..., Path]

ENVIRON = {SECRET_VARIABLE: "x"}


def problem_with(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, ENVIRON)
    assert caught.value.source == str(path)
    assert caught.value.__context__ is None
    (problem,) = caught.value.problems
    return problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert problem_with(tmp_path / "none.toml").startswith("there is no such file")


def test_a_directory(tmp_path: Path) -> None:
    assert problem_with(tmp_path).startswith("is a directory")


def test_a_file_below_a_file(write: Write) -> None:
    assert problem_with(write() / "pubcellar.toml") == "cannot be read: Not a directory"


def test_a_file_that_may_not_be_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, os.strerror(13), str(path))

    # Root, which tests may run as, may read everything.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert problem_with(write()).startswith("may not be read")


def test_a_file_that_is_not_utf_8(write: Write) -> None:
    path = write()
    path.write_bytes("[component]\n# Größe\n".encode("latin-1"))
    assert problem_with(path) == "line 2 is not UTF-8: save the file as UTF-8"


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("[cache\n", "line 8"),
        ("[log]\nlevel = info", "line 9"),
        ("[log]\nlevel = 'a'\nlevel = 'b'", "line 10"),
        ("[log]\n[log]", "line 9"),
    ],
)
def test_a_file_that_is_not_toml_is_told_with_the_line(write: Write, more: str, place: str) -> None:
    problem = problem_with(write(more))
    assert problem.startswith("is not TOML: ")
    assert place in problem


def test_nesting_without_end_is_not_toml_either(write: Write) -> None:
    assert problem_with(write(f"x = {'[' * 100_000}")).startswith("is not TOML: ")


def test_a_byte_order_mark_is_passed_over(write: Write) -> None:
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    load_settings(path, ENVIRON)


def test_an_empty_file_lacks_what_is_required(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.touch()
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "[component] secret",
        "[component] jid",
        "[component] server",
        "[upstream] allow",
    ]


def test_a_component_that_is_no_table_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "flat.toml"
    path.write_text('component = "hunter2"\n[upstream]\nallow = ["pubsub.example.org"]\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    (problem,) = caught.value.problems
    assert problem.startswith("[component]: must be a table")
    assert "hunter2" not in problem


def test_paths_start_from_the_directory_of_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write()
    monkeypatch.chdir(path.parent.parent)
    settings = load_settings(Path(path.parent.name, path.name), ENVIRON)
    assert settings.source == path
    assert settings.database.url == f"sqlite:///{path.parent}/cache.db"


def test_the_directory_may_spoil_the_path_of_the_database(tmp_path: Path) -> None:
    path = tmp_path / "50%" / "pubcellar.toml"
    path.parent.mkdir()
    path.write_text(
        '[component]\njid = "c.example"\nserver = "unix:/x"\n[upstream]\nallow = ["p.example"]\n'
    )
    assert problem_with(path).startswith(
        '[database] url = "sqlite:///cache.db": its path must hold'
    )


def test_nothing_is_written_anywhere(write: Write) -> None:
    path = write()
    before = sorted(path.parent.rglob("*"))
    load_settings(path, ENVIRON)
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("postgresql://user:hush@host/name", True),
        ("postgresql://user@host/name?sslpassword=hush", True),
        ("postgresql:///name?host=/run/postgresql", False),
        ("sqlite:///cache.db", False),
    ],
)
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_password_of_the_database_that_others_can_read_is_warned_about(
    write: Write, url: str, is_told: bool, mode: int
) -> None:
    path = write(f'[database]\nurl = "{url}"\n')
    path.chmod(mode)
    warnings = load_settings(path, ENVIRON).warnings
    told = [warning for warning in warnings if "the password of the database" in warning]
    assert bool(told) is (is_told and mode == 0o644)
    assert "hush" not in "".join(warnings)
