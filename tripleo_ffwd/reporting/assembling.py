"""The report of a plan as one JSON value: what it was, what was done, by whom, what failed, what was let pass."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd import __version__
from tripleo_ffwd.ansible_run import history, reached
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.model import PHASE_PLAYBOOKS, RunStatus
from tripleo_ffwd.plan import journal, phases
from tripleo_ffwd.plan.lock import records_dir
from tripleo_ffwd.preflight import reports
from tripleo_ffwd.reporting import nodes, timelines

FORMAT = 1
SLOWEST = 30
MOST_FAILURES = 500
_UNREAD = "can't be read: its records are damaged, or its playbooks gone"

Texts = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Known:
    """What only the caller knows.

    Attributes:
        plan_version: ``{number, digest, created, origin}`` of the plan's current version; None when there is none.
        versions: of other software, by name.
        holder: execution that holds the plan; empty when nobody does.
        cover: covers secrets in a JSON value.
    """

    plan_version: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    holder: str = ""
    cover: Texts = dataclasses.field(default=lambda value: value)


def build(work_dir: Path, plan: str, statuses: Iterable[RunStatus], known: Known) -> dict[str, Any]:
    """Return the report on what was done since the last journey of a plan began.

    Args:
        work_dir: the [ffwd] work_dir.
        plan: name of the plan.
        statuses: of its runs, oldest first.
        known: what only the caller knows.

    Raises:
        InvalidInput: the plan's records are damaged.
    """
    record = phases.read_record(work_dir, plan)
    mine = [status for status in statuses if status.plan == plan and _moment(status) >= record.journey]
    events = [event for event in journal.read(work_dir, plan) if event["t"] >= record.journey[:19]]
    # The check of the journey's first phase was made before it began.
    executions = {event["execution"] for event in events if event["event"] == journal.BEGIN}
    made = reports.read_all(records_dir(work_dir, plan))
    checks = [one for one in made if one["made_at"] >= record.journey[:19] or one["execution"] in executions]
    pasts = {status.run_id: history.of_run(RunDir(Path(status.run_dir)), status) for status in mine}
    runs = [_run(status, pasts[status.run_id], events) for status in mine]
    done = [(run, past) for run in runs if (past := pasts[run["run_id"]]) is not None]
    rows = nodes.rows(record, reached.of_runs(mine))
    failures = [_failure(task, run) for run, past in done for task in past["failures"]]
    report = {
        "format": FORMAT,
        "plan": plan,
        "stack": record.stack or plan,
        "made": _now(),
        "prepare": record.prepare or "not started",
        "phases": _phases(record, events, runs, known.holder),
        "runs": runs,
        "timelines": timelines.build((run, past) for run, past in done if not run["check"] and _is_phases(run)),
        "slowest": _slowest(done),
        "failures": failures[:MOST_FAILURES],
        "failures_total": sum(past["failures_total"] for _, past in done),
        "forced": [dict(one) for one in record.forced],
        "waived": _waived(checks),
        "checks": [{name: check[name] for name in ("id", "phase", "made_at", "stopped", "counts")} for check in checks],
        "nodes": rows,
        "left": _left(record.prepare, rows),
        "versions": {"tripleo-ffwd": __version__, **_ansible(done), **known.versions},
        "plan_version": dict(known.plan_version) if known.plan_version else None,
        "notes": [f"Run {run['run_id']} {_UNREAD}" for run in runs if run["lost"]],
    }
    covered: dict[str, Any] = json.loads(json.dumps({**report, **_covered(report, known.cover)}, default=str))
    return covered


def _covered(report: Mapping[str, Any], cover: Texts) -> dict[str, Any]:
    """Return the parts that may quote anything, covered once more; the others are names, times and counts."""
    return {name: cover(report[name]) for name in ("phases", "runs", "failures", "slowest", "forced", "waived")}


def _run(status: RunStatus, past: Mapping[str, Any] | None, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    facts = history.facts(RunDir(Path(status.run_dir)))
    made = next((e for e in events if e["event"] == journal.GENERATE and e.get("digest") == facts["digest"]), {})
    return {
        "run_id": status.run_id,
        "phase": status.phase,
        "playbook": status.playbook,
        "state": status.state,
        "result": status.result or status.state,
        "message": status.message,
        "started": status.started_at,
        "finished": status.finished_at,
        "seconds": seconds_between(status.started_at, status.finished_at),
        "execution": status.owner,
        "stages_done": status.stages_done,
        "stages_total": status.stages_total,
        "failed_total": status.failed_total,
        "ansible": past["ansible"] if past else "",
        "outputs": made.get("outputs", ""),
        "deployments": made.get("deployments", ""),
        "lost": past is None and bool(status.stage),
        **facts,
    }


def _is_phases(run: Mapping[str, Any]) -> bool:
    """Return whether a run is one of a phase's own playbooks, rather than a health check."""
    return bool(PHASE_PLAYBOOKS.get(run["phase"], ()).count(run["playbook"]))


