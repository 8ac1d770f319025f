"""Actions around a phase: the plan's lock, whose turn it is, what has been reached, and how it ended."""

from __future__ import annotations

from typing import Any

from tripleo_ffwd import heat
from tripleo_ffwd.actions import inputs, outcomes, secrets, selection, telling
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.plan import lock, phases


class AcquireLockAction(FfwdAction):
    """Take the lock of a plan for a phase, and its stack, or tell who has one of them.

    :param plan: name of the plan.
    :param phase: prepare, run, upgrade or converge, or a job beside them: see ``maintain``.
    :param owner: id of the root execution that wants the lock.
    :param inputs: the phase's inputs by name, checked before anything else.
    :param holder: id of the execution that held it at the last try.
    :param holder_state: state of that execution, GONE when Mistral has no such execution.
    :returns: ``{acquired, holder}``; with ``acquired: false`` look up the holder's state and call again.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        inputs: dict[str, Any] | None = None,
        holder: str = "",
        holder_state: str = "",
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.inputs = inputs
        self.holder = holder
        self.holder_state = holder_state

    def act(self, caller: Caller) -> dict[str, Any]:
        selection.playbooks_of(self.phase)  # there is such a phase
        inputs.check(self.inputs)
        secrets.check_ssh_key(caller, self.inputs or {})
        current = lock.acquire(
            selection.place(caller),
            self.plan,
            self.phase,
            self.owner,
            find_runs=lambda: selection.plan_runs(caller, self.plan),
            project=caller.project,
            known_holder=self.holder,
            known_state=self.holder_state,
        )
        current = current or selection.take_stack(caller, self.plan, self.inputs, self.holder, self.holder_state)
        return {"acquired": current is None, "holder": current.execution if current else self.owner}


class CheckPhaseAction(FfwdAction):
    """Check that a phase can start: its nodes are known, it is its turn, Heat is free. Nothing is changed.

    :param plan: name of the plan.
    :param phase: prepare, run, upgrade or converge, or a job beside them: see ``maintain``.
    :param owner: id of the root execution; it must hold the plan's lock.
    :param outputs: digest that ``ffwd.query_outputs`` returned; without it the nodes recorded so far are meant, and the
        stack, which is to be updated, is looked at.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name.
    :param roles: for upgrade and update: names of the roles.
    :param nodes: for upgrade and update: names of the nodes, instead of roles.
    :param playbook: for upgrade: ``all`` or one of its three playbooks.
    :param force_reason: why the phase may start out of turn.
    :param attach: begin with the playbook of a live run of the phase, if there is one.
    :param tags: tags that the phase is limited to: then no playbook of upgrade has to be finished before another.
    :returns: ``{targets, first_playbook, live}``: names of the nodes that the phase is for, the playbook to begin with,
        and whether a run of the phase is live, to which it attaches.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        outputs: str = "",
        stack: str = "",
        roles: list[str] | None = None,
        nodes: list[str] | None = None,
        playbook: str = "all",
        force_reason: str = "",
        attach: bool = True,
        tags: str | None = None,
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.outputs = outputs
        self.stack = stack
        self.roles = roles
        self.nodes = nodes
        self.playbook = playbook
        self.force_reason = force_reason
        self.attach = attach
        self.tags = tags

    def act(self, caller: Caller) -> dict[str, Any]:
        lock.check_owner(selection.place(caller), self.plan, self.owner)
        selection.check_playbook(self.phase, self.playbook)
        live = selection.live_playbook(caller, self.plan, self.phase)
        if self.outputs:
            targets = selection.select(caller, self.phase, self.outputs, self.roles, self.nodes)
        else:
            targets = tuple(phases.read_record(caller.work_dir, self.plan).nodes)
            if not live:
                self._check_stack(caller)
        first = selection.first_playbook(self.phase, self.playbook, live if self.attach else "")
        phases.check(
            caller.work_dir,
            self.plan,
            self.phase,
            targets,
            first_playbook=first if self.phase == "upgrade" else "",
            force_reason=self.force_reason,
            tags=self.tags or "",
        )
        return {"targets": list(targets), "first_playbook": first, "live": bool(live)}

    def _check_stack(self, caller: Caller) -> None:
        stack = selection.stack_name(caller, self.plan, self.stack)
        status = heat.get_status(heat.connect(caller.conf, caller.security), stack)
        if status.in_progress:
            raise status.busy()


