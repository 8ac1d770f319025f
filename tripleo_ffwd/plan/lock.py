"""One phase at a time on one plan: the plan's lock, a file that names the root execution that holds it.

A cancelled execution runs no cleanup, so a lock is never trusted because it is there: it is taken over when its
holder is terminal or gone and no run of the plan is live or unknown (design, invariant 3). The one exception is the
same phase again, which attaches to its own live run (invariant 4): ``ansible_run.runs.start`` compares the keys.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tripleo_ffwd.exceptions import PlanLocked
from tripleo_ffwd.files import make_private_dir, read_json, write_json
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan.store import check_name

# States in which a Mistral execution does nothing more by itself.
TERMINAL = ("SUCCESS", "ERROR", "CANCELLED")
GONE = "GONE"

GUARD_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a plan: root execution id, its project, the phase, and since when (UTC)."""

    execution: str
    phase: str
    since: str
    project: str = ""


def records_dir(work_dir: Path, plan: str) -> Path:
    """Return the directory of a plan's lock and phase record; it may not be there yet.

    Raises:
        InvalidInput: that can't be the name of a plan.
    """
    check_name(plan)
    return work_dir / "records" / plan


@contextmanager
def guarded(work_dir: Path, plan: str) -> Iterator[Path]:
    """Hold the plan's records against other processes for a moment; yields their directory.

    Raises:
        PlanLocked: another process held them all the time.
    """
    directory = make_private_dir(records_dir(work_dir, plan))
    try:
        guard = FileLock(directory / "guard", mode=0o600, timeout=GUARD_SECONDS)
        guard.acquire()
    except Timeout as error:
        raise PlanLocked(
            f"The records of plan {plan} were in use for {GUARD_SECONDS} s", where=str(directory), remedy="Try again"
        ) from error
    with guard:
        yield directory


def holder(work_dir: Path, plan: str) -> Holder | None:
    """Return who holds the plan, or None."""
    data = read_json(records_dir(work_dir, plan) / "lock.json")
    return Holder(**data) if data else None


def acquire(
    work_dir: Path,
    plan: str,
    phase: str,
    execution: str,
    *,
    find_runs: Callable[[], Sequence[RunStatus]],
    project: str = "",
    known_holder: str = "",
    known_state: str = "",
) -> Holder | None:
    """Take the plan's lock for a root execution, or say who has it.

    Args:
        work_dir, plan, phase: what is locked, and what for.
        execution: id of the root execution that wants it; taking a lock that it already has is fine.
        find_runs: gives the runs of the plan; called while the records are held.
        project: the caller's project; an execution of another project can't be seen, so it can't be told gone.
        known_holder, known_state: what the caller found out about a holder of whom it was told before: the state of
            the execution, or ``GONE`` when Mistral has no such execution.

    Returns:
        None when the lock is taken; else its holder, whose state the caller has to find out.

    Raises:
        PlanLocked: the holder is still at work, or a run of the plan may be.
    """
    with guarded(work_dir, plan) as directory:
        current = holder(work_dir, plan)
        if current is not None and current.execution == execution:
            if current.phase != phase:
                raise _locked(plan, current, "which is this one: a workflow runs one phase of a plan at a time")
            return None
        if current is not None:
            if current.execution != known_holder or not known_state:
                return current
            if known_state not in (*TERMINAL, GONE):
                raise _locked(plan, current, f"which is {known_state}")
            if known_state == GONE and current.project != project:
                raise _locked(plan, current, f"of project {current.project}, which can't be seen from here")
        _check_runs(plan, phase, find_runs())
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        write_json(directory / "lock.json", dataclasses.asdict(Holder(execution, phase, since, project)))
    return None


def check_owner(work_dir: Path, plan: str, execution: str) -> None:
    """Refuse to act on a plan that the execution doesn't hold; without an execution, on one that anybody holds.

    Raises:
        PlanLocked: the plan is held by another execution, or by none.
    """
    current = holder(work_dir, plan)
    if current is None and execution:
        raise PlanLocked(
            f"Execution {execution} does not hold plan {plan} any more: its phase has ended",
            remedy="Start the phase again instead of one of its tasks",
        )
    if current is not None and current.execution != execution:
        raise _locked(plan, current, "which holds the plan")


def release(work_dir: Path, plan: str, execution: str, *, find_runs: Callable[[], Sequence[RunStatus]]) -> bool:
    """Give the lock back; False when it stays because a run of the plan is still live or unknown, or isn't ours."""
    if holder(work_dir, plan) is None:
        return False
    with guarded(work_dir, plan) as directory:
        current = holder(work_dir, plan)
        if current is None or current.execution != execution or any(not run.settled for run in find_runs()):
            return False
        (directory / "lock.json").unlink()
        return True


def _check_runs(plan: str, phase: str, runs: Sequence[RunStatus]) -> None:
    for run in runs:
        told = f"Run {run.run_id} of plan {plan} (phase {run.phase}, {run.playbook})"
        if run.state == "unknown":
            raise PlanLocked(
                f"{told} may be alive: {run.message}",
                where=run.run_dir,
                remedy="Ask on the machine where it runs; when that machine is known to be off, tell so with "
                f"`tripleo-ffwd run fence {run.run_id} --host HOST --reason REASON`",
                run_id=run.run_id,
            )
        if run.state == "live" and run.phase != phase:
            raise PlanLocked(
                f"{told} is still live",
                where=run.run_dir,
                remedy=f"Wait for it, start phase {run.phase} again to attach to it, or cancel it with "
                f"`tripleo-ffwd run cancel {run.run_id}`",
                run_id=run.run_id,
            )


def _locked(plan: str, current: Holder, how: str) -> PlanLocked:
    return PlanLocked(
        f"Plan {plan} is in phase {current.phase} since {current.since} UTC by execution {current.execution}, {how}",
        remedy="Wait until that execution has ended, or cancel it and its run",
        holder=current.execution,
    )
