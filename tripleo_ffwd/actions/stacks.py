"""Actions about the overcloud's stack: update it, say where it stands, cancel its update, fetch its outputs."""

from __future__ import annotations

import dataclasses
import hashlib
import time
import uuid
from typing import Any

from tripleo_ffwd import heat
from tripleo_ffwd.actions import selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError, InvalidTemplates, NotFound, StackBusy
from tripleo_ffwd.model import DEPLOY_STEPS_PLAYBOOK, PLAYBOOKS
from tripleo_ffwd.plan import lock, stack_updates
from tripleo_ffwd.plan import outputs as stored_outputs
from tripleo_ffwd.plan.stack_updates import SentUpdate
from tripleo_ffwd.plan.store import PlanStore, check_name, open_store
from tripleo_ffwd.plan.version import PlanVersion


class UpdateStackAction(FfwdAction):
    """Start an update of the stack from a version of the plan, which becomes the current one.

    Refused while Heat works on the stack. Sent again with the same request, because its answer was lost, it finds the
    update that Heat accepted and goes on with it; one that Heat has lost it sends once more.

    :param plan: name of the plan.
    :param owner: id of the root execution.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name; it must
        exist: nothing is created.
    :param timeout: minutes after which Heat gives the update up.
    :param version: number of the version; 0 for the current one.
    :param request: tells this update from all others; by default each call of the action is one of its own.
    :returns: ``{stack_id, marker, deadline, attached}``: what ``ffwd.get_stack_status`` wants, and whether Heat had
        accepted the update before.
    """

    def __init__(self, plan: str, owner: str, stack: str = "", timeout: int = 240, version: int = 0, request: str = ""):
        self.plan = plan
        self.owner = owner
        self.stack = stack
        self.timeout = timeout
        self.version = version
        self.request = request

    def act(self, caller: Caller) -> dict[str, Any]:
        store = open_store(caller.conf, caller.security)
        lock.check_owner(store.backend, self.plan, self.owner)
        selection.check_no_live_run(caller, self.plan)
        version = store.version(self.plan, self.version) if self.version else store.current(self.plan)
        client = heat.connect(caller.conf, caller.security)
        bundle = heat.bundle_of(version.path, self.owner, version.template_path, version.environment_paths)
        sent, again = self._record(caller, store, version)
        store.switch(self.plan, version.number)
        try:
            started = heat.update(
                client,
                sent.stack,
                bundle,
                timeout_mins=self.timeout,
                tag=sent.tag,
                stall_timeout=caller.conf.heat_stall_timeout,
            )
        except (StackBusy, InvalidTemplates, NotFound):
            # Heat has answered that it did nothing: then the plan is as it was, too.
            if sent.previous and not again:
                store.switch(self.plan, sent.previous)
            raise
        stack_updates.write(caller.work_dir, self.plan, dataclasses.replace(sent, updated_at=started.updated_at))
        result = {"stack_id": started.stack_id, "marker": started.marker, "deadline": sent.deadline}
        return {**result, "attached": started.attached}

    def _record(self, caller: Caller, store: PlanStore, version: PlanVersion) -> tuple[SentUpdate, bool]:
        """Record the update before it is sent; return it, and whether it had been recorded already."""
        request = self.request or caller.attempt or uuid.uuid4().hex
        told = hashlib.sha256(f"{self.plan} {request}".encode()).hexdigest()[:16]
        tag = f"ffwd-{version.phase or 'update'}-{told}"
        known = stack_updates.read(caller.work_dir, self.plan)
        if known is not None and known.tag == tag:
            return known, True
        sent = SentUpdate(
            tag=tag,
            stack=selection.stack_name(caller, self.plan, self.stack),
            version=version.number,
            previous=store.current_number(self.plan) or 0,
            execution=self.owner,
            # Heat gives up at its timeout; two minutes later there is nothing left to wait for.
            deadline=int(time.time()) + self.timeout * 60 + 120,
        )
        stack_updates.write(caller.work_dir, self.plan, sent)
        return sent, False


