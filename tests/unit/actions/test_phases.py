"""The actions around a phase, sent again because an executor was lost before it answered."""

from __future__ import annotations

import json
import shutil
import time
from types import SimpleNamespace

from mistral_lib import actions

from tripleo_ffwd.actions.phases import AcquireLockAction, BeginPhaseAction, FinishPhaseAction, RecordPlaybookAction
from tripleo_ffwd.model import PHASE_PLAYBOOKS
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
    assert "has run what is tagged validation, and is not recorded as finished, on 1 node." in told["message"]
    assert phases.read_record(work_dir, "p").nodes == {}
    assert run(AcquireLockAction("p", "upgrade", "e-2"))["acquired"]
    run(RecordPlaybookAction("p", "upgrade", "e-2", "upgrade_steps_playbook.yaml", ["ctl-0"], tags="validation"))
    assert phases.read_record(work_dir, "p").playbooks == {}
    run(RecordPlaybookAction("p", "upgrade", "e-2", "upgrade_steps_playbook.yaml", ["ctl-0"], tags=""))
    assert phases.read_record(work_dir, "p").playbooks == {"ctl-0": ("upgrade_steps_playbook.yaml",)}


def test_tags_are_told_to_the_beginning_of_a_phase(work_dir):
    steps = PHASE_PLAYBOOKS["upgrade"]
    phases.begin(work_dir, "p", "prepare", [], execution="e-0")
    phases.finish(work_dir, "p", "prepare", [])
    phases.begin(work_dir, "p", "run", ["ctl-0"], execution="e-0")
    phases.finish(work_dir, "p", "run", ["ctl-0"])
    for playbook in steps:
        phases.finish_playbook(work_dir, "p", "upgrade", ["ctl-0"], playbook)
    assert run(AcquireLockAction("p", "upgrade", "e-1"))["acquired"]
    run(BeginPhaseAction("p", "upgrade", "e-1", ["ctl-0"], steps[1], tags="validation"))
    assert phases.read_record(work_dir, "p").playbooks == {"ctl-0": steps}
    assert phases.read_record(work_dir, "p").state("ctl-0", "upgrade") == "finished"


def acquire(plan: str, owner: str, **more):
    return run(AcquireLockAction(plan, "prepare", owner, {"stack": "cloud"}, **more))


def live_run(work_dir, plan: str) -> None:
    directory = work_dir / "runs" / "20261123T000000000000-abcdef"
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text(json.dumps({"plan": plan, "phase": "run", "playbook": "p.yaml"}))
    (directory / "launch.json").write_text(json.dumps({"created": time.time()}))


def test_two_plans_are_not_at_work_on_one_stack_at_once(work_dir):
    assert acquire("one", "e-1") == {"acquired": True, "holder": "e-1"}
    assert acquire("two", "e-2") == {"acquired": False, "holder": "e-1"}
    refused = acquire("two", "e-2", holder="e-1", holder_state="RUNNING").error
    assert refused["error"] == "PlanLocked"
    assert "Plan one, of the same stack cloud, is in phase prepare" in refused["message"]
    assert "e-1, which is RUNNING" in refused["message"]
    assert run(AcquireLockAction("three", "prepare", "e-3", {"stack": "other"}))["acquired"]


def test_a_stack_is_free_when_the_other_plans_phase_has_ended(work_dir):
    assert acquire("one", "e-1")["acquired"]
    run(FinishPhaseAction("one", "prepare", "e-1", error="it failed"))
    assert acquire("two", "e-2")["acquired"]
    assert not acquire("one", "e-3")["acquired"]


def test_a_stack_is_taken_over_from_a_lost_execution_but_not_from_its_run(work_dir):
    assert acquire("one", "e-1")["acquired"]
    lost = {"holder": "e-1", "holder_state": "CANCELLED"}
    live_run(work_dir, "one")
    assert "of plan one, of the same stack cloud, is live" in acquire("two", "e-2", **lost).error["message"]
    shutil.rmtree(work_dir / "runs")
    assert acquire("two", "e-2", **lost)["acquired"]
    # It is known by its name alone, too: the plan's own is that of its stack.
    assert run(AcquireLockAction("cloud", "run", "e-4", {}))["holder"] == "e-2"


def test_a_job_beside_the_phases_is_told_by_its_name(work_dir):
    assert run(AcquireLockAction("p", "external_update", "e-1", {"job": "external_update"}))["acquired"]
    assert run(BeginPhaseAction("p", "external_update", "e-1", ["ctl-0"])) is None
    told = run(FinishPhaseAction("p", "external_update", "e-1", ["ctl-0"]))
    assert told["message"] == "External update of plan p has finished on 1 node."
    assert phases.read_record(work_dir, "p").nodes == {}
    assert "There is no phase ['update']" in run(AcquireLockAction("p", ["update"], "e-2")).error["message"]
    refused = run(AcquireLockAction("p", "outdate", "e-2"))
    assert "There is no phase 'outdate'" in refused.error["message"]
    assert "jobs beside them update, external_update, external_upgrade" in refused.error["message"]
