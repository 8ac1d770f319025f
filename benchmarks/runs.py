"""Runs: what supervisor and ledger cost beside bare ansible-playbook, how soon an end is proven, a status told."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import measuring
from tripleo_ffwd.ansible_run import command, process_tree, rundir, runs
from tripleo_ffwd.ansible_run.ledger import Ledger
from tripleo_ffwd.ansible_run.rundir import RUNS, RunDir
from tripleo_ffwd.model import RunSpec

PLAYBOOK = "upgrade_steps_playbook.yaml"
SIZES = ((10, 60, 4), (30, 200, 2))  # hosts, tasks on each, tries
STAGES = 10
CANCEL_HOSTS = 30
LINES = 1_000_000
_ROLE = "Controller"
# A heartbeat as in production.
_LAUNCH = {"heartbeat_interval": 2, "heartbeat_stale": 60}


@dataclasses.dataclass(frozen=True)
class Overhead:
    """What one playbook took, bare and in a run; CPU in seconds, `size` is the run directory's bytes."""

    tasks: int
    bare: measuring.Cost
    ours: measuring.Cost
    size: int


def write_tree(root: Path, hosts: int, tasks: int, task: dict[str, object]) -> RunSpec:
    """Write a tree of that many hosts, all of them this machine, and tasks, in ten stages; return what to run."""
    names = [f"overcloud-controller-{number}" for number in range(hosts)]
    root.mkdir(parents=True)
    plays, stages = [], []
    for number in range(min(STAGES, tasks)):
        share = tasks // min(STAGES, tasks)
        name = f"-/step{number}/{_ROLE}/all"
        plays.append({"name": name, "hosts": _ROLE, "gather_facts": False, "tasks": [task] * share})
        stages.append({"id": name, "playbook": PLAYBOOK, "hosts": names, "tasks": share})
    # In block style, as generated ones are.
    text = "".join(
        f"- name: {play['name']}\n" + "".join(f"  {key}: {json.dumps(play[key])}\n" for key in play if key != "name")
        for play in plays
    )
    (root / PLAYBOOK).write_text(text, encoding="utf-8")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {_ROLE: {"hosts": dict.fromkeys(names, local)}}
    (root / "inventory.yaml").write_text(json.dumps(inventory), encoding="utf-8")
    files = [{"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in root.iterdir()]
    manifest = {"digest": "benchmark", "stages": stages, "files": files}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return RunSpec(plan="p", phase="upgrade", playbook=PLAYBOOK, tree=str(root), digest="benchmark")


class Comparison:
    """All measurements of runs, kept below `root`; `program` is the ansible-playbook of this environment."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._overheads: list[Overhead] = []
        self._cancel = 0.0
        self._status = 0.0

    def run(self) -> None:
        """Measure everything."""
        for hosts, tasks, tries in SIZES:
            found = [self._overhead(hosts, tasks, str(number)) for number in range(tries)]
            # The two ways take turns, and of each the least counts: other programs only ever add.
            bare, ours = (min((getattr(one, way) for one in found), key=_cpu) for way in ("bare", "ours"))
            self._overheads.append(Overhead(hosts * tasks, bare, ours, found[-1].size))
        self._cancel = self._cancelled()
        self._status = self._told()

    def _overhead(self, hosts: int, tasks: int, number: str) -> Overhead:
        work = self._root / f"{hosts}x{tasks}-{number}"
        spec = write_tree(work / "tree", hosts, tasks, {"name": "nothing", "debug": {"msg": "x"}})
        (work / RUNS).mkdir()
        bare = self._bare(work, spec)
        run = rundir.create(work, spec, {"created": time.time(), **_LAUNCH})
        supervisor = [sys.executable, "-m", "tripleo_ffwd.ansible_run.supervisor", str(run.path)]
        ours = measuring.run(supervisor, work / "ours.log", {**os.environ}, Path("/"))
        if runs.status(run.path).result != "successful":
            raise RuntimeError(f"the run failed: {runs.status(run.path).message}\n{ours.output[-2000:]}")
        size = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file() and not path.is_symlink())
        return Overhead(hosts * tasks, bare, ours, size)

    @staticmethod
    def _bare(work: Path, spec: RunSpec) -> measuring.Cost:
        run = RunDir(work / "bare")
        run.private.mkdir(parents=True)
        (run.private / "ansible.cfg").touch()
        environment = command.ansible_environment(run, spec, str(work))
        for name in ("ANSIBLE_CALLBACK_PLUGINS", "FFWD_INSIDE"):
            del environment[name]
        words = command.ansible_playbook(run, spec, [str(Path(spec.tree) / "inventory.yaml")])
        cost = measuring.run(words, work / "bare.log", environment, Path(spec.tree))
        if cost.code:
            raise RuntimeError(f"ansible-playbook ended with {cost.code}:\n{cost.output[-2000:]}")
        return cost

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
        run = next(path for path in (self._root / "10x60-0" / RUNS).iterdir() if path.is_dir())
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
        head = ["task-hosts", "bare CPU s", "run CPU s", "more", "bare wall s", "run wall s", "bytes/task-host"]
        yield measuring.table(
            head,
            [
                [
                    str(one.tasks),
                    f"{one.bare.cpu:.1f}",
                    f"{one.ours.cpu:.1f}",
                    f"{_more(one):.1%}",
                    f"{one.bare.wall:.1f}",
                    f"{one.ours.wall:.1f}",
                    f"{one.size / one.tasks:.0f}",
                ]
                for one in self._overheads
            ],
        )
        yield f"cancel now at {CANCEL_HOSTS} hosts: {self._cancel:.1f} s to the proof that nothing is alive"
        yield f"status of a run with {LINES} lines in its ledger: {self._status * 1000:.1f} ms"

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached)."""
        for one in self._overheads:
            name = f"run of {one.tasks} task-hosts"
            yield f"{name}: CPU more than bare", "<= 5%", f"{_more(one):.1%}", _more(one) <= 0.05
            size = one.size / one.tasks
            yield f"{name}: disk per task-host", "<= 200 bytes", f"{size:.0f} bytes", size <= 200
        yield "cancel now, 30 hosts", "< 10 s", f"{self._cancel:.1f} s", self._cancel < 10
        yield "status, 1000000 lines", "< 50 ms", f"{self._status * 1000:.1f} ms", self._status < 0.05


def _cpu(cost: measuring.Cost) -> float:
    return cost.cpu


def _more(one: Overhead) -> float:
    return one.ours.cpu / one.bare.cpu - 1
