"""`tripleo-ffwd supervisord`: the daemon that starts the supervisors of runs outside Mistral's container."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from tripleo_ffwd import config
from tripleo_ffwd.ansible_run.supervisord import Supervisord

EPILOG = """
It runs in the foreground, under systemd or another init, as the user that Mistral's executor runs as, on the host, not
in Mistral's container; both see the same work_dir under the same path. Its unit needs KillMode=process: when it stops,
the runs that it started go on.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("supervisord", help="start the supervisors of runs, beside Mistral", epilog=EPILOG)
    add_work_dir(parser)
    parser.set_defaults(func=serve)


def add_work_dir(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the work_dir is."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--work-dir", type=Path, metavar="W", help="the [ffwd] work_dir")
    where.add_argument("--dir", type=Path, metavar="D", help="state directory of an embedded undercloud")
    where.add_argument("--config-file", type=Path, metavar="F", help="configuration file with a section [ffwd]")


def work_dir(args: argparse.Namespace) -> Path:
    """Return the work_dir that the options name, or the configured default."""
    if args.work_dir is not None:
        chosen: Path = args.work_dir
    elif args.dir is not None:
        chosen = args.dir / "work"
    else:
        chosen = Path(config.load_file(args.config_file).work_dir)
    return chosen.expanduser().absolute()


def serve(args: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    Supervisord(work_dir(args)).serve()
    return 0
