"""Actions that tell where a plan stands, for commands that know no more than its name. They change nothing."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from tripleo_ffwd.actions import selection, telling, tokens
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import reached, runs
from tripleo_ffwd.exceptions import NotFound
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.notifying import spool
from tripleo_ffwd.plan import lock, outbox, phases
from tripleo_ffwd.plan.store import open_store
from tripleo_ffwd.reporting import nodes

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
# A node takes half a kilobyte, and Mistral takes a megabyte at most.
NODES = 200


class GetPlanStatusAction(FfwdAction):
    """Say where a plan stands: the phase under way, what is recorded, its runs; `ListNodesAction` tells of nodes.

    :param plan: name of the plan.
    :returns: ``{plan, now, stack, phase, execution, since, prepare, nodes, forced, runs, live, last, messages,
        notifications, warnings}``:
        ``phase``, ``execution`` and ``since`` of who holds the plan (empty when nobody does), ``prepare`` as recorded
        (empty, started or finished), the number of ``nodes`` that any phase has begun on, ``forced`` phases with their
        reasons, the number of ``runs``, the statuses of the ``live`` ones (also of those that can't be told), and that
        of the ``last`` one, null when there is none, and the ``messages`` that Zaqar has not taken yet: ``{execution,
        queue, waiting, error}`` each; ``notifications`` that receivers have not got: ``{receiver, waiting, since, lost,
        error}`` each, and ``warnings`` in words: what may go wrong later.
    """

    def __init__(self, plan: str):
        self.plan = plan

    def act(self, caller: Caller) -> dict[str, Any]:
        warning = tokens.warning(caller, of_this_call=False)
        holder = lock.holder(selection.place(caller), self.plan)
        record = phases.read_record(caller.work_dir, self.plan)
        found = [run for run in selection.plan_runs(caller, self.plan) if run.plan == self.plan]
        if holder is None and not found and record == phases.PhaseRecord():
            check_known(caller, self.plan)
        telling.flush(caller, self.plan)
        return {
            "plan": self.plan,
            "now": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "stack": record.stack or self.plan,
            "phase": holder.phase if holder else "",
            "execution": holder.execution if holder else "",
            "since": holder.since if holder else "",
            "prepare": record.prepare,
            "nodes": len(record.nodes),
            "forced": [dict(forced) for forced in record.forced],
            "runs": len(found),
            "live": [run.to_dict() for run in found if not run.settled],
            "last": found[-1].to_dict() if found else None,
            "messages": [
                {"execution": box.execution, "queue": box.queue, "waiting": len(box.waiting), "error": box.error}
                for box in outbox.boxes(caller.work_dir, self.plan)
            ],
            "notifications": [vars(late) for late in spool.late(caller.work_dir, self.plan)],
            "warnings": [warning] if warning else [],
        }


def check_known(caller: Caller, plan: str) -> None:
    """Refuse a plan of which nothing is there.

    Raises:
        NotFound: names those that are.
    """
    known = open_store(caller.conf, caller.security).plans()
    if plan not in known:
        there = f"There are {', '.join(known)}" if known else "No plan is there yet"
        raise NotFound(
            f"Plan {plan} is not known",
            remedy=f"{there}; the first phase, prepare, makes one",
            known=list(known),
        )


class ListNodesAction(FfwdAction):
    """Say for each node which phase, release and step it has finished, and what is left until converge.

    :param plan: name of the plan.
    :param offset: how many nodes are passed over.
    :param limit: how many are told at most; ask again with the offset raised for the others.
    :returns: ``{total, nodes}``: the number of all nodes, and of each ``{node, role, phases, phase, state, release,
        step, playbook, stage, next, stages_done, stages_total, failed, run_id, batch, left}``, sorted by role and name.
    """

    def __init__(self, plan: str, offset: int = 0, limit: int = NODES):
        self.plan = plan
        self.offset = offset
        self.limit = limit

    def act(self, caller: Caller) -> dict[str, Any]:
        found = node_rows(caller, self.plan)
        first = max(self.offset, 0)
        return {"total": len(found), "nodes": found[first : first + min(max(self.limit, 1), NODES)]}


def node_rows(caller: Caller, plan: str) -> list[dict[str, Any]]:
    """Return where each node of a plan stands, see `nodes.rows`."""
    record = phases.read_record(caller.work_dir, plan)
    known = [run for run in selection.plan_runs(caller, plan) if run.plan == plan]
    return nodes.rows(record, nodes.of_this_journey(record, reached.of_runs(known)))


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
