"""`tripleo-ffwd nodes`: the SSH nodes of the embedded undercloud."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import ConfigurationError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its parameters."""
    parser = subparsers.add_parser("nodes", help="SSH nodes of the embedded undercloud (extra: embedded)")
    verbs = parser.add_subparsers(dest="verb", metavar="start|stop|show|fault", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", type=Path, help="state directory (default: ~/.local/state/tripleo-ffwd)")
    common.add_argument("--json", action="store_true", help="print JSON")

    start = verbs.add_parser("start", parents=[common], help="start the nodes, or find those that run")
    start.add_argument("--count-controllers", type=int, metavar="N", help="number of controllers (default: 3)")
    start.add_argument("--count-computes", type=int, metavar="N", help="number of computes (default: 2)")
    start.add_argument("--reset", action="store_true", help="make fresh nodes at newton")
    start.set_defaults(func=_start)

    stop = verbs.add_parser("stop", parents=[common], help="stop the nodes and everything that runs on them")
    stop.set_defaults(func=_stop)

    show = verbs.add_parser("show", parents=[common], help="print the state of each node")
    show.set_defaults(func=_show)

    fault = verbs.add_parser(
        "fault",
        parents=[common],
        help="make a node misbehave",
        description="off | on | slow SECONDS | drop SECONDS or PATTERN | hang | fail PATTERN | block PATTERN; "
        "a pattern is a regular expression that is searched in a tool call, e.g. 'systemctl stop openstack-nova-api'.",
    )
    fault.add_argument("name", help="name of the node")
    fault.add_argument("kind", help="on, off, slow, drop, hang, fail, block, clock, answer")
    fault.add_argument("argument", nargs="?", default="", help="seconds or a pattern")
    fault.set_defaults(func=_fault)


def _embedded() -> Any:
    """Return the modules that need the extra; imported late, so that the other commands do without it."""
    try:
        from tripleo_ffwd.embedded import faults, node_files, node_state, nodes, site
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed", remedy="Install the extra: pip install 'tripleo-ffwd[embedded]'"
        ) from None
    return argparse.Namespace(faults=faults, files=node_files, state=node_state, nodes=nodes, site=site)


def _open(args: argparse.Namespace, embedded: Any) -> Any:
    return embedded.site.open_site(args.dir or embedded.site.default_root())


def _start(args: argparse.Namespace) -> int:
    embedded = _embedded()
    site = _open(args, embedded)
    names = None
    if args.count_controllers is not None or args.count_computes is not None:
        controllers = 3 if args.count_controllers is None else args.count_controllers
        names = embedded.files.names(controllers, 2 if args.count_computes is None else args.count_computes)
    data = embedded.nodes.start(site, names, reset=args.reset)
    if args.json:
        print(json.dumps(data, indent=2))
        return 0
    first = data["nodes"][0]
    for node in data["nodes"]:
        print(f"{node['name']}  {node['role']}  {node['address']}:{data['ssh_port']}")
    print(
        f"ssh -F none -i {data['key_file']} -o UserKnownHostsFile={data['known_hosts_file']} "
        f"-p {data['ssh_port']} {data['ssh_user']}@{first['address']}"
    )
    return 0


def _stop(args: argparse.Namespace) -> int:
    embedded = _embedded()
    stopped = embedded.nodes.stop(_open(args, embedded))
    if args.json:
        print(json.dumps({"stopped": stopped}))
    else:
        print("stopped; nothing runs on the nodes" if stopped else "no nodes were running")
    return 0


def _fault(args: argparse.Namespace) -> int:
    embedded = _embedded()
    site = _open(args, embedded)
    embedded.faults.set(site, args.name, args.kind, args.argument)
    current = embedded.faults.read(embedded.files.find(site, args.name))
    if args.json:
        print(json.dumps({"name": args.name, "fault": current}))
    else:
        print(f"{args.name}: {describe(current) or 'healthy'}")
    return 0


def describe(fault: dict[str, str]) -> str:
    """Return faults as words: ``slow 2, fail systemctl.*``."""
    return ", ".join(f"{kind} {argument}".strip() for kind, argument in fault.items())


def _show(args: argparse.Namespace) -> int:
    embedded = _embedded()
    site = _open(args, embedded)
    states = embedded.state.read(site)
    database = embedded.state.database(site)
    resources = embedded.state.resources(site)
    if args.json:
        history = [
            {"service": entry.service, "from": entry.source, "to": entry.target, "node": entry.node, "time": entry.time}
            for entry in database.history
        ]
        data = {
            "nodes": [state.to_dict() for state in states.values()],
            "database": {"schemas": dict(database.schemas), "history": history},
            "resources": dict(resources),
        }
        print(json.dumps(data, indent=2))
        return 0
    from rich.console import Console

    # Not cut to eighty columns when nobody looks: a pipe has no width.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(_table(states))
    schemas = ", ".join(f"{name} {release}" for name, release in database.schemas.items())
    console.print(f"database: {schemas} ({len(database.migrations)} migrations)", highlight=False)
    console.print(f"cluster:  {', '.join(f'{name} {value}' for name, value in resources.items())}", highlight=False)
    return 0


def _table(states: Any) -> Any:
    from rich.table import Table

    table = Table("node", "role", "address", "up", "release", "repo", "units active", "containers", "pcs", "fault")
    for state in states.values():
        active = sum(value == "active" for value in state.units.values())
        table.add_row(
            state.name,
            state.role,
            state.address,
            "yes" if state.up else "no",
            state.release,
            state.repo,
            f"{active} of {len(state.units)}",
            str(len(state.containers)),
            state.pcs or "-",
            describe(state.fault) or "-",
        )
    return table
