"""Many SSH nodes on one machine through `upgrade`: all computes in one run, and in batches; time, CPU and memory."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks import measuring
from tripleo_ffwd.ansible_run import ledger
from tripleo_ffwd.ansible_run.process_tree import MARK
from tripleo_ffwd.ansible_run.rundir import RUNS
from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.embedded import journey, node_files, nodes, overcloud, undercloud
from tripleo_ffwd.embedded.journey import Leg
from tripleo_ffwd.embedded.site import Site, open_site
from tripleo_ffwd.mistral import Mistral

PLAYBOOK = "upgrade_steps_playbook.yaml"
_SAMPLE_SECONDS = 2.0
_AGAIN = "a benchmark: the nodes are made anew before each upgrade"
ALONE = "all in one run"


@dataclasses.dataclass(frozen=True)
class Took:
    """What an upgrade of the computes took.

    Attributes:
        wall: seconds from its start to its end.
        cpu: CPU seconds of the whole machine meanwhile, nodes and Mistral too.
        peak: MB of memory of all processes of the runs together, at most; what they share is counted once.
        runs: how many runs of Ansible there were.
        tasks: tasks on nodes.
    """

    wall: float
    cpu: float
    peak: float
    runs: int
    tasks: int


class Cloud:
    """An embedded undercloud and the demo overcloud with one controller and many computes; to be closed.

    Args:
        root: a directory of its own.
        count: how many nodes, at most 200.
    """

    def __init__(self, root: Path, count: int) -> None:
        self._site: Site = open_site(root)
        self._names = node_files.names(1, count - 1)
        nodes.start(self._site, self._names)
        try:
            self._undercloud = undercloud.start(self._site)
            self._mistral = Mistral(self._undercloud.mistral_url)
            for definition in workbooks("ffwd_upgrade").values():
                self._mistral.put_workbook(definition, exists=False)
            overcloud.create_newton_stack(self._site, self._undercloud.heat_url)
            prepare, *_ = journey.legs(self._site)
            self._travel(prepare)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it all."""
        undercloud.stop(self._site)
        nodes.stop(self._site)

    def _travel(self, leg: Leg) -> None:
        journey.travel(self._mistral, self._undercloud.work_dir, leg, watch=lambda _: None, interval=1)

    def upgrade(self, batches: Mapping[str, Any] | None) -> Took:
        """Upgrade the computes, all of them fresh, in one run or in batches.

        Raises:
            journey.PhaseFailed: a node or the phase failed.
        """
        nodes.start(self._site, self._names, reset=True)
        common = {"plan": journey.PLAN, "force_reason": _AGAIN, "poll_interval": 1, "checks": False}
        self._travel(Leg("run", "ffwd_upgrade.v1.run", common))
        before = self._runs()
        arguments = {**common, "roles": ["Compute"], "playbook": PLAYBOOK}
        arguments |= {"batches": dict(batches)} if batches else {}
        began, busy = time.monotonic(), _busy()
        with _memory() as peak:
            self._travel(Leg("upgrade", "ffwd_upgrade.v1.upgrade", arguments))
        wall, cpu = time.monotonic() - began, _busy() - busy
        found = self._runs() - before
        return Took(wall, cpu, peak[0], len(found), sum(map(_tasks, found)))

    def _runs(self) -> set[Path]:
        return {path.parent for path in (self._undercloud.work_dir / RUNS).glob("*/ledger.jsonl")}


def _tasks(run: Path) -> int:
    return sum(record["event"] == "task_end" for record in ledger.read(run / "ledger.jsonl"))


def _busy() -> float:
    """Return the CPU seconds that this machine has worked since its start."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


@contextlib.contextmanager
def _memory() -> Iterator[list[float]]:
    """Yield a list whose one number is the memory of all processes of runs, in MB, at most."""
    peak, ended = [0.0], threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            total = 0
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if process.uids().real == os.getuid() and MARK in process.environ():
                        total += process.memory_full_info().pss
            peak[0] = max(peak[0], total / (1 << 20))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


class Comparison:
    """An upgrade of all computes in one run beside the same in batches."""

    def __init__(self, root: Path, count: int) -> None:
        self._root = root
        self._count = count
        self._found: dict[str, Took] = {}

    def run(self) -> None:
        """Measure."""
        quarter = max(1, self._count // 4)
        ways: dict[str, dict[str, Any] | None] = {
            ALONE: None,
            f"one, then {quarter} at a time, two batches side by side": {"canary": 1, "size": quarter, "parallel": 2},
        }
        cloud = Cloud(self._root, self._count)
        try:
            self._found = {way: cloud.upgrade(batches) for way, batches in ways.items()}
        finally:
            cloud.close()

    def lines(self) -> Iterator[str]:
        """Return what was found, as text."""
        head = [f"{self._count - 1} computes", "runs", "tasks on nodes", "wall s", "nodes/min", "CPU s", "peak MB"]
        numbers = {way: (one.runs, one.tasks, one.wall, one.cpu, one.peak) for way, one in self._found.items()}
        per_minute = (self._count - 1) * 60
        rows = [
            [way, f"{runs}", f"{tasks}", f"{wall:.0f}", f"{per_minute / wall:.1f}", f"{cpu:.0f}", f"{peak:.0f}"]
            for way, (runs, tasks, wall, cpu, peak) in numbers.items()
        ]
        yield measuring.table(head, rows)
        yield "CPU: of the whole machine, nodes and Mistral too; memory: of the runs' processes"

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached)."""
        for way, one in self._found.items():
            if way != ALONE:
                share = self._found[ALONE].wall / one.wall
                yield f"{self._count - 1} SSH nodes, {way}: throughput of one run on all", "-", f"{share:.0%}", None
