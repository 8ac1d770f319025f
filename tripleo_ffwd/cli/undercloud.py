"""`tripleo-ffwd undercloud`: the embedded Mistral and Heat. Importable without the extra `embedded`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tripleo_ffwd.embedded.site import Site
    from tripleo_ffwd.embedded.undercloud import Undercloud


def add_parser(subparsers: Any) -> None:
    """Add the command and its subcommands."""
    parser = subparsers.add_parser(
        "undercloud",
        help="a real Mistral and a real Heat on this machine",
        description="A real Mistral and a real Heat, one process each, on SQLite and without keystone, for the demo, "
        "tests and rehearsals. They listen on 127.0.0.1 only.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    start = _add(actions, "start", "start both and wait until they answer; what runs already is found", _start)
    for service in ("mistral", "heat"):
        start.add_argument(
            f"--{service}-port",
            type=_port,
            metavar="P",
            help=f"port of {service.capitalize()} (default: the last one, else a free one)",
        )
    _add(actions, "stop", "cancel the Ansible runs, then end both", _stop)
    restart = _add(actions, "restart", "end one service and start it again; Ansible runs go on", _restart)
    restart.add_argument("service", choices=("mistral", "heat"))
    _add(actions, "status", "show URLs, pids and logs; exit code 0 also when nothing runs: look at `running`", _status)


def _add(actions: Any, name: str, help_text: str, func: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("--dir", type=Path, metavar="D", help="state directory (default: ~/.local/state/tripleo-ffwd)")
    parser.add_argument("--json", action="store_true", help="print JSON: {mistral: {url, pid, log, running}, heat, …}")
    parser.set_defaults(func=func)
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not between 1 and 65535")
    return port


def _site(args: argparse.Namespace) -> Site:
    from tripleo_ffwd.embedded import site

    return site.open_site(args.dir or site.default_root())


def _start(args: argparse.Namespace) -> int:
    from tripleo_ffwd.embedded import undercloud

    found = undercloud.start(_site(args), args.mistral_port, args.heat_port)
    _show(found, args)
    if not args.json:
        print(f"Talk to it:  export OS_MISTRAL_URL={found.mistral_url}")
    return 0


def _stop(args: argparse.Namespace) -> int:
    from tripleo_ffwd.embedded import undercloud

    _show(undercloud.stop(_site(args)), args)
    return 0


def _restart(args: argparse.Namespace) -> int:
    from tripleo_ffwd.embedded import undercloud

    _show(undercloud.restart(_site(args), args.service), args)
    return 0


def _status(args: argparse.Namespace) -> int:
    from tripleo_ffwd.embedded import undercloud

    _show(undercloud.status(_site(args)), args)
    return 0


def _show(found: Undercloud, args: argparse.Namespace) -> None:
    data = found.to_dict()
    if args.json:
        print(json.dumps(data, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("service", "state", "pid", "url"):
        table.add_column(column, no_wrap=True)
    for name in ("mistral", "heat"):
        service = data[name]
        state = "running" if service["running"] else "stopped"
        table.add_row(name, state, str(service["pid"] or "-"), service["url"] or "-")
    console = Console(highlight=False)
    console.print(table)
    # Not in the table, which would cut them: paths are there to be copied.
    for name in ("mistral", "heat"):
        console.print(f"log of {name}: {data[name]['log']}", soft_wrap=True)
    console.print(f"state directory {found.root}, runs and plans in {found.work_dir}", soft_wrap=True)
