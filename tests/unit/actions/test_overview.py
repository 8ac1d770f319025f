"""What is told of a plan to whoever knows no more than its name."""

from __future__ import annotations

import time
from types import SimpleNamespace

from mistral_lib import actions

from tripleo_ffwd.actions.overview import GetPlanStatusAction, ListNodesAction, ListRunsAction
from tripleo_ffwd.actions.phases import AcquireLockAction, BeginPhaseAction, FinishPhaseAction
from tripleo_ffwd.ansible_run import rundir
from tripleo_ffwd.files import make_private_dir
from tripleo_ffwd.model import RunSpec


def run(action):
    execution = SimpleNamespace(action_execution_id="a-1")
    return action.run(SimpleNamespace(execution=execution, security=SimpleNamespace(project_id=None)))


def made_run(work_dir, plan: str) -> str:
    spec = RunSpec(plan, "run", "fast_forward_upgrade_playbook.yaml", str(work_dir / "tree"), "d", owner="e-1")
    make_private_dir(work_dir / rundir.RUNS)
    return rundir.create(work_dir, spec, {"created": time.time()}, {}).run_id


def test_an_unknown_plan_is_told_from_the_known_ones(work_dir):
    refused = run(GetPlanStatusAction("nothing"))
    assert isinstance(refused, actions.Result)
    assert refused.error["error"] == "NotFound"
    assert refused.error["message"].startswith("Plan nothing is not known. No plan is there yet")


def test_a_plan_tells_who_holds_it_and_what_has_been_reached(work_dir):
    run(AcquireLockAction("p", "prepare", "e-1"))
    status = run(GetPlanStatusAction("p"))
    assert (status["phase"], status["execution"], status["prepare"]) == ("prepare", "e-1", "")
    run(BeginPhaseAction("p", "prepare", "e-1", [], stack="s"))
    run(FinishPhaseAction("p", "prepare", "e-1", []))
    run(AcquireLockAction("p", "run", "e-2"))
    run(BeginPhaseAction("p", "run", "e-2", ["ctl-0"]))
    status = run(GetPlanStatusAction("p"))
    assert (status["stack"], status["phase"], status["execution"], status["prepare"]) == ("s", "run", "e-2", "finished")
    assert status["nodes"] == 1
    assert (status["runs"], status["live"], status["last"]) == (0, [], None)
    run(FinishPhaseAction("p", "run", "e-2", ["ctl-0"]))
    status = run(GetPlanStatusAction("p"))
    assert (status["phase"], status["execution"], status["nodes"]) == ("", "", 1)
    (node,) = run(ListNodesAction("p"))["nodes"]
    assert (node["node"], node["phase"], node["state"]) == ("ctl-0", "run", "finished")


def test_runs_are_told_by_plan_newest_last(work_dir):
    first, other, second = (made_run(work_dir, plan) for plan in ("p", "q", "p"))
    status = run(GetPlanStatusAction("p"))
    assert status["runs"] == 2
    assert status["last"]["run_id"] == second
    assert [one["run_id"] for one in run(ListRunsAction("p"))] == [first, second]
    assert [one["run_id"] for one in run(ListRunsAction())] == [first, other, second]
    assert [one["run_id"] for one in run(ListRunsAction(limit=1))] == [second]
    assert "failed" not in run(ListRunsAction())[0], "a list stays small"