def _phases(
    record: phases.PhaseRecord, events: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]], holder: str
) -> list[dict[str, Any]]:
    """Return the executions of phases, oldest first; one of which the journal says nothing is known by its runs."""
    begun = {str(event["execution"]): event for event in events if event["event"] == journal.BEGIN}
    ended = {str(event["execution"]): event for event in events if event["event"] == journal.END}
    for run in runs:
        if run["execution"] not in begun and not run["check"]:
            begun[run["execution"]] = {"phase": run["phase"], "execution": run["execution"], "t": run["started"]}
    found = []
    for execution, event in begun.items():
        mine = [run for run in runs if run["execution"] == execution]
        end = ended.get(execution, {})
        finished = str(end.get("t") or max((run["finished"] for run in mine), default=""))
        forced = [one for one in record.forced if one.get("execution") == execution]
        found.append(
            {
                "phase": event["phase"],
                "execution": execution,
                "user": event.get("user", ""),
                "project": event.get("project", ""),
                "nodes": event.get("nodes", 0),
                "begun": event["t"],
                "ended": "" if execution == holder else finished,
                "seconds": None if execution == holder else seconds_between(event["t"], finished),
                "result": _result(end, mine, under_way=execution == holder),
                "message": end.get("message", ""),
                "forced": event.get("force_reason") if forced else "",
                "runs": [run["run_id"] for run in mine],
                "batches": list(dict.fromkeys(run["batch"] for run in mine if run["batch"])),
            }
        )
    return sorted(found, key=lambda one: str(one["begun"]))


def _result(end: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], *, under_way: bool) -> str:
    if end.get("status"):
        return str(end["status"]).lower()
    if under_way:
        return "under way"
    # An execution that was cancelled says nothing.
    return str(runs[-1]["result"]) if runs else "ended without a word"


def _failure(task: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    names = ("stage", "host", "task", "message", "output")
    told = {name: str(task.get(name) or "") for name in names}
    return {"run_id": run["run_id"], "phase": run["phase"], "playbook": run["playbook"], **told}


def _slowest(done: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[dict[str, Any]]:
    every = [
        {"run_id": run["run_id"], "phase": run["phase"], "playbook": run["playbook"], **task}
        for run, past in done
        for task in past["tasks"]
    ]
    return sorted(every, key=lambda task: -float(task["seconds"]))[:SLOWEST]


def _left(prepare: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """Return on how many nodes each phase is left; None where the nodes are not known yet."""
    found: dict[str, int | None] = {} if prepare == phases.FINISHED else {"prepare": None}
    for phase in nodes.NODE_PHASES:
        behind = sum(any(what.split()[0] == phase for what in row["left"]) for row in rows)
        if behind or not rows:
            found[phase] = behind or None
    return found


def _waived(checks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the findings that were waived, each once for all places where it was found, as it was found last."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for check in checks:
        for one in check["waived"]:
            key = (str(one["key"]), str(one["what"]), str(one["reason"]))
            names = ("key", "severity", "inhibitor", "what", "reason", "until")
            row = found.setdefault(key, {**{name: one[name] for name in names}, "where": [], "phases": []})
            row["where"] = sorted({*row["where"], *filter(None, [one["where"]])})
            row["phases"] = list(dict.fromkeys([*row["phases"], check["phase"]]))
    return list(found.values())


def _ansible(done: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, str]:
    found = list(dict.fromkeys(str(past["ansible"]) for _, past in done if past["ansible"]))
    return {"ansible-core": ", ".join(found)} if found else {}


def _moment(status: RunStatus) -> str:
    return status.started_at or status.finished_at


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def seconds_between(begin: str, end: str) -> float | None:
    """Return the seconds between two times; None when one of them is none."""
    try:
        return max(0.0, (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(begin)).total_seconds())
    except ValueError:
        return None
