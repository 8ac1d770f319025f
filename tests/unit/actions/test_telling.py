"""Who wants to be told of phases is told what happens, and of no secret."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions import telling
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.actions.overview import GetPlanStatusAction
from tripleo_ffwd.model import FailedTask, RunStatus
from tripleo_ffwd.notifying import spool

PASSWORD = "Zx81-Spectrum-48k"


@pytest.fixture
def caller(work_dir):
    """Somebody whose token is a secret, with a command for messages that never takes one."""
    cfg.CONF.set_override("notify_command", "false", group=config.GROUP)
    security = SimpleNamespace(project_id="p", user_id="u", auth_token=PASSWORD)
    try:
        yield Caller(config.load(), security, "a-1")
    finally:
        cfg.CONF.clear_override("notify_command", group=config.GROUP)


def told(caller) -> list[dict]:
    return [json.loads(path.read_text()) for path in spool.Box(caller.work_dir, "p", "command").waiting()]


def status(caller, **fields) -> RunStatus:
    run_dir = caller.work_dir / "runs" / "r-1"
    run_dir.mkdir(parents=True, exist_ok=True)
    return RunStatus(
        "r-1", str(run_dir), "p", "run", "fast_forward_upgrade_playbook.yaml", "live", owner="e-1", **fields
    )


def test_a_phase_is_told_from_its_beginning_to_its_end(caller):
    telling.begun(caller, "p", "run", "e-1", 3, "")
    first = status(caller, stage="ocata/step1/Controller/all", stages_total=9)
    telling.seen(caller, first)
    telling.seen(caller, first)
    failed = FailedTask("f.yaml", "ocata/step2/Controller/all", "ctl-1", "Sync", f"token {PASSWORD}", "log")
    later = {"stage": "ocata/step2/Controller/all", "stages_done": 1, "stages_total": 9}
    telling.seen(caller, status(caller, **later, failed=(failed,), failed_total=1))
    telling.ended(caller, "p", "run", "e-1", {"status": "FAILED", "message": f"it had {PASSWORD}"})
    telling.ended(caller, "p", "run", "e-1", {"status": "FAILED", "message": f"it had {PASSWORD}"})  # sent again
    messages = told(caller)
    assert [one["event"] for one in messages] == ["phase_started", "stage", "stage", "failure", "phase_ended"]
    assert messages[2]["message"].endswith("is in ocata/step2/Controller/all, 1 of 9 stages finished")
    assert messages[3]["failed"][0]["host"] == "ctl-1"
    assert messages[4]["status"] == "FAILED"
    assert {one["execution"] for one in messages} == {"e-1"}
    assert PASSWORD not in json.dumps(messages)


def test_a_phase_that_never_began_is_not_told_of(caller):
    telling.ended(caller, "p", "run", "e-1", {"status": "FAILED", "message": "refused"})
    assert told(caller) == []


def test_only_wanted_events_are_told(caller):
    cfg.CONF.set_override("notify_events", ["failure"], group=config.GROUP)
    try:
        telling.begun(caller, "p", "run", "e-1", 3, "")
    finally:
        cfg.CONF.clear_override("notify_events", group=config.GROUP)
    assert told(caller) == []


def test_the_status_of_a_plan_tells_that_messages_are_late(caller):
    telling.begun(caller, "p", "prepare", "e-1", 0, "")
    spool.Box(caller.work_dir, "p", "command").note(error="notify_command ended with 1")
    execution = SimpleNamespace(action_execution_id="a", task_execution_id="")
    from tripleo_ffwd.plan import phases

    phases.begin(caller.work_dir, "p", "prepare", [], execution="e-1")
    found = GetPlanStatusAction("p").run(SimpleNamespace(execution=execution, security=caller.security))
    (late,) = found["notifications"]
    assert (late["receiver"], late["waiting"]) == ("command", 1)
    assert late["error"] == "notify_command ended with 1"
