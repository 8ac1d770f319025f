"""Messages to who waits for a phase on a queue of Zaqar, such as an unmodified tripleoclient.

Nothing waits for Zaqar: what can't be posted is kept (`plan.outbox`) and posted with the next message, or by the
execution that watches (`actions.watching`). Shapes that the clients of TripleO read are written here and nowhere else.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from oslo_log import log as logging

from tripleo_ffwd import zaqar
from tripleo_ffwd.actions import outcomes, progress, secrets
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError, InvalidInput
from tripleo_ffwd.plan import outbox
from tripleo_ffwd.plan.outbox import Box

LOG = logging.getLogger(__name__)

RUNNING, SUCCESS, FAILED = "RUNNING", "SUCCESS", "FAILED"
STATUSES = (RUNNING, SUCCESS, FAILED)
MAX_MESSAGE = 4000


class SendMessageAction(FfwdAction):
    """Tell who waits for an execution how it stands, on a queue of Zaqar; never fails because of Zaqar.

    A message with another status than RUNNING is the last one: it is told once, and nothing after it.

    :param execution: id of the execution that is waited for.
    :param message: one or a few sentences, or the result of a failed task, which has them.
    :param status: RUNNING, SUCCESS or FAILED.
    :param root: id of its root execution; the same by default.
    :param queue_name: name of the queue.
    :param type: what kind of message it is: the name of the workflow, as TripleO's own has it.
    :param plan: name of the plan.
    :param details: more of what the message says, by name.
    :returns: ``{sent, waiting, error, message}``: whether nothing is left to be posted, how many messages are, and why;
        the words of this one.
    """

    def __init__(
        self,
        execution: str,
        message: Any,
        status: str = RUNNING,
        root: str = "",
        queue_name: str = zaqar.QUEUE,
        type: str = "",
        plan: str = "",
        details: dict[str, Any] | None = None,
    ):
        self.execution = execution
        self.message = message
        self.status = status
        self.root = root
        self.queue_name = queue_name
        self.type = type
        self.plan = plan
        self.details = details

    def act(self, caller: Caller) -> dict[str, Any]:
        if self.status not in STATUSES:
            raise InvalidInput(f"There is no status {self.status!r}", remedy=f"Use one of {', '.join(STATUSES)}")
        told = body(
            self.type,
            self.execution,
            self.root,
            self.status,
            _words(self.message),
            details=self.details,
            teller=caller.attempt,
        )
        told = self.covered(caller, told)
        if self.status != RUNNING:
            try:
                self._tell_news(caller)
            except Exception as error:  # noqa: BLE001 - whatever it is, the last message must go out
                LOG.warning("What is new of execution %s can't be told: %s", self.execution, error)
        key = caller.attempt if self.status == RUNNING else ""
        done = deliver(caller, self.execution, self.queue_name, told, plan=self.plan, key=key)
        return {**done, "message": told["payload"]["message"]}

    def _tell_news(self, caller: Caller) -> None:
        """Tell before the end what whoever watches has not come to: nothing is told after it."""
        box = outbox.read(caller.work_dir, self.execution)
        if box is None or box.ended or not box.told.get("progress"):
            return
        told = copy.deepcopy(dict(box.told))
        teller = caller.task_execution or caller.attempt
        for key, words in progress.news(caller, self.root or self.execution, box.plan, told):
            made = body(self.type, self.execution, self.root, RUNNING, covered(caller, box.plan, words), teller=teller)
            outbox.put(caller.work_dir, self.execution, box.queue, made, plan=box.plan, key=key, told=told)


def deliver(
    caller: Caller, execution: str, queue: str, told: dict[str, Any], *, plan: str = "", key: str = ""
) -> dict[str, Any]:
    """Keep a message for an execution, and post it as far as Zaqar takes it; one that is not RUNNING is the last.

    Args:
        caller: of the action.
        execution: id of the execution that is waited for.
        queue: name of the queue; empty for TripleO's.
        told: as `body` makes it.
        plan: name of the plan.
        key: what the message is known by, see `outbox.put`.

    Returns:
        ``{sent, waiting, error}``.
    """
    last = told["payload"]["status"] != RUNNING
    queue = queue or zaqar.QUEUE
    try:
        outbox.put(caller.work_dir, execution, queue, told, plan=plan, project=caller.project, last=last, key=key)
        box = post(caller, execution)
    except (FfwdError, OSError) as error:
        if not last:
            raise
        # What can't be kept is told at once: without the last message the client waits for ever.
        zaqar.connect(caller.conf, caller.security, caller.project).post(queue, [told])
        return {"sent": True, "waiting": 0, "error": str(error)}
    return {"sent": not box.waiting, "waiting": len(box.waiting), "error": box.error}


def _words(message: Any) -> str:
    told_by = outcomes.details(message)
    return str(told_by.get("message") or told_by.get("result") or message)


def body(
    kind: str,
    execution: str,
    root: str,
    status: str,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    teller: str = "",
) -> dict[str, Any]:
    """Return a message as TripleO's clients read it.

    They take one that names the execution itself for a reason to look at its state, and what they then find for the
    end. So progress names another teller below it, as that of a sub-workflow does: it can come late and does no harm.

    Args:
        kind: name of the workflow.
        execution, root: ids of the execution that is waited for, and of its root.
        status, message: how it stands, and the words for it.
        details: more of what the message says, by name.
        teller: id of what tells of progress.
    """
    root = root or execution
    names = execution if status != RUNNING or not teller else teller
    payload = {
        **(details or {}),
        "status": status,
        "message": message[:MAX_MESSAGE],
        # Clients up to Stein read the first, later ones the two after it.
        "execution": {"id": names, "root_execution_id": root},
        "execution_id": names,
        "root_execution_id": root,
    }
    return {"type": kind, "payload": payload}


def post(caller: Caller, execution: str) -> Box:
    """Post what is kept for an execution, as far as Zaqar takes it, and return what is left."""

    def send(box: Box, bodies: Sequence[Mapping[str, Any]]) -> None:
        zaqar.connect(caller.conf, caller.security, box.project).post(box.queue, bodies)

    return outbox.empty(caller.work_dir, execution, send)


def covered(caller: Caller, plan: str, text: str) -> str:
    """Return a text without the plan's secrets and our own."""
    return str(secrets.redactor(caller, plan).within(text))