class BeginPhaseAction(FfwdAction):
    """Record that a phase starts, right before the first thing that it changes.

    :param plan: name of the plan.
    :param phase: prepare, run, upgrade or converge, or a job beside them: see ``maintain``.
    :param owner: id of the root execution; it must hold the plan's lock.
    :param targets: names of the nodes that it is for.
    :param first_playbook: for upgrade: the playbook that it begins with.
    :param stack: name of the stack, remembered for the later phases; by default what is remembered.
    :param force_reason: why the phase may start out of turn; recorded.
    :param dry_run: record nothing.
    :param tags: tags that the phase is limited to: then what nodes have finished is not set back.
    :returns: nothing.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        targets: list[str] | None = None,
        first_playbook: str = "",
        stack: str = "",
        force_reason: str = "",
        dry_run: bool = False,
        tags: str | None = None,
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.targets = targets
        self.first_playbook = first_playbook
        self.stack = stack
        self.force_reason = force_reason
        self.dry_run = dry_run
        self.tags = tags

    def act(self, caller: Caller) -> None:
        lock.check_owner(selection.place(caller), self.plan, self.owner)
        if self.dry_run:
            return
        phases.begin(
            caller.work_dir,
            self.plan,
            self.phase,
            self.targets or (),
            execution=self.owner,
            stack=self.stack,
            first_playbook=self.first_playbook if self.phase == "upgrade" else "",
            force_reason=self.force_reason,
            tags=self.tags or "",
        )
        telling.begun(caller, self.plan, self.phase, self.owner, len(self.targets or ()), self.force_reason)


class RecordPlaybookAction(FfwdAction):
    """Record that a playbook finished on its nodes, so that what is left of the phase is known.

    :param plan: name of the plan.
    :param phase: run, upgrade or converge, or a job beside them.
    :param owner: id of the root execution; it must hold the plan's lock.
    :param playbook: file name of the playbook.
    :param targets: names of the nodes.
    :param dry_run: record nothing.
    :param tags: tags that the playbook was limited to; then it has not finished, and nothing is recorded.
    :returns: nothing.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        playbook: str,
        targets: list[str],
        dry_run: bool = False,
        tags: str | None = None,
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.playbook = playbook
        self.targets = targets
        self.dry_run = dry_run
        self.tags = tags

    def act(self, caller: Caller) -> None:
        lock.check_owner(selection.place(caller), self.plan, self.owner)
        if not self.dry_run and not self.tags:
            phases.finish_playbook(caller.work_dir, self.plan, self.phase, self.targets, self.playbook)


class FinishPhaseAction(FfwdAction):
    """Record how a phase ended and give the plan's lock back.

    :param plan: name of the plan.
    :param phase: prepare, run, upgrade or converge, or a job beside them: see ``maintain``.
    :param owner: id of the root execution.
    :param targets: names of the nodes on which the phase has finished.
    :param error: what went wrong: the result of the failed task; none when the phase succeeded.
    :param dry_run: record nothing.
    :param summary: what the phase changes in plan and stack, for the message.
    :param tags: tags that the playbooks were limited to; then the phase has not finished, and is not recorded so.
    :returns: ``{status, message, run_id, run_dir, failed}`` for the execution's output.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        targets: list[str] | None = None,
        error: Any = None,
        dry_run: bool = False,
        summary: str = "",
        tags: str | None = None,
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.targets = targets
        self.error = error
        self.dry_run = dry_run
        self.summary = summary
        self.tags = tags

    def act(self, caller: Caller) -> dict[str, Any]:
        outcome = self._end(caller)
        telling.ended(caller, self.plan, self.phase, self.owner, self.covered(caller, outcome))
        return outcome

    def _end(self, caller: Caller) -> dict[str, Any]:
        if self.error is not None:
            return outcomes.failure(self.plan, self.phase, self.error, also=self._release_after_failure(caller))
        # Sent again when its answer was lost, it may have given the lock back already.
        if not phases.has_ended(caller.work_dir, self.plan, self.phase, self.owner):
            lock.check_owner(selection.place(caller), self.plan, self.owner)
            if not self.dry_run and not self.tags:
                phases.finish(caller.work_dir, self.plan, self.phase, self.targets or ())
            phases.end(caller.work_dir, self.plan, self.phase, self.owner)
        self._release(caller)
        return outcomes.success(
            self.plan,
            self.phase,
            self.targets or [],
            dry_run=self.dry_run,
            summary=self.summary or self._tried(caller),
            tags=self.tags or "",
        )

    def _tried(self, caller: Caller) -> str:
        """Return what the runs of a dry run have said."""
        known = selection.plan_runs(caller, self.plan) if self.dry_run else ()
        return ". ".join(run.message for run in known if run.owner == self.owner)

    def _release(self, caller: Caller) -> None:
        place = selection.place(caller)
        lock.release(place, self.plan, self.owner, find_runs=lambda: selection.plan_runs(caller, self.plan))

    def _release_after_failure(self, caller: Caller) -> str:
        """Return what kept the lock; the phase's own error must not be lost over it."""
        try:
            self._release(caller)
        except (FfwdError, OSError) as error:
            return f"The plan's lock could not be given back: {error}"
        return ""
