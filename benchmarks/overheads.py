"""One playbook run in three ways: bare ansible-playbook, our supervisor, ansible-runner; what each costs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from overclouds import sdist

from benchmarks import classic, measuring
from tripleo_ffwd.ansible_run import command, rundir, runs
from tripleo_ffwd.ansible_run.rundir import RUNS, RunDir
from tripleo_ffwd.model import RunSpec

PLAYBOOK = "upgrade_steps_playbook.yaml"
STAGES = 10
RUNNER = "ansible-runner==2.4.3"
BARE, OURS, OTHER = "bare", "run", "ansible-runner"
_ROLE = "Controller"
_Way = Callable[[Path, RunSpec], tuple[measuring.Cost, Path]]
# A heartbeat as in production.
_LAUNCH = {"heartbeat_interval": 2, "heartbeat_stale": 60}


@dataclasses.dataclass
class Overhead:
    """What a playbook took, by way: each try, and bare Ansible's beside it; what a way leaves on the disk."""

    tasks: int
    pairs: dict[str, list[tuple[measuring.Cost, measuring.Cost]]]
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    blocks: dict[str, int] = dataclasses.field(default_factory=dict)
    files: dict[str, int] = dataclasses.field(default_factory=dict)

    def shares(self, way: str) -> list[float]:
        """Return how much of bare Ansible's CPU a way took on top, in each pair."""
        return [cost.cpu / bare.cpu - 1 for cost, bare in self.pairs[way]]

    def more(self, way: str) -> float:
        """Return the median of these."""
        return statistics.median(self.shares(way))


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
    return seal(root, stages)


def seal(root: Path, stages: list[dict[str, object]]) -> RunSpec:
    """Write the manifest of a tree; return what to run."""
    files = [{"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in root.iterdir()]
    manifest = {"digest": "benchmark", "stages": stages, "files": files}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return RunSpec(plan="p", phase="upgrade", playbook=PLAYBOOK, tree=str(root), digest="benchmark")


def compare(root: Path, hosts: int, tasks: int, rounds: Mapping[str, int]) -> Overhead:
    """Run a playbook in each way, so many times, and beside it, at the same time, by bare Ansible.

    What else the machine does takes as much from both.
    """
    ways: dict[str, _Way] = {OURS: _ours}
    try:
        runner = _runner_program()
        ways[OTHER] = lambda work, spec: _runner(runner, work, spec)
    except sdist.Unavailable as why:
        print(f"ansible-runner can't be had: {why}", file=sys.stderr)
    found = Overhead(hosts * tasks, {way: [] for way in ways})
    for way, number in [(name, number) for name in ways for number in range(rounds[name])]:
        works = [root / f"{hosts}x{tasks}-{number}-{name}" for name in (way, f"{way}-{BARE}")]
        specs = [write_tree(work / "tree", hosts, tasks, {"name": "nothing", "debug": {"msg": "x"}}) for work in works]
        with ThreadPoolExecutor(2) as pool:
            (cost, left), (bare, _) = pool.map(lambda run, *of: run(*of), (ways[way], _bare), works, specs)
        found.pairs[way].append((cost, bare))
        there = [path for path in left.rglob("*") if path.is_file() and not path.is_symlink()]
        found.sizes[way], found.files[way] = sum(path.stat().st_size for path in there), len(there)
        found.blocks[way] = sum(path.stat().st_blocks * 512 for path in there)
    return found


def _ours(work: Path, spec: RunSpec) -> tuple[measuring.Cost, Path]:
    (work / RUNS).mkdir()
    run = rundir.create(work, spec, {"created": time.time(), **_LAUNCH}, {})
    supervisor = [sys.executable, "-m", "tripleo_ffwd.ansible_run.supervisor", str(run.path)]
    cost = measuring.run(supervisor, work / "ours.log", {**os.environ}, Path("/"))
    if runs.status(run.path).result != "successful":
        raise RuntimeError(f"the run failed: {runs.status(run.path).message}\n{cost.output[-2000:]}")
    return cost, run.path


def settings(work: Path, spec: RunSpec) -> dict[str, str]:
    """Return Ansible's environment as in a run, without our plugin."""
    run = RunDir(work / "bare")
    run.private.mkdir(parents=True)
    (run.private / "ansible.cfg").touch()
    environment = command.ansible_environment(run, spec, str(work))
    ours = ("ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_STDOUT_CALLBACK", "FFWD_INSIDE")
    return {name: value for name, value in environment.items() if name not in ours}


def _bare(work: Path, spec: RunSpec) -> tuple[measuring.Cost, Path]:
    environment = settings(work, spec)
    words = command.ansible_playbook(RunDir(work / "bare"), spec, [str(Path(spec.tree) / "inventory.yaml")])
    cost = measuring.run(words, work / "bare.log", environment, Path(spec.tree))
    if cost.code:
        raise RuntimeError(f"ansible-playbook ended with {cost.code}:\n{cost.output[-2000:]}")
    return cost, work / "bare"


def _runner_program() -> Path:
    """Return ansible-runner, in an environment of its own that has no Ansible: it calls ours.

    Raises:
        sdist.Unavailable: pip can't get it.
    """
    root = classic.CACHE / "runner"
    root.mkdir(parents=True, exist_ok=True)
    return sdist.environment(root, (RUNNER,)).with_name("ansible-runner")


def _runner(program: Path, work: Path, spec: RunSpec) -> tuple[measuring.Cost, Path]:
    """Run it with its job events, as it does by itself."""
    environment = settings(work, spec)
    words = [str(program), "run", str(work), "--project-dir", spec.tree, "-p", spec.playbook, "-q"]
    words += ["--inventory", str(Path(spec.tree) / "inventory.yaml"), "--forks", str(spec.forks)]
    cost = measuring.run(words, work / "runner.log", environment, Path(spec.tree))
    if cost.code:
        raise RuntimeError(f"ansible-runner ended with {cost.code}:\n{cost.output[-2000:]}")
    return cost, work / "artifacts"
