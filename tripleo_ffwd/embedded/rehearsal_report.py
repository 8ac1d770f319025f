"""What a rehearsal has found: from the ledgers of its runs and the records of its stand-ins to one value; reads files.

The report is JSON: `playbooks` in order, each with its stages; `roles`; `totals` by phase and role; `missing_inputs`,
`missing_modules`; `undecided`, `stops` and `answers`, which are tasks that would have failed on the stand-ins; `basis`,
what the estimates rest on.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import ledger
from tripleo_ffwd.ansible_run.rundir import RunDir, run_dirs
from tripleo_ffwd.embedded.rehearsal_options import Options
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import GATE_TASK, SKIP_RESULTS_TASK, SKIP_TASK, RunStatus
from tripleo_ffwd.playbook_gen.tree import PlaybookTree

# What a task takes on a node when nobody says more: most are done at once, and a few take minutes.
ASSUMED_SECONDS = 3.0
OURS = frozenset((GATE_TASK, SKIP_TASK, SKIP_RESULTS_TASK))
KINDS = {"condition": "undecided", "stop": "stops", "answer": "answers"}


@dataclasses.dataclass(frozen=True)
class Done:
    """One playbook that was gone through, or wasn't.

    Attributes:
        phase, playbook: which.
        status: its run's last; None when it wasn't started.
        run_dir: its run's.
        records: what the stand-ins wrote.
        seconds: how long it took.
        missing: why it wasn't started.
    """

    phase: str
    playbook: str
    status: RunStatus | None
    run_dir: Path
    records: Path
    seconds: float
    missing: str

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return self.status is not None and self.status.succeeded


def measure(work_dir: Path) -> dict[str, float]:
    """Return the seconds that tasks took on a node, by name, over all runs of a work_dir.

    Raises:
        InvalidInput: there are none.
    """
    spent: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for run in run_dirs(work_dir):
        for record in ledger.read(run.ledger):
            if record.get("event") == "task_end" and record["status"] in ("ok", "changed") and "seconds" in record:
                spent[record["task"]] += record["seconds"]
                times[record["task"]] += 1
    if not times:
        raise InvalidInput(
            "no run has a record of a task", where=str(work_dir), remedy="Name the [ffwd] work_dir of earlier upgrades"
        )
    return {name: spent[name] / times[name] for name in times}


def report(
    tree: PlaybookTree, hosts: Mapping[str, tuple[str, ...]], done: Sequence[Done], options: Options
) -> dict[str, Any]:
    """Return the report.

    Args:
        tree: as it was generated.
        hosts: role → its hosts.
        done: what was gone through, in order.
        options: the rehearsal's `Options`.
    """
    manifest = tree.manifest
    pace, role_of = _Pace(options), {host: role for role, names in hosts.items() for host in names}
    totals: dict[tuple[str, str], Counter[str]] = {}
    playbooks = []
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in KINDS.values()}
    for one in done:
        records = list(_records(one.records))
        stages = _stages(manifest, one, records, pace)
        for stage in stages:
            for host, counts in stage.pop("by_host").items():
                totals.setdefault((one.phase, role_of.get(host, "undercloud")), Counter()).update(counts)
        playbooks.append(_playbook(one, stages))
        for kind, name in KINDS.items():
            found[name] += _findings(one, (record for record in records if record[0] == kind))
    rehearsed = {role: len(names[: options.hosts_per_role or None]) for role, names in hosts.items()}
    return {
        "digest": manifest["digest"],
        "releases": manifest["releases"],
        "roles": [{"role": role, "nodes": len(names), "rehearsed": rehearsed[role]} for role, names in hosts.items()],
        "point_of_no_return": manifest["point_of_no_return"],
        "playbooks": playbooks,
        "totals": [{"phase": phase, "role": role, **counts} for (phase, role), counts in totals.items()],
        "estimated_seconds": round(sum(entry["estimated_seconds"] for entry in playbooks)),
        "basis": pace.basis(done),
        "missing_inputs": manifest["missing_inputs"],
        "missing_modules": _missing_modules(manifest),
        **found,
        "complete": all(one.finished for one in done) and not manifest["missing_modules"],
    }


class _Pace:
    """How long a task takes on nodes."""

    def __init__(self, options: Options) -> None:
        given = options.seconds_per_task
        self._forks, self._measured = options.forks, options.measured
        mean = sum(self._measured.values()) / len(self._measured) if self._measured else ASSUMED_SECONDS
        self._seconds: float = mean if given is None else given
        self._source = "given" if given is not None else "measured" if self._measured else "assumed"

    def seconds(self, task: str, times: int, hosts: int, scale: float) -> float:
        """Return what a task takes that was done so many times on so many hosts, of `scale` times as many."""
        rounds = math.ceil(hosts * scale / self._forks)
        each = self._measured.get(task)
        return rounds * (each if each is not None else self._seconds * times / hosts)

    def basis(self, done: Sequence[Done]) -> dict[str, Any]:
        """Return what the estimates rest on."""
        own = round(sum(one.seconds for one in done))
        text = f"{self._seconds:.1f} s for a task on a node ({self._source})"
        if self._measured:
            text = f"what tasks of the same name took in earlier runs, and for others {text}"
        return {
            "seconds_per_task": round(self._seconds, 3),
            "source": self._source,
            "tasks_measured": len(self._measured),
            "forks": self._forks,
            "ansible_seconds": own,
            "text": f"{text}, {self._forks} nodes at once, and what Ansible itself took here",
        }


def _records(path: Path) -> Iterator[list[str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        yield json.loads(line)


def _stages(manifest: Mapping[str, Any], one: Done, records: Iterable[list[str]], pace: _Pace) -> list[dict[str, Any]]:
    """Return the stages that were gone through, in order, with what was done in each."""
    plans = {stage["id"]: stage for stage in manifest["stages"] if stage["playbook"] == one.playbook}
    counts: dict[str, dict[str, Counter[str]]] = {}
    for record in ledger.read(RunDir(one.run_dir).ledger) if one.status else ():
        if record.get("event") == "task_end" and record["stage"] in plans and record["task"] not in OURS:
            key = "skipped" if record["status"] == "skipped" else "run"
            counts.setdefault(record["stage"], {}).setdefault(record["host"], Counter())[key] += 1
    done: dict[str, dict[str, list[str]]] = {}
    for kind, stage, host, task, name, _, _ in records:
        if kind == "ran":
            done.setdefault(stage, {}).setdefault(f"{task} {name}", []).append(host)
    found = []
    for name in (stage for stage in plans if stage in counts):
        plan, by_host = plans[name], counts[name]
        scale = max(1.0, len(plan["hosts"]) / len(by_host))
        seconds = sum(
            pace.seconds(task.partition(" ")[2], len(hosts), len(set(hosts)), scale)
            for task, hosts in done.get(name, {}).items()
        )
        total = sum(by_host.values(), Counter[str]())
        place = {key: plan[key] for key in ("id", "release", "step", "role")}
        numbers = {"hosts": len(by_host), "run": total["run"], "skipped": total["skipped"]}
        left = {"conditions": len(plan["residual"]), "estimated_seconds": round(seconds, 1), "by_host": by_host}
        found.append({**place, **numbers, **left})
    return found


def _playbook(one: Done, stages: list[dict[str, Any]]) -> dict[str, Any]:
    status = one.status
    result = "not rehearsed" if status is None else "finished" if status.succeeded else status.result or status.state
    return {
        "phase": one.phase,
        "playbook": one.playbook,
        "result": result,
        "message": one.missing or (status.message if status and not status.succeeded else ""),
        "run": sum(stage["run"] for stage in stages),
        "skipped": sum(stage["skipped"] for stage in stages),
        "estimated_seconds": round(one.seconds + sum(stage["estimated_seconds"] for stage in stages)),
        "rehearsed_seconds": round(one.seconds, 1),
        "stages": stages,
    }


def _findings(one: Done, records: Iterable[list[str]]) -> list[dict[str, Any]]:
    """Return tasks that could not be done as they are, each once, with the hosts."""
    hosts: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for _, stage, host, _, task, module, message in records:
        hosts.setdefault((stage, task, module, message), {})[host] = None
    return [
        {"phase": one.phase, "playbook": one.playbook, "stage": stage, "task": task, "module": module}
        | {"message": message, "hosts": sorted(names)}
        for (stage, task, module, message), names in hosts.items()
    ]


def _missing_modules(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    missing = manifest["missing_modules"] or ()
    return [{"name": name, "tasks": manifest["modules"][name]} for name in missing if name in manifest["modules"]]
