"""Entry point of `tripleo-ffwd`: finds the command, runs it, turns an FfwdError into one line and exit code 1."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from tripleo_ffwd import __version__
from tripleo_ffwd.exceptions import FfwdError

# Modules of this package, each with `add_parser(subparsers)`; its parser sets `func`, a callable that takes the
# namespace and returns an exit code, and may set `trouble`, the exit code after an error where 1 means something else.
# What needs the extra `embedded` is imported when the command is run.
COMMANDS = (
    "generate",
    "preview",
    "rehearse",
    "diff",
    "plan",
    "register",
    "supervisord",
    "run",
    "report",
    "undercloud",
    "nodes",
    "demo",
)

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
    """Run one command; return its exit code, 1 (or the command's `trouble`) after an error told on stderr."""
    args = build_parser().parse_args(argv)
    try:
        result: int = args.func(args)
    except FfwdError as error:
        print(f"tripleo-ffwd {args.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return getattr(args, "trouble", 1)
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
