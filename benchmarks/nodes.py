"""Many SSH nodes on one machine: one run on all of them, or several, each on some; time, CPU and memory."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from benchmarks import measuring
from benchmarks.overheads import PLAYBOOK, seal
from tripleo_ffwd.ansible_run import rundir, runs
from tripleo_ffwd.ansible_run.rundir import RUNS
from tripleo_ffwd.embedded import node_files, nodes
from tripleo_ffwd.embedded.site import Site, open_site
from tripleo_ffwd.model import RunSpec

STAGES, TASKS = 3, 4
FORKS = 25
_SAMPLE_SECONDS = 1.0
_LAUNCH = {"heartbeat_interval": 2, "heartbeat_stale": 60}


@dataclasses.dataclass(frozen=True)
class Took:
    """What runs on groups of nodes took together.

    Attributes:
        wall: seconds from the first start to the last end.
        cpu: CPU seconds of the runs, nodes not counted.
        peak: MB of memory of all their processes together, at most; what they share is counted once.
        tasks: tasks on nodes.
    """

    wall: float
    cpu: float
    peak: float
    tasks: int


class Nodes:
    """Nodes that listen, and a playbook for them; to be closed.

    Args:
        root: a directory of its own.
        count: how many nodes, at most 245.
    """

    def __init__(self, root: Path, count: int) -> None:
        self._root = root
        self._site: Site = open_site(root / "site")
        self.names = tuple(f"overcloud-novacompute-{number}" for number in range(count))
        began = time.monotonic()
        nodes.start(self._site, self.names)
        self.started = time.monotonic() - began
        self._spec = self._write()
        self._count = 0

    def close(self) -> None:
        """End the nodes."""
        nodes.stop(self._site)

    def _write(self) -> RunSpec:
        tree = self._root / "tree"
        tree.mkdir()
        plays, stages = [], []
        for number in range(STAGES):
            name = f"-/step{number}/Compute/all"
            tasks = json.dumps([{"name": f"task {task}", "command": "/bin/true"} for task in range(TASKS)])
            head = f"- name: {name}\n  hosts: Compute:!ffwd_unselected\n  gather_facts: false\n"
            plays.append(f"{head}  tasks: {tasks}\n")
            stages.append({"id": name, "playbook": PLAYBOOK, "hosts": self.names, "tasks": TASKS, "role": "Compute"})
        (tree / PLAYBOOK).write_text("".join(plays), encoding="utf-8")
        python = nodes.read(self._site)["python_interpreter"]
        common = {"ansible_port": self._site.ssh_port, "ansible_python_interpreter": python}
        hosts = {name: {"ansible_host": node_files.find(self._site, name).address, **common} for name in self.names}
        inventory = {
            "overcloud": {"children": {"Compute": {}}},
            "Compute": {"hosts": hosts},
            "ffwd_unselected": {"hosts": {}},
        }
        (tree / "inventory.yaml").write_text(json.dumps(inventory), encoding="utf-8")
        return dataclasses.replace(
            seal(tree, stages),
            ssh_user=node_files.SSH_USER,
            ssh_key_file=str(self._site.ssh_key_file),
            known_hosts_file=str(self._site.nodes / "known_hosts"),
            forks=FORKS,
        )

    def run(self, groups: Sequence[Sequence[str]], parallel: int = 1) -> Took:
        """Run the playbook on each of some groups of nodes, so many groups side by side.

        Args:
            groups: names of nodes; an empty group is all nodes.
            parallel: how many runs there are at a time.

        Raises:
            RuntimeError: a run failed.
        """
        began = time.monotonic()
        with _memory() as peak, concurrent.futures.ThreadPoolExecutor(parallel) as pool:
            costs = list(pool.map(self._run, groups))
        wall = time.monotonic() - began
        hosts = sum(len(group) or len(self.names) for group in groups)
        return Took(wall, sum(cost.cpu for cost in costs), peak[0], hosts * STAGES * TASKS)

    def _run(self, group: Sequence[str]) -> measuring.Cost:
        self._count += 1
        work = self._root / f"work{self._count}"
        (work / RUNS).mkdir(parents=True)
        spec = dataclasses.replace(self._spec, targets=tuple(sorted(group)))
        run = rundir.create(work, spec, {"created": time.time(), **_LAUNCH}, {})
        supervisor = [sys.executable, "-m", "tripleo_ffwd.ansible_run.supervisor", str(run.path)]
        cost = measuring.run(supervisor, work / "log", {**os.environ}, Path("/"))
        if runs.status(run.path).result != "successful":
            raise RuntimeError(f"the run failed: {runs.status(run.path).message}\n{cost.output[-2000:]}")
        return cost


@contextlib.contextmanager
def _memory() -> Iterator[list[float]]:
    """Yield a list whose one number is the memory of all our children, in MB, at most."""
    peak, ended = [0.0], threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            total = 0
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    total += child.memory_full_info().pss
            peak[0] = max(peak[0], total / (1 << 20))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def in_groups(names: Sequence[str], sizes: Sequence[int]) -> list[tuple[str, ...]]:
    """Return names in groups of these sizes; the last size holds for all that are left."""
    found, left, number = [], list(names), 0
    while left:
        size = sizes[min(number, len(sizes) - 1)]
        found.append(tuple(left[:size]))
        left, number = left[size:], number + 1
    return found


class Comparison:
    """One run on all nodes beside the same in groups."""

    def __init__(self, root: Path, count: int) -> None:
        self._root = root
        self._count = count
        self._found: dict[str, Took] = {}

    def run(self) -> None:
        """Measure."""
        there = Nodes(self._root, self._count)
        try:
            self._found["one run on all"] = there.run([()])
            size = max(1, self._count // 4)
            groups = in_groups(there.names, [1, size])
            self._found[f"one node, then {size} at a time"] = there.run(groups)
            self._found["the same, two groups side by side"] = there.run(groups, parallel=2)
        finally:
            there.close()

    def lines(self) -> Iterator[str]:
        """Return what was found, as text."""
        rows = [
            [name, f"{one.wall:.0f}", f"{one.tasks / one.wall:.1f}", f"{one.cpu:.0f}", f"{one.peak:.0f}"]
            for name, one in self._found.items()
        ]
        yield measuring.table([f"{self._count} nodes", "wall s", "tasks on nodes/s", "CPU s", "peak MB"], rows)

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached)."""
        alone, *_, grouped = self._found.values()
        share = alone.wall / grouped.wall
        yield f"{self._count} SSH nodes in groups: throughput of one run on all", "-", f"{share:.0%}", None
