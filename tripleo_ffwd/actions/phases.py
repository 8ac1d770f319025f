"""Actions around a phase: the plan's lock, whose turn it is, and how it ended."""

from __future__ import annotations

from typing import Any

from tripleo_ffwd.actions import outcomes, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import PHASES
from tripleo_ffwd.plan import lock, phases
from tripleo_ffwd.plan.store import check_name


class AcquireLockAction(FfwdAction):
    """Take the lock of a plan for a phase, or tell who has it.

    :param plan: name of the plan.
    :param phase: prepare, run, upgrade or converge.
    :param owner: id of the root execution that wants the lock.
    :param holder: id of the execution that held it at the last try.
    :param holder_state: state of that execution, GONE when Mistral has no such execution.
    :returns: ``{acquired, holder}``; with ``acquired: false`` look up the holder's state and call again.
    """

    def __init__(self, plan: str, phase: str, owner: str, holder: str = "", holder_state: str = ""):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.holder = holder
        self.holder_state = holder_state

    def act(self, caller: Caller) -> dict[str, Any]:
        check_name(self.plan)
        if self.phase not in PHASES:
            raise InvalidInput(f"There is no phase {self.phase!r}", remedy=f"Phases are {', '.join(PHASES)}")
        current = lock.acquire(
            caller.work_dir,
            self.plan,
            self.phase,
            self.owner,
            runs=selection.plan_runs(caller, self.plan),
            known_holder=self.holder,
            known_state=self.holder_state,
        )
        return {"acquired": current is None, "holder": current.execution if current else self.owner}


class BeginPhaseAction(FfwdAction):
    """Check that it is the phase's turn on the nodes and record that it starts; a dry run records nothing.

    :param plan: name of the plan.
    :param phase: prepare, run, upgrade or converge.
    :param owner: id of the root execution; it must hold the plan's lock.
    :param outputs: digest that ``ffwd.query_outputs`` returned; without it the nodes recorded so far are meant.
    :param roles: for upgrade: names of the roles to upgrade.
    :param nodes: for upgrade: names of the nodes to upgrade, instead of roles.
    :param playbook: for upgrade: ``all`` or one of its three playbooks.
    :param stack: name of the stack, remembered for the later phases; by default what is remembered.
    :param force_reason: why the phase is started out of turn; recorded.
    :param dry_run: check only.
    :returns: ``{targets, hosts}``: names of the nodes that the phase is for and their number.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        outputs: str = "",
        roles: list[str] | None = None,
        nodes: list[str] | None = None,
        playbook: str = "all",
        stack: str = "",
        force_reason: str = "",
        dry_run: bool = False,
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.outputs = outputs
        self.roles = roles
        self.nodes = nodes
        self.playbook = playbook
        self.stack = stack
        self.force_reason = force_reason
        self.dry_run = dry_run

    def act(self, caller: Caller) -> dict[str, Any]:
        lock.check_owner(caller.work_dir, self.plan, self.owner)
        selection.check_playbook(self.phase, self.playbook)
        if self.outputs:
            targets = selection.select(caller, self.phase, self.outputs, self.roles, self.nodes)
        else:
            targets = tuple(phases.read_record(caller.work_dir, self.plan).nodes)
        phases.begin(
            caller.work_dir,
            self.plan,
            self.phase,
            targets,
            execution=self.owner,
            stack=self.stack,
            force_reason=self.force_reason,
            dry_run=self.dry_run,
        )
        return {"targets": list(targets), "hosts": len(targets)}


class FinishPhaseAction(FfwdAction):
    """Record how a phase ended and give the plan's lock back.

    :param plan: name of the plan.
    :param phase: prepare, run, upgrade or converge.
    :param owner: id of the root execution.
    :param targets: names of the nodes on which the phase has finished.
    :param playbook: for upgrade: ``all`` or the one playbook that was run.
    :param error: what went wrong: the result of the failed task; none when the phase succeeded.
    :param dry_run: record nothing.
    :returns: ``{status, message, run_id, run_dir, failed}`` for the execution's output.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        targets: list[str] | None = None,
        playbook: str = "all",
        error: Any = None,
        dry_run: bool = False,
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.targets = targets
        self.playbook = playbook
        self.error = error
        self.dry_run = dry_run

    def act(self, caller: Caller) -> dict[str, Any]:
        succeeded = self.error is None
        if succeeded and not self.dry_run:
            done = selection.playbooks_of(self.phase, self.playbook)
            phases.finish(caller.work_dir, self.plan, self.phase, self.targets or (), done)
        plan_runs = selection.plan_runs(caller, self.plan)
        lock.release(caller.work_dir, self.plan, self.owner, runs=plan_runs)
        if succeeded:
            return outcomes.success(self.plan, self.phase, self.targets or [], dry_run=self.dry_run)
        return outcomes.failure(self.plan, self.phase, self.error)


class CheckStatusAction(FfwdAction):
    """Fail unless a wait ended well: the explicit check that follows every poll.

    :param status: the last result of ``ffwd.get_stack_status`` or ``ffwd.get_playbook_status``.
    :returns: the status, when it is a success.
    """

    def __init__(self, status: Any):
        self.status = status

    def act(self, caller: Caller) -> Any:
        return outcomes.check(self.status)
