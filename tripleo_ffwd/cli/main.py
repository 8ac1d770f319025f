"""Entry point of `tripleo-ffwd`: finds the command, runs it, turns an FfwdError into one line and exit code 1."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from tripleo_ffwd import __version__
from tripleo_ffwd.exceptions import FfwdError

# Modules of this package, each with `add_parser(subparsers)`; its parser sets `func`, a callable that takes the
# namespace and returns an exit code. What needs the extra `embedded` is imported when the command is run.
COMMANDS = ("generate", "preview", "register", "supervisord", "run", "undercloud", "nodes", "demo")

# What only the extra `embedded` installs.
EMBEDDED = ("asyncssh", "heat", "mistral")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every command."""
    parser = argparse.ArgumentParser(
        prog="tripleo-ffwd", description="Fast forward upgrades of TripleO overclouds: the commands of this machine."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"tripleo_ffwd.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 1 after an error told on stderr, or 2 for wrong usage."""
    args = build_parser().parse_args(argv)
    try:
        result: int = args.func(args)
    except FfwdError as error:
        print(f"tripleo-ffwd {args.command}: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EMBEDDED:
            raise
        print(
            f"tripleo-ffwd {args.command}: {error.name} is not installed. It comes with the extra: "
            "pip install 'tripleo-ffwd[embedded]'",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print(f"tripleo-ffwd {args.command}: interrupted", file=sys.stderr)
        return 130
    return result


if __name__ == "__main__":
    sys.exit(main())
