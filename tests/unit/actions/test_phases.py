"""The actions around a phase, sent again because an executor was lost before it answered."""

from __future__ import annotations

from types import SimpleNamespace

from mistral_lib import actions

from tripleo_ffwd.actions.phases import AcquireLockAction, FinishPhaseAction, RecordPlaybookAction
from tripleo_ffwd.plan import phases


def run(action):
    execution = SimpleNamespace(action_execution_id="a-1")
    security = SimpleNamespace(project_id=None)
    return action.run(SimpleNamespace(execution=execution, security=security))


def test_the_end_of_a_phase_told_twice_is_the_same_end(work_dir):
    assert run(AcquireLockAction("p", "prepare", "e-1"))["acquired"]
    first = run(FinishPhaseAction("p", "prepare", "e-1", []))
    assert first["status"] == "SUCCESS"
    assert run(FinishPhaseAction("p", "prepare", "e-1", [])) == first
    assert phases.read_record(work_dir, "p").prepare == "finished"


def test_it_takes_the_lock_from_nobody_else(work_dir):
    assert run(AcquireLockAction("p", "prepare", "e-1"))["acquired"]
    run(FinishPhaseAction("p", "prepare", "e-1", []))
    assert run(AcquireLockAction("p", "run", "e-2"))["acquired"]
    assert run(FinishPhaseAction("p", "prepare", "e-1", []))["status"] == "SUCCESS"
    assert run(AcquireLockAction("p", "run", "e-3")) == {"acquired": False, "holder": "e-2"}
    refused = run(FinishPhaseAction("p", "run", "e-1", []))
    assert isinstance(refused, actions.Result)
    assert refused.error["error"] == "PlanLocked"


def test_what_was_limited_by_tags_has_not_finished(work_dir):
    assert run(AcquireLockAction("p", "run", "e-1"))["acquired"]
    told = run(FinishPhaseAction("p", "run", "e-1", ["ctl-0"], tags="validation"))
    assert told["status"] == "SUCCESS"
    assert "has run what is tagged validation, and is not recorded as finished, on 1 nodes" in told["message"]
    assert phases.read_record(work_dir, "p").nodes == {}
    assert run(AcquireLockAction("p", "upgrade", "e-2"))["acquired"]
    run(RecordPlaybookAction("p", "upgrade", "e-2", "upgrade_steps_playbook.yaml", ["ctl-0"], tags="validation"))
    assert phases.read_record(work_dir, "p").playbooks == {}
    run(RecordPlaybookAction("p", "upgrade", "e-2", "upgrade_steps_playbook.yaml", ["ctl-0"], tags=""))
    assert phases.read_record(work_dir, "p").playbooks == {"ctl-0": ("upgrade_steps_playbook.yaml",)}
