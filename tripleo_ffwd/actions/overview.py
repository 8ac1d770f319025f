"""Actions that tell where a plan stands, for commands that know no more than its name. They change nothing."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from tripleo_ffwd.actions import selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import NotFound
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import lock, phases
from tripleo_ffwd.plan.store import open_store

# What a list of runs tells of each; `ffwd.get_playbook_status` tells the rest.
COLUMNS = (
    "run_id",
    "plan",
    "phase",
    "playbook",
    "state",
    "result",
    "stage",
    "stages_done",
    "stages_total",
    "failed_total",
    "started_at",
    "finished_at",
    "owner",
    "run_dir",
)
LIMIT = 100


class GetPlanStatusAction(FfwdAction):
    """Say where a plan stands: the phase under way, what each node has finished, its runs.

    :param plan: name of the plan.
    :returns: ``{plan, now, stack, phase, execution, since, prepare, nodes, playbooks, forced, runs, live, last}``:
        ``phase``, ``execution`` and ``since`` of who holds the plan (empty when nobody does), ``prepare`` and ``nodes``
        as recorded (``{node: {phase: started or finished}}``), ``playbooks`` of upgrade that each node has finished,
        ``forced`` phases with their reasons, the number of ``runs``, the statuses of the ``live`` ones (also of those
        that can't be told), and that of the ``last`` one, null when there is none.
    """

    def __init__(self, plan: str):
        self.plan = plan

    def act(self, caller: Caller) -> dict[str, Any]:
        holder = lock.holder(selection.place(caller), self.plan)
        record = phases.read_record(caller.work_dir, self.plan)
        found = [run for run in selection.plan_runs(caller, self.plan) if run.plan == self.plan]
        if holder is None and not found and record == phases.PhaseRecord():
            self._check_known(caller)
        return {
            "plan": self.plan,
            "now": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "stack": record.stack or self.plan,
            "phase": holder.phase if holder else "",
            "execution": holder.execution if holder else "",
            "since": holder.since if holder else "",
            "prepare": record.prepare,
            "nodes": {node: dict(reached) for node, reached in record.nodes.items()},
            "playbooks": {node: list(done) for node, done in record.playbooks.items()},
            "forced": [dict(forced) for forced in record.forced],
            "runs": len(found),
            "live": [run.to_dict() for run in found if not run.settled],
            "last": found[-1].to_dict() if found else None,
        }

    def _check_known(self, caller: Caller) -> None:
        known = open_store(caller.conf, caller.security).plans()
        if self.plan not in known:
            there = f"There are {', '.join(known)}" if known else "No plan is there yet"
            raise NotFound(
                f"Plan {self.plan} is not known",
                remedy=f"{there}; the first phase, prepare, makes one",
                known=list(known),
            )


class ListRunsAction(FfwdAction):
    """List the runs of playbooks, newest last.

    :param plan: name of the plan whose runs are meant; empty for all.
    :param limit: how many of the newest are listed.
    :returns: a list of runs, each with its id, plan, phase, playbook, state, result, counts, times and execution.
    """

    def __init__(self, plan: str = "", limit: int = LIMIT):
        self.plan = plan
        self.limit = limit

    def act(self, caller: Caller) -> list[dict[str, Any]]:
        stale = caller.conf.heartbeat_stale
        found = runs.list_runs(caller.work_dir, self.plan or None, heartbeat_stale=stale)
        return [_row(run) for run in found[-max(self.limit, 1) :]]


def _row(run: RunStatus) -> dict[str, Any]:
    return {name: getattr(run, name) for name in COLUMNS}
