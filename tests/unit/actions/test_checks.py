"""The actions of checks where Heat is away: every answer is a finding, and the report says what could not be made."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from mistral_lib import actions
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions.checks import BeginCheckAction, GetCheckReportAction, GetCheckStatusAction, JudgeCheckAction
from tripleo_ffwd.actions.phases import AcquireLockAction

NO_HEAT = {"error": "Unavailable", "message": "Heat does not answer", "remedy": ""}


@pytest.fixture
def away(work_dir):
    """Heat is configured, and nobody is there; the launcher is one that works anywhere."""
    overrides = {"heat_url": "http://127.0.0.1:9/v1/admin", "launcher": "detach"}
    for name, value in overrides.items():
        cfg.CONF.set_override(name, value, group=config.GROUP)
    work_dir.mkdir(mode=0o700)
    yield work_dir
    for name in overrides:
        cfg.CONF.clear_override(name, group=config.GROUP)


def run(action):
    execution = SimpleNamespace(action_execution_id="a-1", task_execution_id="t-1")
    return action.run(SimpleNamespace(execution=execution, security=SimpleNamespace(project_id=None)))


def refused(action) -> dict:
    found = run(action)
    assert isinstance(found, actions.Result)
    return found.error


def test_what_can_not_be_looked_at_is_told_and_stops_the_phase(away):
    run(AcquireLockAction("p", "prepare", "e-1"))
    begun = run(BeginCheckAction("p", "run", trouble=NO_HEAT))
    assert begun["seconds"] == 0
    assert run(GetCheckStatusAction(begun["check_dir"]))["settled"], "no node is waited for"
    judged = run(JudgeCheckAction("p", begun["check_dir"]))
    assert not judged["passed"]
    stands = {one["key"] for one in judged["inhibitors"]}
    assert stands == {"services", "plan-lock"}
    report = run(GetCheckReportAction("p"))
    assert report["id"] == judged["check"]
    assert {one["key"] for one in report["not_made"]} == {"stack-status", "nodes-not-checked"}
    assert "prepare" in next(one["what"] for one in report["findings"] if one["key"] == "plan-lock")

    again = run(BeginCheckAction("p", "run", owner="e-1", trouble=NO_HEAT))
    error = refused(JudgeCheckAction("p", again["check_dir"], stop=True))
    assert error["error"] == "Inhibited"
    assert error["message"].startswith("The checks stop phase run before anything was touched: services")
    assert [one["key"] for one in error["inhibitors"]] == ["services", "services"], "the plan is its own"
    assert json.loads((away / "records/p/checks" / error["check"] / "report.json").read_text())["stopped"]
    # Mistral asks again when the answer was lost.
    assert refused(JudgeCheckAction("p", again["check_dir"], stop=True)) == error


def test_a_wrong_waiver_or_phase_is_refused_at_once(away):
    waiver = {"key": "sudo", "reason": "because"}
    assert "until when" in refused(BeginCheckAction("p", "run", waivers=[waiver]))["message"]
    assert "Nothing is checked" in refused(BeginCheckAction("p", "prepare"))["message"]
    assert not (away / "records").exists()


def test_a_plan_that_was_never_checked_says_so(away):
    assert "has not been checked" in refused(GetCheckReportAction("p"))["message"]
