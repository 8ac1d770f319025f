"""The checks before a phase on many SSH nodes of one machine: how long the look at all of them takes."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import psutil

from tripleo_ffwd.embedded import node_files, nodes
from tripleo_ffwd.embedded.site import Site, open_site
from tripleo_ffwd.model import RunSpec
from tripleo_ffwd.preflight import launching
from tripleo_ffwd.preflight.judging import Limits

NODES = 100
# Seconds that a look at so many may take on two cores.
TARGET = 30
SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Took:
    """What a look at the nodes took.

    Attributes:
        nodes: how many there were.
        wall: seconds from its beginning to its end.
        cpu: CPU seconds of the whole machine meanwhile, the nodes' own too.
        found: how many findings there are.
    """

    nodes: int
    wall: float
    cpu: float
    found: int


def measure(root: Path, count: int) -> Took:
    """Start so many nodes, look at them, and stop them.

    Args:
        root: a directory of its own.
        count: how many nodes, at most 200.
    """
    site = open_site(root)
    names = node_files.names(3, count - 3)
    nodes.start(site, names)
    try:
        return _look(site, root, names)
    finally:
        nodes.stop(site)


def _look(site: Site, root: Path, names: tuple[str, ...]) -> Took:
    tree = _tree(site, root / "tree", names)
    limits = Limits(phase="upgrade", ansible="", disk=4096, skew=10, seconds=20)
    request = {
        "releases": [],
        "repositories": "",
        "plan": "overcloud",
        "phase": "upgrade",
        "tree": str(tree),
        "targets": [],
        "rolling": ["Compute"],
        "limits": limits.to_dict(),
        "seconds": 180,
        "node_seconds": 20,
        "parallel": 50,
        "guests": True,
        "look": True,
        "custom": {"directory": "", "seconds": 1},
        "backup": {"command": "", "hours": 1},
    }
    data = json.loads((site.nodes / "nodes.json").read_text(encoding="utf-8"))
    request["python"] = data["python_interpreter"]
    spec = RunSpec(
        "overcloud",
        "upgrade",
        "",
        str(tree),
        "",
        ssh_user=data["ssh_user"],
        ssh_key_file=data["key_file"],
        known_hosts_file=data["known_hosts_file"],
        become=True,
    )
    began, before = time.monotonic(), _busy()
    directory = launching.begin(root / "checks", request, spec, look=True)
    while not launching.status(directory)["settled"] and time.monotonic() < began + SECONDS:
        time.sleep(0.1)
    result = launching.result(directory)
    return Took(len(result["nodes"]), time.monotonic() - began, _busy() - before, len(result["findings"]))


def _tree(site: Site, tree: Path, names: tuple[str, ...]) -> Path:
    """Write what a look needs of generated playbooks: an inventory."""
    tree.mkdir(parents=True)
    found = [node_files.find(site, name) for name in names]
    roles = {
        role: {
            "hosts": {
                node.name: {"ansible_host": node.address, "ansible_port": site.ssh_port}
                for node in found
                if node.role == role
            }
        }
        for role in ("Controller", "Compute")
    }
    children = {"overcloud": {"children": dict.fromkeys(roles)}, **roles}
    (tree / "inventory.yaml").write_text(json.dumps({"all": {"children": children}}), encoding="utf-8")
    return tree


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)
