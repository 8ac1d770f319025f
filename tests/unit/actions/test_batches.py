"""What the actions around batches answer: to results of any shape, sent again, asked for what can't be."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from mistral_lib import actions

from tripleo_ffwd.actions.batches import CheckBatchesAction, JudgeBatchAction, JudgeWaveAction, PlanBatchesAction
from tripleo_ffwd.actions.phases import AcquireLockAction
from tripleo_ffwd.actions.runs import CancelPlaybookAction, PausePlaybookAction, StartPlaybookAction
from tripleo_ffwd.plan import batches, outputs, rollouts

PLAN, OWNER = "overcloud", "e-1"
COMPUTES = tuple(f"cmp-{number}" for number in range(5))


@pytest.fixture
def begun(work_dir):
    """A plan in phase upgrade, with a canary and two batches of two, of which one node may be left behind."""
    run(AcquireLockAction(PLAN, "upgrade", OWNER))
    wanted = batches.parse({"size": 2, "failure_budget": 1})
    waves = batches.waves(wanted, {"Compute": COMPUTES}, ["Compute"])
    rollouts.begin(work_dir, PLAN, rollouts.Rollout("all", wanted, waves))
    return work_dir


def run(action):
    execution = SimpleNamespace(action_execution_id="a-1", task_execution_id="t-1")
    return action.run(SimpleNamespace(execution=execution, security=SimpleNamespace(project_id=None)))


def refused(action) -> dict:
    result = run(action)
    assert isinstance(result, actions.Result)
    return result.error


def lost_run(work_dir, *hosts: str, result: str = "failed"):
    """A run directory as it is left by a run that lost some hosts."""
    tree = work_dir / "tree"
    run_dir = work_dir / "runs" / "20261123T000000000000-abcdef"
    for directory in (tree, run_dir):
        directory.mkdir(parents=True)
    (tree / "inventory.yaml").write_text(json.dumps({"Compute": {"hosts": {host: {} for host in COMPUTES}}}))
    stage = {"id": "-/step1/Compute/all", "playbook": "p.yaml", "hosts": COMPUTES, "tasks": 1, "role": "Compute"}
    (tree / "manifest.json").write_text(json.dumps({"digest": "d", "stages": [stage], "files": []}))
    spec = {"plan": PLAN, "phase": "upgrade", "playbook": "p.yaml", "tree": str(tree), "digest": "d"}
    (run_dir / "spec.json").write_text(json.dumps({**spec, "targets": COMPUTES[1:3]}))
    (run_dir / "status.json").write_text(json.dumps({"state": "finished", "result": result}))
    lines = [
        {"t": "2026-11-23T00:00:00.000+00:00", "event": "play_start", "play": stage["id"]},
        {"t": "2026-11-23T00:00:00.000+00:00", "event": "task", "number": 1, "task": "stop the agent"},
        *([1.0 + number, 1, host, "failed", "no such unit"] for number, host in enumerate(hosts)),
    ]
    (run_dir / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run_dir


def judge(run_dir, batch: str = "Compute-1", targets=COMPUTES[1:3]):
    # What Mistral makes of a failed sub-workflow's output.
    return run(
        JudgeBatchAction(PLAN, OWNER, batch, list(targets), {"error": {"run_dir": str(run_dir), "message": "no"}})
    )


def test_a_batch_goes_on_without_the_node_it_has_lost_also_when_it_is_asked_twice(begun):
    run_dir = lost_run(begun, "cmp-1")
    expected = {"go_on": True, "ok": True, "targets": ["cmp-2"], "follows": run_dir.name}
    assert judge(run_dir) == expected
    assert judge(run_dir) == expected
    (node,) = rollouts.current(begun, PLAN).lost
    assert (node.host, node.batch, node.task, node.message) == ("cmp-1", "Compute-1", "stop the agent", "no such unit")


def test_more_nodes_than_the_budget_has_end_the_batch_and_none_is_left_behind(begun):
    answer = judge(lost_run(begun, "cmp-1", "cmp-2"))
    assert (answer["go_on"], answer["ok"]) == (False, False)
    assert rollouts.current(begun, PLAN).lost == ()


def test_a_batch_that_has_lost_all_of_its_nodes_has_ended_well_within_the_budget(begun):
    answer = judge(lost_run(begun, "cmp-1"), targets=["cmp-1"])
    assert (answer["go_on"], answer["ok"]) == (False, True)


def test_no_budget_covers_a_canary(begun):
    answer = judge(lost_run(begun, "cmp-1"), batch="Compute-canary", targets=["cmp-1"])
    assert (answer["go_on"], answer["ok"]) == (False, False)


@pytest.mark.parametrize("result", ["cancelled", "paused", "timeout", "successful"])
def test_a_run_that_did_not_end_by_itself_loses_no_node(begun, result):
    assert judge(lost_run(begun, "cmp-1", result=result))["go_on"] is False


def test_an_error_without_a_run_ends_the_batch(begun):
    for error in (None, "Heartbeat wasn't received.", {"result": "Failed to run task"}, {"error": {"run_dir": ""}}):
        answer = run(JudgeBatchAction(PLAN, OWNER, "Compute-1", ["cmp-1"], error))
        assert (answer["go_on"], answer["ok"]) == (False, False)


GOOD = {"batch": "Compute-canary", "ok": True, "error": None}


def test_a_wave_that_ended_well_is_followed_by_the_next_one(begun):
    answer = run(JudgeWaveAction(PLAN, 0, 3, [GOOD]))
    assert answer == {"position": 1, "more": True, "upgraded": ["cmp-0"]}
    assert run(JudgeWaveAction(PLAN, 2, 3, [GOOD]))["more"] is False


def test_a_wave_with_a_batch_that_failed_ends_the_rollout_and_tells_what_was_not_begun(begun):
    failed = {"playbook": "p.yaml", "stage": "s", "host": "cmp-1", "task": "t", "message": "m", "log": "l"}
    bad = {"batch": "Compute-1", "ok": False, "error": {"message": "cmp-1 failed", "run_id": "r", "failed": [failed]}}
    error = refused(JudgeWaveAction(PLAN, 1, 3, [GOOD, bad]))
    assert "batch Compute-1: cmp-1 failed; 1 more wave of batches not begun" in error["message"]
    assert error["failed"] == [failed]
    assert error["run_id"] == "r"


@pytest.mark.parametrize("results", ["Failed to run", None, [None], [{}], [{"batch": "Compute-1"}], ["gone"]])
def test_a_batch_that_says_nothing_has_not_ended_well(begun, results):
    assert refused(JudgeWaveAction(PLAN, 1, 3, results))["error"] == "WaitFailed"


def test_nodes_that_were_left_behind_end_the_phase_in_error_when_all_else_is_done(begun):
    judge(lost_run(begun, "cmp-1"))
    assert run(JudgeWaveAction(PLAN, 1, 3, [GOOD]))["upgraded"] == ["cmp-0", "cmp-2"]
    error = refused(JudgeWaveAction(PLAN, 2, 3, [GOOD]))
    assert "left behind: cmp-1 (Compute-1: 'stop the agent' in -/step1/Compute/all)" in error["message"]
    assert [task["host"] for task in error["failed"]] == ["cmp-1"]


def test_a_pause_of_all_that_did_not_end_well_is_a_pause(begun):
    paused = {"batch": "Compute-1", "ok": False, "error": {"message": "paused by me", "paused": True}}
    assert refused(JudgeWaveAction(PLAN, 1, 3, [GOOD, paused]))["paused"] is True
    other = {"batch": "Compute-2", "ok": False, "error": {"message": "cmp-3 failed"}}
    assert "paused" not in refused(JudgeWaveAction(PLAN, 1, 3, [paused, other]))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"size": 0}, "batches.size"),
        ({"failure_budget": {"Compte": 1}}, "No node of role Compte"),
        ({"health_check": "/nowhere/check.yaml"}, "/nowhere/check.yaml can't be read"),
    ],
)
def test_batches_that_cannot_be_are_refused_before_anything_is_touched(work_dir, asked, told):
    found = {"RoleNetHostnameMap": {"Compute": {"canonical": list(COMPUTES)}}}
    digest = outputs.save(work_dir, [{"output_key": key, "output_value": value} for key, value in found.items()])
    assert told in refused(CheckBatchesAction(PLAN, digest, list(COMPUTES), asked))["message"]


def start(owner: str = OWNER, batch: str = "") -> StartPlaybookAction:
    return StartPlaybookAction(PLAN, "upgrade", "p.yaml", "/nowhere", "d", owner=owner, batch=batch)


def test_a_phase_that_is_to_end_begins_no_playbook_though_none_was_running(begun):
    told = run(CancelPlaybookAction(plan=PLAN))
    assert told["message"] == "No run of plan overcloud is live; phase upgrade starts no other playbook."
    error = refused(start(batch="Compute-2"))
    assert "cancelled before p.yaml of batch Compute-2" in error["message"]
    assert error["error"] == "Stopped"


def test_a_pause_is_taken_back_and_does_not_take_back_a_cancel(begun):
    run(PausePlaybookAction(plan=PLAN))
    assert refused(start())["paused"] is True
    run(PausePlaybookAction(plan=PLAN, undo=True))
    assert refused(start())["error"] != "Stopped"
    run(CancelPlaybookAction(plan=PLAN))
    run(PausePlaybookAction(plan=PLAN))
    assert "cancelled" in refused(start())["message"]
    run(PausePlaybookAction(plan=PLAN, undo=True))
    assert "cancelled" in refused(start())["message"]


def test_batches_that_are_limited_by_tags_leave_those_that_are_to_be_gone_on_with_alone(begun):
    run_dir = lost_run(begun, "cmp-1")
    judge(run_dir)
    before = rollouts.current(begun, PLAN)
    hosts = {"RoleNetHostnameMap": {"Compute": {"canonical": list(COMPUTES)}}}
    digest = outputs.save(begun, [{"output_key": key, "output_value": value} for key, value in hosts.items()])
    manifest = begun / "tree" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "rolling": ["Compute"]}))
    asked = {"canary": 0, "size": 5, "failure_budget": 1}
    planned = run(PlanBatchesAction(PLAN, OWNER, str(begun / "tree"), list(COMPUTES), asked, digest, tags="validation"))
    assert [batch["targets"] for (batch,) in planned["waves"]] == [list(COMPUTES)]
    assert rollouts.current(begun, PLAN) == before
    error = {"error": {"run_dir": str(run_dir), "message": "no"}}
    answer = run(JudgeBatchAction(PLAN, OWNER, "Compute-1", list(COMPUTES), error, tags="validation"))
    assert (answer["go_on"], answer["targets"]) == (True, [name for name in COMPUTES if name != "cmp-1"])
    told = refused(JudgeWaveAction(PLAN, 0, 1, [GOOD], tags="validation"))
    assert "left behind: cmp-1" in told["message"]
    assert rollouts.current(begun, PLAN) == before
