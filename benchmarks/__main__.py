"""`make bench`: prints ratios measured side by side in one run, with the machine and the versions."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

SAMPLE = Path(__file__).parents[1] / "tests/unit/embedded/samples/prepare_outputs.json"
ROUNDS = 5


def cpu_seconds(function: Callable[[], object]) -> float:
    """Median of the CPU time of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        function()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def instances(outputs: dict, manifest: dict) -> tuple[int, int]:
    """Task instances of the fast forward upgrade on all hosts: the templates' loops against our stages.

    In the templates' own playbook each role's whole list is gone through in steps 0 to 3 on every host, and in steps 4
    to 9 on the bootstrap node, for each release but the last.
    """
    hosts = {role: len(found["canonical"]) for role, found in outputs["RoleNetHostnameMap"].items()}
    releases = len(manifest["releases"]) - 1
    theirs = 0
    for role, data in outputs["RoleData"].items():
        length = len(data["fast_forward_upgrade_tasks"])
        theirs += releases * length * (4 * hosts[role] + (6 if role == "Controller" else 0))
    ours = 0
    for stage in manifest["stages"]:
        if stage["release"] and stage["step"] is not None:
            bootstrap = stage["id"].endswith("/bootstrap")
            on = (1 if stage["role"] == "Controller" else 0) if bootstrap else len(stage["hosts"])
            ours += stage["tasks"] * on
    return theirs, ours


def main() -> None:
    raw = json.loads(SAMPLE.read_text(encoding="utf-8"))
    outputs = {item["output_key"]: item["output_value"] for item in raw} if isinstance(raw, list) else raw
    options = GenerateOptions(phase="run")
    tree = pipeline.compile_playbooks(outputs, options)
    compiling = cpu_seconds(lambda: pipeline.compile_playbooks(outputs, options))

    def write() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            writing.write_tree(tree, Path(scratch) / "tree")

    writing_seconds = cpu_seconds(write)
    theirs, ours = instances(outputs, tree.manifest)
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("ansible-core", "PyYAML", "Jinja2")))
    print(
        f"demo overcloud, phase run: compile {compiling:.3f} CPU s, "
        f"write {len(tree.files)} files {writing_seconds:.3f} CPU s"
    )
    print(f"task instances on all hosts: the templates' loops {theirs}, ours {ours}, ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
