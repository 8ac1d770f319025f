"""Go on where a Mistral that ended in the middle left its workflows; imports mistral, for mistral_server only.

The in-memory transport forgets its messages. All else is in the database, and with one process there is no doubt:
what the database calls under way at start, nobody works on. So each lost message is sent again:

=====================================  =======================================================================
left behind                            what was lost, and is done now
=====================================  =======================================================================
a captured job of the scheduler        its end: it is released (a poll's next turn, a join's check, a timeout)
a RUNNING synchronous action           the order to the executor, or its result: sent again when it can't have
                                       run or is marked safe-rerun, else failed, as Mistral's heartbeats would
an IDLE task                           the order to start it
a WAITING task                         the check of its join
a RUNNING task, its children finished  their results
a RUNNING workflow                     the check whether it is complete
=====================================  =======================================================================
"""

from __future__ import annotations

import dataclasses
from typing import Any

from mistral import context
from mistral.db.v2 import api as db_api
from mistral.engine import actions as engine_actions
from mistral.engine import post_tx_queue, task_handler, workflow_handler
from mistral.executors import base as executors
from mistral.services import actions as action_service
from mistral.workflow import states
from mistral_lib import actions as ml_actions
from oslo_config import cfg
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

LOST = "Mistral ended while the action ran; whether it did its work is not known"


@dataclasses.dataclass(frozen=True)
class Left:
    """Ids of what was under way when the last process ended."""

    actions: tuple[str, ...]
    tasks: tuple[str, ...]
    workflows: tuple[str, ...]


def take_stock() -> Left:
    """Release the scheduler's captured jobs and return what is under way; call it before anything is started."""
    _become_admin()
    with db_api.transaction():
        for job in db_api.get_scheduled_jobs():
            if job.captured_at is not None:
                _release(job)
        return Left(
            actions=tuple(a.id for a in db_api.get_action_executions(state=states.RUNNING) if a.is_sync),
            tasks=tuple(
                t.id
                for state in (states.IDLE, states.WAITING, states.RUNNING)
                for t in db_api.get_task_executions(state=state)
            ),
            workflows=tuple(w.id for w in db_api.get_workflow_executions(state=states.RUNNING)),
        )


def go_on(left: Left, engine: Any, *, drained: bool) -> None:
    """Send again what was lost; one failure is logged and hinders no other.

    Args:
        left: what `take_stock` found.
        engine: Mistral's engine, not a client of it.
        drained: the last process let its actions finish, so one that is RUNNING was never begun.
    """
    _become_admin()
    for action_id in left.actions:
        _guarded(_settle_action, action_id, engine, drained)
    for task_id in left.tasks:
        _guarded(_settle_task, task_id, engine)
    for workflow_id in left.workflows:
        _guarded(post_tx_queue.run(_settle_workflow), workflow_id)


def _release(job: Any) -> None:
    task_id = job.func_args.get("task_ex_id")
    task = db_api.load_task_execution(task_id) if task_id else None
    if job.func_name.endswith("._continue_task") and task is not None and task.state != states.RUNNING_DELAYED:
        # Its work was committed, only its removal was not: run again it would run the task's action twice.
        db_api.delete_scheduled_job(job.id)
    else:
        db_api.update_scheduled_job(id=job.id, values={"captured_at": None})


def _settle_action(action_id: str, engine: Any, drained: bool) -> None:
    with db_api.transaction():
        action_ex = db_api.load_action_execution(action_id)
        if action_ex is None or action_ex.state != states.RUNNING:
            return
        safe = bool((action_ex.runtime_context or {}).get("safe_rerun"))
        again = drained or safe
        if again:
            description = action_service.get_system_action_provider().find(
                action_ex.name, namespace=action_ex.workflow_namespace
            )
            action = description.instantiate(action_ex.input, {})
            run_context = engine_actions.RegularAction(description, action_ex)._prepare_execution_context()
    if again:
        LOG.info("The action %s is sent to the executor again", action_id)
        executors.get_executor(cfg.CONF.executor.type).run_action(action, action_id, safe, run_context)
    else:
        LOG.warning("The action %s was lost", action_id)
        engine.on_action_complete(action_id, ml_actions.Result(error=LOST))


def _settle_task(task_id: str, engine: Any) -> None:
    if post_tx_queue.run(_check_task)(task_id) == states.IDLE:
        LOG.info("The task %s is started", task_id)
        engine.start_task(task_id, True, False, None, False, False)


def _check_task(task_id: str) -> str | None:
    """Settle a task that waits for others; return the state of a task of a live workflow."""
    with db_api.transaction():
        task = db_api.load_task_execution(task_id)
        if task is None or task.workflow_execution.state != states.RUNNING:
            return None
        state, children = str(task.state), list(task.executions)
        if state == states.WAITING:
            task_handler._schedule_refresh_task_state(task_id)
        elif state == states.RUNNING and children and all(states.is_completed(c.state) for c in children):
            LOG.info("The task %s takes the results of its children", task_id)
            task_handler.schedule_on_action_complete(children[-1])
    return state


def _settle_workflow(workflow_id: str) -> None:
    with db_api.transaction():
        workflow_handler.check_and_complete(workflow_id)


def _guarded(settle: Any, *args: Any) -> None:
    try:
        settle(*args)
    except Exception:
        LOG.exception("%s can't go on", args[0])


def _become_admin() -> None:
    context.set_ctx(context.MistralContext(user_id=None, project_id=None, auth_token=None, is_admin=True))
