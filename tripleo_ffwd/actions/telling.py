"""What is told of a phase while it is under way: to the plan's journal, for the report, and to who wants to know.

What is told says nothing that the phase depends on, and nobody waits for it: see `notifying`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tripleo_ffwd.actions import secrets
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.config_notify import ENDED, FAILURE, STAGE, STARTED
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.files import read_json, write_json
from tripleo_ffwd.model import RunStatus, title
from tripleo_ffwd.notifying import sending, spool
from tripleo_ffwd.notifying.receivers import receivers
from tripleo_ffwd.plan import journal

# In the run's directory: what of it was told.
TOLD = "told.json"
MOST_FAILED = 5


def begun(caller: Caller, plan: str, phase: str, owner: str, nodes: int, force_reason: str) -> None:
    """Tell that a phase begins, and by whom."""
    new = journal.note(
        caller.work_dir,
        plan,
        journal.BEGIN,
        phase=phase,
        execution=owner,
        user=str(getattr(caller.security, "user_id", None) or ""),
        project=caller.project,
        nodes=nodes,
        force_reason=force_reason,
    )
    if not new:
        return
    on = f" on {nodes} node{'' if nodes == 1 else 's'}" if nodes else ""
    message = f"{title(phase)} of plan {plan} has begun{on}"
    _notify(caller, STARTED, plan=plan, phase=phase, execution=owner, message=message, nodes=nodes)


def ended(caller: Caller, plan: str, phase: str, owner: str, outcome: Mapping[str, Any]) -> None:
    """Tell how a phase has ended; one that had never begun, such as a dry run, is not told of."""
    events = journal.read(caller.work_dir, plan)
    if not any((known["event"], known.get("execution")) == (journal.BEGIN, owner) for known in events):
        return
    told = {"status": outcome["status"], "message": outcome["message"]}
    if journal.note(caller.work_dir, plan, journal.END, phase=phase, execution=owner, **told):
        _notify(caller, ENDED, plan=plan, phase=phase, execution=owner, **told)


def seen(caller: Caller, status: RunStatus) -> None:
    """Tell what is new of a run, at each look of the workflow at it: the stage it has come to, what has failed."""
    if receivers(caller.conf) and status.plan:
        with contextlib.suppress(FfwdError, OSError):
            _compare(caller, status)


def _compare(caller: Caller, status: RunStatus) -> None:
    file = Path(status.run_dir) / TOLD
    now = {"stage": status.stage, "done": status.stages_done, "failed": status.failed_total}
    known: Any = None
    with contextlib.suppress(OSError, ValueError):
        known = read_json(file)
    if known == now or not file.parent.is_dir():
        flush(caller, status.plan)  # there may be messages of an executor that is gone
        return
    write_json(file, now)
    before = known if isinstance(known, dict) else {}
    about = {name: getattr(status, name) for name in ("plan", "phase", "run_id", "playbook", "stage")}
    about |= {"execution": status.owner, "stages_done": status.stages_done, "stages_total": status.stages_total}
    if (before.get("stage", ""), before.get("done", 0)) != (status.stage, status.stages_done):
        place = f"is in {status.stage}, " if status.state == "live" else ""
        words = f"{status.playbook} {place}{status.stages_done} of {status.stages_total} stages finished"
        _notify(caller, STAGE, **about, message=words)
    if status.failed_total > int(before.get("failed", 0)):
        first = status.failed[int(before.get("failed", 0)) :][:MOST_FAILED] or status.failed[:1]
        failed = [dataclasses.asdict(task) for task in first]
        words = "; ".join(f"{task.host} failed in {task.stage} at task '{task.task}': {task.message}" for task in first)
        _notify(caller, FAILURE, **about, message=words, failed=failed, failed_total=status.failed_total)


def flush(caller: Caller, plan: str) -> None:
    """Go on sending what was kept for a plan, if anything was."""
    sending.kick(caller.work_dir, plan, receivers(caller.conf, caller.security), caller.conf.notify_keep)


def _notify(caller: Caller, event: str, *, plan: str, **fields: Any) -> None:
    told = receivers(caller.conf)
    if not told or event not in caller.conf.notify_events:
        return
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    message = {"event": event, "time": now, "plan": plan, **fields}
    if event in (FAILURE, ENDED):  # what quotes something
        message = secrets.redactor(caller, plan).within(message)
    for name in told:
        spool.Box(caller.work_dir, plan, name).put(message, dispensable=event == STAGE)
    flush(caller, plan)
