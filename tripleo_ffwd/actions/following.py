"""How a run follows the execution that started it: paused, gone on with, cancelled as that is.

Mistral polls nothing for an execution that is paused or cancelled, so the looking is done by an execution of its own.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from oslo_log import log as logging

from tripleo_ffwd.actions import secrets, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import lock

LOG = logging.getLogger(__name__)

WORKFLOW = "ffwd_upgrade.v1._follow_execution"
# Seconds between two tries to begin that.
TRY_AGAIN = 15


def begin(caller: Caller, plan: str, owner: str, run_dir: str, timeout: int, poll_interval: int) -> str:
    """Start the execution that has a run follow its root execution, unless there is one.

    Mistral's API may be down just now, so it is tried again as long as the run goes on. The run is none the worse
    without one: then nobody but an operator pauses or cancels it. None is started that can't be noted: there would be
    one more at each look.

    Args:
        caller: the surroundings of the action that has started the run.
        plan: name of the plan.
        owner: id of the root execution; empty for a run that belongs to none.
        run_dir: directory of the run.
        timeout: seconds after which the run is ended in any case.
        poll_interval: seconds between two looks.

    Returns:
        Its id; empty when there is none yet.
    """
    known, tried = runs.followed(Path(run_dir), owner)
    if not owner or known or 0 <= time.time() - tried < TRY_AGAIN:
        return known
    inputs = {"plan": plan, "owner": owner, "run_dir": run_dir, "timeout": timeout, "poll_interval": poll_interval}
    try:
        runs.note_follower(Path(run_dir), owner, "")
        follower = secrets.mistral(caller).start(WORKFLOW, inputs)
    except FfwdError as error:
        told = LOG.info if tried else LOG.warning
        told("Run %s does not follow execution %s yet: %s", Path(run_dir).name, owner, error)
        return ""
    with contextlib.suppress(FfwdError):  # then there are two, and each does the same
        runs.note_follower(Path(run_dir), owner, follower)
    return follower


class FollowExecutionAction(FfwdAction):
    """Have a run follow its root execution: pause, go on or end where that is paused, goes on or is cancelled.

    Only while that execution holds the plan: another one that has taken it over has the run, too.

    :param plan: name of the plan.
    :param owner: id of the root execution.
    :param run_dir: directory of the run.
    :returns: ``{settled, state, message}``: whether the run has ended; the execution's state; what kept us from
        looking.
    """

    def __init__(self, plan: str, owner: str, run_dir: str):
        self.plan = plan
        self.owner = owner
        self.run_dir = run_dir

    def act(self, caller: Caller) -> dict[str, Any]:
        path = Path(self.run_dir)
        status = runs.status(path, heartbeat_stale=caller.conf.heartbeat_stale)
        if status.settled:
            return {"settled": True, "state": "", "message": ""}
        try:
            state = str(secrets.mistral(caller).execution(self.owner).state)
            holder = lock.holder(selection.place(caller), self.plan)
            if holder is not None and holder.execution == self.owner:
                self._follow(path, state)
        except FfwdError as error:
            return {"settled": False, "state": "", "message": str(error)}
        return {"settled": False, "state": state, "message": ""}

    def _follow(self, path: Path, state: str) -> None:
        asked = runs.paused_by(path)
        if state == "CANCELLED":
            runs.cancel(path, by=runs.execution(self.owner))
        elif state == "PAUSED" and not asked:
            runs.pause(path, by=runs.execution(self.owner))
        elif state == "RUNNING" and asked == runs.execution(self.owner):
            runs.unpause(path)


def paused_by_its_execution(status: RunStatus) -> bool:
    """Return whether a run was paused because an execution was, so that it goes on when that, or one after it, does."""
    return status.result == "paused" and runs.paused_by(Path(status.run_dir)).startswith(runs.execution(""))
