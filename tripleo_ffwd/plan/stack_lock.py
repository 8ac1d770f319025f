"""One plan at a time on one stack: which plan's phase has a stack, a record beside those of the plans.

A plan's lock keeps its phases apart; two plans may name one stack, and their playbooks would work on the same nodes.
So who holds a plan takes its stack too. What another plan has taken counts as long as its lock is held: a phase that
has ended gives back nothing here, and one that was lost is told by its execution's state, as with the lock itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from tripleo_ffwd.exceptions import PlanLocked
from tripleo_ffwd.files import make_private_dir, read_json, write_json
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan.lock import GONE, GUARD_SECONDS, TERMINAL, Holder, Place, holder, how_to_tell

FILE = "stacks.json"


def take(
    place: Place,
    work_dir: Path,
    plan: str,
    stack: str,
    *,
    find_runs: Callable[[str], Sequence[RunStatus]],
    project: str = "",
    known_holder: str = "",
    known_state: str = "",
) -> Holder | None:
    """Take a stack for the plan whose lock the caller holds, or say who has it.

    Args:
        place: where the plans, and so their locks, are.
        work_dir: where the record is.
        plan, stack: their names.
        find_runs: gives the runs of a plan.
        project, known_holder, known_state: as for `lock.acquire`.

    Returns:
        None when the stack is taken; else who holds the plan that has it, whose state the caller has to find out.

    Raises:
        PlanLocked: the phase of the other plan is still at work, or a run of it may be.
    """
    guard = FileLock(make_private_dir(work_dir) / f".{FILE}.guard", mode=0o600, timeout=GUARD_SECONDS)
    try:
        taken_guard = guard.acquire()
    except Timeout as error:
        text = f"The record of stacks was in use for {GUARD_SECONDS} s"
        raise PlanLocked(text, where=str(work_dir / FILE), remedy="Try again") from error
    with taken_guard:  # `with guard` would take it twice and give it back once
        taken = _read(work_dir)
        other = taken.get(stack, plan)
        current = holder(place, other) if other != plan else None
        if current is not None:
            if current.execution != known_holder or not known_state:
                return current
            _check_over(other, stack, current, known_state, project)
        if other != plan:
            _check_runs(other, stack, find_runs(other))
        kept = {name: owner for name, owner in taken.items() if owner != plan}
        if {**kept, stack: plan} != taken:
            write_json(work_dir / FILE, {**kept, stack: plan})
    return None


def _read(work_dir: Path) -> dict[str, str]:
    try:
        found = read_json(work_dir / FILE)
    except ValueError:  # nothing is lost with it but what is under way now
        found = None
    return found if isinstance(found, dict) else {}


def _check_over(plan: str, stack: str, current: Holder, state: str, project: str) -> None:
    told = f"Plan {plan}, of the same stack {stack}, is in phase {current.phase} since {current.since} UTC by execution"
    hidden = state == GONE and current.project != project
    if state in (*TERMINAL, GONE) and not hidden:
        return
    how = f"of project {current.project}, which can't be seen from here" if hidden else f"which is {state}"
    remedy = "wait for that execution's end, or cancel it and its run"
    if hidden:
        remedy += f". When it is gone, a user of that project begins a phase of plan {plan} and lets it end"
    raise PlanLocked(
        f"{told} {current.execution}, {how}",
        remedy=f"Two plans can't work on one stack at once: {remedy}",
        holder=current.execution,
        plan=plan,
    )


def _check_runs(plan: str, stack: str, runs: Sequence[RunStatus]) -> None:
    for run in runs:
        if not run.settled:
            ended = f"Wait for it, or end it with `tripleo-ffwd run cancel {run.run_id}`"
            raise PlanLocked(
                f"Run {run.run_id} of plan {plan}, of the same stack {stack}, is {run.state}: {run.message}",
                where=run.run_dir,
                remedy=how_to_tell(run) if run.state == "unknown" else ended,
                run_id=run.run_id,
            )
