"""Faults of embedded nodes: set, cleared, and waited for; the server and the tools read them at each event."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Mapping

from tripleo_ffwd.embedded import node_files, node_processes
from tripleo_ffwd.embedded.node_files import NodeFiles
from tripleo_ffwd.embedded.node_tools.node import locked, read_json
from tripleo_ffwd.embedded.site import Site
from tripleo_ffwd.exceptions import InvalidInput, Unavailable

# Kind -> what its argument is; empty when it takes none.
KINDS: Mapping[str, str] = {
    "on": "",
    "off": "",
    "slow": "SECONDS",
    "drop": "SECONDS or PATTERN",
    "hang": "",
    "fail": "PATTERN",
    "block": "PATTERN",
    "clock": "SECONDS",
    "answer": "TOOL=TEXT",
}
POLL = 0.02


def is_seconds(argument: str) -> bool:
    """Tell whether an argument is a number of seconds."""
    return re.fullmatch(r"\d+(\.\d*)?|\.\d+", argument) is not None


def check(kind: str, argument: str) -> None:
    """Refuse an unknown kind and an argument that the kind can't take.

    Raises:
        InvalidInput: with the valid kinds, or what the argument should be.
    """
    if kind not in KINDS:
        raise InvalidInput(f"unknown fault {kind!r}", remedy=f"Faults: {', '.join(KINDS)}")
    wanted = KINDS[kind]
    if bool(wanted) != bool(argument):
        raise InvalidInput(f"fault {kind} takes {wanted or 'no argument'}, not {argument or 'nothing'!r}")
    if wanted == "SECONDS" and not is_seconds(argument.removeprefix("-") if kind == "clock" else argument):
        raise InvalidInput(f"fault {kind} takes a number of seconds, not {argument!r}")
    if wanted == "TOOL=TEXT" and not re.match(r"[\w-]+=", argument):
        raise InvalidInput(f"fault {kind} takes {wanted}, not {argument!r}")
    if "PATTERN" in wanted:
        try:
            re.compile(argument)
        except re.error as error:
            raise InvalidInput(f"fault {kind}: {argument!r} is no regular expression: {error}") from None


def set(site: Site, name: str, kind: str, argument: str = "") -> None:
    """Make a node misbehave, besides the faults that it has; returns when its server has acted on it.

    Args:
        site: the state directory.
        name: name of the node.
        kind: ``off`` (power off: all is cut at once), ``on`` (no fault any more), ``slow`` (each command waits),
            ``drop`` (once: connections and processes are cut, so many seconds after the next command starts or when a
            command or tool call matches), ``hang`` (authentication and commands never answer), ``fail`` (matching tool
            calls exit with 1), ``block`` (matching tool calls wait until the fault is cleared), ``clock`` (its clock is
            so many seconds ahead, or behind), ``answer`` (a tool prints a text and does nothing).
        argument: seconds, or a regular expression that is searched in ``tool arguments…``.

    Raises:
        InvalidInput: unknown node or kind, or an argument that does not fit.
        NotFound: there are no nodes.
        Unavailable: the server does not act on it.
    """
    node = node_files.find(site, name)
    check(kind, argument)
    with locked(node.fault) as faults:
        if kind == "on":
            faults.clear()
        else:
            faults[kind] = argument
    apply(site, node)


def clear(site: Site, name: str, kind: str | None = None) -> None:
    """Take one fault from a node, or all; raises as `set`."""
    node = node_files.find(site, name)
    if kind is None:
        set(site, name, "on")
        return
    if kind not in KINDS:
        raise InvalidInput(f"unknown fault {kind!r}", remedy=f"Faults: {', '.join(KINDS)}")
    with locked(node.fault) as faults:
        faults.pop(kind, None)
    apply(site, node)


def read(node: NodeFiles) -> dict[str, str]:
    """Return a node's faults, kind to argument."""
    try:
        return read_json(node.fault)
    except FileNotFoundError:
        return {}


def server(site: Site) -> int | None:
    """Return the pid of the nodes' server, or None when it does not run."""
    try:
        record = json.loads((site.nodes / "server.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    pid: int = record["pid"]
    return pid if node_processes.start_time(pid) == record["started"] else None


def apply(site: Site, node: NodeFiles, timeout: float = 15.0) -> None:
    """Tell the server that faults changed and wait until it has acted; without a server there is nothing to do."""
    pid = server(site)
    if pid is None:
        return
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + timeout
    while True:
        with contextlib.suppress(FileNotFoundError):
            if read_json(node.fault_applied) == read(node):
                return
        if server(site) is None:
            return
        if time.monotonic() > deadline:
            raise Unavailable(f"the nodes' server does not act on the faults of {node.name}", where=str(site.nodes))
        time.sleep(POLL)


def blocked(node: NodeFiles) -> list[str]:
    """Return the tool calls that wait on a node for a `block` fault to be cleared."""
    alive = {f"{pid}.json" for pid in node_processes.of_root(node.root)}
    calls = []
    for record in sorted(node.blocked.glob("*.json")):
        if record.name in alive:
            with contextlib.suppress(FileNotFoundError):
                calls.append(read_json(record)["invocation"])
    return calls


def wait_blocked(site: Site, name: str, timeout: float) -> str:
    """Wait until a tool call on a node is held by a `block` fault; return the call.

    Raises:
        InvalidInput: unknown node.
        Unavailable: nothing is held after `timeout` seconds.
    """
    node = node_files.find(site, name)
    deadline = time.monotonic() + timeout
    while True:
        calls = blocked(node)
        if calls:
            return calls[0]
        if time.monotonic() > deadline:
            raise Unavailable(f"no tool call was held on {name} within {timeout:g} seconds")
        time.sleep(POLL)
