"""The runs that are there when one is asked for: the same one, the one that it goes on with; starts nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tripleo_ffwd.ansible_run import asking, inventories, resuming, rundir
from tripleo_ffwd.ansible_run.rundir import RunDir, run_dirs
from tripleo_ffwd.ansible_run.status import ORPHANED, may_begin_again, read_status, settle
from tripleo_ffwd.ansible_run.tree import Tree, load
from tripleo_ffwd.exceptions import InvalidInput, RunActive
from tripleo_ffwd.model import PHASE_PLAYBOOKS, RunSpec, RunStatus


def find_same(work_dir: Path, spec: RunSpec, heartbeat_stale: float, adopt: bool) -> RunStatus | None:
    """Return the run to attach to, see `runs.start`; for who holds the lock of all starts.

    Raises:
        RunActive: any other run of the plan is live or may be.
    """
    repeated: RunStatus | None = None
    newest: RunStatus | None = None
    live: RunStatus | None = None
    obstacle: RunActive | None = None
    for run in run_dirs(work_dir):
        if not run.claim.exists():
            # We hold the lock, so its starter is dead. Should its supervisor still come, it finds the run given up.
            settle(run, ORPHANED)
        other = rundir.load_spec(run)
        if other is not None and other.plan != spec.plan:
            continue
        status = read_status(run, heartbeat_stale=heartbeat_stale)
        if status.plan not in (spec.plan, ""):
            continue
        same = other if other is not None and other.key == spec.key else None
        if same is not None and spec.attempt and same.attempt == spec.attempt and not may_begin_again(run):
            repeated = status
        if status.settled:
            if other is not None and _leaves_done(spec, other):
                continue
            done = same is not None and adopt and status.succeeded and not _differences(run, spec, same)
            newest = status if done else None
            continue
        differing = _differences_from_live(run, spec, same) if same is not None else ()
        if same is not None and status.state == "live" and not differing:
            live = status
        elif other is None or not _is_beside(spec, other):
            obstacle = asking.refusal(status, spec.plan, differing)
    if repeated is not None and (repeated.settled or repeated.state == "live"):
        return repeated
    if obstacle is not None:
        raise obstacle
    return live or newest


def _leaves_done(spec: RunSpec, other: RunSpec) -> bool:
    """Return whether a run leaves what a spec does as done as it is.

    It comes later in the phase, or is elsewhere, or was limited to a part of the phase by tags.
    """
    if other.phase != spec.phase:
        return False
    if other.key == spec.key:
        return bool(other.tags) and other.tags != spec.tags
    if other.tags and other.tags != spec.tags:
        return True
    order = PHASE_PLAYBOOKS.get(spec.phase, ())
    before = order[: order.index(spec.playbook) + 1] if spec.playbook in order else order
    return other.playbook not in before or not _share_hosts(spec, other)


def _is_beside(spec: RunSpec, other: RunSpec) -> bool:
    """Return whether two runs are of two batches of one phase: those have no host in common, and run side by side."""
    batches = bool(spec.batch and other.batch and spec.batch != other.batch and spec.phase == other.phase)
    return batches and not _share_hosts(spec, other)


def _differences(run: RunDir, spec: RunSpec, other: RunSpec) -> tuple[str, ...]:
    return asking.differences(spec, other, rundir.read_json(run.launch) or {})


def _differences_from_live(run: RunDir, spec: RunSpec, other: RunSpec) -> tuple[str, ...]:
    """Return the names of all that is asked for otherwise; who gives no inventory has nothing against the run's."""
    found = (*_differences(run, spec, other), *asking.other_pace(spec, other))
    changed = spec.inventory_file and inventories.changes(spec.inventory_file, other.inventory_file)
    return (*found, "inventory_file") if changed else found


def find_earlier(work_dir: Path, spec: RunSpec, tree: Tree) -> resuming.Past | None:
    """Return what the run has done that a spec goes on with: the newest of the same but for the digest; None without.

    A run that never began has done nothing, and hides none that has. Nor does one count that was followed by a new
    start of the phase: a playbook that comes before it in the phase was run again.

    Args:
        work_dir: the [ffwd] work_dir.
        spec: what is asked for.
        tree: its playbooks.

    Raises:
        InvalidInput: something else has been done to its hosts since.
    """
    newer: list[tuple[RunDir, RunSpec]] = []
    for run in reversed(run_dirs(work_dir)):
        other = rundir.load_spec(run)
        if other is None or (other.plan, other.check) != (spec.plan, spec.check) or not run.ledger.exists():
            continue
        followed = spec.follows == run.run_id
        asked = dataclasses.replace(other, digest=spec.digest, targets=spec.targets if followed else other.targets)
        if asked.key != spec.key:
            newer.append((run, other))
            continue
        past = resuming.past(run, other, _tree_of(other, tree))
        if followed:
            past = resuming.for_fewer(past, spec.targets, tree)
        if not past.began and not other.resumes:
            continue
        if other.tags != spec.tags and (other.tags or _has_succeeded(run)):
            # Whoever was limited by tags has gone through no playbook that could be gone on with, and of one that was
            # successful without them nothing is left.
            newer.append((run, other))
            continue
        return None if _is_outdated(past, newer, spec) else past
    return None


def _tree_of(spec: RunSpec, tree: Tree) -> Tree:
    """Return the playbooks of an earlier spec; `tree` when they are the same, or gone."""
    if spec.digest == tree.digest:
        return tree
    try:
        return load(Path(spec.tree))
    except InvalidInput:
        return tree


def _is_outdated(past: resuming.Past, newer: list[tuple[RunDir, RunSpec]], spec: RunSpec) -> bool:
    """Return whether the phase was started anew since; InvalidInput when something else was done to its hosts."""
    since = [(run, other) for run, other in newer if _share_hosts(spec, other) and _did_something(run)]
    order = PHASE_PLAYBOOKS.get(spec.phase, ())
    before = order[: order.index(spec.playbook)] if spec.playbook in order else ()
    anew = (other for _, other in since if other.phase == spec.phase and other.tags == spec.tags)
    if any(other.playbook in before for other in anew):
        return True
    if since and not spec.anyway:
        run, other = since[0]
        raise InvalidInput(
            f"run {past.run.run_id} can't be gone on with: run {run.run_id} ({other.phase} {other.playbook}) has "
            "worked on its hosts since",
            where=past.run.run_id,
            remedy=f"Give force_reason to go on all the same. {resuming.FROM_THE_START}",
        )
    return False


def _share_hosts(one: RunSpec, other: RunSpec) -> bool:
    return not one.targets or not other.targets or bool(set(one.targets) & set(other.targets))


def _has_succeeded(run: RunDir) -> bool:
    return (rundir.read_json(run.status) or {}).get("result") == "successful"


def _did_something(run: RunDir) -> bool:
    return bool((rundir.read_json(run.status) or {}).get("stage"))
