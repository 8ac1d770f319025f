"""What is new of the runs that an execution has begun, in words: for who waits for it by messages.

Small pieces in order: that a run has begun, each stage, what fails in it, and how the run has ended; never its log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tripleo_ffwd.actions import selection
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import lock

MOST_FAILURES = 20
MOST_STAGES = 20


def runs_of(caller: Caller, root: str, plan: str, known: Collection[str] = ()) -> tuple[RunStatus, ...]:
    """Return the runs that a root execution has begun or is attached to, oldest first; none without a plan.

    Args:
        caller: the surroundings of the action.
        root: id of the root execution.
        plan: name of the plan.
        known: ids of runs that it was seen to be attached to; when they have ended nothing else says so.
    """
    if not plan:
        return ()
    holder = lock.holder(selection.place(caller), plan)
    mine = holder is not None and holder.execution == root
    return tuple(
        run
        for run in selection.plan_runs(caller, plan)
        if run.owner == root or run.run_id in known or (mine and not run.settled)
    )


def news(caller: Caller, root: str, plan: str, told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what has not been told yet, in order: what it is known by, and the words.

    Args:
        caller: the surroundings of the action.
        root: id of the root execution.
        plan: name of the plan; empty while nobody knows it.
        told: what has been told; what is yielded is noted in it.
    """
    known = told.setdefault("runs", {})
    for run in runs_of(caller, root, plan, tuple(known)):
        for words in of_run(run, known.setdefault(run.run_id, {})):
            yield hashlib.sha256(f"{run.run_id} {words}".encode()).hexdigest()[:32], words


def of_run(run: RunStatus, known: dict[str, Any]) -> Iterator[str]:
    """Yield what is new of a run, and note it in what is `known` of it."""
    name = run.playbook
    if not known:
        yield f"{name}: run {run.run_id} has begun"
    failed: dict[str, list[str]] = {}
    for task in run.failed[known.get("failed", 0) : MOST_FAILURES]:
        failed.setdefault(task.stage, []).append(
            f"{name}: {task.host} failed in {task.stage}: {task.task}: {task.message}"
        )
    before = str(known.get("stage", ""))
    yield from failed.pop(before, ())
    if run.stage and (run.stage != before or run.settled) and not known.get("over"):
        for done, stage in list(_begun(run, before))[-MOST_STAGES:]:
            yield f"{name}: {stage} ({done} of {run.stages_total} stages are done)"
            yield from failed.pop(stage, ())
    for words in failed.values():
        yield from words
    # Noted when all of it was told: whoever goes on in our place repeats some, and loses none.
    known.update(stage=run.stage, failed=len(run.failed))
    if run.settled and not known.get("over"):
        message = run.message or run.result
        yield message if message.startswith(name) else f"{name}: {message}"
    known["over"] = run.settled


def _begun(run: RunStatus, known: str) -> Iterator[tuple[int, str]]:
    """Yield the stages that a run has begun since the one that is known, each with how many were finished then.

    Most of them take less than the time between two looks. A stage begins when all before it are finished.
    """
    everything = runs.stages(Path(run.run_dir)) or ((run.stages_done, run.stage),)
    ids = [stage for _, stage in everything]
    last = len(ids) if run.succeeded else ids.index(run.stage) + 1 if run.stage in ids else 0
    # One that is known and is none of these says nothing of where those in between begin.
    first = ids.index(known) + 1 if known in ids else max(last - 1, 0) if known else 0
    yield from everything[first:last]
