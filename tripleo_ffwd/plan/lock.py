"""One phase at a time on one plan: the plan's lock, a record that names the root execution that holds it.

A cancelled execution runs no cleanup, so a lock is never trusted because it is there: it is taken over when its
holder is terminal or gone and no run of the plan is live or unknown (design, invariant 3). The one exception is the
same phase again, which attaches to its own live run (invariant 4): ``ansible_run.runs.start`` compares the keys.

The lock is where the plan is. Who shares a work directory is kept apart by a file lock in it while the lock is looked
at and written. In Swift the lock is a log: to take it, to take it over and to give it back each append an entry, and
only one can follow the entry that was looked at. So of two who take over from the same dead holder one succeeds, from
whatever work directory; `swift.claims` says what Swift guarantees of that. The runs of a plan are those of the work
directory.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock, Timeout

from tripleo_ffwd.exceptions import PlanLocked
from tripleo_ffwd.files import make_private_dir
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import records
from tripleo_ffwd.plan.backends import Backend
from tripleo_ffwd.plan.directory_backend import DirectoryBackend
from tripleo_ffwd.plan.version import check_name

# Where plans are: a backend, or a work directory that has them itself.
Place: TypeAlias = Backend | Path

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
        taken_guard = guard.acquire()
    except Timeout as error:
        raise PlanLocked(
            f"The records of plan {plan} were in use for {GUARD_SECONDS} s", where=str(directory), remedy="Try again"
        ) from error
    with taken_guard:  # `with guard` would take it twice and give it back once
        yield directory


def holder(place: Place, plan: str) -> Holder | None:
    """Return who holds the plan, or None."""
    check_name(plan)
    return _look(_backend(place), plan)[1]


def acquire(
    place: Place,
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
        place, plan, phase: what is locked, and what for.
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
    check_name(plan)
    backend = _backend(place)
    with guarded(backend.work_dir, plan):
        seen, current = _look(backend, plan)
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
        if not backend.write_lock(plan, seen, dataclasses.asdict(Holder(execution, phase, since, project))):
            return _overtaken(backend, plan, execution)
    return None


def check_owner(place: Place, plan: str, execution: str) -> None:
    """Refuse to act on a plan that the execution doesn't hold; without an execution, on one that anybody holds.

    Raises:
        PlanLocked: the plan is held by another execution, or by none.
    """
    current = holder(place, plan)
    if current is None and execution:
        raise PlanLocked(
            f"Execution {execution} does not hold plan {plan} any more: its phase has ended",
            remedy="Start the phase again instead of one of its tasks",
        )
    if current is not None and current.execution != execution:
        after = (
            ""
            if execution
            else ". The next phase takes the plan over from an execution that ended without giving it back"
        )
        raise _locked(plan, current, "which holds the plan", after)


@contextmanager
def free(place: Place, plan: str) -> Iterator[None]:
    """Keep phases from starting on a plan that nobody holds, for the time of a change that belongs to no phase.

    Raises:
        PlanLocked: somebody holds the plan.
    """
    check_name(plan)
    backend = _backend(place)
    with guarded(backend.work_dir, plan):
        check_owner(backend, plan, "")
        yield


def release(place: Place, plan: str, execution: str, *, find_runs: Callable[[], Sequence[RunStatus]]) -> bool:
    """Give the lock back; False when it stays because a run of the plan is still live or unknown, or isn't ours."""
    if holder(place, plan) is None:
        return False
    backend = _backend(place)
    with guarded(backend.work_dir, plan):
        seen, current = _look(backend, plan)
        if current is None or current.execution != execution or any(not run.settled for run in find_runs()):
            return False
        return backend.write_lock(plan, seen, None)


def _backend(place: Place) -> Backend:
    return DirectoryBackend(place) if isinstance(place, Path) else place


def _look(backend: Backend, plan: str) -> tuple[int, Holder | None]:
    seen, data = backend.read_lock(plan)
    try:
        return seen, Holder(**data) if data is not None else None
    except TypeError as error:
        raise records.damaged(f"{backend.where}, the lock of plan {plan}", records.LOCK_REMEDY) from error


def _overtaken(backend: Backend, plan: str, execution: str) -> Holder | None:
    """Return who took the lock at the same moment; the caller finds out about it as about any holder."""
    current = _look(backend, plan)[1]
    if current is None:
        raise PlanLocked(f"The lock of plan {plan} was taken and given back at the same moment", remedy="Try again")
    return None if current.execution == execution else current


def _check_runs(plan: str, phase: str, runs: Sequence[RunStatus]) -> None:
    for run in runs:
        told = f"Run {run.run_id} of plan {plan} (phase {run.phase}, {run.playbook})"
        if run.state == "unknown":
            raise PlanLocked(
                f"{told} may be alive: {run.message}",
                where=run.run_dir,
                remedy=how_to_tell(run),
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


def how_to_tell(run: RunStatus) -> str:
    """Return what is to be done about a run that may be alive."""
    return (
        "Ask on the machine where it runs; when that machine is known to be off, tell so with "
        f"`tripleo-ffwd run fence {run.run_id} --host HOST --reason REASON`"
    )


def _locked(plan: str, current: Holder, how: str, after: str = "") -> PlanLocked:
    return PlanLocked(
        f"Plan {plan} is in phase {current.phase} since {current.since} UTC by execution {current.execution}, {how}",
        remedy=f"Wait until that execution has ended, or cancel it and its run{after}",
        holder=current.execution,
    )
