"""The commands, with a stand-in for what they start."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import pubcellar
from pubcellar import cli
from pubcellar.config import Settings
from pubcellar.core.errors import ConfigError, DatabaseRefused

SECRET = "hunter2"
CONFIGURATION = """
[component]
jid = "cache.example.org"
server = "tcp:127.0.0.1:5347"
[upstream]
allow = ["*"]
"""


class Wiring(ModuleType):
    """Stands in for pubcellar.wiring, and records what is asked of it."""

    def __init__(self) -> None:
        super().__init__("pubcellar.wiring")
        self.ran: list[Settings] = []
        self.exit_code = 0
        self.refusal: BaseException | None = None

    def run(self, settings: Settings) -> int:
        self._refuse()
        self.ran.append(settings)
        return self.exit_code

    def describe_plan(self, settings: Settings) -> list[str]:
        self._refuse()
        return ["the database would be created", "analysers: blog, notes"]

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def wiring(monkeypatch: pytest.MonkeyPatch) -> Wiring:
    stand_in = Wiring()
    monkeypatch.setitem(sys.modules, "pubcellar.wiring", stand_in)
    monkeypatch.setattr(pubcellar, "wiring", stand_in, raising=False)
    return stand_in


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PUBCELLAR_COMPONENT_SECRET", SECRET)
    monkeypatch.delenv("PUBCELLAR_CONFIG", raising=False)
    path = tmp_path / "pubcellar.toml"
    path.write_text(CONFIGURATION)
    return path


Output = Callable[[], tuple[str, str]]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    """Return a function that returns what was printed, having made sure that it is no secret."""

    def output() -> tuple[str, str]:
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return out, err

    return output


class TestCheck:
    def test_it_says_what_run_would_do(
        self, wiring: Wiring, configuration: Path, output: Output
    ) -> None:
        assert cli.main(["check", "--config", str(configuration)]) == 0
        out, err = output()
        lines = out.splitlines()
        assert lines[0] == f"{configuration}: valid"
        assert "tcp:127.0.0.1:5347" in out
        assert "from environment variable PUBCELLAR_COMPONENT_SECRET" in out
        assert lines[-3:-1] == ["the database would be created", "analysers: blog, notes"]
        assert lines[-1].startswith("warning: [upstream] allow: '*' makes this an open proxy")
        assert err == ""

    def test_it_touches_nothing(self, wiring: Wiring, configuration: Path) -> None:
        before = {path: path.stat() for path in configuration.parent.rglob("*")}
        cli.main(["check", "--config", str(configuration)])
        after = {path: path.stat() for path in configuration.parent.rglob("*")}
        assert {path: stat.st_mtime_ns for path, stat in after.items()} == {
            path: stat.st_mtime_ns for path, stat in before.items()
        }
        assert wiring.ran == []

    def test_what_only_the_plan_finds_out_is_a_mistake_too(
        self, wiring: Wiring, configuration: Path, output: Output
    ) -> None:
        wiring.refusal = ConfigError(str(configuration), ("[[analyser]] 1 name: is taken",))
        assert cli.main(["check", "--config", str(configuration)]) == 2
        out, err = output()
        assert out == ""
        assert "[[analyser]] 1 name: is taken" in err


class TestRun:
    @pytest.mark.parametrize("exit_code", [0, 1, 3])
    def test_it_ends_with_the_exit_code_of_the_run(
        self, wiring: Wiring, configuration: Path, exit_code: int
    ) -> None:
        wiring.exit_code = exit_code
        assert cli.main(["run", "--config", str(configuration)]) == exit_code
        (settings,) = wiring.ran
        assert settings.source == configuration

    def test_a_database_that_is_refused_ends_it_in_one_line(
        self, wiring: Wiring, configuration: Path, output: Output
    ) -> None:
        wiring.refusal = DatabaseRefused("cache.db is no SQLite database: move it away")
        assert cli.main(["run", "--config", str(configuration)]) == 10
        assert output() == ("", "cache.db is no SQLite database: move it away\n")

    def test_a_mistake_of_ours_ends_it_in_one_line_and_the_traceback_is_for_the_log(
        self,
        wiring: Wiring,
        configuration: Path,
        output: Output,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        wiring.refusal = ZeroDivisionError("nothing\nmore")
        caplog.set_level("DEBUG", "pubcellar")
        assert cli.main(["run", "--config", str(configuration)]) == 70
        out, err = output()
        assert out == ""
        assert err.startswith("this should not happen: ZeroDivisionError: nothing; please report")
        assert err.count("\n") == 1
        (record,) = [record for record in caplog.records if record.name == "pubcellar.cli"]
        assert (record.levelname, bool(record.exc_info)) == ("DEBUG", True)


@pytest.mark.parametrize("command", ["run", "check"])
class TestBothCommands:
    def test_an_interruption_is_no_traceback(
        self, wiring: Wiring, configuration: Path, output: Output, command: str
    ) -> None:
        wiring.refusal = KeyboardInterrupt()
        assert cli.main([command, "--config", str(configuration)]) == 130
        assert output() == ("", "interrupted\n")

    def test_a_wrong_configuration_is_told_and_nothing_is_started(
        self, wiring: Wiring, configuration: Path, output: Output, command: str
    ) -> None:
        configuration.write_text(f'[component]\nsecert = "{SECRET}"\n[cache]\npage_size = 0\n')
        assert cli.main([command, "--config", str(configuration)]) == 2
        out, err = output()
        assert out == ""
        assert err.splitlines() == [
            f"{configuration}: 5 problem(s)",
            '[component] jid: is missing; write jid = "cache.example.org"',
            '[component] server: is missing; write server = "tcp:127.0.0.1:5347"',
            "[component] secert: unknown key; did you mean secret?",
            '[upstream] allow: is missing; write allow = ["pubsub.example.org"]',
            "[cache] page_size = 0: must be at least 1",
        ]
        assert wiring.ran == []

    def test_the_environment_may_name_the_configuration(
        self, wiring: Wiring, configuration: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setenv("PUBCELLAR_CONFIG", str(configuration))
        assert cli.main([command]) == 0

    def test_the_command_line_wins_over_the_environment(
        self, wiring: Wiring, configuration: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setenv("PUBCELLAR_CONFIG", "/nowhere")
        assert cli.main([command, f"--config={configuration}"]) == 0

    @pytest.mark.parametrize("named", [None, ""])
    def test_without_a_configuration_it_says_how_to_name_one(
        self,
        wiring: Wiring,
        configuration: Path,
        monkeypatch: pytest.MonkeyPatch,
        output: Output,
        command: str,
        named: str | None,
    ) -> None:
        if named is not None:
            monkeypatch.setenv("PUBCELLAR_CONFIG", named)
        with pytest.raises(SystemExit) as caught:
            cli.main([command])
        assert caught.value.code == 2
        assert "--config FILE or in PUBCELLAR_CONFIG" in output()[1]

    @pytest.mark.parametrize(
        "words",
        [
            ["--secret", SECRET],
            [f"--secret={SECRET}"],
            [f"--password={SECRET}"],
            [f"-p{SECRET}"],
            ["--conf", "x"],
        ],
    )
    def test_there_is_no_option_for_the_secret(
        self, wiring: Wiring, configuration: Path, output: Output, command: str, words: list[str]
    ) -> None:
        for line in ([command, "--config", str(configuration), *words], [*words, command]):
            with pytest.raises(SystemExit) as caught:
                cli.main(line)
            assert caught.value.code == 2
            assert "never from the command line" in output()[1]
        assert wiring.ran == []


def test_the_version_is_printed(output: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert output()[0] == f"pubcellar {pubcellar.__version__}\n"


@pytest.mark.parametrize("words", [[], ["walk"]])
def test_without_a_command_that_exists_it_says_which_there_are(
    output: Output, words: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert output()[1].startswith("usage: pubcellar")


def test_the_help_names_all_commands(output: Output) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out, _ = output()
    assert "run" in out
    assert "check" in out
    assert "db" in out
