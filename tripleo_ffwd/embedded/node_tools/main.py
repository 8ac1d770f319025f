"""Entry of every node tool: applies the node's faults, runs the tool, writes the journal."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

from tripleo_ffwd.embedded.node_tools.node import Node, ToolError

MODULES = {
    "cinder-manage": "database",
    "crm_mon": "cluster",
    "crudini": "small",
    "df": "small",
    "docker": "containers",
    "ffwd-repo": "packages",
    "hiera": "small",
    "hostname": "small",
    "keystone-manage": "database",
    "nova-manage": "database",
    "paunch": "containers",
    "pcs": "cluster",
    "rpm": "packages",
    "systemctl": "units",
    "uname": "small",
    "yum": "packages",
}
POLL = 0.03
# Asked by every fact gathering, or by the checks before a phase: they are no work done on the node.
QUESTIONS = ("hostname", "uname", "df", "crm_mon", "systemctl list-units", "rpm -q --qf %{INSTALLTIME}")


def wait_while_blocked(node: Node, invocation: str) -> None:
    """Wait as long as a `block` fault matches, with a record that says so."""
    record = node.root.parent / "blocked" / f"{os.getpid()}.json"

    def matches() -> bool:
        pattern = node.faults().get("block")
        return pattern is not None and re.search(pattern, invocation) is not None

    if not matches():
        return
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": os.getpid(), "invocation": invocation, "time": time.time()}))
    partial.replace(record)
    try:
        while matches():
            time.sleep(POLL)
    finally:
        record.unlink(missing_ok=True)


def drop_when_matched(node: Node, invocation: str) -> None:
    """Ask the node's server to cut everything when a `drop` pattern matches; then wait for the end."""
    pattern = node.faults().get("drop")
    if pattern is None or re.fullmatch(r"[0-9.]+", pattern) or not re.search(pattern, invocation):
        return
    (node.root.parent / "drop.request").touch()
    os.kill(int(os.environ["NODE_SERVER_PID"]), signal.SIGUSR1)
    while True:
        signal.pause()


def run(node: Node, tool: str, arguments: list[str]) -> int:
    """Run one tool and return its exit code."""
    invocation = " ".join([tool, *arguments])
    faults = node.faults()
    if faults:
        drop_when_matched(node, invocation)
        wait_while_blocked(node, invocation)
    pattern = faults.get("fail")
    if pattern is not None and re.search(pattern, invocation):
        print(f"{tool}: failed by the fault that is set for {node.name}: fail {pattern}", file=sys.stderr)
        return 1
    answering, _, answer = faults.get("answer", "").partition("=")
    if answering == tool:
        print(answer.replace("\\n", "\n"))
        return 0
    module = importlib.import_module(f"tripleo_ffwd.embedded.node_tools.{MODULES[tool]}")
    try:
        code: int = module.TOOLS[tool](node, arguments)
    except ToolError as error:
        print(error, file=sys.stderr)
        return error.code
    return code


def main() -> int:
    """Run the tool named by the first argument with the arguments after it."""
    tool, *arguments = sys.argv[1:]
    node = Node(Path(os.environ["NODE_ROOT"]), os.environ["NODE_NAME"])
    code = run(node, tool, arguments)
    if not " ".join([tool, *arguments]).startswith(QUESTIONS):
        node.record(tool, arguments, code)
    return code
