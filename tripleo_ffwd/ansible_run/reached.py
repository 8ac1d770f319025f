"""How far each host has come in a run: the last stage that it has finished, and the first one that it has not.

It is kept in the run's directory once the run has ended, so that who asks about a plan reads no ledgers of megabytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import resuming, rundir
from tripleo_ffwd.ansible_run.events import Progress
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import StagePlan, Tree, load
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import PHASE_PLAYBOOKS, RunSpec, RunStatus

FILE = "reached.json"
# A stage of one of these is none of a role.
_NO_ROLES = ("overcloud", "undercloud", "all", "")


@dataclasses.dataclass(frozen=True)
class HostReach:
    """How far one host has come.

    Attributes:
        stage: id of the last stage that it has finished, in this run or one that it goes on with; empty for none.
        release: release of the last such stage that has one; empty for none.
        following: id of the first stage that it must finish and has not; empty for none.
        done, total: stages that it has finished, of all that it must.
        role: its role; empty when no stage tells.
        failed_stage, failed_task: where it was lost; empty when it was not.
    """

    stage: str = ""
    release: str = ""
    following: str = ""
    done: int = 0
    total: int = 0
    role: str = ""
    failed_stage: str = ""
    failed_task: str = ""


@dataclasses.dataclass(frozen=True)
class Reached:
    """How far the hosts of a run have come.

    Attributes:
        status: where the run stands.
        batch: name of its batch.
        releases: those of the journey after the first one, in order.
        hosts: by name.
    """

    status: RunStatus
    batch: str
    releases: tuple[str, ...]
    hosts: Mapping[str, HostReach]


def of_run(run: RunDir, status: RunStatus) -> Reached | None:
    """Return how far the hosts of a run have come.

    None for a run that says nothing of a phase: one in check mode, one that is limited by tags, a health check, one
    that never began, and one whose playbooks are gone.
    """
    spec = rundir.load_spec(run)
    if spec is None or spec.check or spec.tags or spec.playbook not in PHASE_PLAYBOOKS.get(spec.phase, ()):
        return None
    kept = rundir.read_json(run.path / FILE) if status.settled else None
    try:
        found = kept if kept is not None else _look(run, spec, status)
        if not found["began"] and not spec.resumes:
            return None
        hosts = {str(host): HostReach(**reach) for host, reach in found["hosts"].items()}
        return Reached(status, spec.batch, tuple(found["releases"]), hosts)
    except (FfwdError, OSError, ValueError, KeyError, TypeError):
        return None


def keep(run: RunDir, spec: RunSpec, tree: Tree, progress: Progress) -> None:
    """Keep how far the hosts of a run have come that has ended; OSError when it can't be."""
    rundir.write_json(run.path / FILE, measure(spec, tree, progress), durable=False)


def measure(spec: RunSpec, tree: Tree, progress: Progress) -> dict[str, Any]:
    """Return what is kept of a run that has ended."""
    finished = progress.finished()
    through = {
        stage.id: {*finished.get(stage.id, ()), *progress.done_by(stage.id)}
        | (set(spec.first_hosts) if stage.id == spec.first_stage else set())
        for stage in tree.required(spec)
    }
    lost = {task.host: (task.stage, task.task) for task in progress.lost}
    return _told(spec, tree, through, lost, began=progress.began)


def _look(run: RunDir, spec: RunSpec, status: RunStatus) -> dict[str, Any]:
    tree = load(Path(spec.tree))
    if status.settled:
        found = measure(spec, tree, resuming.replay(run, spec, tree)[0])
        with contextlib.suppress(OSError):  # a full disk; then it is looked at again
            rundir.write_json(run.path / FILE, found, durable=False)
        return found
    # A stage begins when the one before it is finished on all hosts: so the stage under way tells enough.
    stages = [stage.id for stage in tree.required(spec)]
    now = stages.index(status.stage) if status.stage in stages else 0
    through = {stage.id: set(stage.hosts) for stage in tree.required(spec)[:now]}
    lost = {task.host: (task.stage, task.task) for task in reversed(status.failed)}
    return _told(spec, tree, through, lost, began=bool(status.stage))


def _told(
    spec: RunSpec,
    tree: Tree,
    through: Mapping[str, Collection[str]],
    lost: Mapping[str, tuple[str, str]],
    *,
    began: bool,
) -> dict[str, Any]:
    """Return what is kept.

    Args:
        spec, tree: the run.
        through: hosts that have finished a stage, by stage.
        lost: stage and task at which hosts were lost.
        began: whether a task of a stage has begun.
    """
    before = tree.done_before(spec)
    hosts: dict[str, HostReach] = {}
    for stage in tree.required(spec):
        done = set(stage.hosts) if stage.id in before else set(through.get(stage.id, ()))
        for host in stage.hosts:
            hosts[host] = _after(hosts.get(host, HostReach()), stage, done=host in done)
    for host, (where, task) in lost.items():
        if host in hosts:
            hosts[host] = dataclasses.replace(hosts[host], failed_stage=where, failed_task=task)
    return {
        "began": began,
        "releases": list(tree.releases),
        "hosts": {host: _short(reach) for host, reach in hosts.items()},
    }


def _after(reach: HostReach, stage: StagePlan, *, done: bool) -> HostReach:
    changes: dict[str, Any] = {"total": reach.total + 1}
    if stage.role not in _NO_ROLES:
        changes["role"] = reach.role or stage.role
    if done:
        release = stage.id.split("/")[0]
        changes |= {"stage": stage.id, "done": reach.done + 1}
        changes |= {"release": release} if release != "-" else {}
    elif not reach.following:
        changes["following"] = stage.id
    return dataclasses.replace(reach, **changes)


def _short(reach: HostReach) -> dict[str, Any]:
    return {name: value for name, value in vars(reach).items() if value not in ("", 0)}


def of_runs(statuses: Iterable[RunStatus]) -> tuple[Reached, ...]:
    """Return how far the hosts of runs have come, of those that say anything of a phase, in their order."""
    found = (of_run(RunDir(Path(status.run_dir)), status) for status in statuses)
    return tuple(reached for reached in found if reached is not None)
