"""Actions about the overcloud's stack: update it, say where it stands, fetch its outputs."""

from __future__ import annotations

import time
from typing import Any

from tripleo_ffwd import heat
from tripleo_ffwd.actions import selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError, NotFound
from tripleo_ffwd.model import DEPLOY_STEPS_PLAYBOOK, PHASE_PLAYBOOKS
from tripleo_ffwd.plan import lock
from tripleo_ffwd.plan import outputs as stored_outputs
from tripleo_ffwd.plan.store import PlanStore, check_name


class UpdateStackAction(FfwdAction):
    """Start an update of the stack from the plan's current version; refused while Heat works on the stack.

    :param plan: name of the plan.
    :param owner: id of the root execution.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name; it must
        exist: nothing is created.
    :param timeout: minutes after which Heat gives the update up.
    :returns: ``{stack_id, marker, deadline}``: what ``ffwd.get_stack_status`` wants.
    """

    def __init__(self, plan: str, owner: str, stack: str = "", timeout: int = 240):
        self.plan = plan
        self.owner = owner
        self.stack = stack
        self.timeout = timeout

    def act(self, caller: Caller) -> dict[str, Any]:
        lock.check_owner(caller.work_dir, self.plan, self.owner)
        selection.check_no_live_run(caller, self.plan)
        stack = selection.stack_name(caller, self.plan, self.stack)
        version = PlanStore(caller.work_dir).current(self.plan)
        client = heat.connect(caller.conf, caller.security)
        bundle = heat.build_bundle(version.template_path, version.environment_paths)
        started = heat.update(client, stack, bundle, timeout_mins=self.timeout)
        # Heat gives up at its timeout; two minutes later there is nothing left to wait for.
        deadline = int(time.time()) + self.timeout * 60 + 120
        return {"stack_id": started.stack_id, "marker": started.marker, "deadline": deadline}


class GetStackStatusAction(FfwdAction):
    """Say where the stack stands; a service that does not answer gives the state ``unknown``, not an error.

    :param stack: name or id of the stack.
    :param marker: what ``ffwd.update_stack`` returned: an older update's end does not count.
    :param deadline: seconds since the epoch after which the wait is over; 0 for none.
    :returns: ``{state, settled, succeeded, status, reason, failures, message}``; state is ``in_progress``,
        ``complete``, ``failed`` or ``unknown``; failures are the failed resources ``{path, type, status, reason}``.
    """

    def __init__(self, stack: str, marker: str = "", deadline: int = 0):
        self.stack = stack
        self.marker = marker
        self.deadline = deadline

    def act(self, caller: Caller) -> dict[str, Any]:
        try:
            status = heat.poll(heat.connect(caller.conf, caller.security), self.stack, marker=self.marker)
        except FfwdError as error:
            gone = isinstance(error, NotFound)
            status = {"state": "unknown", "settled": gone, "succeeded": False, "message": str(error)}
        if not status["settled"] and 0 < self.deadline < time.time():
            return {**status, "settled": True, "message": f"{status['message']}; the time for it is over"}
        return status


class QueryOutputsAction(FfwdAction):
    """Fetch the stack's outputs, and the deployments of its servers where a phase needs them, and store them on disk.

    :param plan: name of the plan.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name.
    :param phase: upgrade and converge need the servers' deployments, run does not; by default they are fetched.
    :returns: ``{outputs, deployments, stack, count, servers}``: the digests of the outputs and of the deployments
        (empty when they were not fetched), the stack's name, how many outputs there are and how many servers have
        deployments.
    """

    def __init__(self, plan: str, stack: str = "", phase: str = ""):
        self.plan = plan
        self.stack = stack
        self.phase = phase

    def act(self, caller: Caller) -> dict[str, Any]:
        check_name(self.plan)
        stack = selection.stack_name(caller, self.plan, self.stack)
        client = heat.connect(caller.conf, caller.security)
        found = heat.get_outputs(client, stack)
        result = {"outputs": stored_outputs.save(caller.work_dir, found), "stack": stack, "count": len(found)}
        if DEPLOY_STEPS_PLAYBOOK not in PHASE_PLAYBOOKS.get(self.phase, (DEPLOY_STEPS_PLAYBOOK,)):
            return {**result, "deployments": "", "servers": 0}
        fetched = heat.fetch_deployments(client, stack, found)
        digest = stored_outputs.save(caller.work_dir, fetched)
        return {**result, "deployments": digest, "servers": len(fetched["servers"])}
