"""The command line: `run`, `check`, `db` and `--version`; the only module that prints.

There is no option for the secret: a command line can be read by every user of the machine. How it
can end is in `exit_codes`.
"""

import argparse
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from pubcellar import __version__
from pubcellar.config import SECRET_VARIABLE, describe, load_settings
from pubcellar.core.errors import ConfigError, DatabaseRefused, NoSuchRevision
from pubcellar.exit_codes import ExitCode, exit_code_of

log = logging.getLogger(__name__)

CONFIG_VARIABLE = "PUBCELLAR_CONFIG"

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

OPTIONS = ("--config", "--help", "--version", "-h", "--dry-run", "--no-copy", "--yes")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv`, by default the process's own, names; return the exit code.

    Raises:
        SystemExit: the command line is wrong, or asked for help or the version.
    """
    arguments = _parsed(argv)
    try:
        return COMMANDS[arguments.command](arguments)
    except (ConfigError, NoSuchRevision) as error:
        print(error, file=sys.stderr)
        return ExitCode.WRONG
    except DatabaseRefused as error:
        print(error, file=sys.stderr)
        return exit_code_of(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except Exception as error:
        log.debug("the command failed", exc_info=True)
        if sys.flags.dev_mode:
            traceback.print_exc()
        print(_described(error), file=sys.stderr)
        return ExitCode.FAILED


def _described(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return (
        f"this should not happen: {type(error).__name__}: {lines[0]}; please report it, with what"
        " PYTHONDEVMODE=1 in the environment makes of it"
    )


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    words = sys.argv[1:] if argv is None else argv
    unknown = [word for word in words if word.startswith("-") and not _is_known(word)]
    if unknown:
        # argparse would repeat the values too, and one of them may be a secret.
        names = [word.partition("=")[0] for word in unknown if word.startswith("--")]
        parser.error(
            f"unknown option{'s' if len(names) > 1 else ''} {', '.join(names)}".rstrip()
            + f"; the component's secret comes from {SECRET_VARIABLE}, a systemd credential or the "
            "configuration, and never from the command line"
        )
    arguments = parser.parse_args(words)
    if arguments.config is None:
        parser.error(f"name the configuration with --config FILE or in {CONFIG_VARIABLE}")
    arguments.config = Path(arguments.config)
    return arguments


def _is_known(word: str) -> bool:
    # `db downgrade -1` names a revision.
    return word.partition("=")[0] in OPTIONS or bool(re.fullmatch("-[0-9]+", word))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pubcellar",
        description="A caching pubsub proxy for XMPP, as an external component.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pubcellar {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_command(commands, "run", "connect to the server and serve until told to stop")
    _add_command(commands, "check", "say what run would do, and touch nothing")
    _add_database_commands(commands)
    return parser


def _add_database_commands(commands: Commands) -> None:
    purpose = "look at the database, or take it from one revision to another"
    database = commands.add_parser(
        "db", help=purpose, description=_sentence(purpose), allow_abbrev=False
    )
    actions = database.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_command(actions, "status", "say in what state the database is, and touch nothing")
    upgrade = _add_command(actions, "upgrade", "bring it up to a revision, as every start does")
    upgrade.add_argument(
        "revision", metavar="REVISION", nargs="?", default="head", help="default: head, the newest"
    )
    downgrade = _add_command(
        actions, "downgrade", "take it back to a revision, for an older version to use"
    )
    downgrade.add_argument(
        "revision", metavar="REVISION", help="such as 0001, -1 for the one below, or base for none"
    )
    downgrade.add_argument("--yes", action="store_true", help="do not ask")
    for command in (upgrade, downgrade):
        command.add_argument(
            "--dry-run",
            action="store_true",
            help="say what would be done: do it in a transaction that is taken back",
        )
        command.add_argument(
            "--no-copy", action="store_true", help="do not copy an SQLite file beside it first"
        )


def _add_command(commands: Commands, name: str, purpose: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=_sentence(purpose), allow_abbrev=False
    )
    command.add_argument(
        "--config",
        metavar="FILE",
        default=os.environ.get(CONFIG_VARIABLE) or None,
        help=f"the configuration; without it, the one that {CONFIG_VARIABLE} names",
    )
    return command


def _sentence(purpose: str) -> str:
    return f"{purpose[0].upper()}{purpose[1:]}."


def _run(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config, os.environ)
    # Wiring imports Twisted's reactor, which a wrong configuration need not wait for.
    import pubcellar.wiring as wiring

    return wiring.run(settings)


def _check(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config, os.environ)
    import pubcellar.wiring as wiring

    plan = wiring.describe_plan(settings)
    print(f"{settings.source}: valid")
    print(describe(settings))
    for line in plan:
        print(line)
    for warning in settings.warnings:
        print(f"warning: {warning}")
    return ExitCode.DONE


def _database(arguments: argparse.Namespace) -> int:
    # Nothing connects, and whoever looks after the database need not know the secret.
    settings = load_settings(arguments.config, {**os.environ, SECRET_VARIABLE: "not needed"})
    import pubcellar.database_commands as database_commands

    url = settings.database.url
    if arguments.action == "status":
        said = database_commands.status(url)
    else:
        is_downgrade = arguments.action == "downgrade"
        if is_downgrade and not (arguments.dry_run or arguments.yes):
            refusal = _refusal_of_downgrade(arguments.revision)
            if refusal is not None:
                return refusal
        change = database_commands.downgrade if is_downgrade else database_commands.upgrade
        said = change(
            url, arguments.revision, is_trial=arguments.dry_run, with_copy=not arguments.no_copy
        )
    for line in said.lines:
        print(line)
    if said.problem:
        print(said.problem, file=sys.stderr)
    return said.code


def _refusal_of_downgrade(revision: str) -> ExitCode | None:
    """Ask whether to go on; return how to end where that is not wanted."""
    if not sys.stdin.isatty():
        print(
            "a downgrade loses what newer revisions have stored: add --yes if that is meant",
            file=sys.stderr,
        )
        return ExitCode.WRONG
    print(f"Take the database back to {revision}, and lose what newer revisions have stored?")
    print("Write yes to go on: ", end="", flush=True)
    if sys.stdin.readline().strip() == "yes":
        return None
    print("nothing was changed", file=sys.stderr)
    return ExitCode.DECLINED


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check": _check,
    "db": _database,
}
