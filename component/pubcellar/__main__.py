"""The command `pubcellar`: installs the reactor before anything can install another."""

import sys

from twisted.internet import asyncioreactor


def main() -> int:
    """Run the command line and return its exit code."""
    # Whoever imports Twisted's reactor first decides which one it is; wokkel does so on import.
    asyncioreactor.install()  # type: ignore[no-untyped-call]
    from pubcellar import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
