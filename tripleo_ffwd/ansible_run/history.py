"""What a run has done, as it is told afterwards: each host in each stage, times, the slowest tasks, what has failed.

Read once from ledger and log when the run has ended, and kept beside them: a ledger may have millions of records.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import failures, rundir
from tripleo_ffwd.ansible_run.events import Progress
from tripleo_ffwd.ansible_run.ledger import Reader, Record
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import INVENTORY, Tree, load
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import END_PLAY, GATE_PLAY, GATE_TASK, RunSpec, RunStatus

FILE = "history.json"
VERSION = 1
MOST_TASKS = 50
MOST_FAILURES = 500

# What a host has done in a stage, the worst or most telling first; as one letter.
FAILED, UNREACHABLE, CUT, IGNORED, CHANGED, OK, SKIPPED = "F", "U", "X", "i", "c", "o", "s"
RANKS = {letter: rank for rank, letter in enumerate((FAILED, UNREACHABLE, CUT, IGNORED, CHANGED, OK, SKIPPED))}
# Besides: an earlier run has done it; nothing was to be done; not come to; it is not for this host.
EARLIER, NOTHING, AHEAD, ELSEWHERE = "d", "n", " ", "."
_LETTERS = {
    "failed": FAILED,
    "unreachable": UNREACHABLE,
    "ignored": IGNORED,
    "rescued": IGNORED,
    "changed": CHANGED,
    "ok": OK,
    "skipped": SKIPPED,
}


@dataclasses.dataclass
class _Stage:
    """What is counted of a stage."""

    begin: float | None = None
    end: float = 0.0
    tasks: int = 0
    changed: int = 0
    cells: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Task:
    """What is counted of a task: the longest time on a host, and which; all hosts together, and how many."""

    stage: str
    name: str
    longest: float = 0.0
    host: str = ""
    seconds: float = 0.0
    hosts: int = 0


class Tally:
    """Counts the records of one ledger."""

    def __init__(self) -> None:
        self.stages: dict[str, _Stage] = {}
        self.tasks: dict[int, _Task] = {}
        self.running: dict[tuple[int, str], str] = {}
        self.began = ""
        self.ansible = ""
        self.now = 0.0
        self._play = ""

    def feed(self, record: Record) -> None:
        """Take a record in, its time in seconds as `Reader.record` gives it."""
        event = record.get("event")
        if event == "ansible_start":
            self.began, self.ansible = str(record["t"]), str(record.get("version", ""))
        elif event == "play_start":
            self._play = str(record.get("play", ""))
        elif event in ("task_start", "task_end") and not self._is_ours(record):
            self.now = float(record["t"])
            self._count(record, ended=event == "task_end")

    def _is_ours(self, record: Record) -> bool:
        return record["task"] == GATE_TASK or self._play.startswith(GATE_PLAY) or self._play == END_PLAY

    def _count(self, record: Record, *, ended: bool) -> None:
        number, host = int(record["task_id"]), str(record["host"])
        stage = self.stages.setdefault(self._play, _Stage())
        task = self.tasks.get(number)
        if task is None:
            task = self.tasks[number] = _Task(self._play, str(record["task"]))
            stage.tasks += 1
        if not ended:
            stage.begin = self.now if stage.begin is None else stage.begin
            self.running[number, host] = self._play
            return
        self.running.pop((number, host), None)
        seconds = float(record.get("seconds") or 0.0)
        stage.end = max(stage.end, self.now)
        stage.changed += record["status"] == "changed"
        stage.seconds[host] = stage.seconds.get(host, 0.0) + seconds
        self._mark(stage, host, _LETTERS.get(str(record["status"]), OK))
        task.seconds += seconds
        task.hosts += 1
        if seconds >= task.longest:
            task.longest, task.host = seconds, host

    def finish(self) -> None:
        """Mark what has begun, and of whose end nothing is known."""
        for (_, host), play in self.running.items():
            self._mark(self.stages[play], host, CUT)

    @staticmethod
    def _mark(stage: _Stage, host: str, letter: str) -> None:
        known = stage.cells.get(host)
        if known is None or RANKS[letter] < RANKS[known]:
            stage.cells[host] = letter


def of_run(run: RunDir, status: RunStatus) -> dict[str, Any] | None:
    """Return what a run has done; None when its playbooks are gone, or it can't be read.

    Returns:
        ``{version, ansible, began, seconds, stages, hosts, tasks, failures, failures_total}``. ``began`` is when
        Ansible did, in UTC; times count seconds from there. Of each stage ``{id, role, begin, seconds, tasks, changed,
        hosts, slowest}``; of each host a text with a letter for each stage; of the slowest tasks ``{stage, task,
        seconds, host, total, hosts}``; of failures ``{stage, host, task, message, output}``.
    """
    kept = rundir.read_json(run.path / FILE) if status.settled else None
    if kept is not None and kept.get("version") == VERSION:
        return kept
    spec = rundir.load_spec(run)
    try:
        found = _measure(run, spec, load(Path(spec.tree))) if spec is not None else None
    except (FfwdError, OSError, ValueError, KeyError, TypeError):
        return None
    if found is not None and status.settled:
        with contextlib.suppress(OSError):  # then it is read again
            rundir.write_json(run.path / FILE, found, durable=False)
    return found


def _measure(run: RunDir, spec: RunSpec, tree: Tree) -> dict[str, Any]:
    tally = Tally()
    stages = tree.required(spec)
    before = tree.done_before(spec)
    progress = Progress(stages, spec.playbook, str(run.log), tree.unselected(spec.targets), before)
    reader = Reader()
    with contextlib.suppress(FileNotFoundError), run.ledger.open("rb") as ledger:
        for line in ledger:
            record = reader.record(line)
            if record is not None:
                progress.feed(record)
                tally.feed(record)
    tally.finish()
    lost = [vars(task) for task in progress.failed]
    return {
        "version": VERSION,
        "ansible": tally.ansible,
        "began": tally.began,
        "seconds": round(tally.now, 3),
        "stages": [_stage(stage.id, stage.role, tally.stages.get(stage.id, _Stage())) for stage in stages],
        "hosts": _hosts(stages, spec, before, progress.finished(), tally),
        "tasks": _slowest(tally),
        "failures": failures.with_output(lost[:MOST_FAILURES], run.log),
        "failures_total": len(lost),
    }


def _stage(name: str, role: str, counted: _Stage) -> dict[str, Any]:
    slowest = max(counted.seconds.items(), key=lambda item: item[1], default=("", 0.0))
    begin = counted.begin
    return {
        "id": name,
        "role": role,
        "begin": begin,
        "seconds": round(max(0.0, counted.end - begin), 3) if begin is not None else None,
        "tasks": counted.tasks,
        "changed": counted.changed,
        "hosts": len(counted.cells),
        "slowest": {"host": slowest[0], "seconds": round(slowest[1], 3)},
    }


def _hosts(
    stages: Sequence[Any], spec: RunSpec, before: frozenset[str], finished: Mapping[str, Sequence[str]], tally: Tally
) -> dict[str, str]:
    """Return for each host a letter for each stage."""
    names = sorted({host for stage in stages for host in (*stage.hosts, *_cells(tally, stage.id))})
    rows: dict[str, list[str]] = {host: [] for host in names}
    for stage in stages:
        cells, must, through = _cells(tally, stage.id), set(stage.hosts), set(finished.get(stage.id, ()))
        earlier = (
            must if stage.id in before else set(spec.first_hosts) & must if stage.id == spec.first_stage else set()
        )
        for host, row in rows.items():
            letter = cells.get(host)
            if letter is None:
                letter = EARLIER if host in earlier else NOTHING if host in through else AHEAD
                letter = letter if host in must else ELSEWHERE
            row.append(letter)
    return {host: "".join(row) for host, row in rows.items()}


def _cells(tally: Tally, stage: str) -> Mapping[str, str]:
    found = tally.stages.get(stage)
    return found.cells if found else {}


def _slowest(tally: Tally) -> list[dict[str, Any]]:
    tasks = sorted(tally.tasks.values(), key=lambda task: -task.longest)[:MOST_TASKS]
    return [
        {
            "stage": task.stage,
            "task": task.name,
            "seconds": round(task.longest, 3),
            "host": task.host,
            "total": round(task.seconds, 3),
            "hosts": task.hosts,
        }
        for task in tasks
        if task.hosts
    ]


def facts(run: RunDir) -> dict[str, Any]:
    """Return what a run was made of, for people; empty values when that can't be read."""
    spec = rundir.load_spec(run) or RunSpec(plan="", phase="", playbook="", tree="", digest="")
    launch = rundir.read_json(run.launch) or {}
    return {
        "batch": spec.batch,
        "nodes": len(spec.targets),
        "digest": spec.digest,
        "resumes": spec.resumes,
        "check": spec.check,
        "tags": spec.tags,
        "skip_tags": spec.skip_tags,
        "forks": spec.forks,
        "serial": list(spec.serial),
        "strategy": spec.strategy,
        "forced": spec.anyway,
        "executor": str(launch.get("executor", "")),
        "inventory": _inventory(Path(spec.tree)) if spec.tree else "",
    }


def _inventory(tree: Path) -> str:
    """Return the digest of the inventory; empty when the playbooks are gone."""
    try:
        return load(tree).files.get(INVENTORY, "")
    except FfwdError:
        return ""
