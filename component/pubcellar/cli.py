"""The command line: `run`, `check` and `--version`; the only module that prints.

There is no option for the secret: a command line can be read by every user of the machine. Exit
codes: 0 done, 1 the start was refused, 2 the command line or the configuration is wrong; `run` may
add others of its own.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pubcellar import __version__
from pubcellar.config import SECRET_VARIABLE, Settings, describe, load_settings
from pubcellar.core.errors import ConfigError, DatabaseRefused

CONFIG_VARIABLE = "PUBCELLAR_CONFIG"

EXIT_REFUSED = 1
EXIT_WRONG = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv`, by default the process's own, names; return the exit code.

    Raises:
        SystemExit: the command line is wrong, or asked for help or the version.
    """
    arguments = _parsed(argv)
    try:
        settings = load_settings(arguments.config, os.environ)
        return _check(settings) if arguments.command == "check" else _run(settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG
    except DatabaseRefused as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED


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
    return word.partition("=")[0] in ("--config", "--help", "--version", "-h")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pubcellar",
        description="A caching pubsub proxy for XMPP, as an external component.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pubcellar {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in (
        ("run", "connect to the server and serve until told to stop"),
        ("check", "say what run would do, and touch nothing"),
    ):
        command = commands.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            allow_abbrev=False,
        )
        command.add_argument(
            "--config",
            metavar="FILE",
            default=os.environ.get(CONFIG_VARIABLE) or None,
            help=f"the configuration; without it, the one that {CONFIG_VARIABLE} names",
        )
    return parser


def _run(settings: Settings) -> int:
    # Wiring imports Twisted's reactor, which a wrong configuration need not wait for.
    import pubcellar.wiring as wiring

    return wiring.run(settings)


def _check(settings: Settings) -> int:
    import pubcellar.wiring as wiring

    plan = wiring.describe_plan(settings)
    print(f"{settings.source}: valid")
    print(describe(settings))
    for line in plan:
        print(line)
    for warning in settings.warnings:
        print(f"warning: {warning}")
    return 0