class GetStackStatusAction(FfwdAction):
    """Say where the stack stands; a service that does not answer gives the state ``unknown``, not an error.

    :param stack: name or id of the stack.
    :param marker: what ``ffwd.update_stack`` returned: an older update's end does not count.
    :param deadline: seconds since the epoch after which the wait is over; 0 for none.
    :param plan: name of the plan whose update it is; Heat is then asked for the progress only so often that it costs
        little, and the last one is told in between.
    :returns: ``{state, settled, succeeded, status, reason, progress, failures, message}``; state is ``in_progress``,
        ``complete``, ``failed``, ``lost`` (all of Heat's engines were started later, and nothing happens any more) or
        ``unknown``; progress is ``{done, all, in_progress}``: resources of the stack itself, and paths of those that
        Heat works on; failures are the failed resources ``{path, type, status, reason}``.
    """

    def __init__(self, stack: str, marker: str = "", deadline: int = 0, plan: str = ""):
        self.stack = stack
        self.marker = marker
        self.deadline = deadline
        self.plan = plan

    def act(self, caller: Caller) -> dict[str, Any]:
        try:
            status = self._poll(caller)
        except FfwdError as error:
            gone = isinstance(error, NotFound)
            status = {"state": "unknown", "settled": gone, "succeeded": False, "message": str(error)}
        over = 0 < self.deadline < time.time()
        if over and (not status["settled"] or status["state"] == "lost"):
            told = f"{status['message']}; the time for it is over"
            status |= {"state": "failed", "settled": True, "message": told, "remedy": heat.CANCEL_REMEDY}
        # Heat's reasons may quote parameters.
        return self.covered(caller, status) if status["settled"] and not status["succeeded"] else status

    def _poll(self, caller: Caller) -> dict[str, Any]:
        client = heat.connect(caller.conf, caller.security)
        name = f"{self.stack} {self.marker}"
        known = stack_updates.read_progress(caller.work_dir, self.plan, name) if self.plan else None
        began = time.monotonic()
        stall_timeout = caller.conf.heat_stall_timeout
        status = heat.poll(client, self.stack, self.marker, stall_timeout=stall_timeout, known=known)
        if self.plan and known is None and status["progress"]:
            cost = time.monotonic() - began
            stack_updates.write_progress(caller.work_dir, self.plan, name, status["progress"], cost)
        return status


class CancelStackUpdateAction(FfwdAction):
    """Stop the update of the stack that the plan has sent, where it is, without a rollback.

    Heat lets the resources that it works on come to their end. The phase that waits for the update ends in error; run
    again, it takes the stack on from there.

    :param plan: name of the plan.
    :param stack: name of the stack, by default that of the plan's last update.
    :param force_reason: why an update is to be stopped that the plan has not sent; recorded.
    :returns: ``{cancelled, stack, status, message}``.
    """

    def __init__(self, plan: str, stack: str = "", force_reason: str = ""):
        self.plan = plan
        self.stack = stack
        self.force_reason = force_reason

    def act(self, caller: Caller) -> dict[str, Any]:
        check_name(self.plan)
        sent = stack_updates.read(caller.work_dir, self.plan)
        stack = self.stack or (sent.stack if sent else "")
        if not stack:
            message = f"Plan {self.plan} has sent no update of a stack"
            return {"cancelled": False, "stack": "", "status": "", "message": message}
        client = heat.connect(caller.conf, caller.security)
        status = heat.get_status(client, stack)
        if not status.in_progress:
            return self._told(status, f"Stack {stack} is {status.action}_{status.status}: there is no update to cancel")
        if not (_is_sent(status, sent) or self.force_reason):
            raise StackBusy(
                f"Stack {stack} is {status.action}_{status.status}, and plan {self.plan} did not ask for that",
                where=stack,
                remedy="Give force_reason to stop it all the same",
            )
        if sent is not None:
            reason = self.force_reason or "asked for"
            stack_updates.write(caller.work_dir, self.plan, dataclasses.replace(sent, cancelled=reason))
        status = heat.cancel(client, status.id)
        return self._told(status, f"The update of stack {stack} was cancelled", cancelled=True)

    def _told(self, status: heat.StackStatus, message: str, *, cancelled: bool = False) -> dict[str, Any]:
        told = {"stack": status.name, "status": f"{status.action}_{status.status}", "message": message}
        return {"cancelled": cancelled, **told}


class QueryOutputsAction(FfwdAction):
    """Fetch the stack's outputs, and the deployments of its servers where a phase needs them, and store them on disk.

    :param plan: name of the plan.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name.
    :param phase: upgrade and converge need the servers' deployments, run and the jobs beside the phases do not; by
        default they are fetched.
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
        if DEPLOY_STEPS_PLAYBOOK not in PLAYBOOKS.get(self.phase, (DEPLOY_STEPS_PLAYBOOK,)):
            return {**result, "deployments": "", "servers": 0}
        fetched = heat.fetch_deployments(client, stack, found)
        digest = stored_outputs.save(caller.work_dir, fetched)
        return {**result, "deployments": digest, "servers": len(fetched["servers"])}


def _is_sent(status: heat.StackStatus, sent: SentUpdate | None) -> bool:
    """Return whether the update under way is the one that was sent: others may keep its tag."""
    return sent is not None and sent.tag in status.tags and sent.updated_at in ("", status.updated_at)
