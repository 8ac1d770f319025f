"""systemctl: the units of a node."""

from __future__ import annotations

import sys

from tripleo_ffwd.embedded.node_tools import catalog, cluster
from tripleo_ffwd.embedded.node_tools.node import Node, ToolError, Usage, locked, read_json, take_options

QUERIES = ("is-active", "is-enabled", "is-failed", "status", "show")
VERBS = ("list-units", "start", "stop", "restart", "enable", "disable", "daemon-reload", *QUERIES)


def check_start(node: Node, state: dict, unit: str) -> None:  # type: ignore[type-arg]
    """Refuse to start a unit whose container runs, or whose release is not that of its service's schemas."""
    for container, replaced in catalog.CONTAINER_UNITS.items():
        if replaced == unit and container in state["containers"]:
            raise ToolError(f"{unit}: address in use: the container {container} runs on {node.name}")
    service = catalog.service_of(unit)
    if not service:
        return
    release = state["packages"][catalog.UNITS[unit]]
    schemas = read_json(node.database_file)["schemas"]
    for schema in catalog.SERVICES[service][0]:
        if schemas[schema] != release:
            raise ToolError(
                f"Job for {unit}.service failed: {unit} is at {release}, the schema of {schema} at {schemas[schema]}"
            )


def start(node: Node, state: dict, unit: str) -> None:  # type: ignore[type-arg]
    """Start one unit."""
    if unit == "pacemaker":
        cluster.set_member(node, [node.name], "online")
        return
    check_start(node, state, unit)
    state["units"][unit] = "active"


def stop(node: Node, state: dict, unit: str) -> None:  # type: ignore[type-arg]
    """Stop one unit; a stopped one stays so."""
    if unit == "pacemaker":
        cluster.set_member(node, [node.name], "offline")
        return
    state["units"].pop(unit, None)


def is_active(node: Node, state: dict, unit: str) -> bool:  # type: ignore[type-arg]
    """Tell whether a unit runs."""
    if unit == "pacemaker":
        return bool(node.cluster()["members"].get(node.name) == "online")
    return bool(state["units"].get(unit) == "active")


def change(node: Node, verb: str, units: list[str], now: bool) -> int:
    """Do what a verb that changes state says; all units are known before the first is touched."""
    with locked(node.state_file) as state:
        for unit in units:
            if catalog.UNITS.get(unit) not in state["packages"]:
                raise ToolError(f"Failed to {verb} {unit}.service: Unit {unit}.service not found.", 5)
        for unit in units:
            if verb == "enable" and unit not in state["enabled"]:
                state["enabled"].append(unit)
            if verb == "disable" and unit in state["enabled"]:
                state["enabled"].remove(unit)
            if verb in ("stop", "restart") or (verb == "disable" and now):
                stop(node, state, unit)
            if verb in ("start", "restart") or (verb == "enable" and now):
                start(node, state, unit)
    return 0


def query(node: Node, verb: str, units: list[str], quiet: bool) -> int:
    """Answer a verb that only asks; as the real one, good when it is good for one of the units."""
    state = read_json(node.state_file)
    good = False
    for unit in units:
        active = is_active(node, state, unit)
        if verb in ("is-active", "status"):
            answer, fine = ("active" if active else "inactive"), active
            answer = f"{unit}.service - {answer}" if verb == "status" else answer
        elif verb == "is-failed":
            answer, fine = ("active" if active else "inactive"), False
        elif catalog.UNITS.get(unit) in state["packages"]:
            fine = unit in state["enabled"]
            answer = "enabled" if fine else "disabled"
        else:
            print(f"Failed to get unit file state for {unit}.service: No such file or directory", file=sys.stderr)
            continue
        good = good or fine
        if not quiet:
            print(answer)
    return 0 if good else 3 if verb in ("is-active", "status") else 1


def show(node: Node, units: list[str]) -> int:
    """Print what Ansible's systemd module asks for."""
    state = read_json(node.state_file)
    for unit in units:
        loaded = catalog.UNITS.get(unit) in state["packages"]
        active = is_active(node, state, unit)
        print(f"Id={unit}.service")
        print(f"LoadState={'loaded' if loaded else 'not-found'}")
        print(f"ActiveState={'active' if active else 'inactive'}")
        print(f"SubState={'running' if active else 'dead'}")
        if loaded:
            print(f"UnitFileState={'enabled' if unit in state['enabled'] else 'disabled'}")
    return 0


def list_units(node: Node, wanted: str) -> int:
    """Print the units in a state; those that are set so by hand are the only failed ones."""
    for unit, state in sorted(read_json(node.state_file)["units"].items()):
        if state == wanted:
            print(f"{unit}.service loaded {state} {'running' if state == 'active' else state} {unit}")
    return 0


def systemctl(node: Node, arguments: list[str]) -> int:
    """Stand for systemctl."""
    options, words = take_options(
        arguments,
        "-q --quiet --now --no-block --no-pager --no-legend --system --full -l --force --version",
        "-n --lines --state",
    )
    verb, units = (words[0] if words else ""), [word.removesuffix(".service") for word in words[1:]]
    if "--version" in options:
        print("systemd 219")
        return 0
    if verb not in VERBS or (not units and verb not in ("daemon-reload", "list-units", "show")):
        raise Usage(f"systemctl {'|'.join(VERBS)} UNIT...")
    if verb == "daemon-reload":
        return 0
    if verb == "list-units":
        return list_units(node, options.get("--state", "active"))
    if verb == "show":
        return show(node, units)
    if verb.startswith("is-") or verb == "status":
        return query(node, verb, units, "-q" in options or "--quiet" in options)
    return change(node, verb, units, "--now" in options)


TOOLS = {"systemctl": systemctl}
