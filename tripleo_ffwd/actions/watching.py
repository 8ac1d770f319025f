"""An execution that somebody waits for is watched by another one, which tells of progress and of every end.

The workflow itself tells its end while it is running. What does not come to that (cancelled, deleted, lost with its
executor, hanging) is told here; and what Zaqar would not take before is posted here until it does.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oslo_log import log as logging

from tripleo_ffwd import zaqar
from tripleo_ffwd.actions import messages, secrets, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import FfwdError, NotFound
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import lock, outbox
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
MOST_FAILURES = 20
MOST_STAGES = 20
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
    told: dict[str, Any] = {"begun": time.time()}
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
            for message in () if self.quiet else self._news(caller, box, told, state):
                told["spoke"] = now
                self._put(caller, told, messages.RUNNING, message, plan=box.plan)
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
        if box.ended or any(not run.settled for run in self._runs(caller, box.plan)):
            told["busy"] = now
        return bool(now - told.get("busy", told.get("begun", now)) > IDLE_LIMIT)

    def _end(self, caller: Caller) -> tuple[str, Mapping[str, Any]]:
        secrets.mistral(caller).set_state(self.execution, "CANCELLED")
        hours = IDLE_LIMIT // 3600
        return "CANCELLED", {"message": f"The execution has done nothing for {hours} hours and was cancelled"}

    def _put(
        self, caller: Caller, told: dict[str, Any], status: str, message: str, *, plan: str, last: bool = False
    ) -> None:
        text = messages.covered(caller, plan, message)
        teller = caller.task_execution or caller.attempt
        made = messages.body(self.type, self.execution, self.root, status, text, teller=teller)
        outbox.put(caller.work_dir, self.execution, self.queue_name, made, plan=plan, last=last, told=told)

    def _prolong(self, caller: Caller, box: Box, told: dict[str, Any], now: float) -> None:
        """Keep up the client's subscription, which it makes once, for less than a phase may take."""
        if now - told.get("prolonged", told.get("begun", 0)) < PROLONG_EVERY:
            return
        told["prolonged"] = now
        try:
            zaqar.connect(caller.conf, caller.security, box.project).prolong(box.queue)
        except FfwdError as error:
            LOG.info("Who listens to queue %s is not kept up: %s", box.queue, error)

    def _runs(self, caller: Caller, plan: str) -> tuple[RunStatus, ...]:
        """Return the runs that the execution has begun or is attached to, oldest first."""
        if not plan:
            return ()
        holder = lock.holder(selection.place(caller), plan)
        mine = holder is not None and holder.execution == self.root
        return tuple(
            run for run in selection.plan_runs(caller, plan) if run.owner == self.root or (mine and not run.settled)
        )

    def _news(self, caller: Caller, box: Box, told: dict[str, Any], state: str) -> Iterator[str]:
        """Yield what is to be told since the last look, in order."""
        before = told.get("state", "RUNNING")
        told["state"] = state
        if state != before:
            yield "The execution is paused" if state == "PAUSED" else f"The execution is {state}"
        known = told.setdefault("runs", {})
        for run in self._runs(caller, box.plan):
            yield from _news_of(run, known.setdefault(run.run_id, {}))


def _news_of(run: RunStatus, known: dict[str, Any]) -> Iterator[str]:
    """Yield what is new of a run, and note it: its stages and failures, never its log."""
    name = run.playbook
    if not known:
        yield f"{name}: run {run.run_id} has begun"
    failed: dict[str, list[str]] = {}
    for task in run.failed[known.get("failed", 0) : MOST_FAILURES]:
        failed.setdefault(task.stage, []).append(
            f"{name}: {task.host} failed in {task.stage}: {task.task}: {task.message}"
        )
    known["failed"] = len(run.failed)
    yield from failed.pop(str(known.get("stage", "")), ())
    if run.stage and (run.stage != known.get("stage") or run.settled) and not known.get("over"):
        for done, stage in list(_begun(run, str(known.get("stage", ""))))[-MOST_STAGES:]:
            yield f"{name}: {stage} ({done} of {run.stages_total} stages are done)"
            yield from failed.pop(stage, ())
    for words in failed.values():
        yield from words
    known["stage"] = run.stage
    if run.settled and not known.get("over"):
        message = run.message or run.result
        yield message if message.startswith(name) else f"{name}: {message}"
    known["over"] = run.settled


def _begun(run: RunStatus, known: str) -> Iterator[tuple[int, str]]:
    """Yield the stages that a run has begun since the one that is known, each with how many were finished then.

    Most of them take less than the time between two looks. A stage begins when all before it are finished.
    """
    everything = runs.stages(Path(run.run_dir)) or ((run.stages_done, run.stage),)
    ids = [stage for _, stage in everything]
    first = ids.index(known) + 1 if known in ids else 0
    last = len(ids) if run.succeeded else ids.index(run.stage) + 1 if run.stage in ids else first
    yield from everything[first:last]


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
