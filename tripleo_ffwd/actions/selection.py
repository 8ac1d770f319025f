"""What a phase is for: its playbooks, the nodes that roles or names select, the plan's runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import InvalidInput, RunActive
from tripleo_ffwd.model import JOB_PLAYBOOKS, PHASE_PLAYBOOKS, PLAYBOOKS, SELECTIVE, RunStatus
from tripleo_ffwd.plan import lock, stack_lock
from tripleo_ffwd.plan import outputs as stored_outputs
from tripleo_ffwd.plan.backends import Backend
from tripleo_ffwd.plan.phases import read_record
from tripleo_ffwd.plan.store import open_store
from tripleo_ffwd.playbook_gen.hosts import hosts_by_role


def place(caller: Caller) -> Backend:
    """Return where the plans, and so their locks, are."""
    return open_store(caller.conf, caller.security).backend


def plan_runs(caller: Caller, plan: str) -> tuple[RunStatus, ...]:
    """Return the runs of a plan, oldest first."""
    return runs.list_runs(caller.work_dir, plan, heartbeat_stale=caller.conf.heartbeat_stale)


def stack_name(caller: Caller, plan: str, stack: str) -> str:
    """Return the name of the plan's stack: the given one, the remembered one, or the plan's own name."""
    return stack or read_record(caller.work_dir, plan).stack or plan


def take_stack(
    caller: Caller, plan: str, inputs: Mapping[str, Any] | None, known_holder: str, known_state: str
) -> lock.Holder | None:
    """Take the stack that a phase's inputs name, or else the plan's; for who holds the plan. See `stack_lock.take`."""
    stack = (inputs or {}).get("stack")
    return stack_lock.take(
        place(caller),
        caller.work_dir,
        plan,
        stack_name(caller, plan, stack if isinstance(stack, str) else ""),
        find_runs=lambda other: plan_runs(caller, other),
        project=caller.project,
        known_holder=known_holder,
        known_state=known_state,
    )


def check_no_live_run(caller: Caller, plan: str) -> None:
    """Refuse to change plan or stack under a run.

    Raises:
        RunActive: a run of the plan is live, or may be.
    """
    for run in plan_runs(caller, plan):
        if not run.settled:
            raise RunActive(
                f"Run {run.run_id} of plan {plan} (phase {run.phase}, {run.playbook}) is {run.state}",
                where=run.run_dir,
                remedy=f"Wait for it, or end it with `tripleo-ffwd run cancel {run.run_id}`",
            )


def live_playbook(caller: Caller, plan: str, phase: str) -> str:
    """Return the playbook of the phase's live run; empty when there is none."""
    live = [run.playbook for run in plan_runs(caller, plan) if run.state == "live" and run.phase == phase]
    return live[-1] if live else ""


def first_playbook(phase: str, playbook: str, live: str) -> str:
    """Return the playbook that a phase begins with: the chosen one, the live one to attach to, or its first."""
    if playbook != "all":
        return playbook
    return live or next(iter(playbooks_of(phase)), "")


def playbooks_of(phase: str) -> tuple[str, ...]:
    """Return the playbooks of a phase, or of a job beside the phases.

    Raises:
        InvalidInput: there is no such phase; names those that there are.
    """
    if not isinstance(phase, str) or phase not in PLAYBOOKS:
        jobs = ", ".join(JOB_PLAYBOOKS)
        raise InvalidInput(
            f"There is no phase {phase!r}",
            remedy=f"Phases are {', '.join(PHASE_PLAYBOOKS)}, and jobs beside them {jobs}",
        )
    return PLAYBOOKS[phase]


def check_playbook(phase: str, playbook: str) -> None:
    """Refuse a playbook that is not one of the phase.

    Raises:
        InvalidInput: names the playbooks that are.
    """
    known = playbooks_of(phase)
    if playbook != "all" and playbook not in known:
        raise InvalidInput(
            f"{playbook!r} is not a playbook of phase {phase}",
            where="playbook",
            remedy=f"Use all or one of {', '.join(known)}",
        )


def select(
    caller: Caller, phase: str, outputs: str, roles: Sequence[str] | None, nodes: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the names of the nodes that a phase is for, in the order of the roles.

    Args:
        caller: the action's surroundings.
        phase: only upgrade, and the job update, are for a part of the nodes: they need exactly one of `roles` and
            `nodes`.
        outputs: digest of stored outputs.
        roles, nodes: lists of names.

    Raises:
        InvalidInput: both or none were given, or a name is unknown; names it and those that are known.
        MalformedOutputs: the outputs don't tell the nodes.
    """
    by_role = hosts_by_role(stored_outputs.read(caller.work_dir, outputs))
    everything = tuple(host for hosts in by_role.values() for host in hosts)
    if phase in JOB_PLAYBOOKS and phase not in SELECTIVE and (roles or nodes):
        raise InvalidInput(
            f"{phase} is done from outside the nodes, and for all of them",
            where="roles" if roles else "nodes",
            remedy="Leave roles and nodes out",
        )
    if phase not in SELECTIVE:
        return everything
    if bool(roles) == bool(nodes):
        raise InvalidInput(f"{phase} takes exactly one of roles and nodes", remedy="Give a list of one or more names")
    if roles:
        _check_known("role", roles, by_role)
        return tuple(host for role, hosts in by_role.items() if role in roles for host in hosts)
    wanted = nodes or ()
    _check_known("node", wanted, everything)
    return tuple(host for host in everything if host in wanted)


def by_role(caller: Caller, outputs: str, nodes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return some of the overcloud's nodes by role, in the order of the outputs; roles without one are left out."""
    found = hosts_by_role(stored_outputs.read(caller.work_dir, outputs))
    selected = {role: tuple(host for host in hosts if host in nodes) for role, hosts in found.items()}
    return {role: hosts for role, hosts in selected.items() if hosts}


def _check_known(kind: str, names: Sequence[str], known: Sequence[str] | dict[str, tuple[str, ...]]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidInput(
            f"Unknown {kind}{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}",
            where=f"{kind}s",
            remedy=f"The overcloud has {', '.join(known)}",
            unknown=unknown,
        )
