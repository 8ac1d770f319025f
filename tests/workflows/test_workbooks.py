"""What Mistral's own validation lets pass: unknown actions and inputs, undescribed inputs, endless waits."""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import re
from pathlib import Path

import pytest
import yaml

WORKBOOKS = sorted((Path(__file__).parents[2] / "workbooks").glob("*.yaml"))
STANDARD_ACTIONS = {"std.noop", "std.fail", "std.echo"}
PHASES = ("prepare", "run", "upgrade", "converge")


@functools.cache
def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def input_names(workflow: dict) -> dict[str, bool]:
    """Names of the inputs, and whether each must be given."""
    return {
        name: required
        for item in workflow.get("input", [])
        for name, required in ([(item, True)] if isinstance(item, str) else [(key, False) for key in item])
    }


def tasks():
    for path in WORKBOOKS:
        for workflow_name, workflow in load(path)["workflows"].items():
            for name, task in workflow["tasks"].items():
                yield pytest.param(path, workflow_name, name, task, id=f"{path.stem}:{workflow_name}.{name}")


def workflows():
    for path in WORKBOOKS:
        for name, workflow in load(path)["workflows"].items():
            yield pytest.param(name, workflow, id=f"{path.stem}:{name}")


def called(path: Path, name: str) -> dict:
    """The workflow that a task of a workbook calls: one of its own, or another workbook's by its whole name."""
    everything = {
        f"{load(other)['name']}.{each}": found
        for other in WORKBOOKS
        for each, found in load(other)["workflows"].items()
    }
    own = load(path)["workflows"].get(name)
    return own if own is not None else everything[name]


@pytest.fixture(scope="module")
def actions():
    return {
        entry.name: inspect.signature(entry.load().__init__)
        for entry in importlib.metadata.entry_points(group="mistral.actions")
        if entry.name.startswith("ffwd.")
    }


@pytest.mark.parametrize("path", WORKBOOKS, ids=lambda path: path.stem)
def test_mistral_takes_the_workbook(path):
    from mistral.lang import parser

    parser.get_workbook_spec_from_yaml(path.read_text(encoding="utf-8"), validate=True)


@pytest.mark.parametrize(("path", "workflow_name", "name", "task"), list(tasks()))
def test_tasks_call_what_exists_with_the_inputs_it_has(path, workflow_name, name, task, actions):
    assert not re.search(r"\s\w+=", task.get("action", "")), "inline parameters are silently dropped"
    given = set(task.get("input", {}))
    if "workflow" in task:
        known = input_names(called(path, task["workflow"]))
        assert given <= set(known)
        assert {key for key, required in known.items() if required} <= given
    elif task["action"] not in STANDARD_ACTIONS:
        parameters = dict(actions[task["action"]].parameters)
        parameters.pop("self")
        assert given <= set(parameters)
        required = {key for key, value in parameters.items() if value.default is inspect.Parameter.empty}
        assert required <= given


@pytest.mark.parametrize(("path", "workflow_name", "name", "task"), list(tasks()))
def test_tasks_use_only_variables_that_something_publishes(path, workflow_name, name, task):
    workflow = load(path)["workflows"][workflow_name]
    known = set(input_names(workflow)) | set(workflow.get("vars", {}))
    known |= {each.split(" in ")[0] for each in [task.get("with-items", "")] if each}
    for other in workflow["tasks"].values():
        known |= set(other.get("publish", {})) | set(other.get("publish-on-error", {}))
    used = set(re.findall(r"\$\.(\w+)(?!\w*\()", yaml.safe_dump(task))) - {"get"}
    assert used <= known


@pytest.mark.parametrize(("path", "workflow_name", "name", "task"), list(tasks()))
def test_every_wait_has_an_end_and_is_followed_by_a_check(path, workflow_name, name, task):
    if not name.startswith("wait_for_"):
        return
    assert {"count", "delay", "continue-on"} <= set(task["retry"])
    (follower,) = task["on-complete"]
    assert load(path)["workflows"][workflow_name]["tasks"][follower]["action"] == "ffwd.check_status"


@pytest.mark.parametrize(("path", "workflow_name", "name", "task"), list(tasks()))
def test_what_an_executor_takes_along_when_it_ends_is_asked_for_again(path, workflow_name, name, task):
    if task.get("action", "std.fail") == "std.fail":
        return
    defaults = load(path)["workflows"][workflow_name].get("task-defaults", {})
    retry = task.get("retry", defaults.get("retry", {}))
    assert retry.get("count", 0), "an action that is lost fails with what Mistral says"
    # Mistral's word is a sentence, ours is an object: that is not asked for again in vain.
    own = "isDict(task().result)"
    assert own in retry.get("break-on", "") or own in retry.get("continue-on", "") or "isString" in retry["break-on"]


@pytest.mark.parametrize(("name", "workflow"), list(workflows()))
def test_every_workflow_and_input_is_described(name, workflow):
    for key in input_names(workflow):
        assert re.search(rf"^{key}: .+", workflow["description"], re.MULTILINE), f"{name}: {key}"


@pytest.mark.parametrize(("name", "workflow"), [p for p in workflows() if p.values[0] in PHASES])
def test_a_phase_tells_its_end_on_every_way_out(name, workflow):
    keys = {"status", "message", "phase", "run_id", "run_dir", "failed"}
    assert set(workflow["output"]) == set(workflow["output-on-error"]) == keys
    assert workflow["output"]["phase"] == workflow["output-on-error"]["phase"] == name
    assert workflow["task-defaults"]["on-error"] == ["fail_phase"]


def test_the_phases_follow_the_table():
    sequence = {
        "prepare": ["update_plan", "update_stack"],
        "run": ["query_outputs", "generate_playbooks", "run_fast_forward_upgrade_playbook"],
        "upgrade": [
            "query_outputs",
            "check_batches",
            "generate_playbooks",
            "run_batches",
            "run_upgrade_steps_playbook",
            "run_deploy_steps_playbook",
            "run_post_upgrade_steps_playbook",
        ],
        "converge": [
            "update_plan",
            "update_stack",
            "query_outputs",
            "generate_playbooks",
            "run_deploy_steps_playbook",
        ],
    }
    around = {
        "acquire_lock",
        "check_phase",
        "check",
        "compare_plan",
        "begin_phase",
        "check_nodes",
        "finish_phase",
        "fail_phase",
    }
    book = load(next(path for path in WORKBOOKS if path.stem == "ffwd_upgrade"))
    for phase, expected in sequence.items():
        assert [name for name in book["workflows"][phase]["tasks"] if name not in around] == expected
