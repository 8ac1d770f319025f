"""Runs: what supervisor and ledger cost beside bare ansible-playbook, how soon an end is proven, a status told."""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import measuring, overheads
from benchmarks.overheads import write_tree
from tripleo_ffwd.ansible_run import process_tree, runs
from tripleo_ffwd.ansible_run.ledger import Ledger
from tripleo_ffwd.ansible_run.rundir import RUNS

# Hosts, tasks on each, and how often each way is tried.
SIZES = (
    (10, 60, {overheads.OURS: 6, overheads.OTHER: 2}),
    (30, 200, {overheads.OURS: 2, overheads.OTHER: 1}),
)
CANCEL_HOSTS = 30
LINES = 1_000_000


class Comparison:
    """All measurements of runs, kept below `root`; `program` is the ansible-playbook of this environment."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._overheads: list[overheads.Overhead] = []
        self._cancel = 0.0
        self._status = 0.0

    def run(self) -> None:
        """Measure everything."""
        for hosts, tasks, rounds in SIZES:
            self._overheads.append(overheads.compare(self._root, hosts, tasks, rounds))
        self._cancel = self._cancelled()
        self._status = self._told()

    def _cancelled(self) -> float:
        """Return the seconds from asking for the end of a run on many hosts to the proof that nothing is alive."""
        work = self._root / "cancel"
        gate = work / "begun"
        work.mkdir()
        waiting = {"name": "waits", "shell": f"echo >> {gate}; sleep 600"}
        spec = dataclasses.replace(write_tree(work / "tree", CANCEL_HOSTS, 1, waiting), forks=CANCEL_HOSTS)
        status, _ = runs.start(work, spec, launcher="detach", heartbeat_interval=2, heartbeat_stale=60)
        while not gate.exists() or gate.read_text().count("\n") < CANCEL_HOSTS:
            time.sleep(0.1)
        began = time.monotonic()
        ended = runs.cancel(Path(status.run_dir), now=True, wait=120)
        taken = time.monotonic() - began
        if ended.result != "cancelled" or process_tree.scan(status.run_id):
            raise RuntimeError(f"the run was not ended: {ended.message}")
        return taken

    def _told(self) -> float:
        """Return the seconds that the status of a run takes whose ledger has a million lines."""
        run = next(path for path in (self._root / f"10x60-0-{overheads.OURS}" / RUNS).iterdir() if path.is_dir())
        ledger = Ledger(run / "ledger.jsonl")
        for number in range(LINES // 2):
            ledger.append_start(number, "overcloud-controller-0")
            ledger.append_end(number, "overcloud-controller-0", "changed")
        ledger.close()
        script = (
            "import sys, time; from pathlib import Path; from tripleo_ffwd.ansible_run import runs\n"
            "began = time.monotonic(); runs.status(Path(sys.argv[1])); print(time.monotonic() - began)"
        )
        done = subprocess.run([sys.executable, "-c", script, str(run)], capture_output=True, text=True, check=True)
        return float(done.stdout)

    def lines(self) -> Iterator[str]:
        """Return what was found, as text."""
        head = ["task-hosts", "way", "tries", "CPU s", "bare", "more", "least", "most", "B each", "in blocks", "files"]
        rows = []
        for one in self._overheads:
            for way, pairs in one.pairs.items():
                seconds = [f"{statistics.median(cost.cpu for cost in side):.1f}" for side in zip(*pairs, strict=True)]
                shares = one.shares(way)
                more = [f"{share:.1%}" for share in (one.more(way), min(shares), max(shares))]
                left = [f"{size[way] / one.tasks:.0f}" for size in (one.sizes, one.blocks)]
                rows.append([f"{one.tasks}", way, f"{len(pairs)}", *seconds, *more, *left, f"{one.files[way]}"])
        yield measuring.table(head, rows)
        yield "each try runs beside bare Ansible, at the same time; CPU, bare, more: medians; least, most: of the tries"
        yield f"cancel now at {CANCEL_HOSTS} hosts: {self._cancel:.1f} s to the proof that nothing is alive"
        yield f"status of a run with {LINES} lines in its ledger: {self._status * 1000:.1f} ms"

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached)."""
        for one in self._overheads:
            name = f"run of {one.tasks} task-hosts"
            more = one.more(overheads.OURS)
            yield f"{name}: CPU more than bare", "<= 5%", f"{more:.1%}", more <= 0.05
            for what, sizes in (("disk per task-host", one.sizes), ("the same in whole blocks", one.blocks)):
                size = sizes[overheads.OURS] / one.tasks
                yield f"{name}: {what}", "<= 200 bytes", f"{size:.0f} bytes", size <= 200
        yield "cancel now, 30 hosts", "< 10 s", f"{self._cancel:.1f} s", self._cancel < 10
        yield "status, 1000000 lines", "< 50 ms", f"{self._status * 1000:.1f} ms", self._status < 0.05
