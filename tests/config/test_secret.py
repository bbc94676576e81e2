"""Where the secret comes from, and that it goes nowhere else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pubcellar.config import SECRET_VARIABLE, Settings, describe, load_settings

Load = Callable[..., Settings]
Problems = Callable[..., tuple[str, ...]]

COMPONENT = 'jid = "cache.example.org"\nserver = "tcp:127.0.0.1:5347"\n'
SECRET_FILE = f'{COMPONENT}secret_file = "secret"'


def secret_of(settings: Settings) -> str:
    return settings.component.secret.get_secret_value()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("from-secret-file\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def credentials(tmp_path: Path) -> dict[str, str]:
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / "component_secret").write_text("from-credential")
    return {"CREDENTIALS_DIRECTORY": str(directory)}


class TestPlaces:
    def test_it_may_stand_in_the_file(self, load: Load, tmp_path: Path) -> None:
        settings = load(component=f'{COMPONENT}secret = "from-file"', environ={})
        assert secret_of(settings) == "from-file"
        assert settings.secret_source == f"secret in {tmp_path / 'pubcellar.toml'}"

    def test_it_may_stand_in_a_file_of_its_own_beside_the_configuration(
        self, load: Load, secret_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir("/")
        settings = load(component=SECRET_FILE, environ={})
        assert secret_of(settings) == "from-secret-file"
        assert settings.secret_source == f"secret_file {secret_file}"

    def test_it_may_be_a_systemd_credential(self, load: Load, credentials: dict[str, str]) -> None:
        settings = load(environ=credentials)
        assert secret_of(settings) == "from-credential"
        assert settings.secret_source.startswith("systemd credential ")

    def test_it_may_be_in_the_environment(self, load: Load) -> None:
        settings = load(environ={SECRET_VARIABLE: "from-environment"})
        assert secret_of(settings) == "from-environment"
        assert settings.secret_source == "environment variable PUBCELLAR_COMPONENT_SECRET"

    def test_the_environment_wins_over_the_credential_over_the_file(
        self, load: Load, secret_file: Path, credentials: dict[str, str]
    ) -> None:
        environ = credentials | {SECRET_VARIABLE: "from-environment"}
        assert secret_of(load(component=SECRET_FILE, environ=environ)) == "from-environment"
        assert secret_of(load(component=SECRET_FILE, environ=credentials)) == "from-credential"

    def test_a_file_that_is_not_used_need_not_exist(self, load: Load) -> None:
        settings = load(component=SECRET_FILE, environ={SECRET_VARIABLE: "from-environment"})
        assert secret_of(settings) == "from-environment"

    def test_other_credentials_are_none_of_ours(
        self, load: Load, secret_file: Path, credentials: dict[str, str]
    ) -> None:
        Path(credentials["CREDENTIALS_DIRECTORY"], "component_secret").unlink()
        assert secret_of(load(component=SECRET_FILE, environ=credentials)) == "from-secret-file"

    def test_only_one_line_ending_is_taken_off(self, load: Load, secret_file: Path) -> None:
        secret_file.write_bytes(b" spaces stay \r\n")
        assert secret_of(load(component=SECRET_FILE, environ={})) == " spaces stay "


class TestProblems:
    def test_without_a_secret_all_four_places_are_named(self, problems: Problems) -> None:
        (problem,) = problems(environ={})
        for place in (SECRET_VARIABLE, "LoadCredential", "secret_file = ", "secret = "):
            assert place in problem

    @pytest.mark.parametrize("environ", [{}, {SECRET_VARIABLE: "from-environment"}])
    def test_two_in_the_file_are_one_too_many(
        self, problems: Problems, secret_file: Path, environ: dict[str, str]
    ) -> None:
        assert problems(component=f'{SECRET_FILE}\nsecret = "x"', environ=environ) == (
            "[component] secret and secret_file: two secrets are given; keep one of the two",
        )

    @pytest.mark.parametrize("value", ["", "  ", "\t\n"])
    def test_an_empty_variable_is_a_mistake(self, problems: Problems, value: str) -> None:
        (problem,) = problems(environ={SECRET_VARIABLE: value})
        assert problem.startswith(
            "[component] the environment variable PUBCELLAR_COMPONENT_SECRET: is empty"
        )

    def test_an_empty_secret_is_a_mistake(self, problems: Problems) -> None:
        (problem,) = problems(component=f'{COMPONENT}secret = ""', environ={})
        assert problem.startswith("[component] secret: is empty")

    def test_an_empty_file_name_is_a_mistake(self, problems: Problems) -> None:
        (problem,) = problems(component=f'{COMPONENT}secret_file = ""', environ={})
        assert problem.startswith('[component] secret_file = "": must not be empty')

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty"),
            (b"\n", "is empty"),
            (b"\xff\xfe", "is not UTF-8"),
            (b"-----BEGIN\nhunter2\n-----END\n", "more than one line"),
            (b"x" * 4097, "longer than 4096 bytes"),
            (b"x" * 100_000, "longer than 4096 bytes"),
        ],
    )
    def test_a_file_must_hold_the_secret_alone(
        self, problems: Problems, secret_file: Path, content: bytes, words: str
    ) -> None:
        secret_file.write_bytes(content)
        (problem,) = problems(component=SECRET_FILE, environ={})
        assert problem.startswith(f'[component] secret_file "{secret_file}": ')
        assert words in problem
        assert "hunter2" not in problem

    def test_a_file_that_is_not_there_is_named(self, problems: Problems, tmp_path: Path) -> None:
        (problem,) = problems(component=SECRET_FILE, environ={})
        assert f'secret_file "{tmp_path / "secret"}": cannot be read (No such file' in problem

    def test_what_is_no_regular_file_is_not_opened(
        self, problems: Problems, tmp_path: Path
    ) -> None:
        os.mkfifo(tmp_path / "secret")
        (problem,) = problems(component=SECRET_FILE, environ={})
        assert "is no regular file" in problem

    def test_a_path_that_cannot_be_one_is_told(self, problems: Problems) -> None:
        (problem,) = problems(component=f'{COMPONENT}secret_file = "a\\u0000b"', environ={})
        assert problem.endswith(": is no path")

    def test_a_credential_that_cannot_be_read_is_not_passed_over(
        self, problems: Problems, tmp_path: Path, secret_file: Path
    ) -> None:
        (tmp_path / "component_secret").mkdir()
        (problem,) = problems(
            component=SECRET_FILE, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}
        )
        assert problem.startswith("[component] the systemd credential ")


class TestWarnings:
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
    def test_a_file_that_others_may_open_is_warned_about(
        self, load: Load, secret_file: Path, mode: int
    ) -> None:
        secret_file.chmod(mode)
        (warning,) = load(component=SECRET_FILE, environ={}).warnings
        assert warning.startswith(f"{secret_file} holds the secret")
        assert f"(mode 0{mode:o})" in warning

    @pytest.mark.parametrize("mode", [0o600, 0o400])
    def test_a_file_of_ones_own_is_not(self, load: Load, secret_file: Path, mode: int) -> None:
        secret_file.chmod(mode)
        assert load(component=SECRET_FILE, environ={}).warnings == ()

    def test_so_is_a_configuration_with_the_secret_in_it(self, write: Callable[..., Path]) -> None:
        path = write(component=f'{COMPONENT}secret = "from-file"')
        path.chmod(0o644)
        (warning,) = load_settings(path, {}).warnings
        assert warning.startswith(f"{path} holds the secret")
        assert load_settings(path, {SECRET_VARIABLE: "x"}).warnings == ()


def test_threat_15_the_secret_shows_in_no_text_made_of_the_settings(
    load: Load, secret_file: Path, credentials: dict[str, str]
) -> None:
    secret_file.chmod(0o644)
    places = [
        load(component=f'{COMPONENT}secret = "hunter2"', environ={}),
        load(environ={SECRET_VARIABLE: "hunter2"}),
    ]
    secret_file.write_text("hunter2")
    places.append(load(component=SECRET_FILE, environ={}))
    Path(credentials["CREDENTIALS_DIRECTORY"], "component_secret").write_text("hunter2")
    places.append(load(environ=credentials))
    for settings in places:
        assert secret_of(settings) == "hunter2"
        texts = (
            repr(settings),
            str(settings),
            f"{settings}",
            repr(settings.component),
            repr(settings.model_dump()),
            settings.model_dump_json(),
            describe(settings),
            *settings.warnings,
            settings.secret_source,
        )
        assert not [text for text in texts if "hunter2" in text]
