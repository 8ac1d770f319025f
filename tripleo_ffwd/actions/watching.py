"""An execution that somebody waits for is watched by another one, which tells of progress and of every end.

The workflow itself tells its end while it is running. What does not come to that (cancelled, deleted, lost with its
executor, hanging) is told here; and what Zaqar would not take before is posted here until it does.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from oslo_log import log as logging

from tripleo_ffwd import zaqar
from tripleo_ffwd.actions import messages, progress, secrets
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError, NotFound
from tripleo_ffwd.plan import outbox
from tripleo_ffwd.plan.lock import GONE, TERMINAL
from tripleo_ffwd.plan.outbox import Box

LOG = logging.getLogger(__name__)

WORKFLOW = "ffwd_upgrade.v1._watch_execution"
# Seconds for which an execution may run without a run of Ansible: then it hangs. A stack update may take as long as its
# timeout, and a run may wait a day for its turn.
IDLE_LIMIT = 25 * 3600
# Seconds after the end for which a message is tried to be posted, and between two extensions of who listens.
GIVE_UP = 3600
PROLONG_EVERY = 1800
# Some clients give up a workflow that says nothing for six minutes.
SILENCE = 240


def begin(
    caller: Caller, execution: str, root: str, *, kind: str, queue: str, poll_interval: int, quiet: bool = False
) -> None:
    """Start the execution that watches another one, unless there is one; without it nobody tells of a cancel.

    Args:
        caller: the surroundings of the action.
        execution, root: ids of the execution that is waited for, and of its root.
        kind: name of its workflow, for the messages.
        queue: name of the queue.
        poll_interval: seconds between two looks.
        quiet: tell of the end only.
    """
    box = outbox.read(caller.work_dir, execution)
    if box is not None and box.told.get("watcher"):
        return
    inputs = {
        "execution": execution,
        "root": root,
        "type": kind,
        "queue_name": queue,
        "quiet": quiet,
        "poll_interval": poll_interval,
    }
    told: dict[str, Any] = {"begun": time.time(), "progress": not quiet}
    # Who can't be written for is watched all the same: the client waits for an end, and may do so for ever.
    with contextlib.suppress(FfwdError, OSError):
        outbox.put(caller.work_dir, execution, queue, None, project=caller.project, told=told)
    try:
        told["watcher"] = secrets.mistral(caller).start(WORKFLOW, inputs)
    except FfwdError as error:
        LOG.warning("Nobody watches execution %s: %s", execution, error)
    with contextlib.suppress(FfwdError, OSError):
        now = outbox.read(caller.work_dir, execution)
        outbox.put(caller.work_dir, execution, queue, None, told={**(now.told if now else {}), **told})


class WatchExecutionAction(FfwdAction):
    """Look at an execution that somebody waits for; tell what is new, and the end if it has not been told.

    :param execution: id of the execution that is waited for.
    :param root: id of its root execution.
    :param type: name of its workflow, for the messages.
    :param queue_name: name of the queue.
    :param quiet: tell of the end only.
    :returns: ``{settled, state, message}``: whether there is nothing more to tell; the execution's state; what kept us
        from looking or telling.
    """

    def __init__(
        self, execution: str, root: str = "", type: str = "", queue_name: str = zaqar.QUEUE, quiet: bool = False
    ):
        self.execution = execution
        self.root = root
        self.type = type
        self.queue_name = queue_name
        self.quiet = quiet

    def act(self, caller: Caller) -> dict[str, Any]:
        box = outbox.read(caller.work_dir, self.execution) or Box(self.execution, self.queue_name)
        told = dict(box.told)
        try:
            state, output = self._look(caller, told)
        except FfwdError as error:  # it is looked at again
            return {"settled": False, "state": "", "message": str(error)}
        now = time.time()
        if state == "PAUSED":
            told["busy"] = now  # what is paused does nothing, and does not hang
        if state == "RUNNING" and self._hangs(caller, box, told, now):
            state, output = self._end(caller)
        if state in (*TERMINAL, GONE):
            told.setdefault("over", now)
            self._put(caller, told, *_last(state, output), plan=box.plan, last=True)
        elif not box.ended:
            for key, message in () if self.quiet else self._news(caller, box, told, state):
                told["spoke"] = now
                self._put(caller, told, messages.RUNNING, message, plan=box.plan, key=key)
            if not self.quiet and now - told.get("spoke", told.get("begun", now)) > SILENCE:
                told["spoke"] = now
                self._put(caller, told, messages.RUNNING, f"The execution is {state}", plan=box.plan)
            self._prolong(caller, box, told, now)
            outbox.put(caller.work_dir, self.execution, self.queue_name, None, told=told)
        box = messages.post(caller, self.execution)
        over = box.ended and (not box.waiting or now - told.get("over", now) > GIVE_UP)
        return {"settled": over, "state": state, "message": box.error}

    def _look(self, caller: Caller, told: dict[str, Any]) -> tuple[str, Mapping[str, Any]]:
        try:
            found = secrets.mistral(caller).execution(self.execution)
        except NotFound:
            # One that was never seen may be another project's.
            if not told.get("seen"):
                raise
            return GONE, {}
        told["seen"] = True
        output = json.loads(found.output or "{}") if isinstance(found.output, str) else found.output
        return str(found.state), output if isinstance(output, dict) else {}

    def _hangs(self, caller: Caller, box: Box, told: dict[str, Any], now: float) -> bool:
        """Return whether the execution has done nothing for too long; its runs have a timeout of their own."""
        if box.ended or any(not run.settled for run in progress.runs_of(caller, self.root, box.plan)):
            told["busy"] = now
        return bool(now - told.get("busy", told.get("begun", now)) > IDLE_LIMIT)

    def _end(self, caller: Caller) -> tuple[str, Mapping[str, Any]]:
        secrets.mistral(caller).set_state(self.execution, "CANCELLED")
        hours = IDLE_LIMIT // 3600
        return "CANCELLED", {"message": f"The execution has done nothing for {hours} hours and was cancelled"}

    def _put(
        self,
        caller: Caller,
        told: dict[str, Any],
        status: str,
        message: str,
        *,
        plan: str,
        last: bool = False,
        key: str = "",
    ) -> None:
        text = messages.covered(caller, plan, message)
        teller = caller.task_execution or caller.attempt
        made = messages.body(self.type, self.execution, self.root, status, text, teller=teller)
        outbox.put(caller.work_dir, self.execution, self.queue_name, made, plan=plan, last=last, key=key, told=told)

    def _prolong(self, caller: Caller, box: Box, told: dict[str, Any], now: float) -> None:
        """Keep up the client's subscription, which it makes once, for less than a phase may take."""
        if now - told.get("prolonged", told.get("begun", 0)) < PROLONG_EVERY:
            return
        told["prolonged"] = now
        try:
            zaqar.connect(caller.conf, caller.security, box.project).prolong(box.queue)
        except FfwdError as error:
            LOG.info("Who listens to queue %s is not kept up: %s", box.queue, error)

    def _news(self, caller: Caller, box: Box, told: dict[str, Any], state: str) -> Iterator[tuple[str, str]]:
        """Yield what is to be told since the last look, in order, and what each is known by."""
        before = told.get("state", "RUNNING")
        told["state"] = state
        if state != before:
            yield "", "The execution is paused" if state == "PAUSED" else f"The execution is {state}"
        yield from progress.news(caller, self.root, box.plan, told)


def _last(state: str, output: Mapping[str, Any]) -> tuple[str, str]:
    """Return status and words of the last message, for an execution that has ended without one."""
    message = str(output.get("message") or "")
    if state == "SUCCESS" and output.get("status", "SUCCESS") == "SUCCESS":
        return messages.SUCCESS, message or "It has finished"
    words = {
        "CANCELLED": "The execution was cancelled; a run of it is being ended, `tripleo-ffwd run list` says when it is",
        GONE: "The execution is not there any more; `tripleo-ffwd run list` says what became of its runs",
    }
    return messages.FAILED, message or words.get(state, f"The execution ended in {state} without a word")
