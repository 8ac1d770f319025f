"""One phase at a time on one plan: the plan's lock, a file that names the root execution that holds it.

A cancelled execution runs no cleanup, so a lock is never trusted because it is there: it is taken over when its
holder is terminal or gone and no run of the plan is live or unknown (design, invariant 3).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tripleo_ffwd.exceptions import PlanLocked
from tripleo_ffwd.files import make_private_dir, read_json, write_json
from tripleo_ffwd.model import RunStatus

# States in which a Mistral execution does nothing more by itself.
TERMINAL = ("SUCCESS", "ERROR", "CANCELLED")
GONE = "GONE"


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a plan: root execution id, phase, and when it took the plan (UTC)."""

    execution: str
    phase: str
    since: str


def records_dir(work_dir: Path, plan: str) -> Path:
    """Return the directory of a plan's lock and phase record; it may not be there yet."""
    return work_dir / "records" / plan


@contextmanager
def guarded(work_dir: Path, plan: str) -> Iterator[Path]:
    """Hold the plan's records against other processes for a moment; yields their directory."""
    directory = make_private_dir(records_dir(work_dir, plan))
    with FileLock(directory / "guard", mode=0o600, timeout=60):
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
    runs: Sequence[RunStatus],
    known_holder: str = "",
    known_state: str = "",
) -> Holder | None:
    """Take the plan's lock for a root execution, or say who has it.

    Args:
        work_dir, plan, phase: what is locked, and what for.
        execution: id of the root execution that wants it; taking a lock that it already has is fine.
        runs: the runs of the plan.
        known_holder, known_state: what the caller found out about a holder of whom it was told before: the state of
            the execution, or ``GONE`` when Mistral has no such execution.

    Returns:
        None when the lock is taken; else its holder, whose state the caller has to find out.

    Raises:
        PlanLocked: the holder is still at work, or a run of the plan may be.
    """
    with guarded(work_dir, plan) as directory:
        current = holder(work_dir, plan)
        if current is not None and current.execution != execution:
            if current.execution != known_holder or not known_state:
                return current
            _check_takeover(plan, phase, current, known_state, runs)
        if current is None or current.execution != execution:
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
            write_json(directory / "lock.json", {"execution": execution, "phase": phase, "since": since})
    return None


def check_owner(work_dir: Path, plan: str, execution: str) -> None:
    """Refuse to act on a plan that another execution holds.

    Raises:
        PlanLocked: the plan is held by another execution than `execution`.
    """
    current = holder(work_dir, plan)
    if current is not None and current.execution != execution:
        raise _locked(plan, current, "which holds the plan")


def release(work_dir: Path, plan: str, execution: str, *, runs: Sequence[RunStatus]) -> bool:
    """Give the lock back; False when it stays because a run of the plan is still live or unknown, or isn't ours."""
    with guarded(work_dir, plan) as directory:
        current = holder(work_dir, plan)
        if current is None or current.execution != execution or any(not run.settled for run in runs):
            return False
        (directory / "lock.json").unlink()
        return True


def _check_takeover(plan: str, phase: str, current: Holder, state: str, runs: Sequence[RunStatus]) -> None:
    if state not in (*TERMINAL, GONE):
        raise _locked(plan, current, f"which is {state}")
    for run in runs:
        if run.state == "unknown":
            raise PlanLocked(
                f"Run {run.run_id} of plan {plan} (phase {run.phase}, {run.playbook}) may be alive: {run.message}",
                where=run.run_dir,
                remedy="Ask on the machine where it runs, or, when that machine is known to be off, "
                f"tell so with `tripleo-ffwd run fence {run.run_id}`",
                run_id=run.run_id,
            )
        # The same phase started again attaches to its own live run (invariant 4): start_playbook compares the keys.
        if run.state == "live" and run.phase != phase:
            raise PlanLocked(
                f"Run {run.run_id} of plan {plan} (phase {run.phase}, {run.playbook}) is still live, although its "
                f"execution {current.execution} is {state}",
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
